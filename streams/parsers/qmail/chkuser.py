"""chkuser 2.0 in qmail-smtpd (netqmail, qmailtoaster, sagredo): recipients that exist or do not.

Wordings from chkuser.c: ``CHKUSER rejected rcpt: from <SENDER|remoteinfo/auth:USER|
chkuser-identify:...> remote <helo:HELO|remotehostname:NAME|remotehostip:ADDRESS> rcpt <RECIPIENT>
: why``, up to 2.0.8 with ``:`` between bare fields. Sender, HELO and recipient are the client's
words: its address counts only where no other reading of the line has another one.
"""

import re

from schemas import net
from schemas.events import Connection, Recipient
from streams.parsers.event import event, name
from streams.parsers.part import Items, Record

_PLACE = re.compile(
    r"(?:remotehostip:|:)(?P<ip>(?<=remotehostip:)[0-9A-Fa-f.:]{2,45}|\d{1,3}(?:\.\d{1,3}){3})"
    r"> rcpt <"
)
_SENDER = re.compile(r"from <(?P<sender>[^|:>]*)(?:\|remoteinfo/auth:|:)(?P<account>[^|:>]*)[|:]")
_TITLES = {
    # what was done: verdict, code, reason; more may be told at the end of the line
    "accepted rcpt": ("accepted", 250, ""),
    "accepted any rcpt": ("accepted", 250, ""),
    "relaying rcpt": ("accepted", 250, ""),
    "rejected relaying": ("relay_denied", 553, "relay_denied"),
    "rejected rcpt": ("refused", 550, "refused"),
    "rejected intrusion": ("blocked", 550, "policy"),
    "must auth": ("blocked", 530, "policy"),
    "mbx overquota": ("refused", 552, "mailbox_full"),
    "no auth resource": ("deferred", 451, "overload"),
}
_WHY = {
    "not existing recipient": ("unknown", 550, "user_unknown"),
    "temporary DNS problem": ("deferred", 451, "temporary"),
    "max number of recipients": ("deferred", 571, "overload"),
    "max number of invalid recipients": ("deferred", 571, "overload"),
}


def read(record: Record, text: str) -> Items | None:
    title, colon, rest = text[8:].partition(": ")
    if not colon or not rest.startswith("from <"):
        return None
    places = list(_PLACE.finditer(rest))
    clients = {net.address(place["ip"]) for place in places}
    client = clients.pop() if len(clients) == 1 else ""
    if title == "intrusion threshold":
        outcome, reason = "abuse", "too_many_recipients"
        return (event(Connection, record, client=client, outcome=outcome, reason=reason),)
    if title in ("rejected sender", "rejected intrusion") and " rcpt <> : " in rest:
        return (event(Connection, record, client=client, outcome="refused", reason="sender"),)
    verdict = _TITLES.get(title)
    if verdict is None or not places:
        return ()
    who, _, why = rest[places[-1].end() :].rpartition("> : ")
    what, code, reason = _WHY.get(why, verdict)
    sender = _SENDER.match(rest) if len(places) == 1 else None
    return (
        event(
            Recipient,
            record,
            client=client,
            account=name(sender["account"]) if sender and title == "relaying rcpt" else "",
            sender=name(sender["sender"]) if sender else "",
            recipient=name(who) if len(places) == 1 else "",
            verdict=what,
            code=code,
            reason=reason,
        ),
    )
