"""Dovecot 1.x to 2.4: login processes, the authentication server, LMTP and LDA.

Wordings from Dovecot's src/login-common/client-common.c and login-settings.c,
src/auth/auth-request.c and passdb-*.c, src/lmtp, src/lib-storage/mail-deliver (src/lib-lda);
PAM's from Linux-PAM's pam_unix_auth.c. Names of users pass into the log with ``,``, ``>`` and
``rip=`` in them: an address counts only where no other reading of the line has another one.
"""

import re
from collections.abc import Callable

from schemas import net
from schemas.events import Auth, Connection, Delivery
from streams.parsers import reply
from streams.parsers.part import Attempt, Format, Items, Mask, Parse, Part, Record

PATIENCE = 10.0  # seconds that a saved mail waits for the MTA's word on the same delivery

SERVICES = {
    "imap-login": "imap",
    "pop3-login": "pop3",
    "submission-login": "submission",
    "managesieve-login": "sieve",
    "sieve-login": "sieve",
}
TAGS = frozenset({"auth", "auth-worker", "dovecot-auth", "lmtp", "lda", *SERVICES})

_LEVEL = r"(?:(?:Info|Warning|Error|Debug|Fatal|Panic): )?"
_LOGIN = re.compile(
    rf"{_LEVEL}(?P<message>.*?)(?:: | )(?P<elements>(?:user=|rip=|method=).*)", re.DOTALL
)
_WHO = re.compile(r"user=(?P<open><?)(?P<user>.*?)>?(?:, method=(?P<method>[\w.-]*))?,?")
_RIP = re.compile(r"\brip=(?P<ip>[0-9A-Fa-f.:]+)")
_SESSION = re.compile(r".*, session=<(?P<session>[^<>\s]+)>")
_FAILED = re.compile(
    r"\((?P<what>auth failed|authorization failed), (?P<count>\d{1,6}) attempts?"
    r"(?: in \d+ secs)?\)|"
    r"\((?P<old>\d{1,6}) authentication attempts\)"
)
_ENDED = (
    # words in the parentheses, event, outcome, reason
    ("(user disabled", Auth, "failed", "disabled"),
    ("(login disabled", Auth, "failed", "disabled"),
    ("(password expired", Auth, "failed", "expired"),
    ("(proxy dest auth failed", Auth, "failed", "rejected"),
    ("(auth service reported temporary failure", Auth, "error", "server"),
    ("(auth process communication failure", Auth, "error", "server"),
    ("(internal failure", Auth, "error", "server"),
    ("successful auths", Auth, "error", "server"),
    ("Maximum number of connections", Auth, "error", "connection_limit"),
    ("(tried to use disallowed", Connection, "refused", "plaintext_auth"),
    ("(cert required", Connection, "refused", "certificate"),
    ("(client didn't send a cert", Connection, "refused", "certificate"),
    ("(client sent an invalid cert", Connection, "refused", "certificate"),
    ("(tried to use unsupported auth mech", Connection, "closed", "mechanism"),
    ("(no auth attempts", Connection, "closed", "no_auth_attempts"),
    ("(disconnected before auth was ready", Connection, "closed", "no_auth_attempts"),
    ("(disconnected before greeting", Connection, "closed", "no_auth_attempts"),
    ("(disconnected during TLS handshake", Connection, "closed", "no_auth_attempts"),
)

