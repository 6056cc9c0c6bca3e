import random

import msgspec
import pytest

from agents.worker import slots
from agents.worker.slots import FEW, GAP, LARGEST, Meta, Ring, Write


class Changelog:
    """What the broker keeps: the slots that were written and not deleted."""

    def __init__(self) -> None:
        self.slots: dict[int, bytes] = {}

    def apply(self, write: Write) -> None:
        for number in write.spoilt:
            del self.slots[number]
        self.slots.update(write.put)
        for number in write.free:
            del self.slots[number]

    def restored(self) -> tuple[Meta, dict[str, bytes]]:
        return Ring().restore(self.slots.items())


def no_carry(key: str) -> bytes:
    raise AssertionError(f"nothing was to be carried, but {key}")


def test_an_empty_changelog_restores_to_nothing() -> None:
    assert Ring().restore([]) == (Meta(), {})


def test_what_one_flush_wrote_is_restored_with_its_meta() -> None:
    log, meta = Changelog(), Meta("topic", 8, 41, 1.0, 2.0, {"shipper:log": 7})
    log.apply(Ring().write([("c:192.0.2.1", b"\x01"), ("m:a@b", b"\x02")], [], meta, no_carry))
    assert log.restored() == (meta, {"c:192.0.2.1": b"\x01", "m:a@b": b"\x02"})


def test_a_later_flush_wins() -> None:
    log, ring = Changelog(), Ring()
    for value in (b"\x01", b"\x02"):
        log.apply(ring.write([("k", value)], [], Meta(offset=value[0]), no_carry))
    assert log.restored() == (Meta(offset=2), {"k": b"\x02"})


def test_the_meta_of_a_flush_without_records_is_restored() -> None:
    log, ring = Changelog(), Ring()
    log.apply(ring.write([("k", b"\x01")], [], Meta(offset=1), no_carry))
    log.apply(ring.write([], [], Meta(offset=2), no_carry))
    assert log.restored() == (Meta(offset=2), {"k": b"\x01"})


def test_a_slot_with_nothing_alive_is_freed() -> None:
    ring = Ring()
    ((first, _),) = ring.write([("k", b"\x01")], [], Meta(), no_carry).put
    assert ring.write([("k", b"\x02")], [], Meta(), no_carry).free == [first]


def test_a_record_that_is_gone_is_not_carried_and_its_slot_is_freed() -> None:
    log, ring = Changelog(), Ring()
    log.apply(ring.write([("k", b"\x01")], [], Meta(), no_carry))
    log.apply(ring.write([], ["k"], Meta(), no_carry))
    assert log.restored()[1] == {}
    assert ring.live == 0


def test_a_key_that_was_never_written_can_be_gone() -> None:
    Ring().write([], ["k"], Meta(), no_carry)


def test_the_oldest_slot_of_a_crowd_is_carried_and_freed() -> None:
    log, ring = Changelog(), Ring()
    for index in range(FEW + 1):
        log.apply(ring.write([(f"k{index}", b"\x01")], [], Meta(), no_carry))
    carried: list[str] = []

    def carry(key: str) -> bytes:
        carried.append(key)
        return b"\x01"

    write = ring.write([("new", b"\x01")], [], Meta(), carry)
    log.apply(write)
    assert carried == ["k0"]
    assert len(write.free) == 1
    assert set(log.restored()[1]) == {*(f"k{index}" for index in range(FEW + 1)), "new"}


def test_what_is_superseded_is_bounded_by_what_lives() -> None:
    chance, ring, log = random.Random(1), Ring(), Changelog()
    now: dict[str, bytes] = {}
    for round_ in range(400):
        fresh = {f"k{chance.randrange(2000)}": _bytes(900) for _ in range(200)}
        now |= fresh
        log.apply(ring.write(list(fresh.items()), [], Meta(offset=round_), now.__getitem__))
    assert log.restored() == (Meta(offset=399), now)
    assert sum(map(len, log.slots.values())) < 3 * sum(map(len, now.values())) + slots.SLACK
    assert len(ring.held) <= FEW + ring.live // slots.ROOM + slots.AT_ONCE


def test_very_many_subjects_can_be_kept_and_restored() -> None:
    log, ring, data = Changelog(), Ring(), b"\xc4\x30" + bytes(48)
    for start in range(0, 200_000, 50_000):
        fresh = [(f"c:{index}", data) for index in range(start, start + 50_000)]
        log.apply(ring.write(fresh, [], Meta(), lambda _: data))
    assert len(log.restored()[1]) == 200_000
    assert max(map(len, log.slots.values())) <= LARGEST


