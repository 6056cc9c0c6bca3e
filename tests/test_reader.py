from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfoNotFoundError

import pytest

from streams.reader import AHEAD, MOST_TIMES, Reader, ReadOptions
from tests.parsers.cases import USUAL, read

CONNECT = b"Mar  4 08:01:%02d mx1 postfix/smtpd[411]: connect from unknown[192.0.2.%d]"
ACTIVE = (
    b"Mar  4 08:01:07 mx1 postfix/qmgr[2]: 5A0C11A2B3: "
    b"from=<a@example.net>, size=9, nrcpt=1 (queue active)"
)
GUESS = (
    b"Mar  4 08:01:07 mx1 postfix/smtpd[411]: warning: unknown[192.0.2.1]: "
    b"SASL PLAIN authentication failed: x, sasl_username="
)
NOON = datetime(2025, 3, 4, 12, tzinfo=UTC).timestamp()


def reader(dead=None, **options):
    return Reader(ReadOptions(**{**USUAL, **options}), dead)


def told(found):
    return [(name, event.client, event.at % 60) for name, event in found]


def times(line, **options):
    return [event.at for event in read([line], **options).events]


def test_several_sources_are_merged_by_event_time():
    first = [(0, CONNECT % (1, 1)), (1, CONNECT % (5, 2)), (2, CONNECT % (9, 3))]
    second = [(0, CONNECT % (2, 4)), (1, CONNECT % (7, 5))]
    found = reader().read([("a", first), ("b", second)])
    assert told(found) == [
        ("a", "192.0.2.1", 1),
        ("b", "192.0.2.4", 2),
        ("a", "192.0.2.2", 5),
        ("b", "192.0.2.5", 7),
        ("a", "192.0.2.3", 9),
    ]


def test_parts_of_one_message_find_each_other_across_sources():
    client = b"Mar  4 08:01:07 mx1 postfix/smtpd[1]: 5A0C11A2B3: client=unknown[192.0.2.9]"
    found = list(reader().read([("queue", [(0, ACTIVE)]), ("smtp", [(0, client)])]))
    assert [(name, event.client) for name, event in found] == [("queue", "192.0.2.9")]


def test_merged_sources_count_and_bury_like_one():
    dead = []
    one = reader(dead.append)
    lines = [(0, b"Mar  4 08:01:07 mx1 postfix/smtpd[1]: connect from x"), (1, b""), (2, b"?")]
    list(one.read([("a", lines), ("b", [(0, CONNECT % (1, 1))])]))
    assert (one.counts.lines, one.counts.dead, one.counts.nobody, one.counts.events) == (4, 1, 1, 1)
    assert (dead[0].source, dead[0].offset, "no client" in dead[0].reason) == ("a", 0, True)


def test_what_waits_in_merged_sources_comes_when_its_time_is_over():
    found = reader().read([("a", [(0, ACTIVE)]), ("b", [(0, CONNECT % (30, 1))])])
    assert [event.type for _, event in found] == ["message", "connection"]


def test_a_source_goes_on_where_it_stopped():
    one = reader()
    split = b'{"log":"%s","stream":"stdout","time":"2025-03-04T08:01:07Z"}'
    assert list(one.read([("a", [(0, split % b"postfix/smtpd[1]: connect from")])])) == []
    (found,) = one.read([("a", [(1, split % rb" unknown[192.0.2.1]\n")])])
    assert found[1].client == "192.0.2.1"


def test_advance_counts_how_the_callers_clock_goes_on_not_what_it_says():
    one = reader()
    assert list(one.read([("a", [(0, ACTIVE)])])) == []
    assert one.advance(NOON) == []
    assert one.advance(NOON + 9) == []
    (found,) = one.advance(NOON + 11)
    assert (found[0], found[1].type) == ("a", "message")
    assert one.counts.events == 1


def test_close_tells_what_still_waits():
    one = reader()
    detail = b"Mar  4 08:01:07 mail dovecot: auth: sql(x,192.0.2.1): Password mismatch"
    assert list(one.read([("a", [(0, detail)])])) == []
    assert [event.type for _, event in one.close()] == ["auth"]
    assert one.counts.events == 1


def test_a_stamp_ahead_of_a_live_clock_is_a_dead_letter_and_moves_nothing():
    dead = []
    one = reader(dead.append)
    before = datetime(2025, 3, 4, 8, 1, tzinfo=UTC).timestamp()
    one.advance(before - AHEAD)
    assert list(one.read([("a", [(0, CONNECT % (7, 1))])])) == []
    assert ("future" in dead[0].reason, one.counts.dead) == (True, 1)
    assert list(one.read([("a", [(0, CONNECT % (7, 1))]), ("b", [])])) == []
    assert one.counts.dead == 2
    one.advance(before)
    assert len(list(one.read([("a", [(0, CONNECT % (7, 1))])]))) == 1


