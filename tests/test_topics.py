"""`mailwarden topics` on both buses and on the command line."""

import json
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import cli
from agents.commands.topics import Row, _table, all_topics, make
from schemas import topics
from schemas.settings import KafkaSettings
from schemas.topics import Topic
from streams.bus import BusError
from streams.memory_bus import MemoryBus
from tools.kafka import Broker

numbers = count(1)
SETTINGS = KafkaSettings(partitions=4, group="g")


def test_all_topics_are_made_with_the_partitions_of_the_settings() -> None:
    bus = MemoryBus()
    assert [topic.name for topic in make(bus, SETTINGS)] == list(bus.topics())
    assert bus.topics() == {
        "mail.events": 4,
        "mail.facts": 4,
        "mail.alerts": 4,
        "mail.decisions": 4,
        "mail.gateways": 1,
        "mail.switch": 1,
        "mail.incidents": 4,
        "mail.audit": 4,
        "mail.dead": 4,
        "mail.raw": 4,
        "mail.lines": 4,
        "g-records-changelog": 4,
        "g-intake-changelog": 4,
    }


def test_to_make_them_twice_changes_nothing() -> None:
    bus = MemoryBus()
    make(bus, SETTINGS)
    assert make(bus, SETTINGS) == []


def test_what_is_missing_is_added() -> None:
    bus = MemoryBus()
    bus.create(topics.BY_NAME["mail.facts"], 4, 1)
    assert "mail.facts" not in [topic.name for topic in make(bus, SETTINGS)]
    assert len(bus.topics()) == len(all_topics(SETTINGS))


@pytest.mark.parametrize("name", ["mail.facts", "mail.decisions", "g-records-changelog"])
def test_another_number_of_partitions_is_refused_before_anything_is_made(name: str) -> None:
    bus = MemoryBus()
    bus.create(Topic(name, "", ""), 3, 1)
    with pytest.raises(BusError, match=f"kafka.partitions is 4, but {name} has 3"):
        make(bus, SETTINGS)
    assert list(bus.topics()) == [name]


def test_the_topic_of_dead_letters_may_have_any_number_of_partitions() -> None:
    bus = MemoryBus()
    bus.create(topics.BY_NAME["mail.dead"], 12, 1)
    make(bus, SETTINGS)
    assert bus.topics()["mail.dead"] == 12


@pytest.mark.parametrize(
    ("there", "shown"), [(0, "missing"), (3, "3 [yellow](not 4)[/yellow]"), (4, "4")]
)
def test_the_list_shows_what_is_there(there: int, shown: str) -> None:
    table = _table([Row("mail.facts", there, 4, "any", "events")])
    assert shown in next(iter(table.columns[1].cells))


def run(settings: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["topics", *arguments, "-c", str(settings)])
    return result.exit_code, result.output


@pytest.fixture
def settings(tmp_path: Path, broker: Broker) -> Path:
    file = tmp_path / "mailwarden.toml"
    prefix = f"topics{next(numbers)}."
    file.write_text(
        f'[kafka]\nbootstrap = ["{broker.bootstrap}"]\nprefix = "{prefix}"\npartitions = 2\n',
        encoding="utf-8",
    )
    return file


@pytest.mark.broker
def test_topics_are_made_and_listed_on_a_real_broker(settings: Path) -> None:
    code, output = run(settings, "list")
    assert code == 0
    assert {json.loads(line)["partitions"] for line in output.splitlines()} == {0}
    code, output = run(settings, "create")
    assert code == 0
    assert "mail.facts: made, partitions=2" in output
    assert run(settings, "create") == (0, "")
    code, output = run(settings, "list")
    rows = [json.loads(line) for line in output.splitlines()]
    assert all(row["partitions"] == row["wanted"] for row in rows)
    assert {row["topic"].rpartition(".mailwarden-")[2] for row in rows[-2:]} == {
        "records-changelog",
        "intake-changelog",
    }


@pytest.mark.broker
def test_the_command_refuses_to_change_the_number_of_partitions(settings: Path) -> None:
    run(settings, "create")
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("partitions = 2", "partitions = 3"), encoding="utf-8")
    code, output = run(settings, "create")
    assert code == 1
    assert "mail.facts has 2" in output


@pytest.mark.broker
def test_more_replicas_than_brokers_are_refused_with_the_brokers_words(settings: Path) -> None:
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text + "replication = 3\n", encoding="utf-8")
    code, output = run(settings, "create")
    assert code == 1
    assert "replication" in output.lower()


def test_no_broker_is_a_clear_word(tmp_path: Path) -> None:
    file = tmp_path / "mailwarden.toml"
    file.write_text('[kafka]\nbootstrap = ["127.0.0.1:1"]\n', encoding="utf-8")
    code, output = run(file, "create")
    assert code == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in output
