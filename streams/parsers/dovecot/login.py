"""Dovecot's login processes: who came, logged in or not, and why.

A line is ``message (why) (code): elements``; the code only since 2.4. Wordings from
src/login-common/client-common.c, client-common-auth.c, login-proxy.c and login-settings.c, codes
from the manual (``login_aborted``). Names of users stand among the elements with ``,``, ``>`` and
``rip=`` in them: the server's own address is the last one.
"""

import re
from functools import lru_cache

from schemas import net
from schemas.events import Auth, Connection
from streams.parsers.dovecot.words import LEVELS
from streams.parsers.part import Attempt, Items, Record

SERVICES = {
    "imap-login": "imap",
    "pop3-login": "pop3",
    "submission-login": "submission",
    "managesieve-login": "sieve",
    "sieve-login": "sieve",
}

Meaning = tuple[type[Auth] | type[Connection], str, str]  # event, outcome, reason

_LINE = re.compile(r"(?P<message>.*?)(?:: | )(?P<elements>(?:user=|rip=|method=).*)", re.DOTALL)
_WHO = re.compile(r"user=(?P<open><?)(?P<user>.*?)>?(?:, method=(?P<method>[\w.-]*))?,?")
_RIP = re.compile(r"\brip=(?P<ip>[0-9A-Fa-f.:]+)")
_SESSION = re.compile(r".*, session=<(?P<session>[^<>\s]+)>")
_FAILED = re.compile(
    r"\((?P<what>auth failed|authorization failed), (?P<count>\d{1,6}) attempts?"
    r"(?: in \d+ secs)?\)|"
    r"\((?P<old>\d{1,6}) authentication attempts\)"
)
_COUNT = re.compile(
    r", (?P<good>\d{1,6}/)?(?P<count>\d{1,6}) (?:attempts|successful auths) in \d+ secs\)"
)

_LOGGED_IN: tuple[Meaning, int] = (Auth, "ok", ""), 1
_REJECTED: Meaning = (Auth, "failed", "rejected")
_FAULT: Meaning = (Auth, "error", "server")
_CLOSED: Meaning = (Connection, "closed", "")
_NO_ATTEMPT: Meaning = (Connection, "closed", "no_auth_attempts")
_CERTIFICATE: Meaning = (Connection, "refused", "certificate")

CODES: dict[str, Meaning] = {
    "auth_failed": _REJECTED,
    "authorization_failed": (Auth, "failed", "not_authorized"),
    "user_disabled": (Auth, "failed", "disabled"),
    "login_disabled": (Auth, "failed", "disabled"),
    "password_expired": (Auth, "failed", "expired"),
    "proxy_dest_auth_failed": _REJECTED,
    "auth_process_comm_fail": _FAULT,
    "internal_failure": _FAULT,
    "temp_fail": _FAULT,
    **dict.fromkeys(
        (
            f"proxy_dest_{what}"
            for what in (
                "connect_failed",
                "internal_failure",
                "remote_failure",
                "protocol_failure",
                "auth_temp_failed",
            )
        ),
        _FAULT,
    ),
    "connection_limit": (Auth, "error", "connection_limit"),
    "cleartext_auth_disabled": (Connection, "refused", "plaintext_auth"),
    "anonymous_auth_disabled": (Connection, "refused", "anonymous_auth"),
    "client_ssl_not_started": _CERTIFICATE,
    "client_ssl_cert_missing": _CERTIFICATE,
    "client_ssl_cert_untrusted": _CERTIFICATE,
    "invalid_mech": (Connection, "closed", "mechanism"),
    "invalid_base64": (Connection, "abuse", "bad_base64"),
    "no_auth_attempts": _NO_ATTEMPT,
    "auth_process_not_ready": _NO_ATTEMPT,
    "tls_handshake_not_finished": _NO_ATTEMPT,
    **dict.fromkeys(
        (
            "auth_aborted_by_client",
            "auth_waiting_client",
            "auth_nologin_referral",
            "proxy_dest_redirected",
            "process_full",
            "shutting_down",
        ),
        _CLOSED,
    ),
}
"""What the codes of 2.4 mean."""

