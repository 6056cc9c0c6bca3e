import threading
from collections.abc import Sequence

import msgspec
import pytest

from agents.single import delivery
from agents.single.delivery import Delivery
from agents.single.store import Told
from schemas.findings import Alert, Subject
from streams.sink import Sink, SinkError, SinkSettings
from tests.waiting import wait_for


def alert(name: str = "a1", revision: int = 1) -> Alert:
    return Alert(
        id=name,
        detector="auth_dictionary",
        shape="dictionary",
        severity="medium",
        subject=Subject("client", "192.0.2.1"),
        first=1.0,
        last=2.0,
        at=2.0,
        summary="",
        revision=revision,
    )


class Siem(Sink):
    """Takes alerts in, unless it is down; or holds on to a delivery until it is let go."""

    def __init__(self, settings: SinkSettings | None = None) -> None:
        super().__init__(settings or SinkSettings(), "siem")
        self.got: list[tuple[str, int]] = []
        self.before: set[tuple[str, int]] = set()
        self.down: Exception | None = None
        self.tries = 0
        self.open = threading.Event()
        self.open.set()
        self.closed = False

    def deliver(self, alerts: Sequence[Alert]) -> None:
        self.tries += 1
        self.open.wait(10)
        if self.down:
            raise self.down
        self.got += [(one.id, one.revision) for one in alerts]

    def received(self, alerts: Sequence[Alert]) -> set[tuple[str, int]]:
        if isinstance(self.down, ValueError):
            raise self.down
        return self.before

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def siem() -> Siem:
    return Siem()


def test_alerts_arrive_and_are_noted(siem: Siem) -> None:
    sink = Delivery(siem)
    sink.put([alert("a1"), alert("a2", 3)])
    wait_for(sink.idle)
    assert siem.got == [("a1", 1), ("a2", 3)]
    assert sink.told() == [Told("siem", "a1", 1), Told("siem", "a2", 3)]
    assert sink.told() == []
    sink.close()
    assert siem.closed


def test_a_sink_that_is_down_is_tried_until_it_is_back(
    siem: Siem, caplog: pytest.LogCaptureFixture
) -> None:
    siem.down = SinkError("no route to host")
    sink = Delivery(siem, patience=(0.001, 0.002))
    sink.put([alert()])
    wait_for(lambda: siem.tries > 3)
    assert sink.trouble == "no route to host"
    assert caplog.text.count("no route to host") == 1
    siem.down = None
    wait_for(sink.idle)
    wait_for(lambda: not sink.trouble)
    assert siem.got == [("a1", 1)]
    sink.close()


def test_a_sink_that_raises_what_it_should_not_loses_nothing_either(siem: Siem) -> None:
    siem.down = KeyError("a bug")
    sink = Delivery(siem, patience=(0.001, 0.002))
    sink.put([alert()])
    wait_for(lambda: siem.tries > 1)
    siem.down = None
    wait_for(sink.idle)
    assert siem.got == [("a1", 1)]
    sink.close()


def test_while_a_sink_is_slow_only_the_newest_revision_waits(siem: Siem) -> None:
    siem.open.clear()
    sink = Delivery(siem)
    sink.put([alert("a1")])
    wait_for(lambda: siem.tries)
    sink.put([alert("a1", 2), alert("a2")])
    sink.put([alert("a1", 3)])
    sink.put([alert("a1", 2)])
    siem.open.set()
    wait_for(sink.idle)
    assert siem.got == [("a1", 1), ("a1", 3), ("a2", 1)]
    assert Told("siem", "a1", 3) in sink.told()
    sink.close()


def test_what_was_told_just_now_is_not_told_again(siem: Siem) -> None:
    sink = Delivery(siem)
    sink.put([alert("a1", 2)])
    wait_for(sink.idle)
    sink.put([alert("a1", 1), alert("a1", 2)])
    assert sink.idle()
    sink.close()
    assert siem.got == [("a1", 2)]


def test_what_an_earlier_process_had_told_is_not_told_again(siem: Siem) -> None:
    siem.before = {("a1", 1)}
    sink = Delivery(siem, [alert("a1"), alert("a2")])
    wait_for(sink.idle)
    assert siem.got == [("a2", 1)]
    assert Told("siem", "a1", 1) in sink.told()
    sink.close()


def test_a_sink_that_cannot_say_what_it_received_is_told(siem: Siem) -> None:
    siem.down = ValueError("unreadable")
    sink = Delivery(siem, [alert("a1")], patience=(0.001, 0.002))
    wait_for(lambda: siem.tries > 1)
    siem.down = None
    wait_for(sink.idle)
    assert siem.got == [("a1", 1)]
    sink.close()


def test_what_does_not_fit_into_memory_waits_in_the_store(
    siem: Siem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "HELD", 4)
    siem.open.clear()
    sink = Delivery(siem)
    sink.put([alert(f"a{number}") for number in range(6)])
    assert sink.wants() == 0
    siem.open.set()
    wait_for(sink.idle)
    assert len(siem.got) == 4
    assert sink.wants() == 5
    assert sink.wants() == 0
    sink.close()


def test_it_ends_in_the_middle_of_waiting_for_a_sink(siem: Siem) -> None:
    siem.down = SinkError("no")
    sink = Delivery(siem, patience=(600.0, 600.0))
    sink.put([alert()])
    wait_for(lambda: siem.tries)
    sink.close()
    assert siem.closed
    assert not sink.idle()


