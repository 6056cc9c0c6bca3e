"""`mailwarden incidents` with a real broker: what people say lies on mail.incidents."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import cli
from agents.commands.topics import make
from schemas import wire
from schemas.settings import KafkaSettings
from streams.kafka_bus import KafkaBus
from tests.incidents.alerts import ANNA, GUESSER, account, alert
from tools.kafka import Broker

pytestmark = pytest.mark.broker


def test_people_on_two_servers_share_an_incident(broker: Broker, tmp_path: Path) -> None:
    prefix = f"{tmp_path.name}."
    file = tmp_path / "mailwarden.toml"
    file.write_text(f'[kafka]\nbootstrap = ["{broker.bootstrap}"]\nprefix = "{prefix}"\n')

    def run(*words: str) -> str:
        told = ["incidents", words[0], "-c", str(file), "--kafka", *words[1:]]
        done = CliRunner().invoke(cli, told)
        assert done.exit_code == 0, done.output
        return done.stdout

    bus = KafkaBus(KafkaSettings(bootstrap=(broker.bootstrap,), prefix=prefix, partitions=2))
    make(bus, KafkaSettings(partitions=2))
    found = [
        alert("a1", severity="low", incident="a1"),
        alert("a1", severity="high", revision=2, incident="a1"),
        account("c1", ANNA, 20.0, clients=[GUESSER], incident="a1"),
    ]
    for one in found:
        bus.publish("mail.alerts", one.id.encode(), wire.encode(one))
    bus.flush(30)

    listed = ["list", "--since", "2023-01-01"]
    assert [json.loads(line)["state"] for line in run(*listed).splitlines()] == ["open"]
    run("ack", "a1", "--by", "carla")
    run("note", "a1", "called her", "--by", "dora")
    run("assign", "a1", "dora", "--by", "carla")
    shown = json.loads(run("show", "a1"))
    assert (shown["state"], shown["assignee"]) == ("acknowledged", "dora")
    assert [deed["what"] for deed in shown["deeds"]] == [
        *("acknowledged", "assigned", "noted", "assigned"),
    ]
    assert "severity" in [moment["what"] for moment in shown["timeline"]]
    run("close", "a1", "--false-positive", "--reason", "a test of ours", "--by", "dora")
    assert run(*listed) == ""

    grown = account("c2", ANNA, 50.0, incident="a1")
    bus.publish("mail.alerts", grown.id.encode(), wire.encode(grown))
    bus.flush(30)
    bus.close()
    [row] = [json.loads(line) for line in run(*listed).splitlines()]
    assert (row["state"], row["alerts_count"]) == ("open", 3)
