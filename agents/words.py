"""Numbers as people say them."""


def many(count: float, noun: str, plural: str = "", *, about: bool = False) -> str:
    """``1 account``, ``2 accounts``; with a plural of its own, ``3 tries``; ``about 90 tries``."""
    return f"{said(count, about=about)} {noun if count == 1 else plural or noun + 's'}"


def said(count: float, *, about: bool) -> str:
    """A count, and whether it is an estimate."""
    return f"about {count:g}" if about else f"{count:g}"


def span(seconds: float) -> str:
    """A duration in its largest fitting unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
