import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands import panic, resume
from agents.commands.topics import make
from agents.single.store import Store
from schemas import wire
from schemas.gateways import SWITCH, GatewayState, Switch
from schemas.settings import KafkaSettings
from streams.memory_bus import MemoryBus
from streams.signing import load


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUDO_USER", "alice")
    path = tmp_path / "mailwarden.toml"
    path.write_text(
        f'[response]\npanic = "{tmp_path}/run/panic"\n'
        f'[gateways.postfix]\nclients = "{tmp_path}/clients.cidr"\n'
    )
    return path


def call(module: object, settings: Path, *arguments: str) -> Result:
    return CliRunner().invoke(module.command, ["-c", str(settings), *arguments])  # type: ignore[attr-defined]


def test_the_switch_is_pulled_and_goes_back(settings: Path, tmp_path: Path) -> None:
    switch = tmp_path / "run" / "panic"
    result = call(panic, settings, "--reason", "partner locked out")
    assert result.exit_code == 0
    assert "everything is lifted (postfix)" in result.output
    assert switch.read_text() == "partner locked out (alice)\n"
    assert call(panic, settings).exit_code == 0
    result = call(resume, settings)
    assert "what is in force is enforced again" in result.output
    assert not switch.exists()
    result = call(resume, settings)
    assert result.exit_code == 0
    assert "nothing was lifted" in result.output


