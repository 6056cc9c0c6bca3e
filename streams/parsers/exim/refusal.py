"""What Exim refuses: logins, recipients, senders, whole messages.

``smtp_handle_acl_fail()`` in src/smtp_in.c makes ``H=… F=<sender> rejected RCPT <recipient>:
text``, src/receive.c the refusals of messages, src/verify.c those of senders; each goes into the
main log and the reject log. The address in such a line ends before anything but the greeting
that a stranger chose. Where a stranger's words stand first, the line must name one client alone.
"""

import re

from schemas import net
from schemas.events import Connection, Fact, Recipient, Verdict
from streams.parsers.exim import words
from streams.parsers.exim.arrival import login
from streams.parsers.exim.peer import Peer, mailbox, peer, session
from streams.parsers.part import Attempt, Item, Items, Part, Record, Twin

PATIENCE = 3.0  # seconds from the word on a sender to the refusal that follows from it

_MARKS = ("rejected ", "sender verify ", " Warning: ")
# What follows a client; a server that mail is delivered to has its words behind it
_NEXT = re.compile(
    r" (?:[A-Z][A-Za-z]{0,3}=|temporarily rejected |rejected |sender verify |dropped by )"
)
_SPAM = re.compile(
    r" Warning: \"?SpamAssassin as \S{1,64} detected message as (?P<ham>NOT )?spam "
    r"\((?P<score>-?\d{1,4}(?:\.\d{1,3})?)\)"
)
_SCANNED = re.compile(r"F=(?P<sender><>|\"(?:[^\"\\]|\\.)*\"\S*|[^\s\"]+) (?=H=)")
_SENDER = re.compile(r" F=(?P<sender><.*?>|[^\s<>]+)(?: A=(?P<by>[^\s:]+)(?::(?P<account>\S*))?)? ")
_CLIENT = re.compile(
    r"(?:\) | H=(?:[^\s()\[\]=]{1,255} )?)\[(?P<address>[^\]\s]{1,64})\](?::\d{1,5})?(?=[ :]|$)"
)
_VERIFIED = re.compile(
    r" sender verify (?P<what>fail|defer) for <(?P<sender>.*?)>(?:: (?P<said>.*))?$"
)


def twin(record: Record, pid: str, item: Fact | Part | Attempt) -> Twin:
    """An item of a line that stands in the main log and in the reject log."""
    return Twin(
        record.host,
        f"{record.at:.0f} {pid} {record.text}",
        item,
        pairs=bool(record.program),
        log=record.file,
    )


def authentication(record: Record, pid: str, text: str, at: int) -> Items | None:
    """``NAME authenticator failed for CLIENT: 535 text (set_id=user)``; `at` is NAME's end."""
    mark = ": 535 " if ": 535 " in text else ": 435 "
    who = peer(text, at + len(" authenticator failed for "), mark)
    if who is None:
        return None
    said = text[who.end :].partition(": ")[2]
    if not (said[:3].isdecimal() and said[3:4] == " "):
        return None
    code = int(said[:3])
    if code == 501 or code == 553:  # noqa: PLR1714 - cancelled, or no attempt at all
        return ()
    account = said.partition(" (set_id=")[2].rpartition(")")[0]
    outcome, reason = ("failed", "rejected") if code >= 500 else ("error", "server")
    auth = login(record, who, text[:at], account, outcome, reason)
    return (twin(record, pid, Attempt("smtp", auth, session(pid, who))),)


def by_client(record: Record, pid: str, queue_id: str, text: str) -> Items | None:
    """A line that begins with the client: ``H=…``."""
    mark = next((mark for mark in _MARKS if mark in text), "")
    who = peer(text, 0, mark)
    if who is None:
        return None
    if text.startswith(" Warning: ", who.end):
        return _spam(record, queue_id, who, text)
    if not _NEXT.match(text, who.end):
        return ()  # another server, and what it said; or nothing of interest
    end = who.end
    sender = account = ""
    items: list[Item] = []
    found = _SENDER.search(text, end) if " F=" in text else None
    if found:
        end = found.end() - 1
        sender, account = mailbox(found["sender"]), (found["account"] or "").lower()[:320]
    at = text.find("rejected ", end)
    if at < 0:
        if text.startswith(" dropped by 'connect' ACL", end):
            reason = words.verdict(text.partition(" ACL: ")[2], later=False)[1]
            reason = "denied" if reason == "refused" else reason
            return (twin(record, pid, connection(record, who, "refused", reason)),)
        return _sender(record, pid, who, text)
    if found and found["by"]:
        auth = login(record, who, found["by"], account, "ok", "")
        items.append(twin(record, f"{pid} ok", Attempt("smtp", auth, session(pid, who))))
    later = text.endswith("temporarily ", 0, at)
    refused = _refused(record, who, sender, account, queue_id, text[at + 9 :], later)
    if refused is not None:
        items.append(twin(record, pid, refused))
    return items


