"""What became worse since the kept measurement."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from load.judgement import Judgement

COUNTS = {
    "found": "sources found",
    "accounts_found": "accounts found",
    "victims_found": "victims found",
}


LATER = 2.0  # times as late as before is worse,
SLACK = 120.0  # seconds beyond which it matters


def worse(kept: Mapping[str, Any], results: Sequence[Judgement]) -> list[str]:
    """A line for each attack of which less is found, or much later, than `kept` (the content of
    quality.json) says, for each story of which more innocents are hit by alerts or decisions, and
    for each mix in which fewer of the guilty are decided against. Attacks that either does not
    have, or that have another size since, are passed over."""
    before = {mix["mix"]: mix for mix in kept["mixes"]}
    return [
        line
        for result in results
        if result.mix in before
        for line in (
            *_attacks(before[result.mix], result),
            *_later(before[result.mix], result),
            *_hits(before[result.mix], result, "hits", "innocents hit"),
            *_hits(before[result.mix], result, "decided_hits", "innocents decided against"),
            *_decided(before[result.mix], result),
        )
    ]


def _attacks(before: Mapping[str, Any], result: Judgement) -> list[str]:
    # A story may be told twice in a mix: its rows are added up.
    was: Counter[tuple[str, str]] = Counter()
    now: Counter[tuple[str, str]] = Counter()
    for row in before["attacks"]:
        was.update({(row["story"], name): row[name] for name in (*COUNTS, "clients", "accounts")})
    for found in result.attacks:
        now.update(
            {(found.story, name): getattr(found, name) for name in (*COUNTS, "clients", "accounts")}
        )
    return [
        f"{result.mix}: {story}: {COUNTS[name]} {now[story, name]}, before {was[story, name]}"
        for story, name in was
        if name in COUNTS
        and now[story, name] < was[story, name]
        and all(now[story, size] == was[story, size] for size in ("clients", "accounts"))
    ]


def _later(before: Mapping[str, Any], result: Judgement) -> list[str]:
    was = {row["story"]: row.get("median_seconds") for row in before["attacks"]}
    now = {row.story: statistics.median(row.waits) for row in result.attacks if row.waits}
    return [
        f"{result.mix}: {story}: found after {wait:.0f} s, before {was[story]:.0f} s"
        for story, wait in now.items()
        if was.get(story) is not None and wait > LATER * was[story] + SLACK
    ]


def _hits(before: Mapping[str, Any], result: Judgement, name: str, what: str) -> list[str]:
    was, now = before.get(name), getattr(result, name)
    if was is None:  # not yet measured then
        return []
    return [
        f"{result.mix}: {story}: {count} {what}, before {was.get(story, 0)}"
        for story, count in now.items()
        if count > was.get(story, 0)
    ]


def _decided(before: Mapping[str, Any], result: Judgement) -> list[str]:
    was = before.get("decided_right", 0)
    if before.get("guilty") != result.guilty or result.decided_right >= was:
        return []
    return [f"{result.mix}: {result.decided_right} of the guilty decided against, before {was}"]
