"""An intake that dies between two steps, step by step."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from agents import configuration
from agents.intake import intake as loop
from agents.intake.intake import Intake
from agents.intake.main import look
from agents.running.http import Pulse
from schemas.events import Auth, Message
from schemas.settings import KafkaSettings
from streams import kafka_flow
from streams.bus import BusError
from streams.kafka_flow import Flow, Made, Place
from tests.intake.conftest import Site
from tests.intake.test_on_kafka import dialogue, failed
from tools.kafka import Broker

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("broker")]


class Killed(Flow):
    """Ends once after the workers were told and before anything was committed."""

    def commit(
        self, told: Sequence[Made], made: Sequence[Made], done: Mapping[Place, int], now: float
    ) -> None:
        if told:
            kafka_flow._send(self._teller, told)
            raise BusError("killed")
        super().commit(told, made, done, now)


def work(site: Site, done: Callable[[], object], kind: type[Flow] = Flow) -> None:
    """Turn until `done`, or until it fails; then end without another word."""
    config = configuration.load(site.file)
    names = look(config.settings)
    kafka: KafkaSettings = config.settings.kafka
    flow = kind(kafka, f"{kafka.prefix}intake", f"{kafka.prefix}one", names.lines)
    intake = Intake(config, flow, names, Pulse())
    deadline = time.monotonic() + 30
    dies = pytest.raises(BusError, match="killed") if kind is Killed else nullcontext()
    try:
        with dies:
            while not done():
                intake.turn()
                assert time.monotonic() < deadline
    finally:
        flow.close()


def accounts(site: Site) -> list[str]:
    return [event.account for event in site.events() if isinstance(event, Auth)]


def test_what_was_told_and_not_committed_is_not_told_again(site: Site) -> None:
    raw = site.prefix + "mail.raw"
    site.put(raw, *(failed(number).encode() for number in range(5)), partition=0)
    work(site, lambda: False, Killed)
    told = accounts(site)
    assert told
    site.put(raw, failed(5).encode(), partition=0)
    work(site, lambda: len(accounts(site)) >= 6)
    assert sorted(accounts(site)) == [f"u{number}@example.org" for number in range(6)]


def test_what_is_half_joined_is_in_the_snapshot(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SNAPSHOT", 0.0)
    raw = site.prefix + "mail.raw"
    lines = dialogue(1, time.time() - 60)
    for line in lines:
        site.put(raw, line.encode(), partition=0)
        lying = len(site.read("mail.lines"))
        kept = len(site.read("mailwarden-intake-changelog"))
        work(
            site,
            lambda lying=lying, kept=kept: (
                len(site.read("mail.lines")) > lying
                and len(site.read("mailwarden-intake-changelog")) > kept
            ),
        )
    messages = [event for event in site.events() if isinstance(event, Message)]
    assert [(m.account, m.message_id) for m in messages] == [("u1@example.org", "1@example.org")]


# kafka-python 3.0 leaves connections open that a broker broke off; they are collected in the test.
@pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning")
def test_a_broker_that_goes_away_and_comes_back_is_waited_for(
    own_broker: Broker, tmp_path: Path
) -> None:
    site = Site(own_broker, tmp_path)
    try:
        raw = site.prefix + "mail.raw"
        site.put(raw, *(failed(number).encode() for number in range(20)))
        site.start()
        site.wait(lambda: len(accounts(site)) == 20)
        own_broker.kill()
        own_broker.start()
        site.put(raw, *(failed(number).encode() for number in range(20, 40)))
        site.wait(lambda: len(accounts(site)) == 40)
    finally:
        site.close()
        gc.collect()
