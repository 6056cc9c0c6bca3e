"""Policy servers beside Postfix with a verdict of their own: policyd-weight, policyd, cbpolicyd.

policyd-weight (0.1.15): ``weighted check: …; <client=name[ip]> <helo=…> <from=…> <to=…>; rate: N``.
policyd 1.8: ``rcpt=N, greylist=new, host=ip (name), from=…, to=…``. cbpolicyd (policyd 2):
``module=Greylisting, action=defer, host=ip, helo=…, from=…, to=…, reason=…``. What they had
Postfix refuse is told by Postfix. policyd-weight puts greetings and senders before the client,
who is known where only one could be.
"""

import re

from schemas import net
from schemas.events import Verdict
from streams.parsers.part import Items, Record
from streams.parsers.postfix.peer import mailbox, peer

REJECTS = 1.0  # policyd-weight's $REJECTLEVEL unless a site has another

_WEIGHED = re.compile(
    r"<client=(?P<peer>[^\s<>]{3,300})> <helo=.*> <from=(?P<sender>[^<>]*)> <to=[^<>]*>; "
    r"rate: (?P<rate>-?\d{1,6}(?:\.\d{1,6})?)",
    re.DOTALL,
)
_GREY = re.compile(
    r"(?:rcpt=\d+, )?(?:greylist=(?:new|abuse|abl)|module=Greylisting, action=(?:defer|reject)), "
    r"host=(?P<ip>[0-9A-Fa-f.:]{3,45})(?: \([^()]*\))?,(?: helo=.*?,)? from=(?P<sender>[^,]*), to=",
    re.DOTALL,
)


def weighed(record: Record) -> Items:
    """A line of policyd-weight."""
    text = record.text
    if not text.startswith("weighted check: ") or text.count("<client=") != 1:
        return ()
    found = _WEIGHED.fullmatch(text, text.find("<client="))
    if found is None:
        return ()
    score = float(found["rate"])
    kind = "spam" if score >= REJECTS else "ham"
    return (_verdict(record, peer(found["peer"])[1], found["sender"], kind, score),)


def greylisted(record: Record) -> Items:
    """A line of policyd or cbpolicyd."""
    found = _GREY.match(record.text)
    if found is None:
        return ()
    return (_verdict(record, net.address(found["ip"]), found["sender"], "grey"),)


def _verdict(record: Record, client: str, sender: str, kind: str, score: float = 0.0) -> Verdict:
    return Verdict(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        sender=mailbox(sender),
        kind=kind,
        score=score,
        scale="policyd-weight" if score else "",
    )
