"""Decisions as CrowdSec's bouncers know them: a scope, a value, a type and an end.

A bouncer's list knows no order, so what is exempted is cut out (streams/pieces.py).
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from schemas.findings import Action, Decision
from streams.pieces import addresses, pieces
from streams.prefixes import BITS, write

IP, RANGE, USERNAME = "Ip", "Range", "username"
MOST = 300_000  # entries; the block list itself is bounded below that
SPELLED = 100_000  # addresses that networks may amount to; what is beyond stays a network
WIDEST = 24  # prefix length of the widest network that is spelled as addresses

Key = tuple[str, str, str]

# A script may be called with it: no white space, no quotes, no option.
_PLAIN_LOGIN = re.compile(r"\w[\w!$%&*+/=?^{|}~.@-]{0,159}")


class Entry(Struct, frozen=True):
    """What a bouncer is told."""

    scope: str
    value: str
    type: str
    until: float  # Unix seconds
    scenario: str

    @property
    def key(self) -> Key:
        return self.scope, self.value, self.type

    @property
    def id(self) -> int:
        """Follows from what it is about, so that a deletion names what was told before, also
        after a restart. 48 bits: some bouncers read it into a double."""
        text = f"{self.scope}|{self.value}|{self.type}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest())


def build(
    decisions: Sequence[Decision], types: Mapping[Action, str], *, spelled: bool = False
) -> dict[Key, Entry]:
    """The entries of all decisions in force, the ruling ones first; with `spelled`, IPv4 networks
    as their addresses."""
    found: dict[Key, Entry] = {}
    room = SPELLED if spelled else 0
    for prefix, decision in pieces(decisions):
        kind = _type(decision, types)
        if not kind:
            continue
        version, _, length = prefix
        size = 1 << (BITS[version] - length)
        if size == 1:
            _put(found, decision, IP, write(prefix), kind)
        elif version == 4 and length >= WIDEST and size <= room:
            room -= size
            for address in addresses(prefix):
                _put(found, decision, IP, address, kind)
        else:
            _put(found, decision, RANGE, write(prefix), kind)
    for decision in decisions:
        kind = _type(decision, types)
        if kind and _is_login(decision):
            _put(found, decision, USERNAME, decision.target.value, kind)
    return found


def _type(decision: Decision, types: Mapping[Action, str]) -> str:
    return "" if decision.origin == "pardon" else types.get(decision.action, "")


def _put(found: dict[Key, Entry], decision: Decision, scope: str, value: str, kind: str) -> None:
    by = decision.detector or decision.origin
    entry = Entry(scope, value, kind, decision.until, f"mailwarden/{by}")
    if len(found) < MOST:
        found.setdefault(entry.key, entry)


def _is_login(decision: Decision) -> bool:
    target = decision.target
    return (
        target.kind == "account"
        and not decision.domain
        and _PLAIN_LOGIN.fullmatch(target.value) is not None
    )
