"""The tables of quality: attacks by class and form, and innocents by story."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table

from load.judgement import Judgement, Row


def tables(head: str, results: Sequence[Judgement]) -> list[RenderableType]:
    """What is shown of some mixes, under a heading."""
    return [
        f"\n## {head}\n",
        _classes(results),
        "",
        _precision(results),
        "",
        _innocents(results),
        "",
        _stories(results),
    ]


def empty_table(*columns: str) -> Table:
    table = Table(box=box.MARKDOWN)
    for n, column in enumerate(columns):
        table.add_column(column, justify="right" if n else "left", no_wrap=True)
    return table


def _classes(results: Sequence[Judgement]) -> Table:
    table = empty_table(
        "attack", "sources found", "fail2ban", "accounts", "victims", "median", "nine of ten"
    )  # fmt: skip
    rows = [row for result in results for row in result.attacks]
    for group, form in sorted({(row.group, row.form) for row in rows}, key=_order):
        mine = [row for row in rows if (row.group, row.form) == (group, form)]
        table.add_row(f"{group}, {form}", *_numbers(mine))
    table.add_row("all", *_numbers(rows))
    return table


def _order(key: tuple[str, str]) -> tuple[str, int]:
    return key[0], ("easy", "slow", "spread", "disguised").index(key[1])


def _numbers(rows: Sequence[Row]) -> list[str]:
    waits = sorted(wait for row in rows for wait in row.waits)
    clients = sum(row.clients for row in rows)
    return [
        share(sum(row.found for row in rows), clients),
        share(sum(row.fail2ban for row in rows), clients),
        share(sum(row.accounts_found for row in rows), sum(row.accounts for row in rows)),
        share(sum(row.victims_found for row in rows), sum(row.victims for row in rows)),
        _span(statistics.median(waits)) if waits else "",
        _span(waits[-(-len(waits) * 9 // 10) - 1]) if waits else "",
    ]


def _precision(results: Sequence[Judgement]) -> Table:
    table = empty_table(
        "precision", "sources", "accounts", "victims", "decided against", "guilty decided",
        "fail2ban sources",
    )  # fmt: skip
    for name, mine in (*((result.mix, [result]) for result in results), ("all", results)):
        table.add_row(
            name,
            *(
                share(right, right + wrong)
                for right, wrong in (
                    (sum(r.clients_right for r in mine), sum(r.clients_wrong for r in mine)),
                    (sum(r.accounts_right for r in mine), sum(r.accounts_wrong for r in mine)),
                    (sum(r.victims_right for r in mine), sum(r.victims_wrong for r in mine)),
                    (sum(r.decided_right for r in mine), sum(r.decided_wrong for r in mine)),
                    (
                        sum(r.decided_right for r in mine),
                        sum(r.guilty - r.decided_right for r in mine),
                    ),
                    (sum(r.fail2ban_right for r in mine), sum(r.fail2ban_wrong for r in mine)),
                )
            ),
        )
    return table


def _innocents(results: Sequence[Judgement]) -> Table:
    innocents = sum(result.innocents for result in results)
    table = empty_table(f"innocents hit, of {innocents:,}", "alerts", "decisions", "fail2ban")
    ours, theirs = _added(r.hits for r in results), _added(r.fail2ban_hits for r in results)
    decided = _added(r.decided_hits for r in results)
    for story in sorted(
        ours | theirs | decided,
        key=lambda story: (-ours[story], -decided[story], -theirs[story], story),
    ):
        table.add_row(story, str(ours[story]), str(decided[story]), str(theirs[story]))
    table.add_row("all", str(ours.total()), str(decided.total()), str(theirs.total()))
    return table


def _stories(results: Sequence[Judgement]) -> Table:
    """Each attack that was not found whole."""
    table = empty_table("not found whole", "mix", "sources", "accounts", "victims", "for example")
    for result in results:
        for row in result.attacks:
            found = (row.found, row.accounts_found, row.victims_found)
            if found != (row.clients, row.accounts, row.victims):
                table.add_row(
                    row.story,
                    result.mix,
                    share(row.found, row.clients),
                    share(row.accounts_found, row.accounts),
                    share(row.victims_found, row.victims),
                    row.missed[0] if row.missed else "",
                )
    return table


def _added(counts: Iterable[dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return total


def share(part: int, whole: int) -> str:
    return f"{part:,}/{whole:,} {part / whole:6.1%}" if whole else ""


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
