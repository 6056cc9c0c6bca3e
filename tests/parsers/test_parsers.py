"""All cases of all formats; see cases.py."""

import importlib
import json
import pkgutil
import re

import msgspec
import pytest

import streams.parsers
from streams.parsers import PARSERS
from tests.parsers import cases

CASES = cases.cases()
TEXT = [line.decode()[:2000] for case in CASES for line in case.lines]


def named(case):
    return f"{case.place} {case.title}"[:90].strip()


@pytest.mark.parametrize("case", CASES, ids=named)
def test_lines_make_the_events_above_them(case):
    assert cases.differences(case, cases.read(case.lines, **case.options)) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.restarts], ids=named)
def test_a_restart_after_each_line_changes_nothing(case):
    found = cases.read(case.lines, restarts=True, **case.options)
    assert cases.differences(case, found) == []


@pytest.mark.parametrize("name", PARSERS)
def test_every_format_has_cases(name):
    assert (cases.FOLDER / f"{name}.log").is_file()


def modules():
    for found in pkgutil.walk_packages(streams.parsers.__path__, "streams.parsers."):
        yield importlib.import_module(found.name)


PATTERNS = {
    f"{module.__name__}.{name}": value
    for module in modules()
    for name, value in vars(module).items()
    if isinstance(value, re.Pattern)
}


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_is_used_by_a_case(name):
    pattern = PATTERNS[name]
    assert any(pattern.search(text) or pattern.search(text.lower()) for text in TEXT)


def test_every_event_can_be_sent_as_json():
    for case in CASES:
        for event in cases.read(case.lines, **case.options).events:
            json.loads(msgspec.json.encode(event))
