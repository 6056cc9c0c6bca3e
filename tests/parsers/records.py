"""The records that carriers make of case lines, and who is asked about them."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from streams.parsers.carrier import Carrier, Letter, Stamps
from streams.parsers.part import DOCUMENT, Format, Record
from tests.parsers.cases import USUAL, Case


def of_case(case: Case) -> list[Record]:
    """All that the lines of a case may be taken for."""
    told: dict[str, Any] = {**USUAL, **case.options}
    carrier = Carrier(told["host"], Stamps(ZoneInfo(told["zone"]), told["year"], told["now"]))
    return [
        record
        for number, line in enumerate(case.lines)
        for record in _all(carrier, carrier.record, line, number)
    ]


def _all(carrier: Carrier, read: Any, line: bytes | Letter, number: int) -> Iterator[Record]:
    try:
        record = read(line, number)
    except ValueError:
        return
    if record is None:
        rest, carrier.rest = carrier.rest, []
        for offset, letter in rest:
            yield from _all(carrier, carrier.letter, letter, offset)
    while record is not None:
        yield record
        record = record.otherwise


def hostless(record: Record) -> Record:
    """A line without a tag, without its first word too."""
    host, _, text = record.text.partition(" ")
    return Record(record.at, host, "", "", text.lstrip(), record.offset, record.times)


def indexed(record: Record) -> bool:
    """Whether the index picks who is asked."""
    return record.program in ("", DOCUMENT)


def claims(one: Format, record: Record, mask: Any) -> bool:
    """Whether a format takes a record for its own."""
    parse = one.parser(mask, record.program)
    try:
        return parse is not None and parse(record) is not None
    except ValueError:
        return True
