"""Messages of events as they come: what is good is kept, what is not becomes a dead letter.

Another program may write to the topics too, and an attacker chooses much of what it writes.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from schemas import wire
from schemas.events import Fact

AHEAD = 300.0  # seconds that a stamp may be ahead of the message's receipt
SHOWN = 2_000  # characters of a dead letter

_raws = msgspec.json.Decoder(list[Raw])


class Dead(Struct, frozen=True):
    """What could not be read, as it lies on mail.dead."""

    reason: str
    place: str  # "topic/partition:offset"
    text: str
    at: float  # Unix seconds, when it was found


def read(value: bytes | None) -> tuple[list[Fact | None], list[tuple[str, bytes]]]:
    """The events of a message, with None for each that cannot be read, and for each of these
    the reason and its bytes."""
    if value is None:
        return [], [("a message without a value", b"")]
    try:
        return [*wire.decode_events(value)], []
    except ValueError as error:
        if value[:1] != b"[":
            return [None], [(str(error), value)]
    try:
        raws = _raws.decode(value)
    except ValueError as error:
        return [], [(str(error), value)]
    events: list[Fact | None] = []
    bad = []
    for raw in raws:
        try:
            events += wire.decode_events(bytes(raw))
        except ValueError as error:
            events.append(None)
            bad.append((str(error), bytes(raw)))
    return events, bad


def headers(found: object) -> dict[str, bytes]:
    """Headers of a message, whatever shape Faust gives them."""
    items = found.items() if isinstance(found, Mapping) else found or ()
    return {
        name: value
        for name, value in items  # type: ignore[attr-defined]
        if isinstance(value, bytes)
    }


def positions(found: Mapping[str, bytes], events: int) -> tuple[str, Sequence[int]]:
    """Origin and positions of a packed message; ("", ()) where it has none that fit."""
    origin = found.get("origin", b"")
    packed = found.get("positions", b"")
    if not origin or not packed:
        return "", ()
    try:
        listed = wire.decode_positions(packed)
        name = origin.decode()
    except ValueError:
        return "", ()
    return (name, listed) if len(listed) == events else ("", ())


def wrong_time(event: Fact, received: float) -> str:
    """Why the stamp of an event cannot be; "" where it can."""
    if event.at > received + AHEAD:
        return f"its stamp is {event.at - received:.0f} s ahead of its receipt"
    return "its stamp is before 1970" if event.at < 0 else ""


def dead(reason: str, place: str, data: bytes, at: float) -> Dead:
    return Dead(reason[:200], place, data.decode("utf-8", "backslashreplace")[:SHOWN], at)
