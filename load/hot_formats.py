"""Where the time goes in each format that `load.bench_formats` has found too slow.

    python -m load.hot_formats

The profiler makes every call dearer, and short functions more than long ones: what is to be read
here is how many calls a line takes, and whether one of them stands out.
"""

import gc
import json

from rich.console import Console
from rich.progress import track

from load.bench_formats import GOAL, RESULTS, lines_of, numbered, read_whole
from load.hot import Row, rows

LINES = 5_000
SHOWN = 5
RESULT = RESULTS / "formats_profile.md"


def slow() -> list[tuple[str, int]]:
    """Formats and their lines a second, the slowest first, as they were measured last."""
    kept = json.loads((RESULTS / "formats.json").read_text())["formats"]
    found = [(one["format"], one["lines_a_second"]) for one in kept]
    return sorted((one for one in found if one[1] < GOAL), key=lambda one: one[1])


def profiled(name: str) -> list[Row]:
    lines = numbered(lines_of(name), LINES)
    read_whole(lines)  # what is compiled or imported at first is no part of it
    return rows(lambda: read_whole(lines))


def section(name: str, speed: int, found: list[Row]) -> list[str]:
    calls = sum(row.calls for row in found) / LINES
    lines = [f"## {name}", "", f"{speed:,} lines/s, {calls:.0f} calls a line", ""]
    lines += ["| own | calls a line | function |", "|--:|--:|--|"]
    lines += [
        f"| {100 * row.share:.1f} % | {row.calls / LINES:.2f} | `{row.function}` {row.place} |"
        for row in found[:SHOWN]
    ]
    return [*lines, ""]


def main() -> None:
    gc.disable()
    console = Console(stderr=True)
    formats = slow()
    found = [
        (name, speed, profiled(name)) for name, speed in track(formats, "profiles", console=console)
    ]
    first = max(row.share for _, _, rows in found for row in rows)
    most = max(found, key=lambda one: one[2][0].share)
    text = [
        "# Formats below the goal: where their time goes",
        "",
        f"`python -m load.hot_formats`: {len(found)} formats below {GOAL:,} lines/s (formats.md).",
        f"No function takes more than {100 * first:.0f} % of the time of its format:",
        f"`{most[2][0].function}` takes it in {most[0]}.",
        "",
    ]
    for name, speed, profile in found:
        text += section(name, speed, profile)
    RESULT.write_text("\n".join(text))
    Console().print(f"{RESULT}: {len(found)} formats")


if __name__ == "__main__":
    main()
