"""Cyrus IMAP 2.x to 3.x: imapd, pop3d, lmtpd, timsieved, httpd, nntpd.

Wordings from imap/imapd.c, pop3d.c, httpd.c and timsieved/parser.c:
``login: HOST [ADDRESS] USER MECH[+TLS] User logged in SESSIONID=<...>`` and
``badlogin: HOST [ADDRESS] MECH [USER] REASON``, the reason mostly the SASL library's in the form
``SASL(-13): ...``; deliveries from imap/append.c. 3.13 and later write logfmt
(doc/README.logfmt.md): ``event=login.good r.clienthost=... u.username=...``. The client's address
stands first and is the server's own word; the name before it is the reverse lookup's.

What the library says on its own (``SASL authentication failure: ...``) names no client, and
the server's line follows.
"""

import re

from msgspec import structs

from schemas import net
from schemas.events import Auth, Delivery
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Items, Mask, Parse, Part, Record

PATIENCE = 10.0  # seconds that a delivery waits for the MTA's word on it

SERVICES = {
    **dict.fromkeys(("imap", "imaps", "imapd", "imapsd", "proxyd"), "imap"),
    **dict.fromkeys(("pop3", "pop3s", "pop3d", "pop3sd", "pop3proxyd"), "pop3"),
    **dict.fromkeys(("sieve", "sieved", "timsieved", "managesieve"), "sieve"),
    **dict.fromkeys(("http", "https", "httpd"), "web"),
    **dict.fromkeys(("lmtp", "lmtpd", "lmtpunix", "lmtpproxyd"), ""),
    **dict.fromkeys(("nntp", "nntps", "nntpd", "mupdate"), ""),
}

_CLIENT = re.compile(
    r"(?P<what>login|badlogin): (?:(?P<name>[^\s\[\]]{1,255}) ?)?\[(?P<ip>[0-9A-Fa-f.:]{2,45})\] "
)
_OPENED = re.compile(
    r"(?P<user>.*) (?P<mechanism>[\w-]{1,20})(?P<tls>\+TLS)? User logged in(?: SESSIONID=<\S+>)?",
    re.DOTALL,
)
_REFUSED = re.compile(r"(?P<mechanism>[\w-]{1,20})(?: (?P<rest>.*))?", re.DOTALL)
_SASL = re.compile(r" ?\[?SASL\((?P<code>-?\d{1,3})\): (?P<said>[^\]:]{0,80})")
_CODES = {
    # SASL's result, include/sasl.h: outcome, reason
    "-1": ("error", "server"),
    "-2": ("error", "server"),
    "-3": ("error", "server"),
    "-4": ("failed", "mechanism"),
    "-5": ("failed", "protocol"),
    "-7": ("error", "server"),
    "-8": ("error", "server"),
    "-12": ("error", "server"),
    "-13": ("failed", "bad_password"),
    "-14": ("failed", "not_authorized"),
    "-15": ("failed", "mechanism"),
    "-16": ("failed", "plaintext_auth"),
    "-18": ("failed", "expired"),
    "-19": ("failed", "disabled"),
    "-20": ("failed", "unknown_account"),
    "-21": ("failed", "disabled"),
    "-24": ("error", "server"),
}
_REASONS = (
    ("invalid user", "unknown_account"),
    ("user not found", "unknown_account"),
    ("authentication failure", "bad_password"),
    ("plaintext logins disabled", "plaintext_auth"),
    ("login restricted", "disabled"),
)
_DELIVERED = re.compile(
    r"(?:d|D)elivered: (?P<id>.{1,998}) to mailbox: (?P<mailbox>\S.*)", re.DOTALL
)
_FIELD = re.compile(
    r' (?P<key>[\w.]{1,40})=(?:"(?P<quoted>(?:[^"\\]|\\.){0,2000})"|(?P<plain>\S*))'
)
_ESCAPED = re.compile(r"\\(.)")