_AUTH = re.compile(
    r",(?P<ip>[0-9A-Fa-f.:]{3,45})(?:,<(?P<old>[^<>\s]{1,64})>)?(?:,sasl:(?P<method>[\w-]{1,20}))?\)"
    r"(?:<(?P<session>[^<>\s]{1,64})>)?: "
)
# Up to 2.3: "auth-worker(12): conn unix:auth-worker (pid=1,uid=97): auth-worker<3>: sql(user,ip):"
_OLD = re.compile(
    rf"(?:\(\w*\): )?{_LEVEL}(?:conn unix:\S+ \([^()]*\): auth-worker<\d+>: )?[a-z][\w-]*\("
)
# 2.4: "auth(user,ip,sasl:plain)<session>: Info: sql: text"
_NEW = re.compile(rf"{_LEVEL}(?:[a-z][\w-]*: )?")
_GIVEN = re.compile(r" ?\((?P<sha1>SHA1 of )?given password: (?P<secret>.*)\)", re.DOTALL)
_REASONS = (
    ("unknown user", "unknown_account"),
    ("User unknown", "unknown_account"),
    ("pam_authenticate() failed: User not known", "unknown_account"),
    ("Username character disallowed", "unknown_account"),
    ("Password mismatch", "bad_password"),
    ("password mismatch", "bad_password"),
    ("invalid credentials", "bad_password"),
    ("pam_authenticate() failed:", "bad_password"),
    ("Authentication failure due to policy", "policy"),
    ("allow_nets check failed", "policy"),
    ("User is disabled", "disabled"),
    ("Account is disabled", "disabled"),
    ("pam_acct_mgmt() failed:", "disabled"),
)
_PAM = re.compile(
    r"pam_unix\([\w-]+:auth\): authentication failure; .*\brhost=(?P<ip>\S+)"
    r"(?:  user=(?P<user>.*))?"
)

_SAVED = re.compile(
    r"(?:\((?P<user>[^()]*)\))?(?:<\d+>)?(?:<[^<>]*>)?: "
    rf"{_LEVEL}(?:[^\s:=]{{1,64}}: ){{0,2}}msgid=(?P<id>.*?): (?P<what>saved mail to|"
    r"stored mail into mailbox|save failed to|failed to store into mailbox)(?P<rest>.*)",
    re.DOTALL,
)


class _Parser:
    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._readers: dict[str, Callable[[Record, str, str], Items]] = {
            **dict.fromkeys(SERVICES, _login),
            **dict.fromkeys(("auth", "auth-worker", "dovecot-auth"), self._auth),
            **dict.fromkeys(("lmtp", "lda", "deliver"), _saved),
        }

    def parse(self, record: Record) -> Items:
        """A line that begins with the name of its process."""
        text = record.text
        name, _, rest = text.partition(": ")
        read = self._readers.get(name)
        if read is not None:
            return read(record, name, rest)
        name = name.partition("(")[0]
        read = self._readers.get(name)
        return read(record, name, text[len(name) :]) if read is not None else ()

    def of_process(self, name: str) -> Parse:
        """A parser of lines whose tag is the name of their process."""
        read = self._readers[name]
        return lambda record: read(record, name, record.text)

    def by_text(self, record: Record) -> Items | None:
        """A line without a tag."""
        return self.parse(record) or None

    def _auth(self, record: Record, name: str, rest: str) -> Items:
        """A detail of an attempt: one password database's word on it."""
        if "pam_unix(" in rest:
            return _pam(record, rest)
        found = list(_AUTH.finditer(rest))
        if not found:
            return ()
        who = found[0]
        if len({one["ip"] for one in found}) > 1:
            return ()  # a name or password made to look like this line: who it was is unknown
        before, text = rest[: who.start()], rest[who.end() :]
        old = _OLD.match(before)
        if old:
            user = before[old.end() :]
        elif before.startswith("("):
            user, text = before[1:], text[_end(_NEW.match(text)) :]
        else:
            return ()
        reason = next((reason for words, reason in _REASONS if text.startswith(words)), "")
        if not reason:
            return ()
        given = _GIVEN.search(text)
        password = ""
        if given:
            password = self._mask(("sha1:" if given["sha1"] else "") + given["secret"])
        auth = Auth(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=net.address(who["ip"]),
            account=_name(user),
            outcome="failed",
            reason=reason,
            mechanism=(who["method"] or "").upper(),
            password=password,
        )
        return (Attempt("detail", auth, who["old"] or who["session"] or ""),)


def _end(found: re.Match[str] | None) -> int:
    return found.end() if found else 0


def _name(user: str) -> str:
    return user.strip("<>").lower()[:320]


