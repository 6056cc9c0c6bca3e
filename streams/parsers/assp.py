"""ASSP 1.x and 2.x, the Anti-Spam SMTP Proxy: what it refuses before a mail server sees it.

Wordings and the order of a line from its mlog(), getline(), reply(), thisIsSpam() and
NewSMTPConnection(): ``ID [WORKER] [TLS-in] [TAG] ADDRESS [OIP: ADDRESS] <sender> to: recipient
words``, all but the words optional, in a file of its own (``Mar-07-26 02:09:33``) or by syslog.
The client stands before anything that it wrote. Behind a relay of the site's own the address is
the relay's, and ``OIP`` is taken from a header: then nobody is the client. Which login failed is
not told.
"""

import re
from collections.abc import Callable

from schemas import net
from schemas.events import Auth, Connection, Recipient, Verdict
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Item, Items, Mask, Parse, Part, Record

_ADDRESS = r"[0-9A-Fa-f.:]{3,45}"
_TAGS = r"(?:[\w-]{4,40} )?(?P<tags>(?:\[[A-Za-z][\w -]{0,30}\] ?){0,8})"
_HEAD = re.compile(
    rf"{_TAGS}(?P<ip>{_ADDRESS}) (?P<relayed>\[OIP: {_ADDRESS}\] )?"
    r"(?:<(?P<sender>[^\s<>]{1,320})> )?(?:to: (?P<to>[^\s]{1,320}) )?(?="
    r"warning: SMTP auth|max sender auth|relay attempt blocked |invalid address rejected: |"
    r"rejected by bounce address list: |penalty trap address: |malformed address: |"
    r"invalid remote sender for internal address: |\[spam found\] )"
)
_REFUSED = re.compile(
    rf"{_TAGS}(?:(?P<denied>{_ADDRESS}):\d{{1,5}} denied by \w{{1,60}} strict: |"
    rf"[Bb]lock(?:ed|ing) (?P<guesses>{_ADDRESS}) - too (?:many|much) AUTH errors \(\d{{1,9}}\)|"
    rf"[Ll]imiting (?P<limited>{_ADDRESS}) connections to \d)"
)
_RELAY = re.compile(r"relay attempt blocked for(?: \([a-z]{1,20}\))?: (?P<to>.*)", re.DOTALL)
_REASONS = {"denied": "denied", "guesses": "too_many_errors", "limited": "rate_limit"}
_NOBODY = ("0.0.0.0", "::")  # where ASSP does not know the client

_WHY = (
    # how the words in "[spam found] (words)" begin; the reason
    ("DNSBL", "listed"),
    ("droplist", "listed"),
    ("SPF", "policy"),
    ("DKIM", "policy"),
    ("DMARC", "policy"),
    ("BATV", "policy"),
    ("invalid HELO", "helo"),
    ("penalty trap", "policy"),
)
_VIRUS = ("virus ", "(virus ", "Virus ", "(Virus ")


def _read(record: Record) -> Items | None:
    found = _HEAD.match(record.text)
    if found is None:
        refused = _REFUSED.match(record.text)
        return _connection(record, refused) if refused else None
    said = record.text[found.end() :]
    read = next(read for begin, read in _WORDS if said.startswith(begin))
    return read(record, found, said)


def _connection(record: Record, found: re.Match[str]) -> Items:
    kind = found.lastgroup or ""
    client = _known(found[kind])
    return (event(Connection, record, client=client, outcome="refused", reason=_REASONS[kind]),)


def _known(said: str) -> str:
    client = net.address(said)
    return "" if client in _NOBODY else client


def _client(found: re.Match[str]) -> str:
    return "" if found["relayed"] else _known(found["ip"])


def _login(record: Record, found: re.Match[str], said: str) -> Items:
    """``warning: SMTP authentication failed on SERVER``, for each attempt."""
    return (Attempt("smtp", _failed(record, found), _session(found)),)


def _logins(record: Record, found: re.Match[str], said: str) -> Items:
    """``max sender authentication errors (N) exceeded``: one more, if it was not told before."""
    return (Attempt("tally", _failed(record, found), _session(found), tried=1),)


def _session(found: re.Match[str]) -> str:
    return f"assp {found['ip']}"


def _failed(record: Record, found: re.Match[str]) -> Auth:
    client = _client(found)
    return event(Auth, record, client=client, outcome="failed", reason="rejected", service="smtp")


def _recipient(
    record: Record, found: re.Match[str], recipient: str, verdict: str, reason: str
) -> Recipient:
    return event(
        Recipient,
        record,
        client=_client(found),
        sender=name(found["sender"] or ""),
        recipient=name(recipient.strip(" '")),
        verdict=verdict,
        reason=reason,
    )


def _relayed(record: Record, found: re.Match[str], said: str) -> Items:
    to = _RELAY.fullmatch(said)
    recipient = to["to"] if to else ""
    return (_recipient(record, found, recipient, "relay_denied", "relay_denied"),)


def _refusal(verdict: str, reason: str) -> Callable[[Record, re.Match[str], str], Items]:
    """Words of which the recipient is the rest."""

    def read(record: Record, found: re.Match[str], said: str) -> Items:
        recipient = said.partition(": ")[2]
        if recipient[:1] == "'":
            recipient = recipient.rpartition("' - ")[0]
        return (_recipient(record, found, recipient, verdict, reason),)

    return read


def _spam(record: Record, found: re.Match[str], said: str) -> Items:
    """``[spam found] (reason) [subject] -> file``, once for each recipient."""
    why = said.removeprefix("[spam found] ")
    virus = why.startswith(_VIRUS) or "[VIRUS]" in found["tags"]
    verdict = event(
        Verdict,
        record,
        client=_client(found),
        sender=name(found["sender"] or ""),
        kind="virus" if virus else "spam",
    )
    key = f"assp {found['ip']} {record.at:.0f} {found['sender'] or ''}"[:400]
    once = Part(record.at, record.host, "session", key, event=verdict, once="verdict")
    items: list[Item] = [once]
    if not why.startswith("and possibly passing"):
        words = why.removeprefix("(")
        reason = next((reason for begin, reason in _WHY if words.startswith(begin)), "content")
        items.append(_recipient(record, found, found["to"] or "", "blocked", reason))
    return items


_WORDS: tuple[tuple[str, Callable[[Record, re.Match[str], str], Items]], ...] = (
    ("warning: ", _login),
    ("max sender ", _logins),
    ("relay attempt ", _relayed),
    ("invalid address ", _refusal("unknown", "user_unknown")),
    ("rejected by ", _refusal("unknown", "user_unknown")),
    ("penalty trap ", _refusal("blocked", "policy")),
    ("malformed address: ", _refusal("refused", "recipient")),
    ("invalid remote ", _refusal("blocked", "policy")),
    ("[spam found] ", _spam),
)


def _tagged(record: Record) -> Items:
    return _read(record) or ()


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _read
    return _tagged if program.lower() == "assp" else None


FORMAT = Format(
    "assp",
    parser,
    begins="|".join(re.sub(r"\?P<\w+>", "?:", one.pattern) for one in (_HEAD, _REFUSED)),
)
