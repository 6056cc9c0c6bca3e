"""Fields of a record of unknown shape: what is missing or of the wrong type is empty."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from schemas import net
from streams.parsers.event import name


def text(value: Any) -> str:
    """A text; of a list, its first."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """A whole number, also one that is written as text."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    return int(value) if isinstance(value, int | float) and abs(value) < 1e18 else 0


def record(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def records(value: Any) -> Iterator[dict[str, Any]]:
    """Those members of a list that are objects."""
    if isinstance(value, list):
        yield from (member for member in value if isinstance(member, dict))


def named(value: Any, name: str, content: str) -> dict[str, Any]:
    """A list of ``{"Name": n, "Value": v}`` as a mapping."""
    return {one[name]: one.get(content) for one in records(value) if isinstance(one.get(name), str)}


def mailbox(value: Any) -> str:
    """An address of mail, or a login: lower case, without ``<>``."""
    return name(text(value))


def message_id(value: Any) -> str:
    return text(value).strip(" <>")[:255]


def client(value: Any) -> str:
    """The address of ``192.0.2.1``, ``192.0.2.1:25``, ``[2001:db8::1]:25``; ``""`` where it is
    none."""
    return _client(text(value))


@lru_cache(maxsize=65536)
def _client(said: str) -> str:
    said = said.strip()
    if said.startswith("["):
        said = said[1:].partition("]")[0]
    elif said.count(":") == 1:
        said = said.partition(":")[0]
    return net.address(said) if said and len(said) < 64 else ""
