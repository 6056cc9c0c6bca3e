"""qmail-smtpd and qmail-popup with the spamcontrol patch, and s/qmail's.

Format from its documentation (LOGGING, qmail-log(5)): ``[pid N ]ACTION::TYPE::CONDITION
P:PROTOCOL S:ADDRESS:NAME H:HELO F:<SENDER> T:<RECIPIENT> ?~ 'more'``. Protocol and address stand
before all that the client chooses.
"""

import re

from schemas import net
from schemas.events import Auth, Connection, Recipient, Verdict
from streams.parsers.event import event, name
from streams.parsers.part import Items, Record

_LINE = re.compile(
    r"(?:pid \d{1,10} )?(?P<action>Accept|Reject)::(?P<type>[A-Za-z]{2,10})::"
    r"(?P<condition>[\w -]{1,40}?):? P:(?P<protocol>[A-Z0-9]{1,12}) S:(?P<where>\S{2,320})"
    r"(?P<more> .*)?",
    re.DOTALL,
)
_ENVELOPE = re.compile(
    r"(?: H:(?P<helo>\S{0,255}))? F:<?(?P<sender>[^\s<>]{0,320})>?"
    r" T:<?(?P<recipient>[^\s<>]{0,320})>?(?: .*)?",
    re.DOTALL,
)
_MORE = re.compile(r".* \?[~:=]? ?'(?P<more>[^']{0,320})'", re.DOTALL)
_LOGINS = frozenset({"Failed_Auth", "Valid_Auth"})
_RECIPIENTS = {
    # condition: verdict, code, reason
    "Invalid_Relay": ("relay_denied", 553, "relay_denied"),
    "Failed_Rcptto": ("unknown", 550, "user_unknown"),
    "Bad_Rcptto": ("blocked", 553, "denied"),
    "Toomany_Rcptto": ("deferred", 452, "overload"),
}
_FILTERS = {"Spam_Message": "spam", "Virus_Infected": "virus", "Virs_Infected": "virus"}
_CLIENTS = {"Bad_Helo": "helo", "DNS_Helo": "helo", "DNSA_HELO": "helo", "SPF": "spf"}


def read(record: Record, text: str) -> Items | None:
    found = _LINE.fullmatch(text)
    if found is None:
        return None
    kind, condition = found["type"].upper(), found["condition"]
    client, more = _client(found["where"]), found["more"] or ""
    accepted = found["action"] == "Accept"
    if (kind == "AUTH" and condition not in ("missing", "setup")) or condition in _LOGINS:
        return (_login(record, found["protocol"], client, condition, more, accepted=accepted),)
    envelope = _ENVELOPE.fullmatch(more)
    sender = name(envelope["sender"]) if envelope else ""
    if condition in _RECIPIENTS or (accepted and kind == "RCPT"):
        verdict, code, reason = _RECIPIENTS.get(condition, ("accepted", 250, ""))
        return (
            event(
                Recipient,
                record,
                client=client,
                sender=sender,
                recipient=name(envelope["recipient"]) if envelope else "",
                verdict=verdict,
                code=code,
                reason=reason,
            ),
        )
    if condition in _FILTERS:
        what = _FILTERS[condition]
        return (event(Verdict, record, client=client, sender=sender, kind=what),)
    if accepted or kind not in ("AUTH", "TLS", "SNDR", "ORIG"):
        return ()
    reason = "sender" if kind == "ORIG" else "policy"
    reason = _CLIENTS.get(condition, reason)
    return (event(Connection, record, client=client, outcome="refused", reason=reason),)


def _login(
    record: Record, protocol: str, client: str, condition: str, more: str, *, accepted: bool
) -> Auth:
    account = _MORE.fullmatch(more)
    return event(
        Auth,
        record,
        client=client,
        account=name(account["more"]) if account else "",
        outcome="ok" if accepted else "failed",
        reason="" if accepted else "rejected",
        mechanism="" if condition in _LOGINS else condition.upper(),
        service="pop3" if protocol.startswith("POP3") else "smtp",
    )


def _client(where: str) -> str:
    """The address in ``ADDRESS:NAME``, or ``NAME:ADDRESS``; a name that is an address is no name,
    and which of the two it is cannot be told."""
    first, _, rest = where.partition(":")
    one, other = net.address(first), net.address(rest)
    if one or other:
        return "" if one and other and one != other else one or other
    return net.address(where.rpartition(":")[0])