def _pam(record: Record, rest: str) -> Items:
    found = _PAM.search(rest)
    if found is None or (rest.count("rhost=") > 1 and "  user=" in rest):
        return ()  # a name made to look like the rest of the line: who it was is unknown
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=net.address(found["ip"]),
        account=_name(found["user"] or ""),
        outcome="failed",
        reason="bad_password",
    )
    return (Attempt("early", auth),) if auth.client else ()


def _login(record: Record, name: str, rest: str) -> Items:
    if rest.startswith(("Login: user=<", "Info: Login: user=<")) and rest.count("rip=") == 1:
        # Most lines; there is no doubt about any field.
        who, _, more = rest.partition(", rip=")
        user, _, mechanism = who.rpartition(">, method=")
        auth = Auth(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=net.address(more.partition(",")[0]),
            account=user.partition("<")[2].lower()[:320],
            outcome="ok",
            mechanism=mechanism.upper()[:40],
            service=SERVICES[name],
        )
        return (Attempt("summary", auth, more.rpartition(", session=<")[2].rstrip(">")),)
    found = _LOGIN.match(rest)
    if found is None:
        return ()
    message, elements = found["message"], found["elements"]
    # The name of the user stands first and may say anything; the last "rip=" is the server's.
    at = elements.rfind(", rip=") if elements.startswith("user=") else elements.find("rip=")
    rip = _RIP.search(elements, max(at, 0)) if at >= 0 else None
    client = net.address(rip["ip"]) if rip else ""
    named = _WHO.fullmatch(elements[:at] if at > 0 else elements)
    user, method = (named["user"], named["method"] or "") if named else ("", "")
    session = _SESSION.match(elements, max(at, 0))
    event = _outcome(message, user)
    if event is None:
        return ()
    kind, outcome, reason, count = event
    if kind is Connection:
        return (
            Connection(
                at=record.at,
                gateway=record.host,
                offset=record.offset,
                client=client,
                outcome=outcome,
                reason=reason,
            ),
        )
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        account=_name(user),
        outcome=outcome,
        reason=reason,
        mechanism=method.upper()[:40],
        service=SERVICES[name],
        count=count,
    )
    return (Attempt("summary", auth, session["session"] if session else ""),)


def _outcome(message: str, user: str) -> tuple[type[Auth] | type[Connection], str, str, int] | None:
    """What the words before the elements mean: event, outcome, reason, count."""
    if message == "Login" or ("started proxying to" in message and message.startswith("proxy(")):
        return Auth, "ok", "", 1
    failed = _FAILED.search(message)
    if failed:
        reason = "not_authorized" if failed["what"] == "authorization failed" else "rejected"
        return Auth, "failed", reason, int(failed["count"] or failed["old"])
    for words, kind, outcome, reason in _ENDED:
        if words in message:
            return kind, outcome, reason, 1
    if message == "Aborted login" and user:
        return Auth, "failed", "rejected", 1  # 1.0 says no more
    if message.startswith(("Disconnected", "Aborted login", "Login aborted")):
        return Connection, "closed", "", 1
    return None


def _saved(record: Record, name: str, rest: str) -> Items:
    found = _SAVED.match(rest)
    if found is None:
        return ()
    user = (found["user"] or "").rpartition(", ")[2]
    message_id = found["id"].strip(" <>")[:255]
    values = {"message_id": message_id, "recipient": _name(user), "relay": "dovecot"}
    if found["what"] in ("save failed to", "failed to store into mailbox"):
        values["status"] = "deferred"
        values["reason"] = reply.failure("", found["rest"])
    return (
        Part(
            record.at,
            record.host,
            "mailbox",
            message_id,
            offset=record.offset,
            event=Delivery,
            values=values,
            wait=PATIENCE,
        ),
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _Parser(mask).by_text
    if program == "dovecot":
        return _Parser(mask).parse
    return _Parser(mask).of_process(program) if program in TAGS else None


FORMAT = Format("dovecot", parser)
