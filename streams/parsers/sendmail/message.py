"""Messages: ``from=``, ``to=``, reports that were made, and refusals once a message has an id.

Wordings from sendmail/envelope.c (logsender), deliver.c (logdelivery), savemail.c
(returntosender), srvrsmtp.c and err.c. ``from=`` is logged when the text has come, before the
filters have judged it: the message waits for what they or the first delivery say.
"""

from typing import Any

from schemas import net
from schemas.events import Bounce, Delivery, Message, Recipient
from streams.parsers import reply
from streams.parsers.part import Items, Part, Record
from streams.parsers.sendmail.relay import is_queue_id, mailbox, peer

PATIENCE = 10.0  # seconds that a report waits for the line that says where the message came from
FILTERED = 60.0  # seconds that a message waits for its filters
LONGEST_ID = 255
LONGEST_REPLY = 300
MOST_RECIPIENTS = 1000

REPORTS = (
    ("DSN: Return receipt", "sent"),
    ("return receipt: ", "sent"),
    ("sender notify: Warning: ", "deferred"),
    ("DSN: Warning: ", "deferred"),
    ("postmaster notify: Warning: ", "deferred"),
    ("DSN: ", "bounced"),
    ("return to sender: ", "bounced"),
    ("sender notify: ", "bounced"),
    ("postmaster notify: ", "bounced"),
)
# What dropenvelope() says of all who are left when the time is up
_TIMEOUTS = ("Cannot send message for ", "delivery time expired ")
_ABOUT_SENDER = ("sender", "domain of sender")
_NEAR = net.Networks(net.PRIVATE)


def session(record: Record, client: str) -> str:
    """A process serves one client, and ends without a word."""
    return f"sendmail {record.pid} {client}"


def sent(record: Record, queue_id: str, rest: str) -> Items:
    """``from=<s>, size=n, class=n, nrcpts=n, msgid=<m>, proto=P, daemon=D, relay=R``"""
    left, _, relay = rest.rpartition(", relay=")
    if not left:
        left, relay = rest, ""
    end = ">, size=" if left.startswith("from=<") else ", size="
    sender, sized, more = left[5:].partition(end)
    size, _, more = more.partition(", class=")
    count, _, more = more.partition(", nrcpts=")[2].partition(",")
    if not sized or not size.isdecimal() or not count.isdecimal():
        raise ValueError(f"a sender line that ends early: {rest[:200]!r}")
    sender = mailbox(sender)
    message_id = more.partition(" msgid=")[2]
    if message_id:
        end = ">," if message_id[0] == "<" else ","
        message_id = message_id.partition(end)[0].strip(" <>")[:LONGEST_ID]
    client = peer(relay)[1]
    keeps: dict[str, Any] = {
        "client": client,
        "sender": sender,
        "origin": "smtpd" if client else "pickup",
    }
    if message_id:
        keeps["message_id"] = message_id
    taken = count != "0" and (size != "0" or message_id != "")
    return (
        Part(
            record.at,
            record.host,
            "queue",
            queue_id,
            keeps,
            record.offset,
            Message if taken else None,
            {"queue_id": queue_id, "sender": sender, "size": int(size), "recipients": int(count)},
            "message" if taken else "",
            "fate",
            FILTERED if client else 0.0,
            session=session(record, client) if client else "",
        ),
    )


