"""What a program says when it begins: a few lines for eyes, one event in a log."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents import configuration
from agents.commands import cli
from agents.running import introduction
from schemas.settings import KafkaSettings


@pytest.fixture
def loaded(tmp_path: Path) -> configuration.Config:
    return settings(tmp_path, "")


def settings(folder: Path, text: str) -> configuration.Config:
    path = folder / "mailwarden.toml"
    path.write_text(f'{text}\n[storage]\npath = "{folder}/mailwarden.db"\n')
    return configuration.load(path)


def test_on_a_terminal_it_is_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    introduction.tell("mailwarden follows \x1b[2J", "and does nothing")
    assert capsys.readouterr().err == "mailwarden follows ?[2J\n  and does nothing\n"


def test_elsewhere_it_is_one_event(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    introduction.tell("mailwarden follows a log", "one", "two")
    assert caplog.messages == ['begins what="mailwarden follows a log" more="one; two"']


def test_a_broker_is_named_with_the_way_to_it_and_without_the_password() -> None:
    kafka = KafkaSettings(
        bootstrap=("k1:9092", "k2:9092"),
        security="SASL_SSL",
        username="shipper",
        password="Quince-42",
        prefix="mx.",
    )
    assert introduction.broker(KafkaSettings()) == "127.0.0.1:9092 (PLAINTEXT)"
    assert introduction.broker(kafka) == "k1:9092, k2:9092 (SASL_SSL as shipper)"
    assert (
        introduction.topics(kafka, "mail.facts", "mail.events") == "mx.mail.facts, mx.mail.events"
    )


ENFORCING = "[response]\nenforce = true\n"
DETECTOR = "[detectors.auth_dictionary]\nstage = 'enforce'\n"
GATEWAY = "[gateways.postfix]\n"


@pytest.mark.parametrize(
    ("text", "here", "elsewhere"),
    [
        ("", "only observes: nothing is blocked", "only observes: nothing is blocked"),
        (ENFORCING, "no detector enforces", "no detector enforces"),
        (
            ENFORCING + DETECTOR,
            "only observes: no gateway is configured",
            "what auth_dictionary decide is carried out where `mailwarden gateway` runs",
        ),
        (
            ENFORCING + DETECTOR + GATEWAY,
            "blocks what auth_dictionary decide, at postfix",
            "carried out where",
        ),
    ],
)
def test_what_becomes_of_decisions(tmp_path: Path, text: str, here: str, elsewhere: str) -> None:
    config = settings(tmp_path, text)
    assert here in introduction.blocks(config, gateways=True)
    assert elsewhere in introduction.blocks(config, gateways=False)


def test_a_kill_switch_that_is_pulled_is_not_passed_over(tmp_path: Path) -> None:
    config = settings(tmp_path, GATEWAY)
    assert introduction.named(config) == "postfix"
    (tmp_path / "panic").touch()
    assert introduction.named(config) == f"postfix (lifted: {tmp_path}/panic exists)"


def test_where_settings_come_from_and_that_there_may_be_no_metrics(
    loaded: configuration.Config,
) -> None:
    assert introduction.settings(loaded) == f"settings: {loaded.path}"
    assert introduction.settings(configuration.build(loaded.settings)) == "settings: the defaults"
    assert introduction.metrics("127.0.0.1:0", None) == "no metrics are served"


# -- the commands -------------------------------------------------------------------------------


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command says when it begins; it ends at once."""
    said: list[str] = []
    monkeypatch.setattr(introduction, "tell", lambda *lines: said.extend(lines))
    monkeypatch.setattr("agents.worker.main.run", lambda *_: None)
    for name in ("agents.edge.gateway.Edge.run", "agents.ship.Shipper.run"):
        monkeypatch.setattr(name, lambda *_, **__: True)
    (tmp_path / "mail.log").touch()

    def call(*command: str, text: str = "") -> str:
        path = settings(
            tmp_path,
            f'[http]\nlisten = ""\n[logs]\nfiles = ["{tmp_path}/mail.log"]\njournal = "no"\n'
            f'{text}[kafka]\nbootstrap = ["k1:9092"]\nprefix = "mx."\n',
        ).path
        result = CliRunner().invoke(cli, [*command, "-c", str(path)])
        assert result.exit_code == 0, result.output
        return "\n".join(said)

    return call


def test_a_shipper_says_what_it_follows_and_where_it_begins(
    told: Callable[..., str], tmp_path: Path
) -> None:
    words = told("ship")
    assert f"mailwarden ships {tmp_path}/mail.log (" in words
    assert "to Kafka at k1:9092 (PLAINTEXT), topic mx.mail.facts" in words
    assert "a log that is new to it from its end" in words
    assert f"what no broker has taken waits in {tmp_path}/outbox.db" in words
    assert "reads the older files as well at the first start" in told(
        "ship", text="history = true\n"
    )
    assert "reads what is there, from its beginning, and ends" in told("ship", "--once")


def test_a_worker_says_what_it_reads_and_writes(told: Callable[..., str]) -> None:
    words = told("worker")
    assert "works on mx.mail.facts, mx.mail.events at k1:9092 (PLAINTEXT)" in words
    assert "in group mx.mailwarden" in words
    assert "writes mx.mail.alerts, mx.mail.decisions; only observes" in words
    assert "no metrics are served" in words


def test_a_gateway_says_what_it_keeps_like_the_decisions(
    told: Callable[..., str], tmp_path: Path
) -> None:
    words = told("gateway")
    assert "mailwarden follows mx.mail.decisions at k1:9092 (PLAINTEXT)" in words
    assert "and keeps like it: nothing" in words
    assert f"what it knows lies in {tmp_path}/decisions.snapshot" in words
    table = f'[gateways.postfix]\nclients = "{tmp_path}/clients"\npostfix = "true"\n'
    assert "and keeps like it: postfix" in told("gateway", text=table)
