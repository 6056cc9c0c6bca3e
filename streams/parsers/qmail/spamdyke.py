"""spamdyke 3 to 5, the filter before qmail-smtpd.

Wording from filter.c and spamdyke.h: ``WHAT from: SENDER to: RECIPIENT origin_ip: ADDRESS
origin_rdns: NAME auth: USER encryption: TLS [reason: TEXT]``, one line for each recipient;
``(unknown)`` stands for what is not known. Sender, recipient and the user of AUTH are the
client's words: its address counts only where no other reading of the line has another one.
"""

import re

from schemas import net
from schemas.events import Auth, Connection, Recipient
from streams.parsers import reply
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Items, Record
from streams.parsers.vpopmail import asked

_HEAD = re.compile(r"(?P<what>[A-Z_]{4,60}) from: ")
_TAIL = re.compile(r"(?P<ip>\S{2,45}) origin_rdns: \S{1,255} auth: ")
_PLACE = " origin_ip: "
_UNKNOWN = "(unknown)"
_VERDICTS = {
    # what: verdict, code, reason
    "ALLOWED": ("accepted", 250, ""),
    "ALLOWED_AUTHENTICATED": ("accepted", 250, ""),
    "ALLOWED_TLS": ("accepted", 250, ""),
    "DENIED_GRAYLISTED": ("deferred", 421, "greylisted"),
    "DENIED_TOO_MANY_RECIPIENTS": ("deferred", 452, "overload"),
    "DENIED_RELAYING": ("relay_denied", 554, "relay_denied"),
    "DENIED_INVALID_RECIPIENT": ("unknown", 554, "user_unknown"),
    "DENIED_UNAVAILABLE_RECIPIENT": ("unknown", 554, "user_unknown"),
    "DENIED_UNQUALIFIED_RECIPIENT": ("refused", 554, "recipient"),
    "DENIED_AUTH_REQUIRED": ("blocked", 554, "policy"),
    "DENIED_RDNS_MISSING": ("refused", 421, "no_reverse_name"),
    "DENIED_RDNS_RESOLVE": ("refused", 421, "no_reverse_name"),
    "DENIED_SENDER_NO_MX": ("refused", 421, "sender"),
}
_LISTS = ("_RBL_MATCH", "_RHSBL_MATCH", "BLACKLIST")
_LOGINS = {"FAILED_AUTH": "rejected", "UNKNOWN_AUTH": "mechanism"}


def read(record: Record, text: str) -> Items | None:
    head, tail = _HEAD.match(text), _TAIL.match(text.rpartition(_PLACE)[2])
    if head is None or tail is None:
        word = text.partition(" ")[0]
        return () if word.startswith(("ERROR", "INFO", "DEBUG", "VERBOSE")) else None
    sure = text.count(_PLACE) == 1
    what, client = head["what"], net.address(tail["ip"]) if sure else ""
    sender, _, recipient = text[head.end() : text.rfind(_PLACE)].rpartition(" to: ")
    rest, _, why = tail.string[tail.end() :].partition(" reason: ")
    account = _known(rest.rpartition(" encryption: ")[0] or rest)
    if what in _LOGINS:
        auth = event(
            Auth,
            record,
            client=client,
            account=account,
            outcome="failed",
            reason=_LOGINS[what],
            service="smtp",
        )
        # Where it asked vpopmail, that has told already, and why.
        return (Attempt("tally", auth, asked(client, account), tried=1),)
    if what == "TIMEOUT":
        return (event(Connection, record, client=client, outcome="closed", reason="timeout"),)
    if what == "DENIED_EARLYTALKER":
        return (event(Connection, record, client=client, outcome="abuse", reason="early_talker"),)
    verdict, code, reason = _verdict(what, why)
    if not _known(recipient):
        if verdict in ("accepted", "deferred"):
            return ()
        return (event(Connection, record, client=client, outcome="refused", reason=reason),)
    return (
        event(
            Recipient,
            record,
            client=client,
            account=account,
            sender=_known(sender) if sure else "",
            recipient=_known(recipient),
            verdict=verdict,
            code=code,
            reason=reason,
        ),
    )


def _known(text: str) -> str:
    return "" if text == _UNKNOWN else name(text)


def _verdict(what: str, why: str) -> tuple[str, int, str]:
    known = _VERDICTS.get(what)
    if known is not None:
        return known
    if what.endswith(_LISTS[:2]) or _LISTS[2] in what:
        return "blocked", 554, "listed"
    if what == "DENIED_OTHER":  # qmail's own refusal: "553_sorry,_that_domain_isn't_..."
        said = why.replace("_", " ")
        code = int(said[:3]) if said[:3].isdecimal() else 554
        verdict, reason = reply.verdict(code, "", said[4:])
        return verdict, code, reason
    return "refused", 554, "refused"
