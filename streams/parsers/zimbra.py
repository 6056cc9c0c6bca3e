"""Zimbra 5 to 10: the mail box server's audit.log and mailbox.log, and its nginx.

``YYYY-MM-DD HH:MM:SS,mmm LEVEL  [thread] [name=...;oip=...;ua=...;] module - text``, from
ZimbraLog.java and the log4j pattern; the audit's text is ``cmd=Auth; account=U; protocol=P;
[error=E;]``. ``oip`` is the client as the proxy saw it, ``ip`` whoever connected to this server:
the proxy, or without one the client. Of a list in ``oip`` only the last address that is not the
site's own was written by a proxy; those before it are the client's words, like ``ua`` and all
behind it.

An account that does not exist is no attempt to the audit; the module "account" tells it. Other
failures are in both logs: the modules imap, pop and SoapEngine of mailbox.log tell of the same
attempts as the audit, and where both are read each counts once. nginx tells the logins that it
passed on a second time. The MTA is Postfix, and its lines are Postfix's.
"""

import re

from schemas import net
from schemas.events import Auth, Change
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Item, Items, Mask, Parse, Record, Twin

_LEVELS = ("INFO", "WARN", "ERROR", "FATAL", "DEBUG", "TRACE")
_SERVICES = {
    "soap": "web",
    "http_basic": "web",
    "http_dav": "web",
    "zsync": "web",
    "preauth": "web",
    "imap": "imap",
    "pop3": "pop3",
    "smtp": "smtp",
}
_AUDIT = "] security - "
_ACCOUNT = "] account - "
_PLAIN = re.compile(
    r"cmd=Auth; account=(?P<account>[^;]*); protocol=(?P<protocol>\w{1,20});"
    r"(?: error=(?P<error>.*))?",
    re.DOTALL,
)
_MODULE = re.compile(r"\] (?P<module>[A-Za-z]\w{1,30}) - ")
_FIELD = re.compile(r"(?:^|; ?)(?P<key>cmd|account|name|protocol|error)=")
_NOBODY = re.compile(
    r".{0,60}authentication failed for \[(?P<account>.{0,320})\](?:\. Reason: |[,:]? \(?)"
    r"(?:account not found|no such account).*",
    re.DOTALL,
)
_REFUSED = re.compile(
    r"(?:handler exception: |Error occurred during authentication: )?"
    r"authentication failed for \[(?P<account>.{0,320}?)\](?P<why>[^\[\]]*)",
    re.DOTALL,
)
_MODULES = {"imap": "imap", "pop": "pop3", "SoapEngine": "web", "PreAuthServlet": "web"}
_CHANGES = {
    "SetPassword": "password",
    "ChangePassword": "password",
    "CreateDataSource": "forward",
    "CreateIdentity": "identity",
    "ModifyIdentity": "identity",
    "CreateSignature": "signature",
    "ModifySignature": "signature",
}
_REASONS = (
    ("invalid password", "bad_password"),
    ("data 52e", "bad_password"),
    ("account not found", "unknown_account"),
    ("no such account", "unknown_account"),
    ("data 525", "unknown_account"),
    ("account lockout", "disabled"),
    ("lockout", "disabled"),
    ("account not active", "disabled"),
    ("not an admin account", "not_authorized"),
    ("two-factor", "mfa"),
    ("password expired", "expired"),
    ("must change password", "expired"),
)
_FAULTS = ("unable to ldap", "connect", "timed out", "internal error", "system failure")

_PASSED = re.compile(
    r"\[(?:info|notice|error|warn)\] \d+#\d+: \*\d+ client (?P<what>logged in|login failed)"
    r"(?:: .{0,300}?)?(?: while .{0,100}?)?, client: (?P<ip>[0-9A-Fa-f.:\[\]]{2,48}?)(?::\d{1,5})?"
    r"(?: using starttls)?, server: (?P<server>\S{3,64}), login: \"(?P<account>.*)\"(?:, .*)?",
    re.DOTALL,
)
_PORTS = {"143": "imap", "993": "imap", "110": "pop3", "995": "pop3", "25": "smtp", "587": "smtp"}
_NEAR = net.Networks(net.PRIVATE)


def _read(record: Record) -> Items | None:
    text = record.text
    if text.startswith("["):
        return _nginx(record) if "#" in text[:24] and " client log" in text[:60] else None
    if not text.startswith(_LEVELS) or text[5:7] != " [":
        return None
    before, found, said = text.partition(_AUDIT)
    if found:
        context = before.partition("] [")[2]
        again = _MODULE.findall(said)
        if again:
            # The client's own words were made to look like the end of the line.
            refused = text.startswith("WARN") and again[-1] == "security"
            return (_auth(record, context, "", "rejected", ""),) if refused else ()
        return _audit(record, context, said)
    if _SAID not in text:
        return ()
    before, found, said = text.partition(_ACCOUNT)
    if found:
        known = not _MODULE.search(said)
        return _nobody(record, before.partition("] [")[2], said) if known else ()
    return _mailbox(record)


