import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from agents.running.http import STILL, Health, Pulse, Server


def get(server: Server, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture
def pulse() -> Pulse:
    return Pulse()


@pytest.fixture
def server(pulse: Pulse) -> Iterator[Server]:
    running = Server("127.0.0.1:0", pulse.health, "run")
    yield running
    running.close()


def test_metrics_are_served(server: Server) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert "# HELP mailwarden_lines_total Log lines read" in text


@pytest.mark.parametrize(
    ("health", "status", "word"),
    [
        (Health(), 200, "ok"),
        (Health(degraded=("sink siem: down",)), 200, "degraded"),
        (Health(failing=("mail.log: gone",), degraded=("sink siem: down",)), 503, "failing"),
    ],
)
def test_health_is_told_with_its_reasons(
    server: Server, pulse: Pulse, health: Health, status: int, word: str
) -> None:
    pulse.beat(health)
    code, text = get(server, "/healthz")
    told = json.loads(text)
    assert code == status
    assert told == {
        "status": word,
        "failing": list(health.failing),
        "degraded": list(health.degraded),
    }


def test_anything_else_is_not_there(server: Server) -> None:
    assert get(server, "/")[0] == 404


def test_a_loop_that_stands_still_is_failing() -> None:
    now = 100.0
    pulse = Pulse(lambda: now)
    pulse.beat(Health(degraded=("a",)))
    now += STILL
    assert pulse.health() == Health(degraded=("a",))
    now += 1
    assert pulse.health().failing == ("the main loop has not moved for 31 s",)
    assert pulse.health().degraded == ("a",)


def test_a_port_that_is_taken_is_told(pulse: Pulse) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
    ):
        Server(f"127.0.0.1:{taken.getsockname()[1]}", pulse.health, "run")


def test_it_listens_on_ipv6_too(pulse: Pulse) -> None:
    server = Server("[::1]:0", pulse.health, "run")
    with urllib.request.urlopen(f"http://[::1]:{server.port}/healthz") as answer:
        assert answer.status == 200
    server.close()
