"""Values as the pages write them.

Whatever came from a log was written by an attacker. Jinja escapes what HTML would obey; `shown`
makes visible what would steer the direction of writing or hide (control and format characters,
as ``\\u202e``), and keeps the direction of each name to itself (``<bdi>``; Unicode UAX 9).
"""

from datetime import UTC, datetime

from markupsafe import Markup, escape

from agents.words import event, number, span

MOST = 200  # characters of a name


def shown(value: object, most: int = MOST) -> Markup:
    """A text of a stranger."""
    text = str(value)
    cut = "\u2026" if len(text) > most else ""
    return Markup("<bdi>{}{}</bdi>").format(_visible(text[:most]), cut)


def _visible(text: str) -> Markup:
    if text.isprintable():
        return escape(text)
    parts: list[Markup] = []
    plain = ""
    for c in text:
        if c.isprintable():
            plain += c
            continue
        parts += [escape(plain), Markup('<span class="esc">{}</span>').format(_code(c))]
        plain = ""
    return Markup("").join([*parts, escape(plain)])


def _code(c: str) -> str:
    value = ord(c)
    if value < 0x100:
        return f"\\x{value:02x}"
    return f"\\u{value:04x}" if value < 0x10000 else f"\\U{value:08x}"


def clock(at: float) -> Markup:
    """A moment, UTC."""
    if not 0 < at < 253402300800:
        return Markup("-")
    when = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        when.strftime("%Y-%m-%dT%H:%M:%SZ"), when.strftime("%b %d %H:%M:%S")
    )


def ago(at: float, now: float) -> Markup:
    """How long ago a moment was; the moment itself as its title."""
    if not 0 < at < 253402300800:
        return Markup("never")
    when = datetime.fromtimestamp(at, UTC)
    seconds = now - at
    words = "just now"
    if abs(seconds) >= 5:
        words = f"{brief(abs(seconds))} {'ago' if seconds > 0 else 'ahead'}"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        when.strftime("%Y-%m-%dT%H:%M:%SZ"), when.strftime("%Y-%m-%d %H:%M:%S"), words
    )


def brief(seconds: float) -> str:
    """A duration at a glance: in one unit."""
    for unit, length, least in (("d", 86400, 172800), ("h", 3600, 3600), ("min", 60, 60)):
        if seconds >= least:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def left(until: float, now: float) -> str:
    """How much time there is until a moment."""
    return brief(until - now) if until > now else "ended"


def spaced(word: str) -> str:
    """``false_positive`` as people write it."""
    return word.replace("_", " ")


def size(count: float) -> str:
    """Bytes."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


FILTERS = {
    "shown": shown,
    "clock": clock,
    "ago": ago,
    "left": left,
    "spaced": spaced,
    "number": number,
    "span": span,
    "brief": brief,
    "event": event,
    "size": size,
}
