"""Charts as inline SVG, made on the server: a row of bars needs no library, no script and no style
of its own, so that the page's policy can forbid all of these. Each has its text alternative."""

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT, STEP = 6, 28, 8  # of a bar, in the units of the picture

BARS = Markup(
    '<svg class="bars" viewBox="{}" role="img" aria-label="{}" preserveAspectRatio="none">{}</svg>'
)
BAR = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
MEASURE = Markup(
    '<svg class="measure" viewBox="0 0 100 10" role="img" aria-label="{}"'
    ' preserveAspectRatio="none"><rect class="rail" width="100" height="10"/>'
    '<rect class="{}" width="{}" height="10"/><rect class="mark" x="49" width="2" height="10"/>'
    "</svg>"
)


def bars(values: Sequence[float], label: str) -> Markup:
    """A bar each, the last one apart: it is not over yet."""
    most = max([1.0, *values])
    drawn = []
    for index, value in enumerate(values):
        high = max(1.0, round(HEIGHT * value / most, 1)) if value else 0.5
        last = " last" if index == len(values) - 1 else ""
        name = f"{'bar' if value else 'none'}{last}"
        drawn.append(BAR.format(name, index * STEP, f"{HEIGHT - high:g}", WIDTH, f"{high:g}"))
    return BARS.format(f"0 0 {len(values) * STEP} {HEIGHT}", label, Markup("").join(drawn))


def measure(count: float, threshold: float, label: str) -> Markup:
    """A count beside its threshold: the mark is the threshold, the bar ends at twice as much."""
    share = min(2.0, count / threshold) if threshold else 0.0
    return MEASURE.format(label, "over" if share >= 1 else "under", f"{50 * share:.1f}")
