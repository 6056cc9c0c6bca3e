"""A report as one HTML file: it fetches nothing, runs nothing, and shows what attackers wrote as
text."""

from collections.abc import Iterator
from html import escape

from agents.reporting.figures import Report
from agents.reporting.sentences import Table, headline, period, tables
from agents.words import printable
from schemas.findings import SEVERITIES

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --paper: #fff; --line: #dde3ea;
  --bar: #3b7dd8; --low: #3f6fd0; --medium: #9a6700; --high: #c2410c; --critical: #9c1c3a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --dim: #9aa7b6; --paper: #141a22;
  --line: #2c3643; --bar: #5b9cf0; --low: #7ba6f7; --medium: #e5b04a; --high: #ee7b53;
  --critical: #e0557a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
.dim, th { color: var(--dim); font-weight: normal; } p { margin: .2rem 0; }
.lead { font-size: 1.05rem; border-left: 4px solid var(--bar); padding-left: .8rem;
  margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td:first-child { overflow-wrap: anywhere; }
th:nth-last-child(2), td:nth-last-child(2) { text-align: right; font-variant-numeric:
  tabular-nums; }
td.bar, th.bar { width: 26%; padding-right: 0; } td.bar span { display: block; height: .8rem;
  margin-top: .35rem; background: var(--bar); border-radius: 2px; }
b.critical { color: var(--critical); } b.high { color: var(--high); }
b.medium { color: var(--medium); } b.low { color: var(--low); }
svg { width: 100%; height: 9rem; display: block; border-bottom: 1px solid var(--line); }
rect.critical { fill: var(--critical); } rect.high { fill: var(--high); }
rect.medium { fill: var(--medium); } rect.low { fill: var(--low); }
.ends { display: flex; justify-content: space-between; }
@media (max-width: 34rem) { body { padding: .8rem; } td.bar, th.bar { width: 14%; }
  .wide .bar { display: none; } .wide th:nth-last-child(2), .wide td:nth-last-child(2) {
  padding-right: 0; } th, td { padding-right: .5rem; font-size: .8rem; } }
@page { size: A4; margin: 12mm; }
@media print { body { max-width: none; padding: 0; font-size: .72rem; line-height: 1.35;
  print-color-adjust: exact; } h1 { font-size: 1.1rem; } h2 { font-size: .85rem;
  margin: .9rem 0 .2rem; break-after: avoid; } .lead { font-size: .8rem; margin: .6rem 0; }
  table { font-size: .66rem; } th, td { padding: .05rem .5rem .05rem 0; } svg { height: 4rem; }
  td.bar span { height: .5rem; margin-top: .2rem; }
  tr, svg { break-inside: avoid; } }
"""
# Nothing is fetched or run even if an escape were missing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
HEIGHT = 100  # of the chart, in its own units; a day is 10 wide


def page(report: Report) -> str:
    """The whole document."""
    return "\n".join(_lines(report)) + "\n"


def text(words: str) -> str:
    """The words as text of a document, or of an attribute."""
    return escape(printable(words), quote=True)


def _lines(report: Report) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield f"<title>Mailwarden report</title>\n<style>{STYLE}</style>\n</head>\n<body>"
    yield f'<h1>Mailwarden report</h1>\n<p class="dim">{text(period(report))}</p>'
    yield '<div class="lead">'
    yield from (f"<p>{text(sentence)}</p>" for sentence in headline(report))
    yield "</div>"
    if report.findings:
        yield from _days(report)
    for table in tables(report):
        if table.rows or table.empty:
            yield f"<h2>{text(table.title)}</h2>"
            yield from _table(table) if table.rows else [f"<p>{text(table.empty)}</p>"]
    yield "</body>\n</html>"


def _days(report: Report) -> Iterator[str]:
    """A bar a day, its severities upon one another."""
    most = max([1, *(sum(day.severities.values()) for day in report.days)])
    yield "<h2>Day by day</h2>"
    yield (
        f'<svg viewBox="0 0 {10 * len(report.days)} {HEIGHT}" preserveAspectRatio="none" role="img"'
        f' aria-label="Attacks of each day, {most} at most">'
    )
    for number, day in enumerate(report.days):
        top = float(HEIGHT)
        told = ", ".join(f"{day.severities[s]} {s}" for s in SEVERITIES if s in day.severities)
        yield f"<g><title>{text(day.day)}: {text(told or 'none')}</title>"
        for severity in SEVERITIES:
            high = HEIGHT * day.severities.get(severity, 0) / most
            if high:
                top -= high
                yield (
                    f'<rect class="{severity}" x="{10 * number + 1}" y="{top:.2f}" width="8"'
                    f' height="{high:.2f}"/>'
                )
        yield "</g>"
    yield "</svg>"
    first, last = report.days[0].day, report.days[-1].day
    yield f'<p class="ends dim"><span>{first}</span><span>at most {most}</span>'
    yield f"<span>{last}</span></p>"


def _table(table: Table) -> Iterator[str]:
    heads = "".join(f"<th>{text(name)}</th>" for name in table.columns)
    wide = ' class="wide"' if len(table.columns) > 3 else ""
    yield f'<table{wide}>\n<tr>{heads}<th class="bar"></th></tr>'
    most = max([1, *table.values])
    for row, value in zip(table.rows, table.values or [0] * len(table.rows), strict=True):
        cells = "".join(f"<td>{_cell(cell)}</td>" for cell in row)
        bar = f'<span style="width:{100 * value / most:.1f}%"></span>'
        yield f'<tr>{cells}<td class="bar">{bar}</td></tr>'
    yield "</table>"


def _cell(words: str) -> str:
    return (
        f'<b class="{words}">{words}</b>'
        if words in SEVERITIES
        else text(words).replace("_", "_<wbr>")
    )
