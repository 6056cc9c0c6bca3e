"""The ground truth of generated traffic: who attacked, and who only looked like it."""

from msgspec import Struct


class Expected(Struct, frozen=True):
    """A finding that an attack must lead to; `subject` is the value that the finding names."""

    finding: str
    subject: str


class Attack(Struct, frozen=True, kw_only=True):
    """One attacker's or one group's doing. Clients are named as findings name them: an IPv4
    address or an IPv6 /64."""

    name: str
    story: str
    first: float  # Unix seconds
    clients: tuple[str, ...] = ()  # all that took part
    accounts: tuple[str, ...] = ()  # believed to be in other hands afterwards
    targets: tuple[str, ...] = ()  # attacked
    expects: tuple[Expected, ...]


class Innocent(Struct, frozen=True, kw_only=True):
    """Somebody whose lines resemble an attack. No finding above info may accuse a client of
    `clients` or an account of `accounts`."""

    name: str
    story: str
    clients: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


class Truth(Struct):
    attacks: list[Attack]
    innocents: list[Innocent]

    @classmethod
    def empty(cls) -> "Truth":
        return cls([], [])
