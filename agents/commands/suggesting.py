"""What `mailwarden replay --suggest` does and shows: thresholds at which the known innocent stay
silent, what they cost, and the lines to paste."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from agents.commands import options
from agents.commands.progress import following, readable
from agents.configuration import Config
from agents.innocents import Innocents
from agents.operator import report
from agents.operator.listing import Column, listing
from agents.replay import Replay, Verdict
from agents.running import state
from agents.single.store import Store, StoreError
from agents.suggestion import Advice, Cost, Suggesting, Suggestion
from agents.words import many
from schemas import wire
from schemas.findings import SEVERITIES, Alert
from streams.reader import DeadLine, ReadOptions

AUDITED = 10_000  # entries of the audit that are looked at for pardons
COLUMNS = (
    Column("DETECTOR"),
    Column("SETTING"),
    Column("NOW"),
    Column("SUGGESTED"),
    Column("SILENT"),
    Column("LOST WITH IT", "folded"),
)


def innocent(config: Config, named: Sequence[str]) -> Innocents:
    """Who was named, or is in a file that was, or was pardoned on this server."""
    known = Innocents(config.site.default_domain)
    for text in named:
        path = Path(text)
        if not path.is_file():
            known.add(text)
            continue
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                known.read(lines)
        except OSError as error:
            raise options.Unusable(f"{path}: {error.strerror}") from error
    store = state.store(config.settings)
    if store.exists():
        try:
            with Store(store) as kept:
                known.pardoned(kept.decisions(0.0), kept.audit(AUDITED))
        except StoreError as error:
            click.echo(f"mailwarden: whom people pardoned is not known: {error}", err=True)
    if not len(known):
        raise options.Unusable("nobody is known to be innocent: name them with --innocent")
    return known


def suggested(
    config: Config,
    known: Innocents,
    read: ReadOptions,
    files: Sequence[Path],
    dead: Callable[[DeadLine], None],
    *,
    as_json: bool,
) -> list[str]:
    """Find what is to be suggested and show it; what could not be read on is returned."""
    broken: list[str] = []
    first = True

    def replays(configs: Sequence[Config], what: str) -> list[Verdict]:
        nonlocal first
        told, first = first, False  # what cannot be read is the same in every pass
        replay = Replay(configs[0], read, dead if told else None, configs[1:])
        with following(files, what) as progress:
            ends = broken if told else []
            replay.run([(str(path), readable(path, ends)) for path in files], progress=progress)
        return replay.verdicts

    found = Suggesting(config, known, replays).run()
    if as_json:
        _write(found)
    else:
        console = report.console()
        console.print(_shown(found, known, console.width))
    return broken


# -- for machines -----------------------------------------------------------------------------


def _write(found: Suggestion) -> None:
    out = sys.stdout.buffer
    for one in found.advice:
        told = {
            "kind": "suggestion",
            "detector": one.detector,
            "accused": [_named(alert) for alert in one.accused],
            "changes": {name: list(values) for name, values in one.changes.items()},
            "lost": [_named(alert) for alert in one.cost.findings],
            "decisions": [decision.id for decision in one.cost.decisions],
        }
        out.write(wire.encode(told) + b"\n")
    whole = {
        "kind": "total",
        "toml": snippet(found),
        "accused": [_named(alert) for alert in found.left],
        "lost": [_named(alert) for alert in found.cost.findings],
        "decisions": [decision.id for decision in found.cost.decisions],
        "passes": found.passes,
    }
    out.write(wire.encode(whole) + b"\n")
    out.flush()


def _named(alert: Alert) -> dict[str, str]:
    return {
        "id": alert.id,
        "detector": alert.detector,
        "shape": alert.shape,
        "severity": alert.severity,
        "subject": f"{alert.subject.kind}:{alert.subject.value}",
    }


def snippet(found: Suggestion) -> str:
    """The changes as lines of the settings file."""
    lines = []
    for one in found.advice:
        if one.changes:
            lines.append(f"[detectors.{one.detector}]")
            lines += [f"{name} = {new}  # was {was}" for name, (was, new) in one.changes.items()]
    return "\n".join(lines)


# -- for people -------------------------------------------------------------------------------


def _shown(found: Suggestion, known: Innocents, width: int) -> RenderableType:
    who = f"{len(known):,} known to be innocent"
    if not found.advice:
        return Text(f"{who}: nothing accuses them, so there is nothing to change.", style="green")
    accused = sum(len(one.accused) for one in found.advice)
    parts: list[RenderableType] = [
        Text(f"{who}, {many(accused, 'finding')} about them; {many(found.passes, 'replay')}"),
        Text(),
    ]
    rows = [row for one in found.advice for row in _rows(one)]
    if rows:
        parts += [listing(COLUMNS, rows, width), Text()]
    for one in found.advice:
        if not one.changes:
            parts += _hopeless(one)
    if rows:
        parts += _whole(found)
    return Group(*parts)


def _rows(one: Advice) -> Iterator[tuple[Text, ...]]:
    for index, (name, (was, new)) in enumerate(one.changes.items()):
        whole = not index
        yield (
            Text(one.detector if whole else ""),
            Text(name),
            Text(f"{was:g}", style="dim"),
            Text(f"{new:g}", style="bold"),
            Text(many(len(one.accused), "finding") if whole else ""),
            _lost(one.cost) if whole else Text("together", style="dim"),
        )


def _lost(cost: Cost) -> Text:
    if not cost.findings and not cost.decisions:
        return Text("nothing", style="green")
    counted = {
        severity: sum(alert.severity == severity for alert in cost.findings)
        for severity in reversed(SEVERITIES)
    }
    words = [f"{count} {severity}" for severity, count in counted.items() if count]
    if cost.decisions:
        words.append(many(len(cost.decisions), "decision"))
    return Text(", ".join(words), style="yellow")


def _hopeless(one: Advice) -> Iterator[RenderableType]:
    """No threshold helps: what else does."""
    yield Text(f"No threshold of {one.detector} keeps these silent:", style="bold")
    yield report.indented(report.findings(one.accused))
    kinds = {alert.subject.kind for alert in one.accused}
    if kinds & {"client", "network"}:
        names = sorted(
            {a.subject.value for a in one.accused if a.subject.kind in ("client", "network")}
        )
        listed = ", ".join(f'"{report.printable(name)}"' for name in names[: report.SHOWN])
        more = ", ..." * (len(names) > report.SHOWN)
        words = f"[network]\nallow = [{listed}{more}]  # if they are what they say"
        yield report.indented(Text(words))
    if kinds - {"client", "network"}:
        words = "site.bulk is for mailboxes that may send much;"
        table = f'[detectors.{one.detector}.domains."DOMAIN"]'
        yield report.indented(Text(f"{words} {table} for those of a domain"))
    yield Text()


def _whole(found: Suggestion) -> Iterator[RenderableType]:
    """What comes of all changes together, and the lines to paste."""
    if found.left:
        yield Text(f"With all of it, {many(len(found.left), 'finding')} about them stay:")
        yield report.indented(report.findings(found.left))
    else:
        yield Text("With all of it, none of them is accused.", style="green")
    if found.cost.findings:
        cost = many(len(found.cost.findings), "other finding")
        yield Text(f"It costs {cost}, {many(len(found.cost.decisions), 'decision')}:")
        yield report.indented(report.findings(found.cost.findings))
    elif found.cost.decisions:
        yield Text(f"It costs {many(len(found.cost.decisions), 'decision')} and no other finding.")
    else:
        yield Text("It costs no other finding and no decision.", style="green")
    yield Text()
    yield Text(snippet(found))
