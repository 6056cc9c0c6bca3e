"""Tables: files whose rows mean what a header line says.

``#Fields: date-time,connector-id,…`` begins the rows of Microsoft Exchange (comma-separated
values, RFC 4180), ``#Fields: date time c-ip …`` those of IIS (W3C Extended Log File Format:
separated by spaces). A header stands at the start of each file and whenever its columns change.
"""

import csv
from collections.abc import Callable

from streams.parsers.carrier.stamps import Stamps

FIELDS = "#Fields:"
MOST_COLUMNS = 200


class Table:
    """`program` stands for a syslog tag in the rows' records: ``#`` and the names of the columns
    as the header has them, joined by commas."""

    def __init__(self, header: str, stamps: Stamps) -> None:
        """`header` is a line that begins with FIELDS."""
        said = header[len(FIELDS) :].strip()
        self._commas = "," in said
        names = said.split(",") if self._commas else said.split()
        self.columns = [name.strip() for name in names[:MOST_COLUMNS]]
        self.program = "#" + ",".join(self.columns)
        self._stamps = stamps
        self._time = _time(self.columns)

    def row(self, line: str) -> list[str] | None:
        """The values of a row, as many as there are columns; None where it is none."""
        values = next(csv.reader((line,)), []) if self._commas else line.split(" ")
        return values if len(values) == len(self.columns) else None

    def at(self, values: list[str]) -> float | None:
        """When a row says that it happened: Unix seconds; where it names no zone, UTC."""
        stamp = self._time(values)
        found = self._stamps.iso(stamp if stamp[-1:] == "Z" else stamp + "Z")
        return found[0] if found else None


def _time(columns: list[str]) -> Callable[[list[str]], str]:
    """Reads the time of a row."""
    lower = [name.lower() for name in columns]
    if "date" in lower and "time" in lower:
        date, time = lower.index("date"), lower.index("time")
        return lambda values: f"{values[date]}T{values[time]}"
    for name in ("date-time", "datetime", "timestamp"):
        if name in lower:
            at = lower.index(name)
            return lambda values: values[at]
    return lambda values: values[0]
