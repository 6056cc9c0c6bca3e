"""Who asks, and may they: looked at before anything else is done with a request."""

from aiohttp import web
from msgspec import Struct

from agents.console.access.checked import checked
from agents.console.access.people import Person
from agents.console.access.sessions import Session, Sessions
from agents.console.problems import ProblemError
from agents.operator import person
from schemas import net
from schemas.settings import ConsoleSettings, Role

HEADER = "X-CSRF-Token"
FIELD = "csrf"
PART = "X-Part"  # by which a page's script asks for what changes alone
EVENTS = "/events"
_LOOPBACK = net.Networks(net.LOOPBACK)


class Asking(Struct):
    """A request's session; `fresh` is the cookie that is to be set, "" where there is one."""

    session: Session
    fresh: str = ""


class Guard:
    """Raises SettingsError where the settings let in whom they must not."""

    def __init__(self, settings: ConsoleSettings) -> None:
        let_in = checked(settings)
        self.people = let_in.people
        self.proxy = settings.proxy
        self._proxies = let_in.proxies
        self.secure = bool(settings.certificate)
        self.open = let_in.open
        self.sessions = Sessions(settings.idle)

    def asking(self, request: web.BaseRequest) -> Asking | None:
        """The session of who asks; None: nobody we know. Raises ProblemError where the request
        came on a way that is not trusted."""
        by_itself = PART in request.headers or request.path == EVENTS
        token = request.cookies.get(self.cookie(request), "")
        session = self.sessions.find(token, by_itself=by_itself)
        if self.open:
            _local(request)
            if session is not None:
                return Asking(session)
            token, session = self.sessions.begin(Person(person.login() or "console", "admin"))
            return Asking(session, token)
        named = self._named(request)
        if named is not None:
            if session is not None and session.person == named:
                return Asking(session)
            token, session = self.sessions.begin(named)
            return Asking(session, token)
        return Asking(session) if session is not None else None

    def cookie(self, request: web.BaseRequest) -> str:
        """Its name: with the prefix, browsers take it over TLS only, and from this host only
        (RFC 6265bis, 4.1.3.2)."""
        return "__Host-mailwarden" if self.over_tls(request) else "mailwarden"

    def over_tls(self, request: web.BaseRequest) -> bool:
        """Whether the browser speaks TLS, with us or with the proxy."""
        if self.secure:
            return True
        return self._through(request) and request.headers.get("X-Forwarded-Proto") == "https"

    def client(self, request: web.BaseRequest) -> str:
        """The address of who asks, as the proxy says where it is one of ours."""
        if self._through(request):
            said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
            if net.address(said):
                return net.address(said)
        return request.remote or ""

    def _named(self, request: web.BaseRequest) -> Person | None:
        """Whom the proxy names. Raises ProblemError where they have no role."""
        if self.proxy is None or not self._through(request):
            return None
        name = request.headers.get(self.proxy.header, "").strip()
        if not name:
            return None
        known = self.people.find(name)
        if known is not None:
            return known
        if not self.proxy.role:
            raise ProblemError(403, f"{name[:100]} has no role at this console")
        return Person(name[:100], self.proxy.role)

    def _through(self, request: web.BaseRequest) -> bool:
        address = net.address(request.remote or "")
        return bool(address) and address in self._proxies


def allow(asked: Asking | None, role: Role) -> Asking:
    """Raises ProblemError where they may not."""
    if asked is None:
        raise ProblemError(401, "log in first", {"WWW-Authenticate": 'Cookie realm="mailwarden"'})
    if not asked.session.person.may(role):
        mine = asked.session.person.role
        raise ProblemError(403, f"this needs the role {role}; yours is {mine}")
    return asked


def same_origin(request: web.BaseRequest) -> None:
    """Raises ProblemError where another site's page sends it. Browsers say so in two headers
    (Fetch Metadata; RFC 6454); programs send neither."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none"):
        raise ProblemError(403, "another site's page asked for this")
    if origin is not None and origin.partition("://")[2] != request.headers.get("Host", ""):
        raise ProblemError(403, "another site's page asked for this")


def proven(asked: Asking, token: str) -> None:
    """Raises ProblemError where a change does not come from a page of this session."""
    if not asked.session.proves(token):
        raise ProblemError(403, "the page was too old or not ours: load it again")


def _local(request: web.BaseRequest) -> None:
    """Without users we speak to this machine only, and not to a page of a stranger's name that the
    DNS turned to loopback. Raises ProblemError."""
    host = request.headers.get("Host", "")
    name = host[: host.rindex(":")] if ":" in host.rpartition("]")[2] else host
    address = net.address(name)
    if not (name == "localhost" or (address and address in _LOOPBACK)):
        raise ProblemError(403, "without users, this console is for localhost only")
