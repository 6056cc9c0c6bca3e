import pytest

from agents.worker import messages
from schemas import wire
from schemas.events import Auth, Connection

GUESS = Auth(at=1000.0, client="192.0.2.1", account="anna@example.org")
GONE = Connection(at=1001.0, client="192.0.2.2", outcome="closed")


@pytest.mark.parametrize("events", [[GUESS], [GUESS, GONE], []])
def test_an_array_of_events_is_read(events: list[Auth]) -> None:
    assert messages.read(wire.encode_events(events)) == (events, [])


def test_one_event_alone_is_read() -> None:
    assert messages.read(wire.encode(GUESS)) == ([GUESS], [])


def test_a_bad_event_costs_only_itself_and_keeps_its_place() -> None:
    value = b"[" + wire.encode(GUESS) + b',{"type":"auth"},' + wire.encode(GONE) + b"]"
    events, bad = messages.read(value)
    assert events == [GUESS, None, GONE]
    assert bad == [("Object missing required field `at`", b'{"type":"auth"}')]


@pytest.mark.parametrize(
    ("value", "events"),
    [
        (None, 0),
        (b"", 1),
        (b"\xff\xfe", 1),
        (b"hello", 1),
        (b'{"type":"unheard of","at":1}', 1),
        (b'{"type":"auth","at":"\\ud800"}', 1),
        (b"[", 0),
        (b'[{"type":"auth","at":1}', 0),
        (b"[1,", 0),
    ],
)
def test_what_is_no_event_is_told_with_its_reason(value: bytes | None, events: int) -> None:
    found, bad = messages.read(value)
    assert found == [None] * events
    assert [(bool(reason), data) for reason, data in bad] == [(True, value or b"")]


@pytest.mark.parametrize(
    "given", [[("origin", b"a"), ("n", None)], {"origin": b"a"}, (("origin", b"a"),)]
)
def test_headers_are_taken_in_any_shape(given: object) -> None:
    assert messages.headers(given) == {"origin": b"a"}


def test_no_headers_are_none() -> None:
    assert messages.headers(None) == {}


def test_origin_and_positions_are_read() -> None:
    found = {"origin": b"shipper:log", "positions": wire.encode_positions([4, 7])}
    assert messages.positions(found, 2) == ("shipper:log", [4, 7])


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"origin": b"shipper:log"},
        {"positions": wire.encode_positions([1, 2])},
        {"origin": b"\xff", "positions": wire.encode_positions([1, 2])},
        {"origin": b"shipper:log", "positions": wire.encode_positions([1, 2, 3])},
        {"origin": b"shipper:log", "positions": b"\xc1"},
    ],
)
def test_positions_that_do_not_fit_are_none(found: dict[str, bytes]) -> None:
    assert messages.positions(found, 2) == ("", ())


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (1300.0, ""),
        (1300.1, "its stamp is 300 s ahead of its receipt"),
        (0.0, ""),
        (-1.0, "its stamp is before 1970"),
        (1e308, f"its stamp is {1e308:.0f} s ahead of its receipt"),
    ],
)
def test_a_stamp_must_lie_between_1970_and_five_minutes_ahead(at: float, why: str) -> None:
    assert messages.wrong_time(Auth(at=at), 1000.0) == why


def test_a_dead_letter_is_cut_and_readable_whatever_the_bytes() -> None:
    letter = messages.dead("r" * 1000, "mail.facts/1:2", b"\xff" + b"x" * 5000, 7.0)
    assert letter.text.startswith("\\xffxx")
    assert (len(letter.reason), len(letter.text)) == (200, messages.SHOWN)
