"""``mailwarden parse``: log lines to events, one JSON object a line."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import structs
from rich.console import Console
from rich.text import Text

from agents import line_explained
from agents.commands import line_view, options
from agents.operator import report
from agents.operator.listing import NARROW, Column, listing
from agents.words import many
from schemas.events import EVENTS, Fact
from streams.reader import DeadLine, Reader, ReadOptions
from streams.sources.archive import open_lines
from streams.sources.mails import mails

MAILS = "dsn"  # the format whose files are mails, not lines
MOST_DEAD = 20  # broken lines that are shown; the rest is only counted


@click.command()
@click.option(
    "--format",
    type=options.Format(MAILS),
    help="Log format, auto, or dsn: bounce and complaint mails.",
)
@options.year
@options.now
@options.zone
@options.host
@options.config
@click.option("--table", is_flag=True, help="A table for people instead of JSON.")
@click.option("--explain", metavar="LINE", help="How this one line is read, step by step.")
@click.argument("files", nargs=-1, metavar="FILE...")
def command(
    format: str | None,  # noqa: A002 - the option's name
    year: int | None,
    now: float | None,
    zone: str | None,
    host: str | None,
    config: Path | None,
    table: bool,
    explain: str | None,
    files: tuple[str, ...],
) -> None:
    """Read log FILEs, one after the other, and print their events.

    `-` is standard input; what is packed by gzip, bzip2, xz or zstd is unpacked. Every field of
    an event is printed, also one that is empty. Lines that cannot be read are told on standard
    error.

    Formats of a site's own ([parsers.custom.NAME] in the settings) are read as well.

    With --format dsn each FILE is a mail, a mailbox, a maildir or a directory of mails.

    With --explain LINE no file is read: what is this line's time, host and program, which format
    has it, what matched, what does it say, and why nothing where it says nothing? A table on a
    terminal, else JSON.
    """
    if bool(files) is (explain is not None):
        raise click.UsageError("Give FILEs, or --explain LINE.")
    if format == MAILS:
        if explain is not None:
            raise click.UsageError("A line is no mail: --explain reads no --format dsn.")
        _read_mails(files, now or time.time(), host or "", table=table)
        return
    wanted = ReadOptions(
        format=format or "auto",
        host=host or "",
        zone=zone or "",
        year=year or 0,
        now=now or time.time(),
        custom=options.load(config).formats,
    )
    if explain is not None:
        line = explain.encode("utf-8", "surrogateescape")
        line_view.show(line_explained.explain(line, wanted), eyes=table or options.for_eyes(False))
        return
    reader = Reader(wanted, dead=_Dead())
    unread: list[str] = []
    if not _print(_events(reader, files, unread), table=table):
        return
    counts = reader.counts
    click.echo(
        f"{many(counts.lines, 'line')}: {many(counts.events, 'event')},"
        f" {many(counts.nobody, 'line')} of unknown programs, {counts.dead} unreadable",
        err=True,
    )
    if unread:
        sys.exit(2)


def _print(events: Iterable[Fact], *, table: bool) -> bool:
    """Whether all of it was wanted."""
    try:
        if table:
            _print_table(events)
        else:
            _print_json(events)
    except BrokenPipeError:
        # Whoever reads has seen enough. Python would complain again when it flushes at exit.
        sys.stdout = None
        return False
    return True


def _read_mails(files: Iterable[str], now: float, host: str, *, table: bool) -> None:
    from streams import reports  # seldom asked for, and slow to load

    counts = Counter[str]()
    unread: list[str] = []

    def events() -> Iterator[Fact]:
        for name in files:
            try:
                for _, mail in mails(Path(name)):
                    counts["mails"] += 1
                    read = reports.read(mail, now=now, gateway=host)
                    counts["events"] += len(read)
                    counts["silent"] += not read
                    yield from read
            except OSError as error:
                unread.append(name)
                click.echo(f"mailwarden: {name}: {error.strerror or error}", err=True)

    if not _print(events(), table=table):
        return
    click.echo(
        f"{many(counts['mails'], 'mail')}: {many(counts['events'], 'event')},"
        f" {counts['silent']} without a report",
        err=True,
    )
    if unread:
        sys.exit(2)


class _Dead:
    """Tells the first few lines that are ours and cannot be read."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, line: DeadLine) -> None:
        self._told += 1
        if self._told <= MOST_DEAD:
            shown = line.line.encode("unicode_escape").decode()[:200]
            click.echo(f"{line.source}:{line.offset}: {line.reason}: {shown}", err=True)
        elif self._told == MOST_DEAD + 1:
            click.echo("further unreadable lines are only counted", err=True)


def _events(reader: Reader, files: Iterable[str], unread: list[str]) -> Iterator[Fact]:
    for name in files:
        try:
            for _, event in reader.read([(name, open_lines(Path(name)))]):
                yield event
        except OSError as error:
            unread.append(name)
            click.echo(f"mailwarden: {name}: {error.strerror or error}", err=True)
    for _, event in reader.close():
        yield event


_FULL: dict[type[Fact], Any] = {
    kind: msgspec.defstruct(
        kind.__name__,
        [(field.name, Any) for field in structs.fields(kind)],
        tag_field="type",
        tag=kind.type,
    )
    for kind in EVENTS
}
"""The events again, with fields that are printed although they are empty."""


def _print_json(events: Iterable[Fact]) -> None:
    encode = msgspec.json.Encoder().encode_into
    write = sys.stdout.buffer.write
    line = bytearray()
    for event in events:
        encode(_FULL[type(event)](*structs.astuple(event)), line)
        line += b"\n"
        write(line)
        del line[:]
    sys.stdout.buffer.flush()


COUNTED = ("count", "recipients")
SHOWN = ("account", "sender", "recipient", "outcome", "verdict", "status", "reason", "enhanced")


def _print_table(events: Iterable[Fact]) -> None:
    console = Console(highlight=False)
    narrow = console.width < NARROW
    columns = [Column("TIME (UTC)"), Column("GATEWAY"), Column("EVENT"), Column("WHAT", "folded")]
    shown: tuple[str, ...] = SHOWN
    if narrow:  # whatever else there is goes into the one column that folds
        shown = ("client", *SHOWN, *COUNTED)
    else:
        columns[3:3] = [Column("CLIENT")]
        columns.append(Column("COUNT"))
    rows = []
    for event in events:
        fields = structs.asdict(event)
        row = [
            report.moment(event.at, seconds=True) if narrow else _moment(event.at),
            event.gateway,
            event.type,
            "  ".join(f"{name}={fields[name]}" for name in shown if _tells(name, fields)),
        ]
        if not narrow:
            row[3:3] = [fields.get("client", "")]
            row.append(str(next((fields[name] for name in COUNTED if fields.get(name)), "")))
        rows.append([Text(report.printable(value)) for value in row])
    console.print(listing(columns, rows, console.width))


def _tells(name: str, fields: dict[str, Any]) -> bool:
    """Whether a field says more than that there is an event."""
    value = fields.get(name)
    return bool(value) and not (name == "count" and value == 1)


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