def test_a_running_process_is_waited_for_and_the_trail_knows(
    settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.write_text(settings.read_text() + f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    monkeypatch.setattr("agents.commands.panic.PATIENCE", 0.3)
    lifted = [False, False, True]  # as the process says, look by look
    with Store(tmp_path / "mailwarden.db") as store:
        monkeypatch.setattr(Store, "gateways", lambda _: [told("here", lifted=lifted[0])])
        result = call(panic, settings)
        assert result.exit_code == 1
        assert "✗ here has not confirmed within 0 s" in result.output
        monkeypatch.setattr(
            Store, "gateways", lambda _: [told("here", lifted=lifted.pop(0) if lifted else True)]
        )
        monkeypatch.setattr("agents.commands.panic.PATIENCE", 9.0)
        result = call(panic, settings)
        assert result.exit_code == 0, result.output
        assert "✓ here has lifted everything, after 0." in result.output
        monkeypatch.setattr(Store, "gateways", lambda _: [])
        call(resume, settings, "--reason", "they are back")
        assert [(one.what, one.by, one.reason) for one in store.audit()] == [
            ("resumed", "alice", "they are back"),
            ("panic", "alice", "panic"),
            ("panic", "alice", "panic"),
        ]


def test_a_store_that_cannot_be_used_is_said(settings: Path, tmp_path: Path) -> None:
    settings.write_text(settings.read_text() + f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    (tmp_path / "mailwarden.db").write_text("this is no database, but it is long enough" * 99)
    result = call(panic, settings)
    assert result.exit_code == 1
    assert "everything is lifted" in result.output
    assert "mailwarden.db" in result.output


# -- for all gateways, on Kafka ---------------------------------------------------------------


def told(name: str, at: float | None = None, **more: Any) -> GatewayState:
    fields: dict[str, Any] = {"complete": True, "decisions": 1, "enforced": 1} | more
    return GatewayState(gateway=name, at=time.time() + 1 if at is None else at, **fields)


class Answering(MemoryBus):
    """On which the gateways named do at once what the switch says."""

    def __init__(self, *gateways: str) -> None:
        super().__init__()
        make(self, KafkaSettings(partitions=2))
        self.gateways = gateways
        self.words: list[Switch] = []

    def publish(self, topic: str, key: bytes, value: bytes | None, **more: Any) -> None:
        super().publish(topic, key, value, **more)
        if topic == "mail.switch" and value is not None:
            self.words.append(wire.decode_switch(value))
            for name in self.gateways:
                self.say(told(name, lifted=self.words[-1].pulled, switch=self.words[-1].id))

    def say(self, state: GatewayState) -> None:
        super().publish("mail.gateways", state.gateway.encode(), wire.encode(state))

    def close(self) -> None:
        pass


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Answering:
    bus = Answering("mx1", "mx2")
    monkeypatch.setattr("streams.kafka_bus.KafkaBus", lambda settings: bus)
    monkeypatch.setattr("agents.commands.panic.PATIENCE", 0.3)
    return bus


def test_every_gateway_is_told_and_says_that_it_has_done_it(
    settings: Path, bus: Answering, tmp_path: Path
) -> None:
    bus.say(told("mx1"))
    bus.say(told("mx2"))
    bus.say(told("old", at=1.0))  # long gone: it is not waited for
    result = call(panic, settings, "--kafka", "--reason", "locked out")
    assert result.exit_code == 0, result.output
    assert result.output.count("has lifted everything, after 0.") == 2
    assert not (tmp_path / "run").exists()
    assert (bus.words[0].pulled, bus.words[0].by, bus.words[0].reason) == (
        True,
        "alice",
        "locked out",
    )
    result = call(resume, settings, "--kafka")
    assert result.exit_code == 0, result.output
    assert result.output.count("enforces again") == 2
    assert not bus.words[1].pulled
    assert bus.words[1].at > bus.words[0].at
    trail = [wire.decode_audit(m.value or b"") for m in bus.subscribe(["mail.audit"], None).poll(1)]
    assert [(one.what, one.by, one.reason) for one in trail] == [
        ("panic", "alice", "locked out"),
        ("resumed", "alice", "resume"),
    ]


def test_a_gateway_that_does_not_answer_is_named(settings: Path, bus: Answering) -> None:
    bus.gateways = ("mx1",)
    bus.say(told("mx1"))
    bus.say(told("mx2"))
    result = call(panic, settings, "--kafka")
    assert result.exit_code == 1
    assert "✓ mx1 has lifted everything" in result.output
    assert "✗ mx2 has not confirmed within 0 s" in result.output


def test_each_word_is_later_than_the_one_before_whatever_the_clocks_say(
    settings: Path, bus: Answering
) -> None:
    early = Switch(id="s", pulled=False, at=time.time() + 9000, by="bob")
    bus.publish("mail.switch", SWITCH, wire.encode(early))
    call(panic, settings, "--kafka")
    assert bus.words[-1].at > early.at


def test_where_nobody_is_known_it_says_who_will_hear_it(settings: Path, bus: Answering) -> None:
    bus.gateways = ()
    result = call(panic, settings, "--kafka")
    assert result.exit_code == 0
    assert "each will hear it at its start" in result.output


def test_the_word_is_signed_where_there_is_a_key(
    settings: Path, bus: Answering, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text("k" * 32)
    settings.write_text(
        settings.read_text().replace(
            "[response]", f'[response]\nsigning_key_file = "{tmp_path}/keys"'
        )
    )
    call(panic, settings, "--kafka")
    [said] = bus.subscribe(["mail.switch"], None).poll(1)
    keys = load(tmp_path / "keys")
    assert keys.verify("mail.switch", said.key, said.value, said.headers) == pytest.approx(
        bus.words[0].at, abs=0.001
    )
    (tmp_path / "keys").unlink()
    result = call(panic, settings, "--kafka")
    assert result.exit_code == 2
    assert "response.signing_key_file" in result.output


def test_without_a_setting_it_lies_beside_the_store(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    call(panic, path)
    assert (tmp_path / "panic").exists()


def test_without_a_gateway_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text(f'[response]\npanic = "{tmp_path}/panic"\n')
    assert "no gateway here" in call(panic, path).output


def test_a_switch_out_of_reach_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text(f'[response]\npanic = "{path}/panic"\n')
    for command in (panic, resume):
        result = call(command, path)
        assert result.exit_code == 1
        assert f"Error: {path}" in result.output
