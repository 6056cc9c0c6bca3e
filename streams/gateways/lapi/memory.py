"""The file in which it is kept what bouncers were told, and how far each has been told.

Without it, a decision that is lifted while this process is restarted would hold at the bouncers
until its lease ends, and each restart would make every bouncer take up the whole list anew.
"""

from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec import Struct

from streams import atomic
from streams.gateways.lapi.book import Kept


class Memory(Struct, frozen=True):
    books: dict[str, Kept] = {}  # by what networks are told as
    readers: dict[str, int] = {}


_decoder = msgspec.json.Decoder(Memory)


def place(folder: str, name: str) -> Path | None:
    """The file of the gateway of that name."""
    return Path(folder) / f"{quote(name, safe='')}.json" if folder else None


def load(path: Path) -> Memory:
    """What an earlier process kept, if it did. Raises OSError or ValueError where it cannot be
    read."""
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return Memory()


def save(path: Path, memory: Memory) -> None:
    """Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.replace(path, msgspec.json.encode(memory).decode(), 0o600)
