"""Structs on the bus: what goes out comes back, and what others add is passed over."""

import pytest

from schemas import wire
from schemas.events import EVENTS, Auth, Message, Queue, offence
from schemas.findings import Alert, Decision, Evidence, Subject, Target

AT = 1767268800.25
LOGIN = Auth(at=AT, gateway="mx1", client="192.0.2.7", account="änna", outcome="failed")


def test_events_come_back_as_they_went() -> None:
    events = [kind(at=AT, gateway="mx1", offset=1 << 40) for kind in EVENTS]
    assert wire.decode_events(wire.encode_events(events)) == events


def test_one_event_alone_is_a_message() -> None:
    assert wire.decode_events(wire.encode(LOGIN)) == [LOGIN]


def test_an_event_tells_its_type_and_leaves_out_what_is_usual() -> None:
    text = wire.encode(Message(at=1.0, recipients=3))
    assert text == b'{"type":"message","at":1.0,"recipients":3}'


def test_fields_that_others_add_are_passed_over() -> None:
    assert wire.decode_events(b'[{"type":"auth","at":1,"colour":"blue"}]') == [Auth(at=1.0)]


def test_a_queue_sample_keeps_its_senders() -> None:
    sample = Queue(at=AT, top_senders=(("anna@example.org", 7),))
    assert wire.decode_events(wire.encode(sample)) == [sample]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[",
        b"7",
        b"null",
        b'{"at":1}',
        b'{"type":"auth"}',
        b'{"type":"no_such","at":1}',
        b'{"type":"auth","at":"soon"}',
        b'[{"type":"auth","at":1},{"type":"auth","at":1,"count":"many"}]',
        b'{"type":"auth","at":1,"account":"\xff"}',
    ],
)
def test_what_is_no_event_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        wire.decode_events(data)


def test_an_error_says_where_it_lies() -> None:
    with pytest.raises(ValueError, match=r"\$\[1\]\.count"):
        wire.decode_events(b'[{"type":"auth","at":1},{"type":"auth","at":1,"count":"many"}]')


def test_positions_are_packed() -> None:
    assert wire.decode_positions(wire.encode_positions([1, 5, 1 << 40])) == [1, 5, 1 << 40]
    with pytest.raises(ValueError, match="Expected"):
        wire.decode_positions(b"\xa1x")


def test_alerts_and_decisions_come_back() -> None:
    alert = Alert(
        id="1",
        detector="auth_breach",
        shape="guessed",
        severity="critical",
        subject=Subject("account", "anna@example.org"),
        first=AT,
        last=AT,
        at=AT,
        summary="opened",
        evidence=[Evidence("clients", 2, 1)],
    )
    assert wire.decode_alert(wire.encode(alert)) == alert
    decision = Decision(id="d", target=Target("network", "192.0.2.7"), action="drop", until=AT)
    assert wire.decode_decision(wire.encode(decision)) == decision
    with pytest.raises(ValueError, match="Invalid enum value"):
        wire.decode_decision(wire.encode(decision).replace(b'"drop"', b'"explode"'))


def test_offences_are_what_honest_clients_seldom_do() -> None:
    assert offence(LOGIN)
    assert not offence(Auth(at=AT, outcome="ok"))
    assert not offence(Auth(at=AT, outcome="error"))
    assert not offence(Message(at=AT))
