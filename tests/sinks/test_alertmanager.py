"""The real Alertmanager of Debian takes what the sink sends, and tells a receiver of ours."""

import json
import re
import threading
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agents import configuration
from agents.detectors import DETECTORS
from agents.naming import NAMES
from agents.single.delivery import Delivery
from schemas.findings import DAY, Alert
from schemas.settings import Settings, SettingsError
from streams.sink import SinkError
from streams.sinks.alertmanager import STANDING, Alertmanager, AlertmanagerSettings
from tests.programs import running
from tests.sinks.alerts import alert, evil
from tests.waiting import wait_for
from tools.kafka import free_ports

CONFIG = """\
route:
  receiver: desk
  group_by: [incident]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: desk
    webhook_configs:
      - url: http://127.0.0.1:{port}/
        send_resolved: true
"""
BEGAN = 1_700_000_000.5


class Desk:
    """Hears what Alertmanager tells people."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, str]] = []  # status, alert, severity
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = json.loads(self.rfile.read(int(self.headers["content-length"])))
                for one in told["alerts"]:
                    labels = one["labels"]
                    desk.heard.append((one["status"], labels["alert_id"], labels["severity"]))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Manager:
    def __init__(self, folder: Path, desk: Desk) -> None:
        self.folder = folder
        [self.port] = free_ports(1)
        config = CONFIG.format(port=desk.server.server_address[1])
        (folder / "alertmanager.yml").write_text(config)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self) -> AbstractContextManager[None]:
        return running(
            Path("/"),
            "usr/bin/prometheus-alertmanager",
            self.folder,
            "--config.file=alertmanager.yml",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        )

    def sink(self, **settings: Any) -> Alertmanager:
        return Alertmanager(AlertmanagerSettings(url=self.url, **settings))

    def active(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?active=true", timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def firing(self) -> dict[str, Any]:
        """What fires now, by alert and severity."""
        found = self.active()
        return {f"{a['labels']['alert_id']} {a['labels']['severity']}": a for a in found}

    def up(self) -> bool:
        try:
            return bool(urllib.request.urlopen(f"{self.url}/-/ready", timeout=1).status == 200)
        except OSError:
            return False


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


@pytest.fixture
def manager(tmp_path: Path, desk: Desk) -> Iterator[Manager]:
    made = Manager(tmp_path, desk)
    with made.run():
        wait_for(made.up)
        yield made


def long(name: str = "a1", severity: Any = "high", **more: Any) -> Alert:
    """An alert whose detector looks back so far that it fires today."""
    return alert(name, severity, **{"window": 1e9, **more})


@pytest.mark.servers
def test_an_alert_is_raised_updated_and_resolved(manager: Manager, desk: Desk) -> None:
    sink = manager.sink(labels={"site": "mail"})
    sink.send([long(decision="nothing yet")])
    raised = manager.firing()["a1 high"]
    assert raised["labels"] == {
        "alertname": "MailAuthDictionary",
        "severity": "high",
        "detector": "auth_dictionary",
        "subject": "192.0.2.1",
        "subject_kind": "client",
        "incident": "a1",
        "alert_id": "a1",
        "source": "mailwarden",
        "site": "mail",
    }
    assert raised["annotations"]["summary"] == "192.0.2.1: 15 wrong passwords at 15 accounts"
    assert raised["annotations"]["decision"] == "nothing yet"
    assert raised["startsAt"] == "2023-11-14T22:13:20.500Z"
    wait_for(lambda: ("firing", "a1", "high") in desk.heard)
    sink.send([long(revision=2, decision="reject 192.0.2.1", last=1_700_000_090.0)])
    [updated] = manager.firing().values()
    assert updated["fingerprint"] == raised["fingerprint"]
    assert updated["annotations"]["decision"] == "reject 192.0.2.1"
    assert updated["annotations"]["revision"] == "2"
    sink.send([long(revision=3, state="withdrawn")])
    assert manager.firing() == {}
    wait_for(lambda: ("resolved", "a1", "high") in desk.heard)


@pytest.mark.servers
def test_a_higher_severity_resolves_the_old_set_of_labels(manager: Manager, desk: Desk) -> None:
    sink = manager.sink()
    sink.send([long(severity="medium")])
    wait_for(lambda: ("firing", "a1", "medium") in desk.heard)
    sink.send([long(revision=2, severity="critical")])
    assert list(manager.firing()) == ["a1 critical"]
    wait_for(lambda: ("resolved", "a1", "medium") in desk.heard)
    wait_for(lambda: ("firing", "a1", "critical") in desk.heard)
    sink.send([long(revision=3, severity="critical", incident="other")])
    assert [one["labels"]["incident"] for one in manager.firing().values()] == ["other"]


@pytest.mark.servers
def test_after_a_restart_of_ours_what_it_has_is_known(manager: Manager) -> None:
    manager.sink(labels={"site": "mail"}).send([long("a1", "medium"), long("a2")])
    manager.sink(labels={"site": 'the "other"\\'}).send([long("a1")])
    after = manager.sink(labels={"site": "mail"})
    after.send([long("a1", "high", revision=2), long("a2", revision=2, state="withdrawn")])
    labels = [one["labels"] for one in manager.active()]
    told = sorted((each["site"], each["severity"]) for each in labels)
    assert told == [("mail", "high"), ('the "other"\\', "high")]
    other = manager.sink(labels={"site": 'the "other"\\'})
    other.refresh()
    assert list(other._known()) == ["a1"]


@pytest.mark.servers
def test_an_alertmanager_that_forgot_everything_is_told_again(tmp_path: Path, desk: Desk) -> None:
    manager = Manager(tmp_path, desk)
    with manager.run():
        wait_for(manager.up)
        delivery = Delivery(manager.sink(resend=0.2), patience=(0.05, 0.1))
        delivery.put([long("a1"), alert("s1", detector="gateway_silent")])
        wait_for(lambda: len(manager.firing()) == 2)
    wait_for(lambda: delivery.trouble)
    with manager.run():
        wait_for(manager.up)
        wait_for(lambda: sorted(manager.firing()) == ["a1 high", "s1 high"])
        wait_for(lambda: not delivery.trouble)
        delivery.close()


@pytest.mark.servers
def test_what_has_no_news_for_long_enough_is_over(manager: Manager, desk: Desk) -> None:
    sink = manager.sink(resend=0.25)
    sink.send([alert("a1", window=60.0)])  # of 2023: it is told all the same
    assert list(manager.firing()) == ["a1 high"]
    wait_for(lambda: not manager.firing())
    wait_for(lambda: ("resolved", "a1", "high") in desk.heard)
    sink.refresh()
    assert sink._known() == {}
    assert manager.firing() == {}


@pytest.mark.servers
def test_whatever_a_stranger_wrote_is_taken(manager: Manager) -> None:
    manager.sink().send([evil("e1", length=30), long("a1")])
    found = manager.firing()
    assert sorted(found) == ["a1 high", "e1 high"]
    assert "\x1b" not in json.dumps(found, ensure_ascii=False)


@pytest.mark.servers
def test_many_are_told_in_several_requests(manager: Manager) -> None:
    sink = manager.sink()
    sink.send([long(f"a{number}") for number in range(1200)])
    assert len(manager.firing()) == 1200
    sink.refresh()
    assert len(manager.firing()) == 1200


@pytest.mark.servers
def test_one_that_it_refuses_does_not_hold_up_the_others(
    manager: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        "streams.sinks.alertmanager._annotations",
        lambda one: {"no name": "x"} if one.id == "a2" else {"summary": one.summary},
    )
    manager.sink().send([long("a1"), long("a2"), long("a3")])
    assert sorted(manager.firing()) == ["a1 high", "a3 high"]
    assert "alert refused sink=alertmanager alert=a2 reason=400" in caplog.text


def test_what_watches_our_servers_says_itself_when_it_is_over() -> None:
    assert set(STANDING) == set(NAMES) - set(DETECTORS)


def at(now: float, **settings: Any) -> Alertmanager:
    settings = {"url": "http://127.0.0.1:1", **settings}
    return Alertmanager(AlertmanagerSettings(**settings), clock=lambda: now)


@pytest.mark.parametrize(
    ("settings", "more", "stands"),
    [
        ({}, {"window": 900.0}, 60.0 + 900.0 - 0.5),
        ({}, {"window": 0.0}, 60.0 + 3600.0 - 0.5),
        ({"quiet": 300.0}, {"window": 900.0}, 60.0 + 300.0 - 0.5),
        ({}, {"window": 10.0}, 100.0 + 240.0),  # told late
        ({"resend": 10.0}, {"window": 10.0}, 100.0 + 40.0),
        ({"quiet": 300.0}, {"detector": "listed"}, 100.0 + DAY),
    ],
)
def test_how_long_an_alert_stands(
    settings: dict[str, Any], more: dict[str, Any], stands: float
) -> None:
    raised = at(BEGAN + 100.0, **settings)._raised(alert(**more), BEGAN + 100.0)
    assert datetime.fromisoformat(raised.ends).timestamp() == pytest.approx(
        BEGAN + stands, abs=0.01
    )


def test_only_so_many_are_kept_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sinks.alertmanager.KEPT", 3)
    sink = at(BEGAN)
    sink._firing = {}
    monkeypatch.setattr(sink, "_post", lambda alerts: None)
    sink.send([alert(f"a{number}") for number in range(5)])
    assert list(sink._known()) == ["a2", "a3", "a4"]


def test_what_is_no_alertmanager_is_not_taken_for_one(desk: Desk) -> None:
    sink = at(BEGAN, url=f"http://127.0.0.1:{desk.server.server_address[1]}")
    with pytest.raises(SinkError, match="answered 501"):
        sink.send([alert()])


def test_the_documentation_says_how() -> None:
    page = (Path(__file__).parents[2] / "docs/sinks.md").read_text()
    [example] = re.findall(r"```toml\n(\[sinks\.alertmanager\].*?)```", page, re.DOTALL)
    [made] = configuration.build(Settings(sinks=tomllib.loads(example)["sinks"])).sinks
    assert made.about() == "alerts to Alertmanager at http://127.0.0.1:9093"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": ""}, "url: expected http://"),
        ({"resend": 0.0}, "resend: expected a number of seconds above 0"),
        ({"labels": {"alert-id": "x"}}, "labels.alert-id: expected a label's name"),
        ({"labels": {"severity": "x"}}, "labels.severity: expected a label's name"),
        ({"labels": {"source": "x"}}, "labels.source: expected a label's name"),
        ({"password": "x"}, "username: expected the name"),
        ({"username": "a:b"}, "username: expected a name without a colon"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        at(BEGAN, **settings)
    assert str(caught.value).startswith(said)