def delivered(record: Record, queue_id: str, rest: str) -> Items:
    """``to=<r>,<r>, ctladdr=<c> (1/1), delay=T, xdelay=T, mailer=M, pri=n, relay=R, dsn=D, stat=S``

    Without mailer or relay it is no delivery: the message was not taken, or only queued.
    """
    recipients, found, more = rest[3:].partition(", delay=")
    more, ended, stat = more.partition(", stat=")
    if not found or not ended:
        raise ValueError(f"a delivery that ends early: {rest[:200]!r}")
    fields = dict(field.partition("=")[::2] for field in more.split(", "))
    mailer, relay, enhanced = (fields.get(name, "") for name in ("mailer", "relay", "dsn"))
    status = _status(enhanced, stat) if mailer or relay else ""
    if not status:
        return ()
    recipients = recipients.partition(", ctladdr=")[0]
    separator = ">,<" if recipients[:1] == "<" else ","
    host, _, address = relay.partition(" [")
    host = host.rstrip(".")
    keeps: dict[str, Any] = {"fate": True, "origin": ""}  # the message need not wait longer
    passes = through = reason = ""
    if status != "sent":
        reason = reply.failure(enhanced, stat)
        keeps |= {
            "failed_status": status,
            "failed_enhanced": enhanced,
            "failed_reason": reason,
            "failed_code": reply.code(stat.removeprefix("Deferred: ")),
            "failed_reply": stat[:LONGEST_REPLY],
        }
    elif stat.endswith(" Message accepted for delivery)") or " queued as " in stat:
        through = net.address(address.rstrip("]"))
        if through in _NEAR:
            passes = stat.rpartition(" queued as ")[2].removeprefix("Sent (").partition(" ")[0]
            passes = passes.rstrip(")")
    parts = []
    for name in recipients.split(separator)[:MOST_RECIPIENTS]:
        values: dict[str, Any] = {
            "queue_id": queue_id,
            "recipient": mailbox(name),
            "status": status,
            "relay": host.strip("[]") or mailer,
            "enhanced": enhanced,
        }
        if reason:
            values["reason"] = reason
            keeps = {**keeps, "failed_recipient": values["recipient"]}
        parts.append(
            Part(
                record.at,
                record.host,
                "queue",
                queue_id,
                keeps,
                record.offset,
                Delivery,
                values,
                passes=passes,
                through=through,
                covers="mailbox" if status == "sent" and not passes else "",
            )
        )
    return parts


def _status(enhanced: str, stat: str) -> str:
    if stat.startswith("Sent"):
        return "sent"
    if stat.startswith("Deferred"):
        return "deferred"
    if stat.startswith("queued"):
        return ""
    if enhanced == "5.4.7" or "timed out after" in stat or "could not be delivered for" in stat:
        return "expired"
    return {"2": "sent", "4": "deferred"}.get(enhanced[:1], "bounced")


def reported(record: Record, queue_id: str, report: str, rest: str) -> Items:
    """``report: DSN: User unknown``"""
    kind = next((kind for kind in REPORTS if rest.startswith(kind[0])), None)
    if kind is None or not is_queue_id(report):
        return ()
    values: dict[str, Any] = {"direction": "made", "queue_id": report, "about": queue_id}
    if rest.startswith(_TIMEOUTS, len(kind[0])):
        values["status"] = "expired"
    else:
        values["status"] = kind[1]
    if rest.startswith("postmaster"):
        values["recipient"] = "postmaster"
    made = Part(
        record.at,
        record.host,
        "queue",
        report,
        {"origin": "bounce", "sender": ""},
        record.offset,
        Message,
        {"queue_id": report, "sender": "", "recipients": 1},
        "message",
    )
    told = Part(
        record.at,
        record.host,
        "queue",
        queue_id,
        {},
        record.offset,
        Bounce,
        values,
        needs="origin",
        wait=PATIENCE,
    )
    return made, told


def refused(record: Record, queue_id: str, culprit: str, words: str) -> Items:
    """``<r>... User unknown``: the answer to RCPT TO, without the client, whom ``from=`` names."""
    if words.lower().startswith(_ABOUT_SENDER) or not queue_id:
        return ()
    verdict, reason = reply.verdict(0, "", words)
    return (waiting(record, queue_id, culprit, 0, "", verdict, reason),)


def waiting(
    record: Record,
    queue_id: str,
    recipient: str,
    code: int,
    enhanced: str,
    verdict: str,
    reason: str,
    *,
    whole: bool = False,
) -> Part:
    """A refusal that does not name its client. `whole`: of the message, not of one recipient."""
    values: dict[str, Any] = {
        "queue_id": queue_id,
        "recipient": mailbox(recipient),
        "verdict": verdict,
        "code": code,
        "enhanced": enhanced,
        "reason": reason,
    }
    return Part(
        record.at,
        record.host,
        "queue",
        queue_id,
        None,
        record.offset,
        Recipient,
        values,
        needs="origin",
        wait=FILTERED,
        refuses=whole,
    )