_SAID = "authentication failed for ["


def _mailbox(record: Record) -> Items:
    """What mailbox.log says of a refusal that the audit may tell too."""
    text = record.text
    modules = list(_MODULE.finditer(text))
    services = [_MODULES.get(one["module"], "") for one in modules]
    if not modules or not services[0] or not services[-1]:
        return ()
    context = text[: modules[0].start()].partition("] [")[2]
    if len(modules) > 1:
        # A name or a browser's name was made to look like the end of the line.
        return (_auth(record, context, "", "rejected", ""),)
    found = _REFUSED.fullmatch(text, modules[0].end())
    reason = _reason(found["why"]) if found else ""
    if found is None or reason == "unknown_account":
        return ()  # the module "account" tells it
    return (_told(_auth(record, context, found["account"], reason, services[0]), "mailbox"),)


def _told(auth: Auth, log: str) -> Item:
    """A refusal that stands in both logs, of which other programs may tell too."""
    item = Attempt("detail", auth) if auth.service in ("imap", "pop3") else auth
    line = f"zimbra {int(auth.at) // 60} {auth.client} {auth.account}"
    return Twin(auth.gateway, line, item, log=log)


def _audit(record: Record, context: str, said: str) -> Items:
    plain = _PLAIN.fullmatch(said.rstrip())
    fields = plain.groupdict("") | {"cmd": "Auth"} if plain else _fields(said)
    command = fields.get("cmd", "")
    if command in _CHANGES:
        return (
            event(
                Change,
                record,
                client=_client(context),
                account=name(fields.get("name", "") or fields.get("account", "")),
                actor=name(_value(context, "name")),
                what=_CHANGES[command],
            ),
        )
    if command not in ("Auth", "AdminAuth"):
        return ()
    error = fields.get("error") or ""
    reason = _reason(error) if error else ""
    if command == "AdminAuth" and reason not in ("unknown_account", "not_authorized"):
        return ()  # the password has its own line
    service = _SERVICES.get(fields.get("protocol", "soap").lower(), "")
    auth = _auth(record, context, fields.get("account", ""), reason, service)
    return (auth if auth.outcome == "ok" else _told(auth, "audit"),)


def _nobody(record: Record, context: str, said: str) -> Items:
    found = _NOBODY.fullmatch(said)
    if found is None:
        return ()
    return (_auth(record, context, found["account"], "unknown_account", ""),)


def _auth(record: Record, context: str, account: str, reason: str, service: str) -> Auth:
    outcome = "failed" if reason else "ok"
    return event(
        Auth,
        record,
        client=_client(context),
        account=name(account),
        outcome="error" if reason == "server" else outcome,
        reason=reason,
        service=service,
    )


def _fields(said: str) -> dict[str, str]:
    """``cmd=Auth; account=U; protocol=P; error=E;``: what stands between two names."""
    fields: dict[str, str] = {}
    places = list(_FIELD.finditer(said))
    for place, following in zip(places, [*places[1:], None], strict=False):
        end = following.start() if following else len(said)
        fields.setdefault(place["key"], said[place.end() : end].rstrip("; "))
    return fields


def _value(context: str, key: str) -> str:
    """A value of the server's own: what follows the browser's name may be the client's."""
    known = f";{context}".partition(";ua=")[0]
    return known.partition(f";{key}=")[2].partition(";")[0]


def _client(context: str) -> str:
    seen = [
        net.address(one) for one in (_value(context, "oip") or _value(context, "ip")).split(",")
    ]
    return next((one for one in reversed(seen) if one and one not in _NEAR), seen[-1])


def _reason(error: str) -> str:
    error = error.lower()
    for words, reason in _REASONS:
        if words in error:
            return reason
    return "server" if any(words in error for words in _FAULTS) else "rejected"


def _nginx(record: Record) -> Items | None:
    found = _PASSED.fullmatch(record.text)
    if found is None:
        return None
    auth = event(
        Auth,
        record,
        client=net.address(found["ip"]) if record.text.count(", client: ") == 1 else "",
        account=name(found["account"].partition('", ')[0]),
        outcome="failed" if found["what"] == "login failed" else "ok",
        reason="rejected" if found["what"] == "login failed" else "",
        service=_PORTS.get(found["server"].rpartition(":")[2], ""),
    )
    return (Attempt("smtp", auth, f"nginx {found['ip']}"),) if auth.outcome == "failed" else ()


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return _read if program in ("", "zimbramon", "mailboxd", "zimbra", "nginx") else None


FORMAT = Format(
    "zimbra",
    parser,
    begins=r"\[(?:info|notice|error|warn)\] \d|(?:(?:INFO|WARN).|ERROR|FATAL|DEBUG|TRACE) \[",
)
