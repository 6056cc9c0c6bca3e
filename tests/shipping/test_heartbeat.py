from typing import Any

import pytest

from schemas import keys, wire
from streams.shipping import heartbeat
from streams.shipping.heartbeat import EVERY, QUIET, Heartbeats

NOON = 1_767_268_800.0


def said(found: list[heartbeat.Beat]) -> dict[str, str]:
    """Details, by gateway."""
    signals: list[Any] = [event for _, value in found for event in wire.decode_events(value)]
    return {signal.gateway: signal.detail for signal in signals}


def test_a_gateway_that_was_heard_has_a_heartbeat_in_the_partition_of_its_key() -> None:
    beats = Heartbeats(8, 600.0)
    beats.hear(["mx1", "mx2", "mx1"])
    found = beats.due(NOON)
    for partition, value in found:
        for signal in wire.decode_events(value):
            assert signal.type == "signal"
            assert (signal.at, signal.kind) == (NOON, "heartbeat")  # type: ignore[attr-defined]
            assert signal.about == f"g:{signal.gateway}"  # type: ignore[attr-defined]
            assert keys.partition(signal.about, 8) == partition  # type: ignore[attr-defined]
    assert said(found) == {"mx1": "", "mx2": ""}


@pytest.mark.parametrize(("after", "count"), [(EVERY - 0.1, 0), (EVERY, 1), (-1.0, 1)])
def test_there_is_at_most_one_a_minute_unless_the_clock_was_set_back(
    after: float, count: int
) -> None:
    beats = Heartbeats(8, 600.0)
    beats.hear(["mx1"])
    beats.due(NOON)
    beats.hear(["mx1"])
    assert len(beats.due(NOON + after)) == count


def test_there_are_several_in_the_span_after_which_silence_is_an_alert() -> None:
    beats = Heartbeats(8, 8.0)
    beats.hear(["mx1"])
    beats.due(NOON)
    beats.hear(["mx1"])
    assert beats.due(NOON + 1.9) == []
    assert len(beats.due(NOON + 2.0)) == 1


def test_gateways_that_are_followed_have_one_although_no_lines_come() -> None:
    beats = Heartbeats(8, 600.0, "mx1")
    assert said(beats.due(NOON)) == {"mx1": QUIET}
    beats.hear(["mx2"])
    assert said(beats.due(NOON + 60)) == {"mx1": QUIET, "mx2": ""}
    assert said(beats.due(NOON + 120)) == {"mx1": QUIET, "mx2": QUIET}


def test_nobody_answers_for_gateways_whose_lines_are_not_followed_here() -> None:
    beats = Heartbeats(8, 600.0)
    assert beats.due(NOON) == []
    beats.hear(["mx1"])
    assert len(beats.due(NOON)) == 1
    assert beats.due(NOON + 60) == []


def test_names_that_an_attacker_chose_take_no_more_room_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "KEPT", 2)
    beats = Heartbeats(8, 600.0)
    beats.hear(["", "x" * 256, "a", "b", "a", "c"])
    assert said(beats.due(NOON)) == {"a": "", "c": ""}
