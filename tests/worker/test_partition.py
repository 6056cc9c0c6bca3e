from typing import Any

import msgspec
import pytest

from agents.engine import Engine
from agents.presence import Presence
from agents.record import Episode, pack, unpack
from agents.response import Response
from agents.shard import Shard
from agents.worker import partition as module
from agents.worker.partition import Counts, Partition, Topic, trim
from agents.worker.slots import FEW
from load.cluster import tally
from load.tally import Tally
from schemas import wire
from schemas.events import Auth, Fact, Signal
from schemas.findings import Alert, Subject
from schemas.keys import Site
from schemas.net import Networks
from schemas.settings import ResponseSettings

TOPIC = Topic("topic id", 8)
CLIENT = "c:192.0.2.1"


def guess(offset: int = 0, **more: Any) -> Auth:
    given = {"at": 1000.0, "client": "192.0.2.1", "account": "anna@example.org"} | more
    return Auth(offset=offset, **given)


class Life:
    """A partition from its assignment to its end, and the changelog that outlives it."""

    def __init__(self, many: int = 40) -> None:
        self.many = many
        self.slots: dict[int, bytes] = {}
        self.begin()

    def begin(self, topic: Topic = TOPIC) -> None:
        response = Response(ResponseSettings(), Networks(), Networks())
        shard = Shard(Engine([Tally(many=self.many)], Site()), response)
        self.partition = Partition(3, shard, topic, self.slots.items())

    def fold(self, offset: int, *events: Fact, **headers: bytes) -> list[str]:
        value = wire.encode_events(events)
        letters = self.partition.fold(offset, value, list(headers.items()), 1000.0, 1000.0)
        return [letter.reason for letter in letters]

    def flush(self) -> None:
        _, write = self.partition.flush(1000.0)
        if write is not None:
            for number in write.spoilt:
                del self.slots[number]
            self.slots.update(write.put)
            for number in write.free:
                del self.slots[number]

    def count(self, key: str = CLIENT) -> int:
        shard = self.partition.shard
        packed = shard.frozen.get(key)
        record = unpack(packed) if packed is not None else shard.records[key]
        return tally(record)[0]


def test_events_are_folded_and_counted() -> None:
    life = Life()
    assert life.fold(0, guess(), guess()) == []
    assert life.count() == 2
    assert life.partition.take_counts() == Counts(messages=1, events=2)
    assert life.partition.take_counts() == Counts()


def test_what_was_flushed_is_there_in_the_next_life_and_folded_no_more() -> None:
    life = Life()
    life.fold(7, guess())
    life.flush()
    life.begin()
    assert life.count() == 1
    life.fold(7, guess())
    life.fold(8, guess())
    assert life.count() == 2
    assert life.partition.take_counts() == Counts(messages=2, events=1, replayed=1)


def test_what_was_not_flushed_is_folded_again() -> None:
    life = Life()
    life.fold(7, guess())
    life.flush()
    life.fold(8, guess())
    life.begin()
    life.fold(8, guess())
    assert life.count() == 2


def test_a_message_that_comes_twice_in_one_life_counts_once() -> None:
    life = Life()
    for offset in (7, 7, 8, 7, 8):
        life.fold(offset, guess())
    assert life.count() == 2


def test_what_was_reported_is_not_counted_by_its_log_line_in_the_next_life_either() -> None:
    life = Life()
    life.fold(7, guess(source="auth_policy"))
    life.flush()
    life.begin()
    life.fold(8, guess(1, at=1030.0), guess(2, service="pop3"))
    assert life.count() == 2


def test_nothing_is_written_where_nothing_was_folded() -> None:
    life = Life()
    assert life.partition.flush(1000.0)[1] is None
    life.fold(0)
    life.flush()
    assert life.partition.flush(1000.0)[1] is None


def test_how_far_it_was_read_is_kept_even_where_no_record_has_changed() -> None:
    life = Life()
    life.fold(0)
    life.flush()
    life.begin()
    assert life.partition.offset == 0


def test_times_that_tell_a_cold_start_outlive_the_worker() -> None:
    life = Life()
    life.fold(0, guess(at=500.0), guess(at=900.0))
    life.flush()
    life.begin()
    assert (life.partition.shard.begun, life.partition.shard.clock) == (500.0, 900.0)


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    life = Life()
    life.fold(7, guess(), origin=b"a", positions=wire.encode_positions([5]))
    life.flush()
    life.begin(Topic("another id", 8))
    assert "made anew" in caplog.text
    life.fold(0, guess(), origin=b"a", positions=wire.encode_positions([0]))
    assert life.count() == 2


def test_an_unreadable_record_of_a_topic_that_was_made_anew_begins_afresh() -> None:
    life = Life()
    life.fold(7, guess())
    packed = msgspec.msgpack.encode([1])
    write = life.partition.ring.write(
        [(CLIENT, packed)], [], module.Meta("topic id", 8, 7), lambda _: packed
    )
    life.slots.update(write.put)
    life.begin(Topic("another id", 8))
    life.fold(0, guess())
    assert life.count() == 1


