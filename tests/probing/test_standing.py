"""Only what differs between two checks of a server is told."""

from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from agents.probing.grades import Grade, Graded
from agents.probing.session import place
from agents.probing.standing import Standing
from tests.single.test_embedded import Server
from tests.waiting import wait_for
from tools.kafka import free_ports

HOST = "mx1.example.org"
HOUR = 3600.0


def hear(standing: Standing, grade: Grade, at: float = 0.0) -> list[tuple[str, str, int]]:
    told = standing.hear(HOST, [Graded("VRFY", grade, "it tells", "switch it off")], at)
    return [(alert.severity, alert.state, alert.revision) for alert in told]


def test_a_fault_is_told_once_and_when_it_changes() -> None:
    standing = Standing()
    assert hear(standing, "ok") == hear(standing, "unknown") == []
    assert hear(standing, "warning") == [("low", "open", 1)]
    standing = Standing(standing.pack())
    assert hear(standing, "warning", HOUR) == hear(standing, "unknown", HOUR) == []
    assert hear(standing, "critical", HOUR) == [("high", "open", 2)]
    (gone,) = standing.hear(HOST, [Graded("VRFY", "ok", "")], 2 * HOUR)
    assert gone.summary == f"{HOST}: VRFY: well again, after 2 h"
    assert (gone.state, gone.revision) == ("withdrawn", 3)
    assert hear(standing, "ok", 3 * HOUR) == []


def test_of_several_words_of_one_check_the_worst_counts() -> None:
    found = [Graded("STARTTLS", grade, grade) for grade in ("ok", "critical", "unknown")]
    (alert,) = Standing().hear(HOST, found, 0.0)  # type: ignore[arg-type]
    assert alert.severity == "high"
    assert alert.summary == f"{HOST}: STARTTLS: critical"


def test_a_host_that_is_no_longer_asked_is_withdrawn() -> None:
    standing = Standing()
    hear(standing, "warning")
    assert standing.keep([HOST], HOUR) == []
    assert [alert.state for alert in standing.keep([], HOUR)] == ["withdrawn"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HOST, (HOST, 25)),
        (f"{HOST}:2525", (HOST, 2525)),
        ("192.0.2.1", ("192.0.2.1", 25)),
        ("2001:db8::1", ("2001:db8::1", 25)),
        ("[2001:db8::1]:587", ("2001:db8::1", 587)),
    ],
)
def test_a_host_may_name_its_port(text: str, found: tuple[str, int]) -> None:
    assert place(text) == found


def test_a_running_process_goes_on_where_a_host_is_away(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    server = Server(tmp_path)
    server.start(hosts={"names": [f"127.0.0.1:{port}"], "interval": 0.05})
    try:
        heard: list[object] = []
        hosts = server.embedded._hosts
        wait_for(lambda: heard.append(1) or not hosts._found.empty(), "a check")
        server.settle()
        assert server.told == [], "what cannot be asked is no alert"
    finally:
        server.embedded.close()
        server.store.close()


@pytest.mark.servers
def test_a_running_process_tells_what_a_real_server_does_wrong(tmp_path: Path) -> None:
    smtp = Controller(Sink(), hostname="127.0.0.1", port=free_ports(1)[0])
    smtp.start()
    server = Server(tmp_path)
    server.start(
        hosts={"names": [f"127.0.0.1:{smtp.port}"], "domain": "example.org", "interval": 1e6}
    )
    try:
        wait_for(lambda: server.settle() or server.told, "the alerts")
        told = {alert.shape: alert for alert in server.told}
        assert told["open relay"].severity == "high"
        assert told["STARTTLS"].severity == "low"
        assert {alert.subject.value for alert in told.values()} == {f"127.0.0.1:{smtp.port}"}
    finally:
        server.embedded.close()
        server.store.close()
        smtp.stop()
