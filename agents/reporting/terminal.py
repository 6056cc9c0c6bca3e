"""A report on a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from agents.operator.report import STYLES
from agents.reporting.figures import Report
from agents.reporting.sentences import Table, headline, period, tables
from agents.words import printable
from schemas.findings import SEVERITIES

BAR = 24  # columns of the longest bar
DAYS = 31  # that are shown


def page(report: Report) -> RenderableType:
    """The whole page."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    yield Text("Mailwarden report", style="bold")
    yield Text(printable(period(report)), style="dim")
    yield Text()
    for sentence in headline(report):
        yield Text(sentence)
    if report.findings:
        yield _titled(_days(report))
    for table in tables(report):
        if table.rows or table.empty:
            yield _titled(table)


def _days(report: Report) -> Table:
    """Each day; of a longer time the newest days with attacks."""
    days = [(day.day, sum(day.severities.values())) for day in report.days]
    title = "Day by day"
    if len(days) > DAYS:
        days = [(day, count) for day, count in days if count][-DAYS:]
        title = "Days with attacks"
    rows = [(day, str(count)) for day, count in days]
    return Table(title, ("day", "attacks"), rows, [count for _, count in days])


def _titled(table: Table) -> RenderableType:
    title = Text(f"\n{table.title}", style="bold")
    if not table.rows:
        return Group(title, Text(f"  {table.empty}"))
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    last = len(table.columns) - 1
    for number, name in enumerate(table.columns):
        grid.add_column(name, justify="right" if number == last else "left", overflow="fold")
    grid.add_column("", no_wrap=True, overflow="crop")
    most = max([1, *table.values])
    for row, value in zip(table.rows, table.values or [0] * len(table.rows), strict=True):
        bar = Text("█" * max(bool(value), round(BAR * value / most)), style="cyan")
        grid.add_row(*map(_cell, row), bar)
    return Group(title, grid)


def _cell(text: str) -> Text:
    style = STYLES[text] if text in SEVERITIES else ""
    return Text(printable(text), style=style)
