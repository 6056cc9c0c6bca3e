"""Who is asked about a line, and that nobody is left out."""

import re

import pytest

from streams.dispatch import Parsers
from streams.parsers import PARSERS
from streams.parsers.part import DOCUMENT, Format, Record
from streams.parsers.secrets import mask
from tests.parsers import cases, records

MASK = mask()


def shown(one: Format, record: Record) -> bool:
    """Whether the index would show this record to a format's parser."""
    if record.program == DOCUMENT:
        return not one.keys or any(key in record.data for key in one.keys)
    if not one.begins and not one.holds:
        return True
    begins = bool(one.begins) and re.compile(one.begins).match(record.text)
    return bool(begins) or any(word in record.text for word in one.holds)


def found(path):
    for case in cases.of_file(path):
        for record in records.of_case(case):
            if records.indexed(record):
                yield record
            if not record.program:
                yield records.hostless(record)
            elif record.program != DOCUMENT:  # had the carrier not known the tag
                yield Record(record.at, record.host, "", record.pid, record.text)


@pytest.mark.parametrize("path", sorted(cases.FOLDER.glob("*.log")), ids=lambda path: path.stem)
def test_the_index_leaves_out_nobody_who_takes_a_case_line(path):
    for record in found(path):
        for one in PARSERS.values():
            if records.claims(one, record, MASK):
                assert shown(one, record), (one.name, record.text[:200])


def counting(name: str, asked: list[str], **signs: object) -> Format:
    def parse(record: Record) -> None:
        asked.append(name)

    return Format(name, lambda mask, program: parse, **signs)


def test_a_format_that_says_nothing_of_its_lines_is_always_asked():
    asked: list[str] = []
    parsers = Parsers(custom=[counting("own", asked)])
    assert parsers.parse(Record(1.0, "mx", "", "", "nobody's")) is None
    assert parsers.parse(Record(1.0, "mx", DOCUMENT, "", "", data={"a": 1})) is None
    assert asked.count("own") >= 2


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("shop: anna", True),
        ("mx1 shop: anna", True),
        ("mx1   shop: anna", True),
        ("mx1 eth0 shop: anna", False),
        ("anna [shop]", True),
        ("anna", False),
    ],
)
def test_a_format_is_asked_about_lines_that_begin_or_hold_what_it_says(text, asked):
    told: list[str] = []
    own = counting("own", told, begins="shop: ", holds=("[shop]",))
    parsers = Parsers("own", custom=[own, counting("first", [])])
    parsers.parse(Record(1.0, "mx", "", "", "once, for the first is asked anyway"))
    told.clear()
    Parsers(custom=[counting("first", []), own]).parse(Record(1.0, "mx", "", "", text))
    assert bool(told) is asked


@pytest.mark.parametrize(("data", "asked"), [({"shop": 1}, True), ({"b": 1}, False), ({}, False)])
def test_a_format_is_asked_about_objects_with_one_of_its_keys(data, asked):
    told: list[str] = []
    own = counting("own", told, keys=("shop", "till"))
    Parsers(custom=[own]).parse(Record(1.0, "mx", DOCUMENT, "", "", data=data))
    assert bool(told) is asked


def test_few_are_asked_about_a_line_that_is_nobodys():
    """Counted, not timed: of all formats, those that the index lets through."""
    lines = [
        "Started Daily apt download activities.",
        "192.0.2.7 - - GET /index.html 200 612",
        "child process 1234 exited: status=0, user=root; from=<a@example.org> to=<b@example.org>",
        "INFO  com.example.Shop - request served in 12 ms (id=77) from 192.0.2.1:5544",
    ]
    for line in lines:
        record = Record(1.0, "mx", "", "", line)
        assert sum(shown(one, record) for one in PARSERS.values() if takes_text(one)) <= 1


def takes_text(one: Format) -> bool:
    return one.parser(MASK, "") is not None


def test_an_unknown_format_is_an_error():
    with pytest.raises(KeyError):
        Parsers("nonesuch")
