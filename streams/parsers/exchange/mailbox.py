"""Exchange's IMAP4 and POP3 protocol logs, 2010 to 2019.

Columns from the logs' own headers and Microsoft's "Protocol logging for POP3 and IMAP4"; what a
command came to stands in `context`: ``R=OK``, ``R="2 NO AUTHENTICATE failed."``, ``R=-ERR``, and
``Msg="AuthFailed:LogonDenied,User: …"`` or ``ErrMsg=…``. A proxying front end and its back end
log one login each; the back end, whose client is the front end, is known by its connection.
It cannot tell which password was tried.
"""

import re

from schemas.events import Auth, Connection
from streams.parsers.exchange import rows
from streams.parsers.part import Format, Items, Mask, Parse, Record

_LOGINS = {
    "login": "imap",
    "authenticate": "imap",
    "pass": "pop3",
    "auth": "pop3",
    "apop": "pop3",
}
_BACK_ENDS = frozenset({"1993", "1995", "9933", "9955"})  # their listeners for front ends
_FAULTS = (
    "temporarily",
    "unavailable",
    "overbudget",
    "backend",
    "timeout",
    "exception",
    "proxyfail",
)
_REASONS = (
    ("disabled", "disabled"),
    ("expired", "expired"),
    ("lockedout", "disabled"),
    ("usernotfound", "unknown_account"),
    ("unknown user", "unknown_account"),
    ("notauthorized", "not_authorized"),
    ("logondenied", "rejected"),
    ("authfailed", "rejected"),
)
_USER = re.compile(r"[,;\"= ]User: ?(?P<user>[^\",;]{1,320})")


def _layout(columns: list[str]) -> rows.Row:
    server, peer, user, command, parameters, context = (
        columns.index(name) for name in ("sip", "cip", "user", "command", "parameters", "context")
    )

    def row(record: Record, values: list[str]) -> Items:
        verb = values[command].lower()
        service = _LOGINS.get(verb)
        if service is None or values[server].rpartition(":")[2] in _BACK_ENDS:
            return ()
        said = values[context]
        who = values[user]
        if not who:
            found = _USER.search(said)
            who = found["user"] if found else ""
        if rows.probe(who):
            return ()
        outcome, reason = _outcome(said)
        if not outcome:
            return ()
        client = rows.address(values[peer])
        if outcome == "refused":
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
        mechanism = ""
        if verb in ("authenticate", "auth"):
            mechanism = values[parameters].strip().partition(" ")[0].upper()[:40]
        return (
            Auth(
                at=record.at,
                gateway=record.host,
                offset=record.offset,
                client=client,
                account=rows.account(who),
                outcome=outcome,
                reason=reason,
                mechanism=mechanism.strip("*"),
                service=service,
            ),
        )

    return row


def _outcome(context: str) -> tuple[str, str]:
    """What a login came to, and why."""
    said = context.lower()
    result = said.partition("r=")[2].lstrip('"')
    if result.startswith(("ok", "+ok")):
        return "ok", ""
    if "errmsg=" not in said and "authfailed" not in said and not result:
        return "", ""
    if "tls" in said and "required" in said:
        return "refused", "plaintext_auth"
    reason = next((reason for words, reason in _REASONS if words in said), "")
    if not reason and any(words in said for words in _FAULTS):
        return "error", "server"
    return "failed", reason or "rejected"


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a table; see `Format`."""
    needs = ("sip", "cip", "user", "command", "parameters", "context")
    return rows.of_table(program, "sIp", needs, _layout)


FORMAT = Format(
    "exchange-imap-pop",
    parser,
    begins=rows.BEGINS,
    keys=("sIp",),
)
