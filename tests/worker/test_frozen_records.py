"""Records that stay packed: agents/shard.py."""

from agents.engine import Engine
from agents.frozen import Frozen
from agents.record import Record, pack, worth
from agents.response import Response
from agents.shard import SWEEP, Shard
from load.cluster import tally
from load.tally import Tally
from schemas.events import Auth
from schemas.keys import Site
from schemas.net import Networks
from schemas.settings import ResponseSettings

DAY = 86_400.0


def shard(limit: int = 1000) -> Shard:
    response = Response(ResponseSettings(), Networks(), Networks())
    return Shard(Engine([Tally(many=3)], Site()), response, limit=limit)


def guess(client: str, at: float = 1000.0) -> Auth:
    return Auth(at=at, client=client)


def frozen(found: Shard, key: str) -> None:
    found.freeze(key, pack(found.records[key]))


def test_a_frozen_record_thaws_when_its_subject_is_seen_again() -> None:
    found = shard()
    found.fold(guess("192.0.2.1"))
    frozen(found, "c:192.0.2.1")
    assert "c:192.0.2.1" in found
    assert len(found) == 2
    found.fold(guess("192.0.2.1"))
    assert tally(found.records["c:192.0.2.1"])[0] == 2
    assert len(found.frozen) == 0


def test_a_frozen_record_that_cannot_be_read_begins_anew_and_is_counted() -> None:
    found = shard()
    found.freeze("c:192.0.2.1", b"\x01")
    found.fold(guess("192.0.2.1"))
    assert tally(found.records["c:192.0.2.1"])[0] == 1
    assert found.unreadable == 1


def test_a_frozen_record_with_nothing_left_to_remember_is_swept() -> None:
    found = shard()
    found.fold(guess("192.0.2.1"))
    frozen(found, "c:192.0.2.1")
    found.fold(guess("198.51.100.1", at=1000.0 + 2 * DAY + SWEEP))
    assert "c:192.0.2.1" not in found
    assert "c:192.0.2.1" in found.dirty


def test_beyond_the_limit_frozen_records_are_weighed_with_the_others() -> None:
    found = shard(limit=20)
    found.fold(guess("192.0.2.1", at=1000.0))
    for _ in range(3):
        found.fold(guess("192.0.2.2", at=1001.0))  # has a finding
    frozen(found, "c:192.0.2.1")
    frozen(found, "c:192.0.2.2")
    for index in range(30):
        found.fold(guess(f"198.51.{index}.1", at=1002.0 + index))
    assert found.evicted
    assert "c:192.0.2.1" not in found
    assert "c:192.0.2.2" in found


def test_what_is_deflated_comes_back_as_it_was() -> None:
    kept = Frozen()
    records = []
    for index in range(100):
        record = Record(last=float(index))
        record.recent.append((1.0, f"guess of 192.0.2.{index}", "mail.log"))
        records.append((f"c:192.0.2.{index}", pack(record)))
    kept.deflate(records[:50])
    kept.deflate(records[50:])  # with the dictionary that the first made
    kept.put("c:192.0.2.3", b"plain")
    assert len(kept) == 100
    assert kept.size() < sum(len(packed) for _, packed in records)
    assert dict(kept.worths())["c:192.0.2.7"] == (False, False, 7.0)
    assert kept.get("c:192.0.2.3") == b"plain"
    assert kept.get("c:198.51.100.1") is None
    for key, packed in records[4:]:
        assert kept.pop(key) == packed
        assert key not in kept


def test_what_is_worth_least_is_told_from_the_packed_bytes() -> None:
    empty, quiet, login = Record(), Record(last=5.0), Record()
    login.past.note("anna", 1000.0)
    assert worth(pack(empty)) == (False, False, 0.0)
    assert worth(pack(quiet)) == (False, False, 5.0)
    assert worth(pack(login)) == (False, True, 0.0)
    assert worth(b"\xc1") == (False, False, 0.0)
