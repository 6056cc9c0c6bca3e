"""What all formats say alike: the product, texts without control characters, lists in a line.

Whatever an attacker chose (a login, a sender, a HELO name) may stand in any text of an alert.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib import metadata

from schemas.findings import Alert, Evidence

PRODUCT = "mailwarden"
LONGEST = 1000  # characters of one value
NAMED = 20  # values that a list in a line names


@cache
def version() -> str:
    try:
        return metadata.version(PRODUCT)
    except metadata.PackageNotFoundError:  # pragma: no cover - run from a bare folder
        return "0"


def plain(text: str, longest: int = LONGEST) -> str:
    """The text in one line: what no terminal, pager or line parser may obey becomes a space."""
    return "".join(c if c.isprintable() else " " for c in text[:longest])


def listed(values: Iterable[str], count: int) -> str:
    """Some of the values, and how many there are beside them."""
    some = [plain(value, 200) for value in list(values)[:NAMED]]
    # The count comes first: the end may be cut off.
    return " ".join([f"{count}, as:", *some] if count > len(some) else some)


def address(client: str) -> str:
    """A client for a field that takes an address and no network: of an IPv6 client, which is a
    /64, the first."""
    return client.partition("/")[0]


def evidence(alert: Alert) -> str:
    """Each count beside its threshold, where it has one, reached or not."""
    return ", ".join(
        plain(f"{one.sign} {one.count:g}{_beside(one)}") for one in alert.evidence[:NAMED]
    )


def _beside(seen: Evidence) -> str:
    if not seen.threshold:
        return ""
    return f" {'≥' if seen.count >= seen.threshold else '<'} {seen.threshold:g}"


def runbook(detector: str) -> str:
    """Where it says how to confirm an alert of a detector, and what to do: a file of the source."""
    return f"docs/runbooks/{detector}.md"


def stamp(at: float) -> str:
    """RFC 3339, in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(at: float) -> int:
    return round(at * 1000)


def clipped(text: str, room: int) -> str:
    """As much of the text as fits into so many bytes of UTF-8."""
    return text.encode("utf-8", "replace")[: max(0, room)].decode("utf-8", "ignore")


def joined(parts: Iterable[str], separator: str, room: int) -> str:
    """Those parts that fit into so many bytes, in order. A part is there whole or not at all, so
    that no escape sequence is cut in its middle."""
    kept: list[str] = []
    for part in parts:
        size = len(part.encode("utf-8", "replace")) + (len(separator) if kept else 0)
        if size <= room:
            kept.append(part)
            room -= size
    return separator.join(kept)
