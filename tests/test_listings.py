"""Listings of the queue are added up, within bounds and over a restart."""

import msgspec

from streams import listings
from streams.listings import Listing, Listings
from streams.parsers.part import Entry


def entry(message, at=100.0, gateway="mx1", **more):
    counts = more.pop("counts", {"deferred": 1, "bytes": 10})
    return Entry(at, gateway, "postfix", message, counts, **more)


def told(*entries, limit=listings.LIMIT):
    out = []
    added = Listings(limit)
    for one in entries:
        added.add(one, "log", out)
    return added, [event for _, event in out]


def test_two_hosts_listings_are_two():
    added, out = told(entry("A"), entry("A", gateway="mx2"), entry("B"))
    assert out == []
    assert added.due == 100.0 + listings.QUIET
    out = []
    added.advance(200.0, out)
    assert [(event.gateway, event.deferred) for _, event in out] == [("mx1", 2), ("mx2", 1)]
    assert added.due == float("inf")


def test_the_last_line_repeats_the_sums():
    _, out = told(
        entry("", counts={}, begins=True),
        entry("A"),
        entry("", counts={"deferred": 9, "bytes": 9216}, ends=True),
    )
    assert [(event.deferred, event.bytes) for event in out] == [(1, 10)]


def test_a_silence_ends_a_listing():
    _, out = told(entry("A"), entry("B", at=100.0 + listings.QUIET + 1))
    assert [event.at for event in out] == [100.0]


def test_the_listings_that_are_open_are_bounded():
    _, out = told(entry("A"), entry("A", gateway="mx2"), limit=1)
    assert [event.gateway for event in out] == ["mx1"]


def test_senders_and_messages_are_bounded(monkeypatch):
    monkeypatch.setattr(listings, "MOST_SENDERS", 1)
    monkeypatch.setattr(listings, "MOST_MESSAGES", 1)
    _, out = told(
        entry("A", sender="a@example.org"),
        entry("B", sender="b@example.org"),
        entry("C", sender="a@example.org"),
        entry("", counts={}, ends=True),
    )
    assert out[0].deferred == 3
    assert out[0].top_senders == (("a@example.org", 2),)


def test_a_restart_loses_nothing():
    added, _ = told(entry("A", arrived=5.0, sender="a@example.org"), entry("B", arrived=7.0))
    packed = msgspec.msgpack.encode(added.pack())
    again = Listings()
    again.restore(msgspec.msgpack.decode(packed, type=list[tuple[tuple[str, str, str], Listing]]))
    assert again.due == added.due
    out = []
    again.add(entry("", counts={}, ends=True), "log", out)
    assert [(event.deferred, event.oldest) for _, event in out] == [(2, 5.0)]