_WORDS: tuple[tuple[str, Meaning], ...] = (
    # what stands in the message before 2.4
    ("(user disabled", CODES["user_disabled"]),
    ("(login disabled", CODES["login_disabled"]),
    ("(password expired", CODES["password_expired"]),
    ("(proxy dest auth failed", _REJECTED),
    ("(auth service reported temporary failure", _FAULT),
    ("(auth process communication failure", _FAULT),
    ("(internal failure", _FAULT),
    ("successful auths", _FAULT),
    ("Maximum number of connections", CODES["connection_limit"]),
    ("(tried to use dis", CODES["cleartext_auth_disabled"]),  # disallowed, in 1.x disabled
    ("(cert required", _CERTIFICATE),
    ("(client didn't send a cert", _CERTIFICATE),
    ("(client sent an invalid cert", _CERTIFICATE),
    ("(tried to use unsupported auth mech", CODES["invalid_mech"]),
    ("(sent invalid base64", CODES["invalid_base64"]),
    ("oo many invalid", (Connection, "abuse", "too_many_errors")),
    ("oo many bad", (Connection, "abuse", "too_many_errors")),
    ("nput buffer full", (Connection, "abuse", "command_limit")),
    ("(no auth attempts", _NO_ATTEMPT),
    ("(disconnected before auth was ready", _NO_ATTEMPT),
    ("(disconnected before greeting", _NO_ATTEMPT),
    ("(disconnected during TLS handshake", _NO_ATTEMPT),
)
_ENDS = (
    "Disconnected",
    "Aborted login",
    "Login aborted",
    "Client has quit",
    "Connection closed",
    "Inactivity",
    "Timeout",
    "Login timed out",
    "Logging in timed out",
    "Server shutting down",
    "Shutting down",
)


def read(record: Record, name: str, rest: str) -> Items:
    """What follows the name of a login process."""
    message, found, elements = rest.partition(": user=<")
    who, ended, more = elements.partition(", rip=")
    user, by, method = who.rpartition(">, method=")
    if found and by and ended and elements.count("rip=") == 1 and message[:6] != "proxy(":
        # Most lines: there is no doubt about any field.
        client = net.address(more.partition(",")[0])
        _, session, key = more.rpartition(", session=<")
        key = key[:-1] if session else ""
    else:
        said = _unusual(rest)
        if said is None:
            return ()
        message, user, method, client, key = said
    told = _LOGGED_IN if message == "Login" else _told(message, bool(user))
    if told is None:
        return ()
    (kind, outcome, reason), count = told
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
        account=user.strip("<>").lower()[:320],
        outcome=outcome,
        reason=reason,
        mechanism=method.upper()[:40],
        service=SERVICES[name],
        count=count,
    )
    return (Attempt("summary", auth, key),)


Said = tuple[str, str, str, str, str]  # message, user, mechanism, client, session


def _unusual(rest: str) -> Said | None:
    found = _LINE.match(rest)
    if found is None:
        return None
    elements = found["elements"]
    at = elements.rfind(", rip=") if elements.startswith("user=") else elements.find("rip=")
    rip = _RIP.search(elements, max(at, 0)) if at >= 0 else None
    named = _WHO.fullmatch(elements[:at] if at > 0 else elements)
    user, method = (named["user"], named["method"] or "") if named else ("", "")
    session = _SESSION.match(elements, max(at, 0))
    client = net.address(rip["ip"]) if rip else ""
    return found["message"], user, method, client, session["session"] if session else ""


@lru_cache(maxsize=1024)
def _told(message: str, named: bool) -> tuple[Meaning, int] | None:
    """What the words before the elements mean, and how many attempts they tell of."""
    level, _, words = message.partition(": ")
    if level in LEVELS:
        message = words
    if message == "Login" or ("tarted proxying to" in message and message.startswith("proxy(")):
        return _LOGGED_IN
    coded = CODES.get(message[:-1].rpartition(" (")[2]) if message[-1:] == ")" else None
    if coded:
        count = _COUNT.search(message[-200:])
        tried = int(count["count"]) - int((count["good"] or "0/")[:-1]) if count else 1
        return _abused(message, coded), max(tried, 1)
    failed = _FAILED.search(message)
    if failed and failed["old"] != "0":
        code = "authorization_failed" if failed["what"] == "authorization failed" else "auth_failed"
        return CODES[code], int(failed["count"] or failed["old"])
    for said, meaning in _WORDS:
        if said in message:
            return meaning, 1
    if message == "Aborted login" and named:
        return _REJECTED, 1  # 1.0 says no more
    if failed:
        return _NO_ATTEMPT, 1
    return (_CLOSED, 1) if message.startswith(_ENDS) else None


def _abused(message: str, meaning: Meaning) -> Meaning:
    """Who said nothing sensible at all did not just say nothing."""
    if meaning is _NO_ATTEMPT:
        for words, other in _WORDS:
            if other[1] == "abuse" and words in message:
                return other
    return meaning
