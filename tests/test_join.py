"""What the cases in tests/parsers cannot show: bounds, ageing, snapshots."""

import pytest

from schemas.events import Auth, Bounce, Connection, Delivery, Message, Recipient
from streams import attempts, join
from streams.join import Joiner
from streams.parsers.part import Attempt, Part

DAY = 86400.0


def message(key, at=1000.0, **more):
    values = {"queue_id": key, "sender": "a@example.net", "size": 1, "recipients": 1}
    return Part(
        at, "mx", "queue", key, {"sender": "a@example.net"}, 7, Message, values, "message",
        needs="origin", wait=10.0, **more,
    )  # fmt: skip


def origin(key, at=1000.0, client="192.0.2.1"):
    return Part(at, "mx", "queue", key, {"client": client, "origin": "smtpd"}, begins=True)


def detail(at, client="192.0.2.1", session="", account="a", password=""):
    event = Auth(at=at, gateway="mx", client=client, account=account, password=password)
    return Attempt("detail", event, session)


def events(told):
    return [event for _, event in told]


def test_an_event_that_waits_comes_with_what_it_waited_for():
    joiner = Joiner()
    assert joiner.add([message("A")], "file") == []
    ((source, event),) = joiner.add([origin("A", 1003.0)], "other")
    assert (source, event.client, event.at, event.offset) == ("file", "192.0.2.1", 1000.0, 7)


def test_an_event_that_waits_in_vain_comes_after_its_time():
    joiner = Joiner()
    joiner.add([message("A")])
    assert joiner.advance(1009.0) == []
    assert [event.client for event in events(joiner.advance(1010.0))] == [""]
    assert joiner.due > 1010.0


def test_what_one_memory_holds_back_is_bounded(monkeypatch):
    monkeypatch.setattr(join, "HELD", 3)
    joiner = Joiner()
    values = {"queue_id": "A", "status": "sent"}
    part = Part(1.0, "mx", "queue", "A", None, -1, Delivery, values, needs="origin", wait=10.0)
    assert len(joiner.add([part] * 5)) == 2
    assert len(joiner.close()) == 3


def test_memories_are_bounded_and_the_oldest_goes_first_but_tells_what_it_held():
    joiner = Joiner(limit=2)
    joiner.add([message("A"), message("B")])
    told = events(joiner.add([message("C")]))
    assert [event.queue_id for event in told] == ["A"]
    assert (joiner.evicted, joiner.memories) == (1, 2)


def test_a_memory_ends_some_seconds_after_its_last_line():
    joiner = Joiner()
    joiner.add([origin("A"), message("A"), Part(1000.0, "mx", "queue", "A", ends=True)])
    late = Part(1001.0, "mx", "queue", "A", None, -1, Delivery, {"queue_id": "A"})
    assert events(joiner.add([late]))[0].client == "192.0.2.1"
    joiner.advance(2000.0)
    assert joiner.memories == 0


def test_a_memory_that_never_ends_is_forgotten_when_it_is_old():
    joiner = Joiner()
    joiner.add([origin("A")])
    joiner.advance(1000.0 + 5 * DAY)
    assert joiner.memories == 1
    joiner.advance(1000.0 + 6 * DAY + 61)
    assert joiner.memories == 0


def test_a_queue_file_that_begins_anew_tells_what_the_old_one_held():
    joiner = Joiner()
    end = Part(1000.0, "mx", "queue", "A", ends=True)
    told = events(joiner.add([message("A"), end, origin("A", 1002.0, "192.0.2.2")]))
    assert [event.client for event in told] == [""]
    (event,) = events(joiner.add([message("A", 1003.0)]))
    assert event.client == "192.0.2.2"


def test_an_end_of_nothing_is_nothing():
    joiner = Joiner()
    assert joiner.add([Part(1.0, "mx", "queue", "A", ends=True)]) == []
    assert joiner.memories == 0


def test_facts_pass_through():
    fact = Connection(at=1.0, gateway="mx", client="192.0.2.1")
    assert Joiner().add([fact], "file") == [("file", fact)]


def test_a_message_id_that_comes_again_later_is_another_message():
    joiner = Joiner()
    for key, at in (("A", 1000.0), ("B", 5000.0)):
        joiner.advance(at)
        mail = Part(at, "mx", "queue", key, {"message_id": "same@example.net"})
        told = events(joiner.add([origin(key, at), mail, message(key, at)]))
        assert [event.queue_id for event in told] == [key]
        joiner.add([Part(at, "mx", "queue", key, ends=True)])


def test_what_comes_back_from_the_same_client_is_another_message():
    joiner = Joiner()
    for key in ("A", "B"):
        mail = Part(1000.0, "mx", "queue", key, {"message_id": "same@example.net"})
        told = events(joiner.add([origin(key, client="10.0.0.1"), mail, message(key)]))
        assert len(told) == 1


def test_a_message_that_goes_on_under_its_own_name_is_left_alone():
    joiner = Joiner()
    part = Part(1000.0, "mx", "queue", "A", {"origin": "pickup"}, continues="A")
    joiner.add([part])
    values = {"queue_id": "A", "status": "sent"}
    passed = Part(1000.0, "mx", "queue", "A", None, -1, Delivery, values, passes="A")
    assert len(joiner.add([passed])) == 1


