"""What an SMTP reply means: the verdict on a recipient, the class of a failed delivery.

Sources: enhanced status codes of RFC 3463 and its registry, RFC 5321 (4.2); the wordings of
Postfix's smtpd_check.c and of the servers whose replies end up in delivery reports. `text` must
be the server's own words: cut off addresses that the client chose.
"""

import re
from functools import lru_cache

LONGEST = 400  # characters of a reply that are looked at

_RELAY = re.compile(
    r"relay(?:ing)?(?: access)? (?:is )?(?:denied|prohibited|not (?:permitted|allowed))|"
    r"unable to relay|(?:not|isn't) (?:permitted|allowed) to relay|relay not permitted"
)
_UNKNOWN = re.compile(
    r"user unknown|unknown (?:user|recipient|mailbox|local)|undeliverable address|"
    r"no such (?:user|recipient|mailbox|address|person)|(?:user|recipient|mailbox|address|account)"
    r"[^;:]{0,80} (?:not found|unknown|does(?: not|n't) exist)|no mailbox here|"
    r"invalid (?:recipient|mailbox)|not a valid (?:recipient|mailbox)|recipientnotfound"
)
_LISTED = re.compile(
    r"blocked (?:using|by|at) (?!spam ?assassin)|block(?:ing)? ?list|black ?list|deny ?list|"
    r"dnsbl|\brbl\b|\blisted\b|spamhaus|spamcop|poor reputation"
)
# What a filter says of a message that it has read
_CONTENT = re.compile(
    r"spam ?assassin|spam (?:message|mail|content|score|points?\b|filter|detected|rejected)|"
    r"(?:is|as|contains?|id=[\w-]{1,40} -) spam\b|virus|infected|malware|\beicar\b"
)
_POLICY = re.compile(r"\bspf\b|\bdkim\b|\bdmarc\b|rate ?limit")
_DENIED = re.compile(r"access denied|\bbanned\b|\bspam\b|policy|prohibited|not authori[sz]ed|virus")
_GREYLISTED = re.compile(r"gr[ea]y ?-?list|postgrey|try again (?:later|in)|come back later")
_OVERLOAD = re.compile(
    r"too many|overload|too busy|rate ?limit|throttl|insufficient (?:system|resources|disk)|"
    r"server configuration|queue file write|exceeded"
)
_FULL = re.compile(r"over ?quota|quota exceeded|mailbox (?:is )?full|exceeded[^;]{0,40} quota")
_TOO_BIG = re.compile(r"size (?:limit|exceeds)|too (?:big|large)|exceeds[^;]{0,40} size")
_UNREACHABLE = re.compile(
    r"connect to |connection (?:refused|timed out|timeout|reset)|lost connection|no route to host|"
    r"network is unreachable|timed out while"
)
_NO_HOST = re.compile(
    r"host (?:or domain name )?not found|domain not found|name service error|null mx"
)
_LOOP = re.compile(r"loop|too many hops")

_SUBJECTS = (
    ("sender address", "sender"),
    ("helo command", "helo"),
    ("client host rejected: cannot find", "no_reverse_name"),
    ("client host", "client"),
    ("recipient address", "recipient"),
)


@lru_cache(maxsize=4096)
def verdict(code: int, enhanced: str, text: str) -> tuple[str, str]:
    """(verdict, reason) of a refused recipient, as `schemas.events.Recipient` names them.

    A server that only says "later" about an unknown recipient, a relay or a listed client
    (``soft_bounce``) still means it: the verdict is not ``deferred``.
    """
    said = text[:LONGEST].lower()
    sender = said.startswith("sender address")
    if _RELAY.search(said):
        return "relay_denied", "relay_denied"
    if not sender and (_UNKNOWN.search(said) or _is_unknown(enhanced, said)):
        return "unknown", "user_unknown"
    if _LISTED.search(said):
        return "blocked", "listed"
    if code // 100 == 4 or enhanced.startswith("4"):
        if _GREYLISTED.search(said):
            return "deferred", "greylisted"
        if code == 421 or enhanced.startswith("4.3") or _OVERLOAD.search(said):
            return "deferred", "overload"
        return "deferred", _subject(said) or "temporary"
    if _FULL.search(said) or enhanced == "5.2.2":
        return "refused", "mailbox_full"
    if _TOO_BIG.search(said) or enhanced in ("5.3.4", "5.2.3"):
        return "refused", "too_big"
    if _CONTENT.search(said):
        return "blocked", "content"
    if _DENIED.search(said):
        return "blocked", "denied"
    if enhanced.startswith("5.7") or _POLICY.search(said):
        return "blocked", "policy"
    return "refused", _subject(said) or "refused"


def _is_unknown(enhanced: str, said: str) -> bool:
    return enhanced in ("5.1.1", "4.1.1") and "unverified address" not in said


def _subject(said: str) -> str:
    for words, name in _SUBJECTS:
        if said.startswith(words):
            return name
    return ""


@lru_cache(maxsize=4096)
def failure(enhanced: str, text: str) -> str:
    """The class of a failed or deferred delivery: user_unknown, mailbox_full, too_big, policy,
    listed, greylisted, relay_denied, unreachable, no_host, loop, overload, or other."""
    said = text[:LONGEST].lower()
    if _FULL.search(said) or enhanced[1:] == ".2.2":
        return "mailbox_full"
    if enhanced[1:] == ".1.1" or _UNKNOWN.search(said):
        return "user_unknown"
    if _RELAY.search(said):
        return "relay_denied"
    if _LISTED.search(said):
        return "listed"
    if _GREYLISTED.search(said) and enhanced.startswith("4"):
        return "greylisted"
    if _TOO_BIG.search(said) or enhanced[1:] in (".3.4", ".2.3"):
        return "too_big"
    if enhanced[1:3] == ".7" or _DENIED.search(said):
        return "policy"
    if enhanced[1:] in (".4.4", ".1.2", ".1.10") or _NO_HOST.search(said):
        return "no_host" if _NO_HOST.search(said) or enhanced[1:] != ".4.4" else "unreachable"
    if enhanced[1:] in (".4.1", ".4.2") or _UNREACHABLE.search(said):
        return "unreachable"
    if enhanced[1:] == ".4.6" or _LOOP.search(said):
        return "loop"
    if enhanced[1:3] == ".3" or _OVERLOAD.search(said):
        return "overload"
    return "other"


_CODE = re.compile(r"(?:said: |refused to talk to me: |^)(?P<code>[45]\d\d)[ -]")


def code(text: str) -> int:
    """The SMTP reply code that a log's explanation quotes; 0 where it quotes none."""
    found = _CODE.search(text[:LONGEST])
    return int(found["code"]) if found else 0