def test_a_batch_that_a_shipper_sends_again_counts_once() -> None:
    life = Life()
    batch = {"origin": b"shipper:log", "positions": wire.encode_positions([4, 5])}
    life.fold(0, guess(4), guess(5), **batch)
    life.flush()
    life.begin()
    life.fold(1, guess(4), guess(5), **batch)
    assert life.count() == 2
    assert life.partition.take_counts().repeated == 2


def test_what_cannot_be_read_becomes_a_dead_letter_and_the_rest_is_folded() -> None:
    life = Life()
    value = b'[{"type":"auth"},' + wire.encode(guess()) + b"]"
    (letter,) = life.partition.fold(9, value, None, 1000.0, 1234.0)
    assert (letter.place, letter.at) == ("mail.facts/3:9", 1234.0)
    assert life.count() == 1


def test_a_stamp_far_ahead_becomes_a_dead_letter_and_moves_no_clock() -> None:
    life = Life()
    assert life.fold(0, guess(at=9000.0)) == ["its stamp is 8000 s ahead of its receipt"]
    assert life.partition.shard.clock == 0.0


def test_an_event_that_nothing_can_fold_becomes_a_dead_letter() -> None:
    life = Life()
    (reason,) = life.fold(0, guess(client="no address"))
    assert reason.startswith("cannot be folded: ValueError")


def test_alerts_come_with_the_flush_that_keeps_their_record() -> None:
    life = Life(many=3)
    life.fold(0, guess(), guess(), guess())
    outcome, write = life.partition.flush(1000.0)
    assert [alert.subject.value for alert in outcome.alerts].count("192.0.2.1") == 1
    assert write is not None


def test_evidence_that_was_not_told_yet_is_told_by_the_next_life() -> None:
    life = Life(many=3)
    life.fold(0, *[guess()] * 5)  # told at the third and the fourth
    life.partition.shard.drain = lambda now: None  # type: ignore[method-assign]
    life.flush()
    life.begin()
    outcome, _ = life.partition.flush(1000.0)
    assert {alert.evidence[0].count for alert in outcome.alerts} == {5}


def test_a_record_that_was_quiet_for_a_round_of_the_ring_stays_packed() -> None:
    life = Life()
    life.fold(0, guess())
    life.flush()
    for offset in range(1, FEW + 3):
        life.fold(offset, guess(client=f"198.51.100.{offset}", account=""))
        life.flush()
    assert CLIENT in life.partition.shard.frozen
    life.fold(FEW + 3, guess())
    assert life.count() == 2
    life.flush()
    life.begin()
    assert life.count() == 2


def test_a_record_that_is_forgotten_is_written_no_more() -> None:
    life = Life()
    life.fold(0, guess())
    life.flush()
    life.partition.shard.clock += 40 * 86_400.0
    life.partition.shard.sweep()
    life.flush()
    life.begin()
    assert CLIENT not in life.partition.shard


def episode() -> Episode:
    names = [f"192.0.2.{index}" for index in range(100)]
    return Episode(
        "id", "tally", "", "many", "low", 1.0, 2.0, samples=[(1.0, "x" * 2000, "")] * 20,
        clients=names, accounts=names, targets=names, clients_count=100,
    )  # fmt: skip


def test_a_giant_is_trimmed_to_what_its_finding_rests_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GIANT", 5_000)
    life = Life()
    life.fold(0, guess())
    life.partition.shard.records[CLIENT].episodes["tally"] = episode()
    life.flush()
    life.begin()
    kept = unpack(life.partition.shard.frozen.pop(CLIENT) or b"").episodes["tally"]
    assert (kept.samples, len(kept.clients), kept.clients_count) == ([], 8, 100)


def test_trimming_leaves_counts_and_states() -> None:
    life = Life()
    life.fold(0, guess())
    record = life.partition.shard.records[CLIENT]
    trim(record)
    assert tally(record)[0] == 1
    assert record.recent == []


@pytest.mark.parametrize("value", [2**70, "x" * 200_000])
def test_a_record_that_nothing_can_pack_is_dropped_and_stops_nothing(value: Any) -> None:
    life = Life()
    life.fold(0, guess())
    life.partition.shard.records[CLIENT].states["tally"] = [value]
    life.flush()
    assert life.partition.take_counts().dropped == 1
    life.begin()
    assert CLIENT not in life.partition.shard
    assert "m:anna@example.org" in life.partition.shard


def test_a_record_that_cannot_be_packed_when_it_is_carried_begins_afresh() -> None:
    life = Life()
    life.fold(0, guess())
    life.flush()
    life.partition.shard.records[CLIENT].states["tally"] = [2**70]
    assert unpack(life.partition._carry(CLIENT)).states == {}
    assert pack(life.partition.shard._thaw(CLIENT))


