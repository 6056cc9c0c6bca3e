"""Numbers and events as people say them."""

import msgspec

PLAIN = {"type", "at", "offset", "message_id"}  # of an event: said otherwise, or for machines


def many(count: float, noun: str, plural: str = "", *, about: bool = False) -> str:
    """``1 account``, ``2 accounts``; with a plural of its own, ``3 tries``; ``about 90 tries``."""
    return f"{said(count, about=about)} {noun if count == 1 else plural or noun + 's'}"


def said(count: float, *, about: bool) -> str:
    """A count, and whether it is an estimate."""
    return f"about {count:g}" if about else f"{count:g}"


def span(seconds: float) -> str:
    """A duration as people say it: ``5 h 20 min``, ``1.5 min``."""
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        count = round(seconds / part)
        if count * part >= size:
            whole, rest = divmod(count, size // part)
            return f"{whole} {unit} {rest} {smaller}" if rest else f"{whole} {unit}"
    return f"{seconds / 60:.2g} min" if seconds >= 60 else f"{seconds:.3g} s"


def number(value: float) -> str:
    """A count with its thousands apart, a share with two digits at most."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


def printable(text: str) -> str:
    """The text without anything that a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text)


def event(text: str) -> str:
    """``auth  client=192.0.2.1  outcome=failed``; a text that is no event, as it is."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    if not isinstance(found, dict):
        return text
    said = [f"{name}={value}" for name, value in found.items() if name not in PLAIN]
    return "  ".join([str(found.get("type", "event")), *said])
