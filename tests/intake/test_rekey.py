"""Foreign messages become lines by gateway, in the order of their time."""

import json

import pytest

from agents.intake.rekey import HELD, PATIENCE, Rekey, split
from schemas.settings import TopicSettings
from streams.bus import Message
from streams.reader import DeadLine

NOW = 1_772_438_400.0  # 2026-03-02T08:00:00Z
ONE, TWO = ("raw", 0), ("raw", 1)


class Rekeyed:
    """A Rekey with what it buried, and offsets that rise."""

    def __init__(self, **settings: str) -> None:
        self.dead: list[DeadLine] = []
        chosen = TopicSettings(zone="UTC", **settings)
        self.rekey = Rekey("here", lambda topic: chosen, self.dead.append, NOW)
        self.rekey.assign([ONE, TWO])
        self.offsets = {ONE: 0, TWO: 0}

    def put(self, place: tuple[str, int], value: bytes, key: bytes = b"") -> None:
        self.rekey.add(Message(*place, self.offsets[place], key, value, published=NOW))
        self.offsets[place] += 1

    def take(self, *behind: tuple[str, int], now: float = NOW) -> list[tuple[str, str]]:
        """Gateway and the last word of each line."""
        taken, self.done = self.rekey.take(set(behind), now)
        return [(lane.gateway, one.letter.text.split()[-1]) for lane, _, one in taken]


def line(second: int, word: str, host: str = "mx1") -> bytes:
    return f"2026-03-02T07:50:{second:02}+00:00 {host} postfix/smtpd[1]: {word}\n".encode()


def test_lines_of_several_partitions_are_merged_by_time() -> None:
    some = Rekeyed()
    some.put(ONE, line(1, "a") + line(3, "c", "mx2"))
    some.put(TWO, line(2, "b") + line(4, "d"))
    assert some.take() == [("mx1", "a"), ("mx1", "b"), ("mx2", "c"), ("mx1", "d")]
    assert some.done == {ONE: 1, TWO: 1}


def test_a_partition_that_lags_behind_holds_the_others_up() -> None:
    some = Rekeyed()
    some.put(ONE, line(1, "a"))
    some.put(ONE, line(5, "e"))
    some.put(TWO, line(2, "b"))
    assert some.take(TWO) == [("mx1", "a"), ("mx1", "b")]
    assert some.done == {ONE: 1, TWO: 1}
    assert some.rekey.waiting
    some.put(TWO, line(6, "f"))
    assert some.take() == [("mx1", "e"), ("mx1", "f")]


def test_but_not_for_ever() -> None:
    some = Rekeyed()
    some.put(ONE, line(1, "a"))
    assert some.take(TWO) == []
    assert some.take(TWO, now=NOW + PATIENCE / 2) == []
    assert some.take(TWO, now=NOW + PATIENCE + 1) == [("mx1", "a")]


def test_what_has_no_line_is_done_with_in_its_turn() -> None:
    some = Rekeyed()
    some.put(ONE, b"")
    some.put(ONE, line(1, "a"))
    some.put(ONE, b'{"message":')
    assert some.take() == [("mx1", "a")]
    assert some.done == {ONE: 3}
    assert [(one.source, one.offset) for one in some.dead] == [("raw/0", 2)]


def test_partitions_that_went_are_forgotten_and_those_that_came_again_begin_anew() -> None:
    some = Rekeyed()
    some.put(ONE, line(1, "a"))
    some.put(TWO, line(1, "b"))
    some.rekey.assign([TWO])
    some.rekey.rewind(TWO)
    assert some.take() == []
    some.put(TWO, line(1, "b"))
    assert some.take() == [("mx1", "b")]


def test_a_partition_of_which_much_waits_is_full() -> None:
    some = Rekeyed()
    assert some.rekey.full() == []
    some.put(ONE, line(1, "a") * HELD)
    assert some.rekey.full() == [ONE]


@pytest.mark.parametrize(
    ("value", "key", "settings", "gateway"),
    [
        (line(1, "x"), b"key", {"host": "set"}, "mx1"),
        (b"Mar  2 07:50:01 dovecot: imap-login: x", b"key", {"host": "set"}, "set"),
        (b"Mar  2 07:50:01 dovecot: imap-login: x", b"key", {}, "key"),
        (b"Mar  2 07:50:01 dovecot: imap-login: x", b"no host", {}, "here"),
        (b'{"syslogtag":"a[1]:","msg":"x","hostname":"mx3"}', b"key", {}, "mx3"),
        (b'{"agent":{},"host":{"name":"mx4"},"message":"x"}', b"key", {}, "mx4"),
    ],
)
def test_whose_a_line_is(value: bytes, key: bytes, settings: dict[str, str], gateway: str) -> None:
    some = Rekeyed(**settings)
    some.put(ONE, value, key)
    assert some.take() == [(gateway, "x")]


def test_the_parts_of_a_line_go_one_way() -> None:
    some = Rekeyed()
    for log in ("Mar  2 07:50:01 mx1 postfix/smtpd[1]: a", " b\n"):
        stamp = "2026-03-02T07:50:01Z"
        some.put(ONE, json.dumps({"log": log, "stream": "stdout", "time": stamp}).encode())
    assert some.take() == [("here", "a"), ("here", "b")]


def test_an_envelope_in_an_envelope_is_opened() -> None:
    some = Rekeyed()
    batch = json.dumps([{"message": line(n, "x", f"mx{n}").decode()} for n in (1, 2)])
    some.put(ONE, json.dumps({"agent": {}, "message": f'{{"records": {batch}}}'}).encode())
    assert some.take() == [("mx1", "x"), ("mx2", "x")]


def test_messages_too_large_or_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        split(b" " * (5 << 20))
    with pytest.raises(ValueError, match="otlp_json"):
        split(b"\n\xff")
    assert [letter.text for letter in split(b"\xef\xbb\xbf{}\n")] == [""]
    assert [letter.text for letter in split(b'"a\\nb"')] == ["a", "b"]
    assert [letter.text for letter in split(b'"a" is "b"')] == ['"a" is "b"']
    assert [letter.text for letter in split(b"caf\xe9\n\n{}")] == ["caf\\xe9", ""]
