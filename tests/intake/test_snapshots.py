"""Snapshots on a compacted topic, whatever lies there."""

from agents.intake import snapshots
from agents.intake.joining import Joining
from agents.intake.lines import Line, Lines, encode
from agents.intake.snapshots import LARGEST, Snapshot
from schemas.events import Message as Mail
from streams.bus import Message
from streams.parsers.carrier import Letter


def messages(partition: int, snapshot: Snapshot, before: int = 0) -> list[Message]:
    return [
        Message(one.topic, partition, 0, one.key or b"", one.value)
        for one in snapshots.made("state", partition, snapshot, before)
    ]


def test_a_snapshot_of_any_size_comes_back() -> None:
    small, large = Snapshot(7, b"x", 1), Snapshot(9, bytes(range(256)) * 10_000, 3)
    assert len(large.packed) > 2 * LARGEST
    found = snapshots.newest([*messages(0, small), *messages(1, large)])
    assert found == {0: small, 1: large}


def test_the_newest_counts_and_leaves_nothing_of_a_longer_one() -> None:
    old, new = Snapshot(7, b"o" * 3 * LARGEST, 3), Snapshot(9, b"new", 1)
    assert snapshots.newest([*messages(0, old), *messages(0, new, 3)]) == {0: new}


def test_one_that_is_not_whole_is_passed_over() -> None:
    old, new = Snapshot(7, b"o" * 3 * LARGEST, 3), Snapshot(9, b"n" * 3 * LARGEST, 3)
    torn = [*messages(0, old), *messages(0, new)[:2]]
    assert snapshots.newest(torn) == {}
    assert snapshots.newest([Message("state", 0, 0, b"0/0", b"?")]) == {}


def line(offset: int, text: str) -> bytes:
    letter = Letter(f"2026-03-02T07:50:0{offset}+00:00 mx1 {text}")
    return encode(Lines(1_772_438_400.0, lines=[Line("raw/0", offset, letter)]))


LOGIN = "sasl_method=PLAIN, sasl_username=a@example.org"
SENT = "relay=x[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (ok)"
LINES = [
    line(0, f"postfix/smtpd[5]: 4bDqkzz: client=x[192.0.2.1], {LOGIN}"),
    line(1, "postfix/cleanup[6]: 4bDqkzz: message-id=<m@example.org>"),
    line(2, "postfix/qmgr[7]: 4bDqkzz: from=<a@example.org>, size=9, nrcpt=1 (queue active)"),
    line(3, f"postfix/smtp[8]: 4bDqkzz: to=<b@example.com>, {SENT}"),
    line(4, "postfix/qmgr[7]: 4bDqkzz: removed"),
]


def test_a_joining_goes_on_from_a_snapshot_with_the_same_positions() -> None:
    whole = Joining()
    told = [one for offset, value in enumerate(LINES) for one in whole.read(offset, value)]
    assert [event.message_id for _, event in told if isinstance(event, Mail)] == ["m@example.org"]
    for end in range(1, len(LINES)):
        first, second = Joining(), Joining()
        again = [one for offset in range(end) for one in first.read(offset, LINES[offset])]
        assert first.settled
        second.restore(first.pack())
        rest = range(end, len(LINES))
        again += [one for offset in rest for one in second.read(offset, LINES[offset])]
        assert again == told


def test_a_message_that_is_none_of_ours_is_a_dead_letter() -> None:
    joining = Joining()
    assert list(joining.read(3, b"?")) == []
    assert [(one.source, one.offset) for one in joining.dead] == [("mail.lines", 3)]


def test_time_passes_without_lines() -> None:
    joining = Joining()
    assert not joining.waits
    for offset, value in enumerate(LINES[:1]):
        list(joining.read(offset, value))
    assert joining.waits
    assert list(joining.read(9, encode(Lines(1_772_438_500.0)))) == []
    assert not joining.settled
