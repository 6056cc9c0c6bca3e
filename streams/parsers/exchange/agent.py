"""Exchange's agent log: what the anti-spam filters of the transport did, 2007 to 2019.

Columns from the log's own header and Microsoft's "Anti-spam agent logging": connection, sender,
recipient, Sender ID, content (SCL) and attachment filters, sender reputation. The client is
`EnteredOrgFromIP`, the first outside the organisation. The protocol log has the reply of a
refusal too; this log knows which filter it was, and is told where that one is not read.
"""

import re
from collections.abc import Callable

from schemas.events import Connection, Recipient, Verdict
from streams.parsers import reply
from streams.parsers.event import event as made
from streams.parsers.event import name
from streams.parsers.exchange import rows
from streams.parsers.part import Format, Items, Mask, Parse, Record

_REPLY = re.compile(r"(?P<code>[245]\d\d) (?P<enhanced>[245]\.\d{1,3}\.\d{1,3})?")
_SPF = ("sender id agent", "spf")
_REFUSES = frozenset(
    {
        "RejectConnection",
        "RejectCommand",
        "RejectMessage",
        "RejectRecipient",
        "Disconnect",
        "RejectRecipients",
    }
)
_DROPS = frozenset(
    {"DeleteMessage", "QuarantineMessage", "QuarantineRecipients", "DeleteRecipients"}
)


def _layout(columns: list[str]) -> rows.Row:
    def column(named: str) -> Callable[[list[str]], str]:
        return rows.optional(columns, named)

    agent, what = columns.index("agent"), columns.index("action")
    entered, remote = column("enteredorgfromip"), column("remoteendpoint")
    sender, recipients = column("p1fromaddress"), column("recipient")
    response, reason, data = column("smtpresponse"), column("reason"), column("reasondata")

    def row(record: Record, values: list[str]) -> Items:
        action, by = values[what], values[agent].lower()
        refuses = action in _REFUSES
        if not refuses and action not in _DROPS and "content filter" not in by:
            return ()
        client = rows.address(entered(values)) or rows.address(remote(values))
        p1 = name(sender(values))
        why = reason(values)
        if "content filter" in by or "scl" in why.lower():
            said = data(values).strip()
            if len(said) <= 2 and said.removeprefix("-").isdecimal():
                scl = int(said)
                spam = refuses or action in _DROPS or scl >= 5
                kind = "spam" if spam else "ham"
                return (
                    made(
                        Verdict, record, client=client, sender=p1, kind=kind, score=scl, scale="SCL"
                    ),
                )
            if not refuses:
                return ()
        if by.startswith(_SPF):
            return (made(Verdict, record, client=client, sender=p1, kind="spf"),)
        if not refuses:
            return (made(Verdict, record, client=client, sender=p1, kind="spam"),)
        if "connection filter" in by or "protocol analysis" in by:
            blocked = "listed" if "list" in why.lower() else "denied"
            return (made(Connection, record, client=client, outcome="refused", reason=blocked),)
        return _refusal(record, client, p1, recipients(values), response(values), why)

    return row


def _refusal(
    record: Record, client: str, sender: str, recipients: str, said: str, why: str
) -> Items:
    """A recipient or a sender that a filter refused."""
    found = _REPLY.match(said)
    code = int(found["code"]) if found else 550
    enhanced = (found["enhanced"] or "") if found else ""
    verdict, reason = reply.verdict(code, enhanced, said[found.end() :].strip() if found else "")
    if why == "RecipientDoesNotExist":
        verdict, reason = "unknown", "user_unknown"
    elif verdict == "refused":
        verdict = "blocked"
    to = [name(one) for one in recipients.split(";") if one.strip()] or [""]
    return [
        made(
            Recipient,
            record,
            client=client,
            sender=sender,
            recipient=one,
            verdict=verdict,
            code=code,
            enhanced=enhanced,
            reason=reason,
        )
        for one in to
    ]


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a table; see `Format`."""
    return rows.of_table(
        program, "EnteredOrgFromIP", ("agent", "action", "remoteendpoint", "reason"), _layout
    )


FORMAT = Format(
    "exchange-agent",
    parser,
    begins=rows.BEGINS,
    keys=("EnteredOrgFromIP",),
)