# -- expected gateways ------------------------------------------------------------------------


class Watch(Life):
    """Expects mx1, whose silence is an alert after ten minutes."""

    now = 1000.0
    offset = -1

    def begin(self, topic: Topic = TOPIC) -> None:
        super().begin(topic)
        shard = self.partition.shard
        self.partition = Partition(
            3,
            shard,
            topic,
            self.slots.items(),
            lambda state: Presence(["mx1"], 600, self.now, state),
        )

    def say(self, event: Fact) -> None:
        self.offset += 1
        value = wire.encode_events([event])
        assert self.partition.fold(self.offset, value, None, self.now, self.now) == []

    def alerts(self, at: float) -> list[tuple[str, int, str]]:
        """State, revision and id of what is said of gateways; it is safe then."""
        self.now = at
        outcome, write = self.partition.flush(at)
        if write is not None:
            self.slots.update(write.put)
            for number in write.free:
                del self.slots[number]
        found: list[Alert] = [a for a in outcome.alerts if a.detector == "gateway_silent"]
        return [(alert.state, alert.revision, alert.id) for alert in found]


def beat(detail: str = "", at: float = 1000.0) -> Signal:
    return Signal(at=at, gateway="mx1", about="g:mx1", kind="heartbeat", detail=detail)


def test_a_gateway_of_which_nothing_comes_is_silent_and_said_once() -> None:
    life = Watch()
    assert life.alerts(1599.9) == []
    ((state, revision, _),) = life.alerts(1600.0)
    assert (state, revision) == ("open", 1)
    assert life.alerts(9000.0) == []


@pytest.mark.parametrize("event", [beat(), guess(gateway="mx1")])
def test_events_and_heartbeats_with_lines_break_the_silence(event: Fact) -> None:
    life = Watch()
    ((_, _, name),) = life.alerts(1600.0)
    life.say(event)
    assert life.alerts(1601.0) == [("withdrawn", 2, name)]


def test_a_shipper_that_has_no_lines_to_send_breaks_no_silence() -> None:
    life = Watch()
    life.now = 1500.0
    life.say(beat("alive, no lines", 1500.0))
    outcome, _ = life.partition.flush(1600.0)
    (alert,) = outcome.alerts
    assert alert.summary.endswith("; its shipper lives")


def test_what_was_said_of_a_silence_outlives_the_worker() -> None:
    life = Watch()
    ((_, _, name),) = life.alerts(1600.0)
    life.begin()
    assert life.alerts(9000.0) == []
    life.say(beat())
    assert life.alerts(9001.0) == [("withdrawn", 2, name)]
    life.begin()
    assert life.alerts(9600.0) == []


def test_a_takeover_is_no_silence_of_the_gateway() -> None:
    life = Watch()
    life.say(beat())
    life.now = 1500.0
    life.begin()
    assert life.alerts(1600.0) == []
    assert len(life.alerts(2100.0)) == 1


def test_heartbeats_reach_no_detector_and_move_no_clock() -> None:
    life = Watch()
    life.say(beat(at=10.0**12))
    shard = life.partition.shard
    assert (len(shard), shard.begun, shard.clock) == (0, 0.0, 0.0)
    assert life.partition.take_counts() == Counts(messages=1)


def test_strangers_are_not_missed() -> None:
    life = Life()
    life.fold(0, beat(), guess())
    outcome, _ = life.partition.flush(10.0**9)
    assert outcome.alerts == []


# -- our own servers ---------------------------------------------------------------------------


class Checking:
    """Stands for the thread that asks servers: says what a test gives it, and remembers."""

    def __init__(self, memory: bytes) -> None:
        self.memory = memory
        self.alerts: list[Alert] = []
        self.closed = False

    def take(self) -> list[Alert]:
        alerts, self.alerts = self.alerts, []
        return alerts

    def pack(self) -> bytes:
        return self.memory

    def close(self) -> None:
        self.closed = True


def test_what_is_found_at_our_servers_goes_out_and_is_remembered() -> None:
    life, made = Life(), list[Checking]()

    def checking(memory: bytes) -> Any:
        made.append(Checking(memory))
        return made[-1]

    def begin() -> Partition:
        shard = life.partition.shard
        life.partition = Partition(3, shard, TOPIC, life.slots.items(), hosts=checking)
        return life.partition

    partition = begin()
    alert = Alert(
        id="f1",
        detector="host",
        shape="vrfy",
        severity="low",
        subject=Subject(kind="gateway", value="mx1"),
        first=1.0,
        last=1.0,
        at=1.0,
        summary="VRFY is answered",
    )
    made[0].alerts, made[0].memory = [alert], b"vrfy"
    outcome, write = partition.flush(1000.0)
    assert outcome.alerts == [alert]
    assert write is not None
    life.slots.update(write.put)
    partition.close()
    assert made[0].closed
    begin()
    assert made[1].memory == b"vrfy"
