"""Who is asked about a line, and that nobody is left out."""

import pytest
from msgspec import structs

from streams.dispatch import Parsers, looks_like
from streams.parsers import PARSERS
from streams.parsers.part import DOCUMENT, Format, Record
from streams.secrets import mask
from tests.parsers import cases, records

MASK = mask()


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
                assert looks_like(one, record), (one.name, record.text[:200])


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
        assert sum(looks_like(one, record) for one in PARSERS.values() if takes_text(one)) <= 1


def takes_text(one: Format) -> bool:
    return one.parser(MASK, "") is not None


def test_an_unknown_format_is_an_error():
    with pytest.raises(KeyError):
        Parsers("nonesuch")


def test_the_index_and_its_rule_agree(monkeypatch):
    """The index asks about a line as it stands, and without its first word."""
    asked: list[str] = []
    spies = {name: spy(one, asked) for name, one in PARSERS.items()}
    monkeypatch.setattr("streams.dispatch.PARSERS", spies)
    parsers = Parsers(custom=[counting("first", [])])
    for case in cases.cases():
        for record in records.of_case(case):
            if not records.indexed(record):
                continue
            forms = [record] if record.program else [record, records.hostless(record)]
            wanted = {one.name for one in PARSERS.values() for r in forms if looks_like(one, r)}
            asked.clear()
            assert parsers.parse(record) is None
            having = {one.name for one in PARSERS.values() if one.parser(MASK, record.program)}
            assert set(asked) == wanted & having, record


def spy(one: Format, asked: list[str]) -> Format:
    """A format that is asked about the same lines, and knows none."""

    def parser(mask, program):
        def parse(record: Record) -> None:
            asked.append(one.name)

        return parse if one.parser(mask, program) else None

    return structs.replace(one, parser=parser)
