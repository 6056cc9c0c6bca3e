"""docs/sinks.md: each of its examples can be used, and every sink has one."""

import re
import tomllib
from pathlib import Path

import pytest

from agents import configuration
from agents.configuration import Config
from schemas.settings import Settings as Whole
from schemas.settings import SettingsError, convert
from streams.sinks import SINKS
from tests.sinks.test_syslog import certify

PAGE = (Path(__file__).parents[2] / "docs/sinks.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SECRETS = {
    "webhook.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "chat.url": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7",
    "jira.token": "token",
    "servicenow.password": "right",
    "thehive.key": "key",
    "elastic.key": "aWQ6a2V5",
    "relay.password": "right",
}


@pytest.fixture(scope="module")
def etc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples name: secrets, authorities."""
    folder = tmp_path_factory.mktemp("etc")
    certify(folder)
    for name, text in SECRETS.items():
        (folder / name).write_text(f"{text}\n")
    for name in ("siem-ca.pem", "elastic-ca.pem"):
        (folder / name).write_bytes((folder / "ca.pem").read_bytes())
    return folder


def built(example: str, etc: Path) -> Config:
    text = example.replace("/etc/mailwarden", str(etc))
    return configuration.build(convert(tomllib.loads(text), Whole, "docs/sinks.md"))


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.splitlines()[0] for each in EXAMPLES])
def test_an_example_can_be_used(example: str, etc: Path) -> None:
    assert len(built(example, etc).sinks) == 1


@pytest.mark.parametrize("name", SINKS)
def test_every_sink_has_an_example_under_its_name(name: str, etc: Path) -> None:
    section = PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    [example] = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    [sink] = built(example, etc).sinks
    assert type(sink) is SINKS[name]


def test_a_wrong_one_would_be_seen(etc: Path) -> None:
    with pytest.raises(SettingsError, match="no such setting"):
        built('[sinks.syslog]\nsever = "siem"\n', etc)
