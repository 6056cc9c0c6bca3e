"""``SA: Action: …``: what SA-Exim did with a message that SpamAssassin has seen.

Wordings from sa-exim.c. It refuses through Exim's local_scan(), whose own line follows. Behind
the score stand a Message-ID without blanks or brackets, the sender, the client, the recipients:
a sender or a recipient may look like the client, who then is not known.
"""

import re

from schemas import net
from schemas.events import Recipient, Verdict
from streams.parsers.exim.peer import mailbox
from streams.parsers.exim.refusal import once, twin
from streams.parsers.part import Item, Items, Record

_ACTION = re.compile(
    r"SA: Action: (?P<action>[A-Za-z' ]{8,40}?)(?: for \d{1,9} secs until it closed the connection|"
    r" until full configured duration of \d{1,9} secs)?: "
    r"(?:hits|score)=(?P<score>-?\d{1,6}(?:\.\d{1,3})?) "
    r"required=(?P<required>-?\d{1,6}(?:\.\d{1,3})?)"
    r"[^()<>\[\]]{0,100} \(scanned in \d{1,9}/\d{1,9} secs \| Message-Id: [^\s()<>]{0,900}\)\. "
    r"From <(?P<sender>.*?)> (?=\()",
    re.DOTALL,
)
_HOST = re.compile(r" \(host=\S{1,255} \[(?P<address>[^\]\s]{1,64})\]\) for ")
_ACTIONS = {
    # what became of the message: is it spam, verdict, reason
    "permanently rejected message": (True, "blocked", "content"),
    "temporarily rejected message": (None, "deferred", "temporary"),
    "teergrubed sender": (True, "blocked", "content"),
    "silently tossed message": (True, "blocked", "discarded"),
    "flagged as Spam but accepted": (True, "", ""),
    "scanned but message isn't spam": (False, "", ""),
}


def read(record: Record, pid: str, queue_id: str, text: str) -> Items:
    found = _ACTION.match(text)
    action = _ACTIONS.get(found["action"]) if found else None
    if found is None or action is None:
        return ()
    spam, verdict, reason = action
    score = float(found["score"])
    if spam is None:  # greylisting may put off what is none
        spam = score >= float(found["required"])
    hosts = list(_HOST.finditer(text, found.start("sender")))
    clients = {net.address(one["address"]) for one in hosts}
    client = clients.pop() if len(clients) == 1 else ""
    sender = mailbox(found["sender"]) if client else ""
    recipient = text[hosts[0].end() :] if client else ""
    opinion = Verdict(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        sender=sender,
        queue_id=queue_id,
        kind="spam" if spam else "ham",
        score=score,
        scale="SpamAssassin",
    )
    items: list[Item] = [twin(record, pid, opinion)]
    if verdict:
        refused = Recipient(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=client,
            sender=sender,
            recipient="" if " " in recipient else mailbox(recipient),
            queue_id=queue_id,
            verdict=verdict,
            reason=reason,
        )
        items.append(once(record, pid, queue_id, refused))
    return items