class TestAFlushOfSeveralParts:
    @pytest.fixture
    def log(self) -> Changelog:
        log, ring = Changelog(), Ring()
        log.apply(ring.write([("old", b"\x01"), ("k1", b"\x01")], [], Meta(offset=1), no_carry))
        self.ring = ring
        return log

    def test_fits_a_message_each(self, log: Changelog) -> None:
        write = self.ring.write(_records(5), [], Meta(offset=2), no_carry)
        assert len(write.put) == 3
        assert max(len(slot) for _, slot in write.put) <= LARGEST

    def test_is_restored_whole(self, log: Changelog) -> None:
        log.apply(self.ring.write(_records(5), [], Meta(offset=2), lambda _: b"\x01"))
        meta, records = log.restored()
        assert meta.offset == 2
        assert records == {"old": b"\x01", **dict(_records(5))}

    @pytest.mark.parametrize("lost", [0, 1, 2])
    def test_counts_for_nothing_while_a_part_is_missing(self, log: Changelog, lost: int) -> None:
        write = self.ring.write(_records(5), [], Meta(offset=2), lambda _: b"\x01")
        put = [item for index, item in enumerate(write.put) if index != lost]
        log.apply(Write(write.spoilt, put, []))
        assert log.restored() == (Meta(offset=1), {"old": b"\x01", "k1": b"\x01"})

    def test_that_was_cut_short_is_deleted_before_the_next_write(self, log: Changelog) -> None:
        write = self.ring.write(_records(5), [], Meta(offset=2), lambda _: b"\x01")
        log.apply(Write(write.spoilt, write.put[:2], []))
        after = Ring()
        after.restore(log.slots.items())
        next_ = after.write([("new", b"\x01")], [], Meta(offset=3), no_carry)
        assert next_.spoilt == [number for number, _ in write.put[:2]]
        log.apply(next_)
        assert log.restored()[0] == Meta(offset=3)
        assert set(log.restored()[1]) == {"old", "k1", "new"}

    def test_stays_whole_when_some_of_its_parts_are_freed_later(self, log: Changelog) -> None:
        ring = self.ring
        log.apply(ring.write(_records(5), [], Meta(offset=2), lambda _: b"\x01"))
        log.apply(ring.write(_records(2), [], Meta(offset=3), lambda _: b"\x01"))
        assert log.restored()[1] == {"old": b"\x01", **dict(_records(5))}


def _records(count: int) -> list[tuple[str, bytes]]:
    return [
        (f"k{index}", b"\xc6" + (400_000).to_bytes(4, "big") + bytes(400_000))
        for index in range(count)
    ]


def test_a_worker_that_lost_its_partition_overwrites_nothing_of_the_next_one() -> None:
    log, ring = Changelog(), Ring()
    log.apply(ring.write([("k", b"\x01")], [], Meta(offset=1), no_carry))
    heir = Ring()
    heir.restore(log.slots.items())
    log.apply(heir.write([("k", b"\x03")], [], Meta(offset=3), no_carry))
    stale = ring.write([("k", b"\x02")], [], Meta(offset=2), no_carry)
    log.slots.update(stale.put)
    assert log.restored() == (Meta(offset=3), {"k": b"\x03"})


def test_numbers_go_on_with_a_gap_after_a_restore() -> None:
    log, ring = Changelog(), Ring()
    log.apply(ring.write([("k", b"\x01")], [], Meta(), no_carry))
    ring = Ring()
    ring.restore(log.slots.items())
    ((number, _),) = ring.write([("j", b"\x01")], [], Meta(), no_carry).put
    assert number == GAP + 1


@pytest.mark.parametrize("data", [b"", b"\xc1", b"garbage", b"\x95\x09\x00\x01\xc0\x90"])
def test_a_slot_that_cannot_be_read_costs_only_itself(data: bytes) -> None:
    log, ring = Changelog(), Ring()
    log.apply(ring.write([("k", b"\x01")], [], Meta(offset=1), no_carry))
    log.slots[99] = data
    after = Ring()
    assert after.restore(log.slots.items()) == (Meta(offset=1), {"k": b"\x01"})
    assert after.unreadable == 1


def test_random_lives_with_crashes_at_any_step_restore_the_last_safe_flush() -> None:
    chance = random.Random(7)
    for _ in range(30):
        log, safe = Changelog(), (Meta(), dict[str, bytes]())
        for _ in range(6):  # lives
            ring = Ring()
            meta, now = ring.restore(log.slots.items())
            assert (meta.offset, now) == (safe[0].offset, safe[1])
            now = dict(now)
            for _ in range(chance.randrange(1, 25)):
                fresh = {
                    f"k{chance.randrange(60)}": _bytes(chance.choice((10, 3_000, 300_000)))
                    for _ in range(chance.randrange(8))
                }
                gone = [key for key in now if key not in fresh and chance.random() < 0.05]
                for key in gone:
                    del now[key]
                now |= fresh
                meta = Meta(offset=meta.offset + 1)
                write = ring.write(list(fresh.items()), gone, meta, now.__getitem__)
                if chance.random() < 0.1:  # dies between two messages
                    steps = chance.randrange(len(write.put))
                    log.apply(Write(write.spoilt, write.put[:steps], []))
                    break
                log.apply(write)
                safe = (meta, dict(now))
            # A record that was forgotten may come back in its last state, and no other may.
            extra = {k: v for k, v in log.restored()[1].items() if k not in safe[1]}
            safe = (safe[0], safe[1] | extra)


def _bytes(size: int) -> bytes:
    return msgspec.msgpack.encode(bytes(size))