def scanned(record: Record, pid: str, queue_id: str, text: str) -> Items | None:
    """``F=sender H=… rejected by local_scan(): text``: a site's own function (src/receive.c)."""
    found = _SCANNED.match(text)
    mark = " rejected by local_scan(): "
    if found is None or mark not in text:
        return None
    who = peer(text, found.end(), mark)
    if who is None:
        return None
    before, _, said = text[who.end :].partition(mark)
    later = before.endswith(" temporarily")
    verdict, reason, code, enhanced = words.verdict(said, later=later)
    if verdict == "refused":
        verdict, reason = "blocked", "content"
    event = Recipient(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=who.client,
        sender=mailbox(found["sender"]),
        queue_id=queue_id,
        verdict=verdict,
        code=code,
        enhanced=enhanced,
        reason=reason,
        helo=who.helo,
    )
    return (once(record, pid, queue_id, event),)


def once(record: Record, pid: str, queue_id: str, event: Recipient) -> Item:
    """A refusal of a message by a function of local_scan(): the function may have a line of its
    own, and Exim's follows."""
    if not queue_id:
        return twin(record, pid, event)
    key = f"exim scanned {queue_id}"
    return Part(record.at, record.host, "session", key, event=event, once="refused")


def _refused(
    record: Record, who: Peer, sender: str, account: str, queue_id: str, what: str, later: bool
) -> Fact | Part | None:
    """What stands behind ``rejected ``."""
    command, _, rest = what.partition(" ")
    if command in ("RCPT", "VRFY", "EXPN"):
        asked = "" if command == "RCPT" else command.lower()
        return _recipient(record, who, sender, account, queue_id, rest, later, asked)
    if what.startswith(("after ", "during ", "DATA", "PREDATA", "by ")):
        said = what.partition(": ")[2]
        verdict, reason, code, enhanced = words.verdict(said, later=later)
        if verdict == "refused":
            verdict, reason = "blocked", "content"
        return Recipient(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=who.client,
            account=account,
            sender=sender,
            queue_id=queue_id,
            verdict=verdict,
            code=code,
            enhanced=enhanced,
            reason=reason,
            helo=who.helo,
        )
    _, end, said = what.rpartition(">: ") if command == "MAIL" else what.partition(": ")
    if command == "connection":
        said = what.partition("ACL: ")[2]
    verdict, reason, *_ = words.verdict(said if end else "", later=later)
    if command == "connection" and reason == "overload":
        return connection(record, who, "refused", "rate_limit")
    if verdict == "deferred":
        return None
    if reason == "refused":
        reason = {"EHLO": "helo", "MAIL": "sender", "connection": "denied"}.get(command, reason)
    helo = what.removeprefix("EHLO or HELO ").partition(":")[0] if command == "EHLO" else ""
    return connection(record, who, "refused", reason, helo)


def _recipient(
    record: Record,
    who: Peer,
    sender: str,
    account: str,
    queue_id: str,
    rest: str,
    later: bool,
    command: str,
) -> Fact | Part:
    recipient, _, said = rest.partition(">: " if rest.startswith("<") else ": ")
    verdict, reason, code, enhanced = words.verdict(said, later=later)
    event = Recipient(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=who.client,
        account=account,
        sender=sender,
        recipient=mailbox(recipient),
        queue_id=queue_id,
        verdict=verdict,
        code=code,
        enhanced=enhanced,
        reason=reason,
        command=command,
        helo=who.helo,
    )
    if reason != "sender":
        return event
    # Instead of the word on the sender that waits.
    return Part(
        record.at, record.host, "session", _verification(who, sender), event=event, ends=True
    )


def _verification(who: Peer, sender: str) -> str:
    return f"exim {who.client} {sender}"


def _spam(record: Record, queue_id: str, who: Peer, text: str) -> Items:
    """What cPanel's ACL notes of SpamAssassin's opinion."""
    found = _SPAM.match(text, who.end)
    if found is None:
        return ()
    return (
        Verdict(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=who.client,
            queue_id=queue_id,
            kind="ham" if found["ham"] else "spam",
            score=float(found["score"]),
            scale="SpamAssassin",
        ),
    )


def _sender(record: Record, pid: str, who: Peer, text: str) -> Items:
    """``sender verify fail for <sender>``: the refusal of a recipient follows, where that is
    logged; else this is all."""
    found = _VERIFIED.search(text, who.end)
    if found is None or found["what"] == "defer":
        return ()
    sender = mailbox(found["sender"])
    values = {"client": who.client, "sender": sender, "verdict": "refused", "reason": "sender"}
    values["helo"] = who.helo
    waits = Part(
        record.at,
        record.host,
        "session",
        _verification(who, sender),
        None,
        record.offset,
        Recipient,
        values,
        wait=PATIENCE,
    )
    return (twin(record, pid, waits),)


def only_client(text: str, begin: int) -> str:
    """The client of a line in which a stranger's words may stand before it: the only one that
    the line names, or ""."""
    found = {net.address(one["address"]) for one in _CLIENT.finditer(text, begin)}
    return found.pop() if len(found) == 1 else ""


def refused_recipient(
    record: Record,
    client: str,
    sender: str,
    recipient: str,
    queue_id: str,
    verdict: str,
    reason: str,
    command: str = "",
) -> Recipient:
    return Recipient(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        sender=mailbox(sender),
        recipient=mailbox(recipient),
        queue_id=queue_id,
        verdict=verdict,
        reason=reason,
        command=command,
    )


def connection(record: Record, who: Peer, outcome: str, reason: str, helo: str = "") -> Connection:

    return Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=who.client,
        name=who.name,
        helo=(helo or who.helo)[:255],
        outcome=outcome,
        reason=reason,
    )
