"""Quiet hours and escalation, with a clock on the wall that the test sets."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from agents.single import holding
from agents.single.delivery import Delivery
from schemas.findings import Alert
from streams.sink import Sink, SinkError, SinkSettings
from tests.sinks.alerts import alert
from tests.waiting import wait_for

NIGHT = datetime(2026, 11, 30, 23, 0, tzinfo=UTC).timestamp()
MORNING = datetime(2026, 12, 1, 7, 0, tzinfo=UTC).timestamp()
QUIET: dict[str, Any] = {"quiet_hours": ("22:00-07:00",), "quiet_zone": "UTC", "gather": 0.0}


class Pager(Sink):
    def __init__(self, settings: SinkSettings) -> None:
        super().__init__(settings, "pager")
        self.got: list[Alert] = []
        self.down = ""

    def deliver(self, alerts: Sequence[Alert]) -> None:
        if self.down:
            raise SinkError(self.down)
        self.got += alerts

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.got]


class Desk:
    """A delivery whose clock the test sets."""

    def __init__(self, now: float = NIGHT, **settings: Any) -> None:
        self.now = now
        self.taken: set[str] = set()
        self.pager = Pager(SinkSettings(**settings))
        self.delivery = Delivery(
            self.pager,
            patience=(0.001, 0.002),
            taken=lambda one: one.id in self.taken,
            clock=lambda: self.now,
        )

    def put(self, *alerts: Alert) -> None:
        self.delivery.put(alerts)

    def at(self, now: float) -> None:
        self.now = now
        self.delivery.put([])  # it looks at the clock again

    def told(self, count: int) -> None:
        wait_for(lambda: len(self.pager.got) >= count)
        assert len(self.pager.got) == count


@pytest.fixture
def desks() -> Iterator[list[Desk]]:
    made: list[Desk] = []
    yield made
    for one in made:
        one.delivery.close()


def desk(desks: list[Desk], **settings: Any) -> Desk:
    made = Desk(**settings)
    desks.append(made)
    return made


def test_at_night_only_the_severest_is_told_and_the_rest_in_the_morning_as_one(
    desks: list[Desk],
) -> None:
    one = desk(desks, **QUIET)
    one.put(alert("a1", "high"), alert("a2", "low"), alert("a3", "critical"))
    one.told(1)
    assert one.pager.ids == ["a3"]
    assert one.delivery.held() == 2
    one.at(MORNING - 1)
    one.put(alert("a4", "critical"))
    one.told(2)
    one.at(MORNING)
    one.told(3)
    digest = one.pager.got[-1]
    assert digest.summary.startswith("2 alerts that waited (1 high, 1 low): 2 auth_dictionary")
    wait_for(one.delivery.idle)
    assert {told.alert for told in one.delivery.told()} == {"a1", "a2", "a3", "a4"}
    one.put(alert("a5", "low"))
    one.told(4)
    assert one.pager.ids[-1] == "a5"


def test_what_rises_is_told_at_once(desks: list[Desk]) -> None:
    one = desk(desks, **QUIET)
    one.put(alert("a1", "high"), alert("a2", "low"))
    assert one.delivery.held() == 2
    one.put(alert("a1", "critical", revision=2))
    one.told(1)
    assert (one.pager.ids, one.delivery.held()) == (["a1"], 1)
    one.at(MORNING)
    one.told(2)
    assert one.pager.ids == ["a1", "a2"]  # one alone is itself


def test_a_digest_that_does_not_arrive_is_told_again(desks: list[Desk]) -> None:
    one = desk(desks, **QUIET)
    one.put(alert("a1"), alert("a2"))
    one.pager.down = "no route"
    one.at(MORNING)
    wait_for(lambda: one.delivery.trouble)
    assert one.delivery.told() == []
    one.pager.down = ""
    one.told(1)


def test_a_flood_at_night_is_bounded(desks: list[Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "QUIET", 20)
    one = desk(desks, **QUIET)
    one.put(*(alert(f"a{n}", "low") for n in range(25)))
    one.told(1)
    assert one.pager.got[0].summary.startswith("25 alerts that waited")
    assert one.delivery.held() == 0


def test_at_the_end_nothing_is_held_back(desks: list[Desk]) -> None:
    one = desk(desks, **QUIET)
    other = desk(desks, unacknowledged=900.0, gather=0.0)
    for each in (one, other):
        each.put(alert("a1", "low", at=NIGHT))
        each.delivery.hurry()
        each.told(1)


def test_what_nobody_takes_on_goes_on(desks: list[Desk]) -> None:
    one = desk(desks, unacknowledged=900.0, gather=0.0)
    one.put(alert("a1", at=NIGHT), alert("a2", at=NIGHT), alert("a3", at=NIGHT))
    one.put(alert("a3", at=NIGHT, revision=2, state="withdrawn"))
    assert one.delivery.held() == 3
    one.taken.add("a2")
    one.at(NIGHT + 899)
    assert one.pager.got == []
    one.at(NIGHT + 900)
    one.told(1)
    assert one.pager.ids == ["a1"]
    wait_for(one.delivery.idle)
    # What is settled is owed no more.
    assert {told.alert for told in one.delivery.told()} == {"a1", "a2", "a3"}
    # What was told here goes on being told here.
    one.put(alert("a1", revision=2, at=NIGHT + 950))
    one.told(2)


def test_more_evidence_does_not_begin_the_time_anew(desks: list[Desk]) -> None:
    one = desk(desks, unacknowledged=900.0, gather=0.0)
    one.put(alert("a1", at=NIGHT))
    one.at(NIGHT + 800)
    one.put(alert("a1", at=NIGHT + 800, revision=2))
    one.at(NIGHT + 901)
    one.told(1)
    assert one.pager.got[0].revision == 2


def test_after_a_restart_the_time_goes_on(desks: list[Desk]) -> None:
    one = desk(desks, unacknowledged=900.0, gather=0.0)
    one.put(alert("a1", at=NIGHT - 850), alert("a2", at=NIGHT - 1000))
    one.told(1)
    assert one.pager.ids == ["a2"]
    one.at(NIGHT + 50)
    one.told(2)


def test_a_flood_that_nobody_takes_on_is_two_messages(desks: list[Desk]) -> None:
    one = desk(desks, unacknowledged=900.0, gather=0.2)
    one.put(*(alert(f"a{n}", at=NIGHT, incident="i1") for n in range(50)))
    one.at(NIGHT + 900)
    one.told(2)
    assert one.pager.got[1].summary.startswith("49 more alerts (auth_dictionary) of incident i1")


def test_both_together(desks: list[Desk]) -> None:
    one = desk(desks, unacknowledged=900.0, **QUIET)
    one.put(alert("a1", "critical", at=NIGHT), alert("a2", "high", at=NIGHT))
    one.at(NIGHT + 900)
    one.told(1)
    assert one.pager.ids == ["a1"]
    one.at(MORNING)
    one.told(2)


def test_check_says_it() -> None:
    said = Pager(SinkSettings(quiet_hours=("22:00-07:00",), unacknowledged=900.0)).of()
    assert "; where nobody took them on for 900 s" in said
    assert "; at 22:00-07:00 only from critical on" in said
