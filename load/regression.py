"""What became worse since the kept measurement."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from load.judgement import Judgement

COUNTS = {
    "found": "sources found",
    "accounts_found": "accounts found",
    "victims_found": "victims found",
}


def worse(kept: Mapping[str, Any], results: Sequence[Judgement]) -> list[str]:
    """A line for each attack of which less is found than `kept` (the content of quality.json)
    says, and for each story of which more innocents are hit. Attacks that either does not have,
    or that have another size since, are passed over."""
    before = {mix["mix"]: mix for mix in kept["mixes"]}
    return [
        line
        for result in results
        if result.mix in before
        for line in (*_attacks(before[result.mix], result), *_hits(before[result.mix], result))
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


def _hits(before: Mapping[str, Any], result: Judgement) -> list[str]:
    return [
        f"{result.mix}: {story}: {count} innocents hit, before {before['hits'].get(story, 0)}"
        for story, count in result.hits.items()
        if count > before["hits"].get(story, 0)
    ]
