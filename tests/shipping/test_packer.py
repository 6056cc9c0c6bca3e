"""The packer: each event once to each partition that watches one of its subjects."""

from hypothesis import given
from hypothesis import strategies as st

from schemas import keys, wire
from schemas.events import Auth, Connection, Fact, Signal
from schemas.keys import Site
from streams.shipping.outbox import Batch
from streams.shipping.packer import LARGEST, Packer

SITE = Site(domains=frozenset({"example.org"}), default_domain="example.org")
PARTITIONS = 8


def auth(number: int, at: float = 1.0) -> Auth:
    return Auth(at=at, client=f"192.0.2.{number % 250}", account=f"u{number}@example.org")


def packer(**known: int) -> Packer:
    return Packer(SITE, PARTITIONS, "mx1/1", {(f"mx1/1:{s}", 0): n for s, n in known.items()})


def events(batches: list[Batch]) -> list[Fact]:
    return [event for batch in batches for event in wire.decode_events(batch.value)]


def positions(batches: list[Batch]) -> list[int]:
    return [number for batch in batches for number in wire.decode_positions(batch.positions)]


@given(st.lists(st.integers(0, 5000), max_size=50))
def test_each_partition_hears_of_its_subjects_once_and_in_order(numbers: list[int]) -> None:
    pack = packer()
    sent = [auth(number, float(index)) for index, number in enumerate(numbers)]
    for event in sent:
        pack.add("log", event)
    batches = pack.take()
    for partition in range(PARTITIONS):
        due = [
            event
            for event in sent
            if partition in {keys.partition(k, PARTITIONS) for k in keys.keys(event, SITE)}
        ]
        lane = [batch for batch in batches if batch.partition == partition]
        assert events(lane) == due
        assert positions(lane) == list(range(1, len(due) + 1))


def test_an_event_that_concerns_nobody_is_not_sent() -> None:
    pack = packer()
    assert pack.add("log", Connection(at=1.0, client="192.0.2.1", outcome="opened")) == 0
    assert pack.take() == []


def test_the_origin_names_shipper_and_source() -> None:
    pack = packer()
    pack.add("/var/log/mail.log", Signal(at=1.0, about="g:mx1", kind="x"))
    (batch,) = pack.take()
    assert batch.topic == "mail.facts"
    assert batch.origin == "mx1/1:/var/log/mail.log"


def test_sources_have_lanes_of_their_own() -> None:
    pack = packer()
    for source in ("a", "b"):
        pack.add(source, Signal(at=1.0, about="g:mx1", kind="x"))
    batches = pack.take()
    assert [batch.origin for batch in batches] == ["mx1/1:a", "mx1/1:b"]
    assert positions(batches) == [1, 1]


def test_positions_go_on_where_an_earlier_process_stopped() -> None:
    about = next(f"g:mx{n}" for n in range(99) if not keys.partition(f"g:mx{n}", PARTITIONS))
    pack = packer(log=41)
    pack.add("log", Signal(at=1.0, about=about, kind="x"))
    assert positions(pack.take()) == [41]
    assert pack.next_positions() == {("mx1/1:log", 0): 42}


def test_positions_go_on_from_one_batch_to_the_next() -> None:
    pack = packer()
    for _ in range(2):
        pack.add("log", Signal(at=1.0, about="g:mx1", kind="x"))
        assert len(pack.take()) == 1
    assert list(pack.next_positions().values()) == [3]
    assert pack.take() == []


def test_a_batch_is_bounded_and_nothing_is_lost_at_its_bound() -> None:
    pack = packer()
    sent = [Signal(at=float(n), about="g:mx1", kind="x" * 900) for n in range(1000)]
    for event in sent:
        pack.add("log", event)
    batches = pack.take()
    assert len(batches) > 1
    assert all(len(batch.value) <= LARGEST + 2 for batch in batches)
    assert events(batches) == sent
    assert positions(batches) == list(range(1, 1001))


def test_a_single_event_above_the_bound_goes_alone() -> None:
    pack = packer()
    small, large = (Signal(at=1.0, about="g:mx1", kind="x" * size) for size in (1, LARGEST))
    for event in (small, large, small):
        pack.add("log", event)
    assert [len(wire.decode_events(batch.value)) for batch in pack.take()] == [1, 1, 1]


def test_the_site_may_change() -> None:
    pack = packer()
    pack.site = Site(default_domain="example.net")
    pack.add("log", Auth(at=1.0, account="u"))
    (batch,) = pack.take()
    assert batch.partition == keys.partition("m:u@example.net", PARTITIONS)
