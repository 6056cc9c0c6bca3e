"""The kill switch of a site: it lifts everything at every edge, and they say that they did."""

from pathlib import Path

import pytest

from agents.edge.admission import Alarm
from agents.edge.switch import KillSwitch
from schemas import wire
from schemas.gateways import SWITCH, Switch
from streams.bus import Bus, BusError, Message
from streams.signing import Keys
from tests.edge.conftest import NOW, Site, decision, publish

KEYS = Keys([b"k" * 32])


def word(at: float = NOW, *, pulled: bool = True, name: str = "s1") -> Switch:
    return Switch(id=name, pulled=pulled, at=at, by="alice", reason="partner locked out")


def message(switch: Switch, key: bytes = SWITCH, **headers: bytes) -> Message:
    return Message("mail.switch", 0, 0, key, wire.encode(switch), headers)


def say(site: Site, switch: Switch) -> None:
    site.bus.publish("mail.switch", SWITCH, wire.encode(switch))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "switch.json"


def test_the_newest_word_counts(path: Path) -> None:
    switch = KillSwitch(path, Alarm(), None)
    assert not switch.pulled
    assert switch.hear(message(word()))
    assert switch.pulled
    assert not switch.hear(message(word(NOW - 1, pulled=False)))
    assert not switch.hear(message(word()))  # said again
    assert switch.pulled
    assert switch.hear(message(word(NOW + 1, pulled=False)))
    assert not switch.pulled


def test_it_outlives_a_restart(path: Path) -> None:
    KillSwitch(path, Alarm(), None).hear(message(word()))
    assert KillSwitch(path, Alarm(), None).word == word()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("{")
    assert not KillSwitch(path, Alarm(), None).pulled


def test_another_key_and_a_deletion_say_nothing(path: Path) -> None:
    switch = KillSwitch(path, Alarm(), None)
    assert not switch.hear(message(word(), b"other"))
    assert not switch.hear(Message("mail.switch", 0, 0, SWITCH, None))
    assert not switch.pulled


def test_a_word_without_signature_pulls_nothing(path: Path) -> None:
    alarm = Alarm()
    switch = KillSwitch(path, alarm, KEYS)
    assert not switch.hear(message(word()))
    assert dict(alarm.counts) == {"unsigned": 1}
    signature = KEYS.sign("mail.switch", SWITCH, wire.encode(word()), NOW)
    assert switch.hear(message(word(), **signature))
    assert switch.pulled


def test_a_word_that_cannot_be_kept_counts_all_the_same(path: Path) -> None:
    path.parent.write_text("a file")
    switch = KillSwitch(path, Alarm(), None)
    assert switch.hear(message(word()))
    assert switch.pulled
    assert "switch.json" in switch.trouble
    path.parent.unlink()
    switch.hear(message(word(NOW + 1)))
    assert switch.trouble == ""


def test_what_is_logged_of_it_stays_in_its_quotes(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = Switch(id="s", pulled=True, at=NOW, by='a"b', reason="x\ny")
    KillSwitch(path, Alarm(), None).hear(message(said))
    [record] = caplog.records
    assert record.getMessage() == 'kill switch pulled by="a\\"b" reason=x?y'


# -- at an edge -------------------------------------------------------------------------------


def test_everything_is_lifted_and_enforced_again_and_both_are_confirmed(site: Site) -> None:
    publish(site.bus, decision())
    edge, table = site.edge()
    site.until(lambda: table.told)
    assert edge.ruling("198.51.100.7") is not None
    edge.config.phishing.known = frozenset({"collector@example.net"})
    assert edge.phishing == {"collector@example.net"}
    say(site, word())
    site.until(lambda: any(state.switch == "s1" for state in site.reports()))
    assert table.told[-1] == set()
    assert edge.ruling("198.51.100.7") is None
    assert edge.phishing == set()
    state = site.reports()[-1]
    assert (state.lifted, state.decisions, state.enforced) == (True, 1, 0)
    assert any("kill switch" in said for said in edge.pulse.health().degraded)
    say(site, word(NOW + 1, pulled=False, name="s2"))
    site.until(lambda: any(state.switch == "s2" for state in site.reports()))
    assert table.told[-1] == {"198.51.100.7/32"}
    assert edge.ruling("198.51.100.7") is not None
    assert not site.reports()[-1].lifted


def test_what_is_decided_meanwhile_waits_for_the_switch(site: Site) -> None:
    edge, table = site.edge()
    say(site, word())
    site.until(lambda: any(state.lifted for state in site.reports()))
    publish(site.bus, decision())
    site.until(lambda: any(state.decisions == 1 for state in site.reports()))
    assert edge.ruling("198.51.100.7") is None
    assert {frozenset(told) for told in table.told} == {frozenset()}


def test_an_edge_that_starts_later_hears_it_too(site: Site) -> None:
    publish(site.bus, decision())
    say(site, word())
    _, table = site.edge()
    site.until(lambda: any(state.switch == "s1" for state in site.reports()))
    assert {frozenset(told) for told in table.told} == {frozenset()}


def test_a_restart_without_the_broker_stays_lifted(site: Site) -> None:
    publish(site.bus, decision())
    say(site, word())
    edge, _ = site.edge()
    site.until(lambda: any(state.switch == "s1" for state in site.reports()))
    site.stop(edge)

    def away() -> Bus:
        raise BusError("no Kafka broker answers")

    edge, table = site.edge(connect=away)
    site.until(lambda: table.told)
    assert table.told == [set()]
    assert edge.ruling("198.51.100.7") is None


def test_a_word_that_cannot_be_read_is_passed_over(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.bus.publish("mail.switch", SWITCH, b"{")
    publish(site.bus, decision())
    _, table = site.edge()
    site.until(lambda: table.told)
    assert "decision unreadable place=mail.switch/" in caplog.text


def test_the_switch_of_one_host_is_reported_too(site: Site) -> None:
    publish(site.bus, decision())
    site.edge()
    (site.folder / "edge1").mkdir(exist_ok=True)
    (site.folder / "edge1" / "panic").touch()
    site.until(lambda: any(state.lifted for state in site.reports()))
    assert site.reports()[-1].enforced == 0
