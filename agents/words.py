"""Numbers as people say them."""


def many(count: float, noun: str, plural: str = "") -> str:
    """``1 account``, ``2 accounts``; with a plural of its own, ``3 tries``."""
    return f"{count:g} {noun if count == 1 else plural or noun + 's'}"


def span(seconds: float) -> str:
    """A duration in its largest fitting unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
