"""The signs that an account is no longer its owner's, what each weighs, and how people read it."""

from typing import Literal, get_args

from msgspec import Struct

from agents.words import said

Sign = Literal[
    "guessed_before",
    "changed",
    "complaints",
    "complained",
    "clients",
    "senders",
    "bounces",
    "volume",
    "probing",
    "limits",
    "surge",
    "pace",
    "daily",
    "fan_out",
    "inside",
    "networks",
    "new_place",
    "strange_hour",
    "attacked",
    "tested",
]
SIGNS: tuple[Sign, ...] = get_args(Sign)
"""The one that says most comes first: it gives the finding its shape."""
OUTCOMES: frozenset[Sign] = frozenset(
    {"guessed_before", "changed", "complaints", "clients", "senders", "bounces"}
)
"""Signs of what the account has become, not only of how much it sends."""
BEFORE: frozenset[Sign] = frozenset({"guessed_before", "changed", "attacked", "tested"})
"""Signs of what others did to the account: they count if it sends strangely after them."""
ALONE: frozenset[Sign] = frozenset({"new_place", "strange_hour"})
"""Signs that owners make every day."""
ALIKE: tuple[frozenset[Sign], ...] = (
    frozenset({"surge", "pace", "daily"}),
    frozenset({"complaints", "complained"}),
)
"""Signs that measure one thing in several ways: of each group, the heaviest counts."""
AWAY: frozenset[Sign] = frozenset(
    {"guessed_before", "changed", "complaints", "clients", "senders", "networks", "new_place"}
)
"""Signs that it is not the owner in the owner's own place, or that it is harmful anyhow."""


class Standing(Struct, array_like=True):
    """A sign that stands, or stood within a day."""

    peak: float
    threshold: float
    first: float
    last: float
    estimated: bool = False  # the peak is near the truth, not exact


class Weights(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What each sign adds."""

    guessed_before: int = 3
    changed: int = 3
    complaints: int = 5
    complained: int = 3
    clients: int = 2
    senders: int = 2
    bounces: int = 2
    volume: int = 3
    probing: int = 2
    limits: int = 2
    surge: int = 2
    pace: int = 2
    daily: int = 2
    fan_out: int = 2
    inside: int = 2
    networks: int = 1
    new_place: int = 1
    strange_hour: int = 1
    attacked: int = 1
    tested: int = 1


UNITS: dict[Sign, str] = {
    "guessed_before": "findings",
    "changed": "changes",
    "complaints": "reports",
    "complained": "reports",
    "clients": "clients",
    "senders": "senders",
    "bounces": "%",
    "volume": "recipients",
    "probing": "messages",
    "limits": "recipients",
    "surge": "recipients an hour",
    "pace": "messages in 10 min",
    "daily": "recipients a day",
    "fan_out": "recipients",
    "inside": "recipients",
    "networks": "networks",
    "new_place": "networks",
    "strange_hour": "recipients",
    "attacked": "findings",
    "tested": "messages",
}

WORDS: dict[Sign, str] = {
    "guessed_before": "others guessed its password before",
    "changed": "its rules, forwards or return address were changed before",
    "complaints": "{count} recipients complained",
    "complained": "{count} recipients complained",
    "clients": "it sends through {count} clients",
    "senders": "under {count} senders",
    "bounces": "{count} % of its recipients refused",
    "volume": "{count} recipients",
    "probing": "{count} messages, each to more people than the one before",
    "limits": "{count} recipients more than it may have",
    "surge": "{count} recipients an hour, unlike before",
    "pace": "{count} messages in 10 min, unlike before",
    "daily": "{count} recipients in a day, unlike before",
    "fan_out": "{count} recipients of one message",
    "inside": "{count} recipients here in an hour",
    "networks": "from {count} networks",
    "new_place": "from a network that is new to it",
    "strange_hour": "{count} recipients in a day at hours at which it never sends",
    "attacked": "many guess at its password",
    "tested": "a lone message from there before",
}


def word(sign: Sign, standing: Standing) -> str:
    return WORDS[sign].format(count=said(standing.peak, about=standing.estimated))


def total(signs: list[Sign], weights: Weights) -> int:
    """What the signs weigh together."""
    found: dict[Sign, int] = {sign: getattr(weights, sign) for sign in signs}
    for group in ALIKE:
        alike = sorted(group & found.keys(), key=lambda sign: (found[sign], sign))
        for sign in alike[:-1]:
            del found[sign]
    return sum(found.values())
