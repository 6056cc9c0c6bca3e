"""Whatever a line holds: an event, nothing or a dead letter, in time that grows with its length.

`load/fuzz_parsers.py` does the same with a million lines.
"""

import importlib
import pkgutil
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streams.parsers
from streams.dispatch import Parsers
from streams.join import Joiner
from streams.parsers.part import DOCUMENT, Record
from tests.parsers import cases, records
from tests.parsers.mutations import mutated

CASES = cases.cases()
LINES = [line for case in CASES for line in case.lines]
SYSLOG = b"Mar  4 08:00:00 mx "
PATTERNS = sorted(
    {
        value.pattern
        for found in pkgutil.walk_packages(streams.parsers.__path__, "streams.parsers.")
        for value in vars(importlib.import_module(found.name)).values()
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str)
    }
)


def programs() -> list[str]:
    """Tags of case lines, of which each stands for a parser."""
    found = {record.program for case in CASES for record in records.of_case(case)}
    return sorted(program for program in found if program != DOCUMENT and program[:1] != "#")


PROGRAMS = programs()


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_a_pattern_matches_is_read_by_any_parser(data):
    """Texts that fit the patterns get further into the parsers than noise does."""
    pattern = data.draw(st.sampled_from(PATTERNS))
    begin = data.draw(st.sampled_from(("", "", "login: ", "NOQUEUE: ", "4F1A2B3C4D: ")))
    text = begin + data.draw(st.from_regex(pattern))
    program = data.draw(st.sampled_from(PROGRAMS))
    parsers, joiner = Parsers(), Joiner()
    for name in ("", program):
        try:
            items = parsers.parse(Record(1.7e9, "mx", name, "7", text))
        except ValueError:
            continue
        joiner.add(items or ())
    cases.read([SYSLOG + text.replace("\n", " ").encode("utf-8", "surrogatepass")])


@pytest.mark.parametrize("seed", range(20))
def test_changed_case_lines_raise_nothing(seed):
    random = Random(seed)
    lines = [mutated(random.choice(LINES), LINES, random) for _ in range(250)]
    cases.read(lines)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
OBJECTS = [
    record.data
    for case in CASES
    for record in records.of_case(case)
    if record.program == DOCUMENT and isinstance(record.data, dict)
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(OBJECTS), st.data())
def test_an_object_whose_values_are_anything_is_read(known, data):
    """A shipper may send a number for a text, a list for an object, or nothing."""
    names = data.draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=4))
    changed = {**known, **{name: data.draw(VALUES) for name in names}}
    try:
        items = Parsers().parse(Record(1.7e9, "mx", DOCUMENT, "", "", data=changed))
    except ValueError:
        return
    Joiner().add(items or ())


# -- time ---------------------------------------------------------------------------------------

LONG = 1 << 20
ENOUGH = 5.0  # seconds of the processor for a line that takes some milliseconds
FILLERS = ("a", " ", "x=y ", "<>", ": ", ", ", "[192.0.2.1] ", '"', "(", "\\", "from=<", "ab.")


@contextmanager
def at_most(seconds: float, what: object) -> Iterator[None]:
    """Fails when the processor was busy for longer; a pattern that backtracks is interrupted."""

    def stop(*_: object) -> None:
        raise AssertionError(f"more than {seconds} s: {what!r}")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def stretched(text: str, number: int, length: int) -> str:
    """A line with a long run of one filler in it; where and of what depends on `number`."""
    words = text.split(" ")
    at = number % (len(words) + 1)
    filler = FILLERS[number % len(FILLERS)]
    run = filler * (length // len(filler))
    return " ".join(words[:at]) + run + " ".join(words[at:])


@pytest.mark.parametrize("path", sorted(cases.FOLDER.glob("*.log")), ids=lambda path: path.stem)
def test_time_grows_with_the_length_of_a_line_and_no_faster(path):
    """The parsers are given a megabyte, which the carrier would cut."""
    parsers = Parsers()
    number = 0
    for case in cases.of_file(path):
        for record in records.of_case(case):
            if record.program == DOCUMENT or record.data is not None:
                continue
            for step in (1, 7):
                number += step
                text = stretched(record.text, number, LONG if number % 8 == 0 else LONG >> 5)
                line = Record(record.at, record.host, record.program, record.pid, text)
                with at_most(ENOUGH, (record.program, text[:120], number)):
                    try:
                        parsers.parse(line)
                    except ValueError:
                        continue


def test_the_carrier_reads_long_lines_in_time():
    for number, line in enumerate(LINES[::7]):
        text = stretched(line.decode(errors="replace"), number, LONG)
        with at_most(ENOUGH, text[:120]):
            cases.read([text.encode()])
