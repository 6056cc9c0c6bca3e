"""What every registered part must have, so that none is forgotten."""

from pathlib import Path

import pytest

from agents.commands import COMMANDS
from agents.detectors import DETECTORS
from schemas.topics import TOPICS
from streams.gateways import GATEWAYS
from streams.parsers import PARSERS
from streams.sinks import SINKS

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", DETECTORS)
def test_every_detector_has_its_stories_and_says_what_it_is_blind_to(name: str) -> None:
    detector = DETECTORS[name]
    assert (ROOT / "tests" / "detectors" / f"test_{name}.py").is_file()
    assert detector.name == name
    assert detector.blind_to
    assert detector.technique or name == "stale_client"  # benign: no technique of an attacker
    assert detector().horizon > 0


@pytest.mark.parametrize("name", PARSERS)
def test_every_log_format_has_its_cases(name: str) -> None:
    assert list((ROOT / "tests" / "parsers").glob(f"{name}*.log"))


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_gateway_has_its_tests(name: str) -> None:
    assert list((ROOT / "tests" / "gateways").glob(f"test_{name}*.py"))


@pytest.mark.parametrize("name", SINKS)
def test_every_sink_has_its_tests(name: str) -> None:
    assert list((ROOT / "tests" / "sinks").glob(f"test_{name}*.py"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_module_and_is_named_in_the_readme(name: str) -> None:
    assert (ROOT / "agents" / "commands" / f"{name}.py").is_file()
    assert f"mailwarden {name}" in (ROOT / "README.md").read_text()


def test_every_topic_is_named_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    missing = [topic.name for topic in TOPICS if topic.name not in readme]
    assert missing == []