class _Parser:
    def __init__(self, service: str) -> None:
        self._service = service

    def parse(self, record: Record) -> Items | None:
        text = record.text
        if text.startswith(("login: ", "badlogin: ")):
            return self._login(record)
        if text.startswith("event="):
            return self._structured(record)
        if text.startswith(("Delivered: ", "delivered: ")):
            return _delivered(record)
        return None

    def _login(self, record: Record) -> Items | None:
        text = record.text
        found = _CLIENT.match(text)
        if found is None:
            return None
        client, rest = net.address(found["ip"]), text[found.end() :]
        if found["what"] == "login":
            opened = _OPENED.fullmatch(rest)
            if opened is None:
                return None
            account, mechanism = opened["user"], opened["mechanism"]
            return (self._auth(record, client, account, mechanism, "ok", ""),)
        refused = _REFUSED.fullmatch(rest)
        if refused is None:
            return ()
        account, outcome, reason = _refusal(refused["rest"] or "")
        auth = self._auth(record, client, account, refused["mechanism"], outcome, reason)
        return (Attempt("smtp", auth, f"{record.program} {record.pid}"),)

    def _structured(self, record: Record) -> Items | None:
        what = record.text[6:].partition(" ")[0]
        if what not in ("login.good", "login.bad"):
            return ()
        fields: dict[str, str] = {}
        for found in _FIELD.finditer(record.text):
            value = found["plain"]
            if value is None:
                value = _ESCAPED.sub(r"\1", found["quoted"])
            fields.setdefault(found["key"], "" if value == "~null~" else value)
        host = fields.get("r.clienthost", "")
        client = net.address(host.partition("[")[2].partition("]")[0] if "[" in host else host)
        account, mechanism = fields.get("u.username", ""), fields.get("login.mech", "")
        if what == "login.good":
            return (self._auth(record, client, account, mechanism, "ok", ""),)
        _, outcome, reason = _refusal(f" {fields.get('error', '')}")
        auth = self._auth(record, client, account, mechanism, outcome, reason)
        return (Attempt("smtp", auth, f"{record.program} {record.pid}"),)

    def _auth(
        self, record: Record, client: str, account: str, mechanism: str, outcome: str, reason: str
    ) -> Auth:
        return event(
            Auth,
            record,
            client=client,
            account=name(account),
            outcome=outcome,
            reason=reason,
            # "plaintext" is the protocol's own command, LOGIN or USER and PASS
            mechanism="" if mechanism == "plaintext" else mechanism.upper(),
            service=self._service,
        )


def _refusal(rest: str) -> tuple[str, str, str]:
    """(account, outcome, reason) of what follows the mechanism: ``[USER|(USER)] REASON``.

    The user stands before the library's words; a name made to look like those only moves
    where they seem to begin.
    """
    found = _SASL.search(" " + rest)
    if found:
        account = rest[: max(found.start() - 1, 0)]
        outcome, reason = _CODES.get(found["code"], ("failed", "rejected"))
        if found["said"].startswith("user not found"):
            reason = "unknown_account"
    else:
        for words, reason in _REASONS:  # noqa: B007 - what is found is used
            at = rest.rfind(words)
            if at >= 0:
                account = rest[:at]
                break
        else:
            account, reason = (rest if rest and " " not in rest else ""), "rejected"
        outcome = "failed"
    account = account.strip(" [")
    if account.startswith("(") and account.endswith(")"):
        account = account[1:-1]
    return account, outcome, reason


def _delivered(record: Record) -> Items:
    found = _DELIVERED.fullmatch(record.text)
    if found is None:
        return ()
    message_id = found["id"].strip(" <>")[:255]
    values = {
        "message_id": message_id,
        "recipient": _recipient(found["mailbox"]),
        "relay": "cyrus",
    }
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


def _recipient(mailbox: str) -> str:
    """Whose mailbox: ``user.alice.Sent``, ``example.org!user.a^b``, ``user/a.b@example.org``."""
    domain, bang, path = mailbox.partition("!")
    if not bang:
        path, _, domain = mailbox.partition("@")
    for separator in ".", "/":
        if path.startswith(f"user{separator}"):
            user = path.split(separator, 2)[1]
            if separator == ".":
                user = user.replace("^", ".")
            return name(f"{user}@{domain}" if domain else user)
    return name(mailbox)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag, ``[INSTANCE/]SERVICE``; see `Format`."""
    if not program:
        return _Parser("").parse
    if program in ("login", "badlogin"):  # a line without a tag
        whole = _Parser("").parse
        return lambda record: whole(structs.replace(record, text=f"{program}: {record.text}"))
    instance, _, service = program.rpartition("/")
    known = SERVICES.get(service)
    if known is None:
        return None
    return None if instance.startswith("postfix") else _Parser(known).parse


FORMAT = Format(
    "cyrus",
    parser,
    begins="(?:bad)?login: |event=|[Dd]elivered: ",
)
