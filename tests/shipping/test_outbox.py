"""The outbox: what is safe stays, in order, whatever happens to the process."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.shipping.outbox import Batch, Outbox, OutboxError


def batch(value: bytes, origin: str = "mx1:log", partition: int = 0) -> Batch:
    return Batch("mail.facts", partition, origin, value, b"\x91\x01")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.db"


def put(outbox: Outbox, *batches: Batch) -> None:
    outbox.commit(batches, {}, {}, {})


def values(outbox: Outbox, limit: int = 1 << 20) -> list[bytes]:
    return [batch.value for batch in outbox.oldest(limit)]


def test_what_was_committed_is_there_after_a_restart(path: Path) -> None:
    outbox = Outbox(path, 8, "mx1")
    outbox.commit(
        [batch(b"[1]")], {("mx1:log", 0): 7}, {"/var/log/mail.log": b"there"}, {"joiner": b"j"}
    )
    shipper = outbox.shipper
    outbox.close()
    again = Outbox(path, 8, "mx1")
    assert again.shipper == shipper
    assert again.waiting == 3
    assert again.places() == {"/var/log/mail.log": b"there"}
    assert again.next_positions() == {("mx1:log", 0): 7}
    assert again.memory("joiner") == b"j"
    (found,) = again.oldest(1)
    assert (found.topic, found.partition, found.origin) == ("mail.facts", 0, "mx1:log")
    assert (found.value, found.positions) == (b"[1]", b"\x91\x01")
    again.close()


def test_every_outbox_has_a_name_of_its_own(tmp_path: Path) -> None:
    names = set()
    for number in range(3):
        outbox = Outbox(tmp_path / str(number), 8, "mx1")
        names.add(outbox.shipper)
        outbox.close()
    assert len(names) == 3
    assert all(name.startswith("mx1/") for name in names)


def test_only_its_owner_may_read_the_file(path: Path) -> None:
    Outbox(path, 8, "mx1").close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    outbox = Outbox(path, 8, "mx1")
    yield outbox
    outbox.close()


def test_of_each_lane_only_the_oldest_batch_is_given(outbox: Outbox) -> None:
    put(outbox, batch(b"a1"), batch(b"a2"), batch(b"b1", partition=1), batch(b"c1", origin="x"))
    assert values(outbox) == [b"a1", b"b1", b"c1"]


def test_a_batch_that_is_done_makes_way_for_the_next_of_its_lane(outbox: Outbox) -> None:
    put(outbox, batch(b"a1"), batch(b"a2"))
    outbox.done(outbox.oldest(1))
    assert values(outbox) == [b"a2"]
    outbox.done(outbox.oldest(1))
    assert values(outbox) == []
    assert outbox.waiting == 0


def test_no_more_is_given_than_the_limit_and_at_least_one_batch(outbox: Outbox) -> None:
    put(outbox, batch(b"12345"), batch(b"67", partition=1), batch(b"8", partition=2))
    assert values(outbox, 1) == [b"12345"]
    assert values(outbox, 7) == [b"12345", b"67"]


def test_what_waits_is_counted_in_bytes(outbox: Outbox) -> None:
    put(outbox, batch(b"123"), batch(b"45"))
    assert outbox.waiting == 5


def test_a_commit_that_fails_leaves_everything_as_it_was(outbox: Outbox) -> None:
    put(outbox, batch(b"1"))
    broken = Batch("mail.facts", 0, "mx1:log", b"3", None)  # type: ignore[arg-type]
    with pytest.raises(OutboxError, match="NOT NULL"):
        outbox.commit([batch(b"2", partition=1), broken], {}, {"log": b"there"}, {})
    assert values(outbox) == [b"1"]
    assert outbox.places() == {}
    assert outbox.waiting == 1


def test_two_shippers_cannot_share_an_outbox(outbox: Outbox) -> None:
    with pytest.raises(OutboxError, match="another shipper runs on it"):
        Outbox(outbox.path, 8, "mx1")


def test_what_was_routed_for_another_number_of_partitions_must_go_first(path: Path) -> None:
    outbox = Outbox(path, 8, "mx1")
    put(outbox, batch(b"1"))
    outbox.close()
    with pytest.raises(OutboxError, match=r"1 batches wait .* kafka\.partitions = 8, .* now 4"):
        Outbox(path, 4, "mx1")
    outbox = Outbox(path, 8, "mx1")
    outbox.done(outbox.oldest(1))
    outbox.close()
    Outbox(path, 4, "mx1").close()


def test_a_file_that_is_something_else_is_not_touched(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (x)")
    other.close()
    with pytest.raises(OutboxError, match="not an outbox"):
        Outbox(path, 8, "mx1")
    path.write_bytes(b"no database at all, but long enough to be looked at" * 20)
    with pytest.raises(OutboxError, match="not a database"):
        Outbox(path, 8, "mx1")


def test_a_file_of_a_newer_version_is_not_touched(path: Path) -> None:
    Outbox(path, 8, "mx1").close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(OutboxError, match=r"newer mailwarden \(version 99\)"):
        Outbox(path, 8, "mx1")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match="file"):
        Outbox(tmp_path / "file" / "outbox.db", 8, "mx1")