def test_everything_is_completed_from_what_is_remembered():
    known = {"client": "192.0.2.1", "account": "a", "sender": "s", "message_id": "m"}
    for kind in (Message, Delivery, Bounce, Recipient):
        joiner = Joiner()
        joiner.add([Part(1.0, "mx", "queue", "A", {**known, "origin": "smtpd"})])
        part = Part(2.0, "mx", "queue", "A", None, -1, kind, {"queue_id": "A"})
        (event,) = events(joiner.add([part]))
        assert (event.client, event.account, event.at) == ("192.0.2.1", "a", 2.0)


# -- attempts -----------------------------------------------------------------------------------


def test_a_detail_that_nobody_sums_up_is_told_after_a_while():
    joiner = Joiner()
    assert joiner.add([detail(1000.0)], "file") == []
    assert joiner.advance(1019.0) == []
    ((source, event),) = joiner.advance(1020.0)
    assert (source, event.account) == ("file", "a")


def test_details_with_other_passwords_are_other_attempts():
    joiner = Joiner()
    joiner.add([detail(1000.0, password="p"), detail(1000.0, password="q"), detail(1000.0)])
    assert [event.password for event in events(joiner.close())] == ["p", "q"]


def test_the_details_of_one_client_are_bounded(monkeypatch):
    monkeypatch.setattr(attempts, "HELD", 3)
    joiner = Joiner()
    told = joiner.add([detail(1000.0 + n, account=f"a{n}") for n in range(5)])
    assert [event.account for event in events(told)] == ["a0", "a1"]
    assert len(joiner.close()) == 3


def test_the_clients_that_are_remembered_are_bounded_and_nothing_is_lost():
    found = attempts.Attempts(limit=2)
    told = []
    for n in range(4):
        found.add(detail(1000.0, client=f"192.0.2.{n}"), "file", told)
    assert (len(told), found.evicted) == (2, 2)


def test_a_session_is_forgotten_when_it_was_long_silent():
    joiner = Joiner()
    failed = Auth(at=1000.0, gateway="mx", client="192.0.2.1", outcome="failed")
    joiner.add([Attempt("smtp", failed, "9 192.0.2.1")])
    joiner.advance(1000.0 + attempts.MEMORY + 70)
    tally = Attempt("tally", failed, "9 192.0.2.1", 1, 0)
    assert len(joiner.add([tally])) == 1


def test_a_session_that_goes_on_is_remembered():
    joiner = Joiner()
    for at in (1000.0, 1500.0):
        failed = Auth(at=at, gateway="mx", client="192.0.2.1", outcome="failed")
        joiner.add([Attempt("smtp", failed, "9 192.0.2.1")])
        joiner.advance(at)
    joiner.advance(1700.0)
    assert joiner.add([Attempt("tally", failed, "9 192.0.2.1", 2, 0)]) == []


def test_accounts_that_one_session_opened_are_bounded(monkeypatch):
    monkeypatch.setattr(attempts, "HELD", 2)
    joiner = Joiner()
    for n in range(4):
        good = Auth(at=1.0, gateway="mx", client="192.0.2.1", account=f"a{n}", outcome="ok")
        assert len(joiner.add([Attempt("smtp", good, "9 192.0.2.1")])) == 1


def test_recipients_that_a_report_waits_for_are_bounded(monkeypatch):
    monkeypatch.setattr(join, "FAILURES", 3)
    joiner = Joiner()
    for number in range(5):
        keeps = {"failed_status": "bounced", "failed_recipient": f"{number}@example.net"}
        joiner.add([Part(1.0, "mx", "queue", "A", keeps)])
    report = Part(1.0, "mx", "queue", "A", {}, -1, Bounce, {"direction": "made"})
    told = events(joiner.add([report]))
    assert [event.failed_recipient for event in told] == [f"{n}@example.net" for n in range(3)]
    assert len(joiner.add([report])) == 1


# -- snapshots ----------------------------------------------------------------------------------


def test_a_snapshot_goes_on_where_it_was_taken():
    joiner = Joiner()
    joiner.add([origin("A"), message("A"), message("B"), detail(1000.0)], "file")
    joiner.add([Part(1000.0, "mx", "queue", "A", ends=True)])
    joiner.advance(1001.0)
    again = Joiner()
    again.restore(joiner.pack())
    assert (again.clock, again.memories) == (1001.0, 2)
    assert events(again.add([message("A", 1002.0)])) == []
    told = again.advance(1030.0)
    assert [(source, event.type) for source, event in told] == [
        ("file", "message"),
        ("file", "auth"),
    ]
    again.advance(2000.0)
    assert again.memories == 1


def test_a_restored_message_id_still_tells_a_filter_from_a_sender():
    joiner = Joiner()
    mail = Part(1000.0, "mx", "queue", "A", {"message_id": "m@example.net"})
    joiner.add([origin("A"), mail, message("A")])
    again = Joiner()
    again.restore(joiner.pack())
    mail = Part(1000.0, "mx", "queue", "B", {"message_id": "m@example.net"})
    assert again.add([origin("B", client="127.0.0.1"), mail, message("B")]) == []


def test_what_is_no_snapshot_is_refused():
    with pytest.raises(ValueError, match=r".+"):
        Joiner().restore(b"\x93\x01\x02\x03")


def test_a_memory_of_a_kind_that_is_no_longer_joined_is_left_behind(monkeypatch):
    monkeypatch.setitem(join.KEEP, "future", 60.0)
    joiner = Joiner()
    joiner.add([Part(1000.0, "mx", "future", "A", {"account": "anna"}), origin("A")])
    packed = joiner.pack()
    monkeypatch.delitem(join.KEEP, "future")
    again = Joiner()
    again.restore(packed)
    assert again.memories == 1
