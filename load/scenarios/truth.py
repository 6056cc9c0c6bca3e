"""The truth about generated lines, as a file: one JSON object a line, tagged by `kind`."""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field

Form = Literal["easy", "slow", "spread", "disguised"]


class Attack(Struct, kw_only=True, tag_field="kind", tag="attack"):
    """What one attacker or one group did. Clients are named as findings name them (an IPv4
    address or an IPv6 /64); each name has the Unix time of its first act."""

    group: str  # the class that results are added up by, as "spray"
    form: Form
    story: str
    clients: dict[str, float] = field(default_factory=dict)
    accounts: dict[str, float] = field(default_factory=dict)  # in other hands since then
    victims: dict[str, float] = field(default_factory=dict)  # get reports on mail of others


class Innocent(Struct, kw_only=True, tag_field="kind", tag="innocent"):
    """Somebody who attacks nobody: whatever accuses a client or an account of it is wrong."""

    story: str
    clients: dict[str, float] = field(default_factory=dict)
    accounts: dict[str, float] = field(default_factory=dict)


class Noise(Struct, kw_only=True, tag_field="kind", tag="noise"):
    """Hosts of which nobody can say: it is neither right nor wrong to accuse them."""

    story: str
    clients: dict[str, float] = field(default_factory=dict)
    accounts: dict[str, float] = field(default_factory=dict)


Record = Attack | Innocent | Noise


class Truth(Struct):
    attacks: list[Attack] = field(default_factory=list)
    innocents: list[Innocent] = field(default_factory=list)
    noise: list[Noise] = field(default_factory=list)

    @property
    def records(self) -> list[Record]:
        return [*self.attacks, *self.innocents, *self.noise]


def write(truth: Truth, path: Path) -> None:
    path.write_bytes(msgspec.json.Encoder().encode_lines(truth.records))


def read(path: Path) -> Truth:
    """Raises msgspec.ValidationError where a line is none of ours."""
    records: list[Record] = msgspec.json.Decoder(Record).decode_lines(path.read_bytes())
    return Truth(
        [record for record in records if isinstance(record, Attack)],
        [record for record in records if isinstance(record, Innocent)],
        [record for record in records if isinstance(record, Noise)],
    )
