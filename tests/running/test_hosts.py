"""The thread that checks servers of ours, with a real server that says too much."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from agents.running.hosts import HostWatch
from schemas.findings import Alert
from schemas.settings import HostsSettings, ListedSettings, Settings
from tests.detectors.stories import START
from tests.probing.dns import NameServer
from tests.waiting import wait_for
from tools.kafka import free_ports


@pytest.fixture
def names() -> Iterator[NameServer]:
    made = NameServer({})
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[Controller]:
    """Offers no TLS, and takes mail for everybody."""
    made = Controller(Sink(), hostname="127.0.0.1", port=free_ports(1)[0])
    made.start()
    yield made
    made.stop()


Watching = Callable[..., HostWatch]


@pytest.fixture
def watching(
    names: NameServer, server: Controller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watching]:
    monkeypatch.setattr("agents.running.hosts.PAUSE", 0.0)
    made: list[HostWatch] = []

    def begin(memory: bytes = b"", **more: Any) -> HostWatch:
        hosts = HostsSettings(names=(f"127.0.0.1:{server.port}",), **more)
        settings = Settings(hosts=hosts, listed=ListedSettings(resolvers=(names.address,)))
        made.append(HostWatch(settings, "example.org", memory, lambda: START))
        return made[-1]

    yield begin
    for watch in made:
        watch.close()


def told(watch: HostWatch) -> list[Alert]:
    """All alerts of a round: they come at once."""
    found: list[Alert] = []
    wait_for(lambda: found.extend(watch.take()) or found, "an alert")
    return found


def test_what_a_server_says_too_much_is_told_with_its_cure(
    watching: Watching, server: Controller
) -> None:
    alerts = told(watching())
    assert {alert.detector for alert in alerts} == {"host"}
    assert {alert.subject.value for alert in alerts} == {f"127.0.0.1:{server.port}"}
    assert any("unknown recipients" in alert.summary for alert in alerts)
    assert all(" The cure: " in alert.summary for alert in alerts)


def test_it_is_told_once_over_rounds_and_restarts(watching: Watching) -> None:
    watch = watching(interval=0.01)
    before = {alert.id for alert in told(watch)}
    again = watching(watch.pack())
    rounds = []
    again._standing.hear = lambda *found: rounds.append(found) or []  # type: ignore[func-returns-value,method-assign]
    wait_for(lambda: again.take() or rounds, "a round")
    assert before
    assert again.take() == []


def test_who_is_asked_no_longer_is_withdrawn(watching: Watching) -> None:
    watch = watching()
    before = told(watch)
    after = HostWatch(Settings(), "example.org", watch.pack(), lambda: START + 1).take()
    assert {alert.id for alert in after} == {alert.id for alert in before}
    assert {alert.state for alert in after} == {"withdrawn"}