def test_a_busy_log_needs_no_clock_to_go_on():
    one = reader()
    at = datetime(2025, 3, 4, 8, 0, tzinfo=UTC).timestamp()
    one.advance(at)
    line = "Mar  4 %02d:%02d:00 mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]"
    lines = [(n, (line % (8 + n // 60, n % 60)).encode()) for n in range(120)]
    assert len(list(one.read([("a", lines)]))) == 120


def test_dead_letters_have_a_limit_and_are_counted_beyond_it(monkeypatch):
    monkeypatch.setattr("streams.reader.DEAD_LIMIT", 3)
    dead = []
    one = reader(dead.append)
    broken = b"Mar  4 %02d:01:07 mx1 postfix/smtpd[411]: connect from x"
    list(one.read([("a", [(n, broken % 8) for n in range(10)])]))
    assert (len(dead), one.counts.dead) == (3, 10)
    list(one.read([("a", [(11, b"Mar  4 10:01:07 mx1 postfix/anvil[1]: x"), (12, broken % 10)])]))
    assert len(dead) == 4


def test_a_dead_letter_shows_the_line_cut_and_printable():
    dead = []
    line = b"Mar  4 08:01:07 mx1 postfix/smtpd[411]: connect from \xff" + b"x" * 100_000
    list(reader(dead.append).read([("a", [(5, line)])]))
    assert (len(dead[0].line), dead[0].offset) == (2000, 5)
    assert r"\xff" in dead[0].line


def test_without_anyone_to_tell_dead_letters_are_only_counted():
    one = reader()
    list(one.read([("a", [(0, b"Mar  4 08:01:07 mx1 postfix/smtpd[1]: connect from x")])]))
    assert one.counts.dead == 1


def test_a_snapshot_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r".+"):
        reader().restore(b"\xff\x00")


def test_an_unknown_format_or_zone_is_an_error():
    with pytest.raises(KeyError):
        reader(format="nonsense")
    with pytest.raises(ZoneInfoNotFoundError):
        reader(zone="Nowhere/Town")


@pytest.mark.parametrize(
    ("now", "stamp", "expected"),
    [
        ("2026-01-02T00:00", "Dec 31 23:59:59", "2025-12-31T23:59:59"),
        ("2025-12-31T12:00", "Jan  1 11:00:00", "2026-01-01T11:00:00"),
        ("2025-12-31T12:00", "Jan  1 13:00:00", "2025-01-01T13:00:00"),
        ("2026-03-01T00:00", "Feb 29 10:00:00", "2024-02-29T10:00:00"),
        ("2025-06-01T00:00", "Jun  1 23:59:59", "2025-06-01T23:59:59"),
        ("2025-06-01T00:00", "Jun  3 00:00:00", "2024-06-03T00:00:00"),
    ],
)
def test_a_stamp_without_year_is_the_latest_that_is_not_after_tomorrow(now, stamp, expected):
    at = datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()
    line = f"{stamp} mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]".encode()
    wanted = datetime.fromisoformat(expected).replace(tzinfo=UTC).timestamp()
    assert times(line, year=0, now=at) == [wanted]


def test_the_year_of_a_live_reader_goes_on_with_its_clock():
    one = reader(year=0, now=datetime(2025, 12, 31, 20, tzinfo=UTC).timestamp())
    new_year = b"Jan  2 08:00:00 mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]"
    (before,) = one.read([("a", [(0, new_year)])])
    one.advance(datetime(2026, 1, 2, 8, 0, 5, tzinfo=UTC).timestamp())
    (after,) = one.read([("a", [(1, new_year)])])
    assert (before[1].at, after[1].at) == (1735804800.0, 1767340800.0)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("Jul  1 12:00:00", "2025-07-01T10:00:00"),
        ("Jan  1 12:00:00", "2025-01-01T11:00:00"),
        ("2025-07-01T12:00:00", "2025-07-01T10:00:00"),
        ("2025-07-01T12:00:00+00:00", "2025-07-01T12:00:00"),
        ("Mar 30 02:30:00", "2025-03-30T01:30:00"),  # there was no such time
    ],
)
def test_stamps_without_zone_are_of_the_zone_given(stamp, expected):
    line = f"{stamp} mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]".encode()
    wanted = datetime.fromisoformat(expected).replace(tzinfo=UTC).timestamp()
    assert times(line, zone="Europe/Berlin") == [wanted]


def test_the_hour_that_comes_twice_is_the_later_one_once_the_log_has_passed_the_first():
    minutes = [f"01:{m:02}" for m in range(30, 60, 5)]
    minutes += [f"02:{m:02}" for m in range(0, 60, 5)] * 2 + ["03:00"]
    lines = [
        f"Oct 26 {m}:00 mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]".encode()
        for m in minutes
    ]
    found = [event.at for event in read(lines, zone="Europe/Berlin").events]
    assert found == sorted(found)
    assert {b - a for a, b in pairwise(found)} == {300.0}


def test_without_a_zone_stamps_are_this_machines(monkeypatch):
    line = b"Mar  4 08:01:07 mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]"
    local = datetime(2025, 3, 4, 8, 1, 7).astimezone().timestamp()
    assert times(line, zone="") == [local]


def test_without_now_the_wall_clock_counts():
    last_year = read(
        [b"Mar  4 08:01:07 mx1 postfix/smtpd[1]: connect from unknown[192.0.2.1]"], year=0, now=0.0
    )
    assert last_year.events[0].at > NOON


@pytest.mark.parametrize(
    "line",
    [
        b"\xef\xbb\xbfMar  4 08:01:07 mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]",
        b"\x00\x00Mar  4 08:01:07 mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]\r\n",
        b"Mar  4 08:01:07 mx1 postfix/smtpd[411]: connect from unknown[192.0.2.1]   \r",
    ],
)
def test_marks_and_line_ends_that_do_not_belong_are_passed_over(line):
    (event,) = read([line]).events
    assert (event.client, event.at % 60) == ("192.0.2.1", 7)


def test_bytes_that_are_no_text_are_kept_and_can_be_sent():
    line = GUESS + b"\xfc\xff"
    (event,) = read([line]).events
    assert event.account == r"\xfc\xff"


def test_a_line_of_a_megabyte_is_cut():
    line = GUESS + b"a" * 1_000_000
    (event,) = read([line]).events
    assert event.account == "a" * 320


def test_a_stamp_that_only_looks_like_one_does_no_harm():
    known = CONNECT % (1, 1)
    for odd in (b"Mar  4 08:01:x7 mx1 a: b", b"2025-03-04T08:01:0x.000000+00:00 mx1 a: b"):
        iso = (CONNECT % (1, 1)).replace(b"Mar  4 08:01:01", b"2025-03-04T08:01:01.000000+00:00")
        assert len(read([known, iso, odd, known, iso]).events) == 4


def test_more_stamps_programs_and_hosts_than_are_remembered_are_read_alike(monkeypatch):
    monkeypatch.setattr("streams.parsers.carrier.stamps.KEPT", 3)
    monkeypatch.setattr("streams.parsers.carrier.carrier.ORIGINS", 3)
    monkeypatch.setattr("streams.parsers.postfix.peer.KEPT", 3)
    lines = [
        (CONNECT % (n, n)).replace(b"mx1 postfix", b"mx%d postfix%d" % (n, n)) for n in range(1, 60)
    ]
    assert len({event.client for event in read(lines * 2).events}) == 59


def test_a_repeated_line_makes_a_bounded_number_of_events():
    line = (CONNECT % (1, 1)).replace(
        b": connect", b": message repeated 999999999 times: [ connect"
    )
    assert len(read([line + b"]"]).events) == MOST_TIMES


def test_a_repetition_of_nothing_is_nothing():
    assert read([b"Mar  4 08:01:07 mx1 last message repeated 3 times"]).events == []


def test_a_snapshot_of_a_version_whose_carriers_remembered_nothing_is_read():
    before = reader()
    waiting = before.read([("log", enumerate([ACTIVE]))])
    assert list(waiting) == []
    after = reader()
    after.restore(before.joiner.pack())
    assert after.joiner.memories == before.joiner.memories
    assert after.joiner.clock == before.joiner.clock


def test_the_header_of_a_table_outlives_the_process():
    header = b"#Fields: dateTime,sessionId,seqNumber,sIp,cIp,user,command,parameters,context"
    row = b'2025-03-04T08:00:00Z,A0,2,10.0.0.9:993,192.0.2.1:5,al,login,x,"R=""1 NO failed."""'
    before = reader()
    assert list(before.read([("log", [(0, header)])])) == []
    after = reader()
    after.restore(before.pack())
    assert [event.client for _, event in after.read([("log", [(80, row)])])] == ["192.0.2.1"]
    assert list(after.read([("other", [(80, row)])])) == []