def test_a_sink_that_does_not_come_back_does_not_hold_up_the_end(siem: Siem) -> None:
    siem.open.clear()
    sink = Delivery(siem)
    sink.put([alert()])
    wait_for(lambda: siem.tries)
    sink.close(timeout=0.01)
    assert not siem.closed
    siem.open.set()


# -- a flood of one campaign ----------------------------------------------------------------------


def client(number: int, revision: int = 1) -> Alert:
    return msgspec.structs.replace(alert(f"c{number}", revision), incident="campaign")


def summed(siem: Siem) -> list[tuple[str, int]]:
    """What arrived under another name than an alert's own."""
    return [(name, revision) for name, revision in siem.got if len(name) == 16]


def test_a_flood_of_one_campaign_is_one_message_with_counts() -> None:
    siem = Siem(SinkSettings(gather=0.2))
    sink = Delivery(siem)
    sink.put(client(number) for number in range(500))
    wait_for(sink.idle)
    assert siem.got[0] == ("c0", 1)
    assert len(siem.got) == 2
    assert sorted(told.alert for told in sink.told()) == sorted(f"c{n}" for n in range(500))
    sink.put(client(number) for number in range(500, 510))
    wait_for(sink.idle)
    assert [revision for _, revision in summed(siem)][:1] == [1]
    sink.close()


def test_what_is_held_is_told_at_once_when_there_is_no_more_to_come() -> None:
    siem = Siem(SinkSettings(gather=3600.0))
    sink = Delivery(siem)
    sink.put(client(number) for number in range(10))
    wait_for(lambda: siem.got)
    assert not sink.idle()
    sink.hurry()
    wait_for(sink.idle)
    assert len(siem.got) == 2
    sink.close()


def test_what_was_held_when_the_process_was_killed_is_still_owed_and_told() -> None:
    siem = Siem(SinkSettings(gather=3600.0))
    killed = Delivery(siem)
    alerts = [client(number) for number in range(10)]
    killed.put(alerts)
    wait_for(lambda: siem.got)
    wait_for(lambda: killed._told)
    noted = {told.alert for told in killed.told()}
    assert noted == {"c0"}  # the others are owed until a summary has told of them
    after = Delivery(siem, [one for one in alerts if one.id not in noted])
    wait_for(lambda: len(siem.got) == 2)
    after.hurry()
    wait_for(after.idle)
    told = {one.alert for one in after.told()}
    assert noted | told == {one.id for one in alerts}
    assert [name for name, _ in siem.got[:2]] == ["c0", "c1"]
    assert len(siem.got) == 3
    killed.close()
    after.close()


def test_a_flood_while_the_receiver_is_down_is_two_messages_afterwards() -> None:
    siem = Siem(SinkSettings(gather=0.05))
    siem.down = SinkError("no route to host")
    sink = Delivery(siem, patience=(0.01, 0.02))
    sink.put(client(number) for number in range(100))
    wait_for(lambda: siem.tries > 10)
    siem.down = None
    wait_for(sink.idle)
    assert siem.got[0] == ("c0", 1)
    assert len(siem.got) == 2
    sink.close()


def test_more_than_memory_should_hold_does_not_wait_for_its_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "GATHERED", 20)
    siem = Siem(SinkSettings(gather=3600.0))
    sink = Delivery(siem)
    sink.put(client(number) for number in range(30))
    wait_for(sink.idle)
    assert len(siem.got) == 2
    sink.close()


def test_an_older_revision_than_what_is_held_changes_nothing() -> None:
    siem = Siem(SinkSettings(gather=3600.0))
    sink = Delivery(siem)
    sink.put([client(0), client(1, 3), client(2)])
    sink.put([client(1, 2), client(1, 3)])
    sink.hurry()
    wait_for(sink.idle)
    assert Told("siem", "c1", 3) in sink.told()
    sink.close()


def test_what_a_sink_does_not_want_is_no_part_of_any_summary() -> None:
    siem = Siem(SinkSettings(gather=3600.0, least="high"))
    sink = Delivery(siem)
    sink.put(client(number) for number in range(3))
    wait_for(sink.idle)
    assert len(sink.told()) == 3
    sink.close()
    assert siem.got == []


def test_what_the_store_owes_beyond_what_was_asked_is_not_forgotten(
    siem: Siem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those that were asked for some had been told meanwhile, so that all of the rest fit."""
    monkeypatch.setattr(delivery, "HELD", 10)
    siem.open.clear()
    sink = Delivery(siem)
    sink.put([alert(f"a{number}") for number in range(20)])
    assert sink.held() == 10
    siem.open.set()
    wait_for(lambda: sink.held() == 0)
    assert sink.wants() == 11
    # The store does not know yet that the first ten are told.
    sink.refill([alert(f"a{number}") for number in range(11)], 11)
    wait_for(lambda: sink.held() == 0)
    assert [told.alert for told in sink.told()] == [f"a{number}" for number in range(11)]
    assert sink.wants() == 11
    sink.refill([alert(f"a{number}") for number in range(11, 20)], 11)
    wait_for(sink.idle)
    assert sink.wants() == 0
    assert [name for name, _ in siem.got] == [f"a{number}" for number in range(20)]
    sink.close()


def test_a_process_that_begins_with_more_than_fits_asks_for_the_rest(
    siem: Siem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "HELD", 10)
    siem.before = {(f"a{number}", 1) for number in range(5)}  # it has these already
    sink = Delivery(siem, [alert(f"a{number}") for number in range(11)])
    wait_for(sink.idle)
    assert [name for name, _ in siem.got] == [f"a{number}" for number in range(5, 11)]
    assert sink.wants() == 11
    sink.close()
