"""What Exchange's logs have in common: rows of tables, addresses with ports, names of users."""

from collections.abc import Callable, Collection

from msgspec import structs

from schemas import net
from streams.parsers.carrier.tables import shaped
from streams.parsers.part import Items, Parse, Record

Row = Callable[[Record, list[str]], Items | None]
Layout = Callable[[list[str]], Row]
"""Given the names of the columns in lower case: the parser of such rows."""

SHIPPERS = frozenset({"exchange", "msexchange", "microsoft-exchange", "iis", "w3svc"})
"""Tags under which shippers send the rows of these files."""


def of_table(program: str, needs: Collection[str], layout: Layout) -> Parse | None:
    """The parser of a table's rows, or of rows that come as text; None for any other tag, and for
    tables that lack one of the columns that are needed."""
    if program[:1] == "#":
        columns = [name.lower() for name in program[1:].split(",")]
        if not set(needs) <= set(columns):
            return None
        row = layout(columns)
        return lambda record: row(record, record.data) if record.data else ()
    if program and program.lower() not in SHIPPERS:
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
            columns = [name.lower() for name in table.columns]
            rows[table.program] = layout(columns) if set(needs) <= set(columns) else None
        row = rows[table.program]
        return row(structs.replace(record, at=at, data=values), values) if row else None

    return by_text


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
