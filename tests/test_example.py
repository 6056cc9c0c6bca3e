import tomllib
from itertools import takewhile
from pathlib import Path

import msgspec
import pytest

from agents import configuration
from agents.detectors import DETECTORS
from schemas.settings import Settings
from streams.gateways import GATEWAYS
from streams.sinks import SINKS
from tools import example

FILE = Path(__file__).parent.parent / "mailwarden.toml.example"


def test_the_example_is_not_stale() -> None:
    assert FILE.read_text() == example.text(), "python -m tools.example > mailwarden.toml.example"


def test_the_example_is_the_defaults() -> None:
    ours, theirs = configuration.load(FILE), configuration.build(Settings())
    assert ours.detectors == theirs.detectors
    assert msgspec.structs.replace(ours.settings, detectors={}) == theirs.settings


@pytest.mark.parametrize(
    ("group", "registry"), [("gateways", GATEWAYS), ("sinks", SINKS)], ids=["gateways", "sinks"]
)
def test_what_is_commented_out_is_the_defaults_too(
    group: str, registry: dict[str, type[configuration.Sink | configuration.Gateway]]
) -> None:
    hidden = "\n".join(
        line.removeprefix("# ") for line in FILE.read_text().splitlines() if line.startswith("# ")
    )
    for name, kind in registry.items():
        rows = hidden.partition(f"[{group}.{name}]\n")[2].splitlines()
        given = tomllib.loads("\n".join(takewhile(is_setting, rows)))
        assert list(given) == list(kind.Settings.__struct_fields__)
        assert msgspec.convert(given, kind.Settings) == kind.Settings()


def is_setting(line: str) -> bool:
    return line.startswith(("#", " ")) or " = " in line.partition("#")[0]


def test_every_detector_has_its_section() -> None:
    assert list(tomllib.loads(FILE.read_text())["detectors"]) == list(DETECTORS)


def test_comments_of_their_own_lines_belong_to_the_field_that_lacks_one() -> None:
    source = """
class Kind(Struct):
    one: int = 1  # first
    # goes on
    # and on

    # about two
    two: int = 2
    three: int = 3  # third
    # about four
    four: int = 4
    five: int = 5

    # about nothing
"""
    assert example.comments_in(source) == {
        "one": "first goes on and on",
        "two": "about two",
        "three": "third",
        "four": "about four",
    }
