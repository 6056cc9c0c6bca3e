"""What Exchange's logs have in common: rows of tables, addresses with ports, names of users."""

import re
from collections.abc import Callable, Collection, Iterable

from msgspec import structs

from schemas import net
from streams.parsers.carrier.tables import FIELDS, Table, shaped
from streams.parsers.part import DOCUMENT, Items, Parse, Record

Row = Callable[[Record, list[str]], Items | None]
Layout = Callable[[list[str]], Row]
"""Given the names of the columns in lower case: the parser of such rows."""

BEGINS = r"\d{4}-"
"""How a row begins that comes as text."""

MOST_SHAPES = 64

# Tags under which shippers send the rows of these files
_SHIPPER = re.compile(r".{0,60}(?:exchange|iis|w3svc|smtpsvc)", re.IGNORECASE).match

_Read = tuple[Row, Table]


def of_table(program: str, mark: str, needs: Collection[str], layout: Layout) -> Parse | None:
    """The parser of a table's rows, or of rows that come as text, or as JSON objects with the
    names of the columns; None for any other tag, and for tables that lack one of the columns that
    are needed. Objects are known by one of these, `mark`."""

    def columns(names: Iterable[str]) -> list[str] | None:
        lower = [name.lower() for name in names]
        return lower if set(needs) <= set(lower) else None

    if program[:1] == "#":
        known = columns(program[1:].split(","))
        if known is None:
            return None
        read = layout(known)
        return lambda record: read(record, record.data) if record.data else ()
    if program == DOCUMENT:
        return _of_objects(mark, columns, layout)
    if program and not _SHIPPER(program):
        return None
    rows: dict[str, Row | None] = {}

    def by_text(record: Record) -> Items | None:
        if record.text[4:5] != "-":
            return None
        found = shaped(record.text)
        if found is None:
            return None
        table, values, at = found
        if table.program not in rows:
            known = columns(table.columns)
            rows[table.program] = layout(known) if known is not None else None
        row = rows[table.program]
        return row(structs.replace(record, at=at, data=values), values) if row else None

    return by_text


def _of_objects(
    mark: str, columns: Callable[[Iterable[str]], list[str] | None], layout: Layout
) -> Parse:
    shapes: dict[tuple[str, ...], _Read | None] = {}

    def by_object(record: Record) -> Items | None:
        data = record.data
        if mark not in data:
            return None
        names = tuple(data)
        if names not in shapes:
            known = columns(names)
            if len(shapes) >= MOST_SHAPES:
                shapes.clear()
            header = f"{FIELDS} {','.join(names)}"
            shapes[names] = (layout(known), Table(header)) if known is not None else None
        read = shapes[names]
        if read is None:
            return None
        values = ["" if value is None else str(value) for value in data.values()]
        row, table = read
        at = table.at(values) if len(table.columns) == len(values) else None
        return row(structs.replace(record, at=at or record.at, data=values), values)

    return by_object


def either(one: Parse, other: Parse) -> Parse:
    """The parser of what either of two knows."""

    def parse(record: Record) -> Items | None:
        items = one(record)
        return other(record) if items is None else items

    return parse


def address(endpoint: str) -> str:
    """The address of ``192.0.2.1:25`` or ``[2001:db8::1]:25``, the port being optional."""
    if endpoint[:1] == "[":
        return net.address(endpoint[1:].partition("]")[0])
    if endpoint.count(":") == 1:
        endpoint = endpoint.partition(":")[0]
    return net.address(endpoint)


def account(name: str) -> str:
    """A login as it is compared: lower case, ``NULL`` and ``-`` being none."""
    name = name.strip().lower()[:320]
    return "" if name in ("null", "-", "<null>") else name


def probe(name: str) -> bool:
    """Whether it is one of the mailboxes with which Exchange watches itself."""
    name = name.lower()
    return "healthmailbox" in name or name.startswith(
        ("extest_", "inboundproxy@", "maildeliveryprobe")
    )


def optional(columns: list[str], name: str) -> Callable[[list[str]], str]:
    """Reads a column that not every version has."""
    if name not in columns:
        return lambda values: ""
    at = columns.index(name)
    return lambda values: values[at]


_REFUSALS = {
    "logondenied": ("failed", "rejected"),
    "illegalmessage": ("failed", "malformed"),
    "invalidtoken": ("failed", "malformed"),
    "unexpectedexchangeauthblob": ("failed", "malformed"),
    "noauthenticatingauthority": ("error", "server"),
    "internalerror": ("error", "server"),
    "insufficientmemory": ("error", "server"),
    "liveserverunreachable": ("error", "server"),
    "operationtimedout": ("error", "server"),
    "communicationfailure": ("error", "server"),
    "usernotfoundinad": ("failed", "unknown_account"),
    "invalidcreds": ("failed", "bad_password"),
    "expiredcreds": ("failed", "expired"),
    "accountnotprovisioned": ("failed", "unknown_account"),
}


def refusal(status: str) -> tuple[str, str]:
    """(outcome, reason) of a login that was refused, as the transport names the cause."""
    return _REFUSALS.get(status.lower(), ("failed", "rejected"))
