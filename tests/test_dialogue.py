"""SMTP dialogues that a server logs line by line: what is kept of them is bounded."""

from schemas.events import Auth
from streams.dialogue import MEMORY, PATIENCE, Dialogues
from streams.parsers.part import Attempt, Turn

CLIENT = "192.0.2.1"


def turn(session, kind, text="", at=100.0):
    return Turn(at, "ex1", session, CLIENT, kind, text)


def told(dialogues, *turns):
    out = []
    for one in turns:
        dialogues.add(one, "log", out)
    return [item for _, item in out]


def refused(items):
    return [item.event for item in items if isinstance(item, Attempt)]


def test_the_oldest_session_gives_way_and_what_it_knew_is_told():
    dialogues = Dialogues(limit=2)
    told(dialogues, turn("a", "name", "alice"), turn("b", "command", "MAIL FROM:<b@example.org>"))
    events = refused(told(dialogues, turn("c", "command", "AUTH LOGIN")))
    assert [event.account for event in events] == ["alice"]
    assert dialogues.evicted == 1


def test_a_refused_login_waits_for_its_reply_and_no_longer():
    dialogues = Dialogues()
    told(dialogues, turn("a", "name", "alice"))
    assert dialogues.due == 100.0 + PATIENCE
    out = []
    dialogues.advance(100.0 + PATIENCE - 1, out)
    assert out == []
    dialogues.advance(100.0 + PATIENCE, out)
    assert [event.account for event in refused(item for _, item in out)] == ["alice"]
    assert refused(told(dialogues, turn("a", "closed"))) == []


def test_a_silent_session_is_forgotten_and_a_busy_one_is_not():
    dialogues = Dialogues()
    told(dialogues, turn("a", "login", "alice"), turn("b", "login", "bob"))
    told(dialogues, turn("b", "command", "RSET", at=400.0))
    dialogues.advance(100.0 + MEMORY, [])
    assert [key for key, _ in dialogues.pack()] == [("ex1", "b")]
    dialogues.advance(400.0 + MEMORY, [])
    assert dialogues.pack() == []


def test_the_commands_of_a_session_that_wait_are_bounded():
    dialogues = Dialogues()
    told(dialogues, turn("a", "command", "MAIL FROM:<>"))
    many = [turn("a", "command", f"RCPT TO:<{n}@example.org>") for n in range(5000)]
    told(dialogues, *many)
    (_, talk) = dialogues.pack()[0]
    assert len(talk.waiting) <= 512


def test_a_login_is_told_once_whatever_follows():
    dialogues = Dialogues()
    items = told(
        dialogues,
        turn("a", "command", "AUTH LOGIN"),
        turn("a", "login", "alice"),
        turn("a", "login", "alice@example.org"),
        turn("a", "reply", "235 2.7.0 Authentication successful"),
    )
    assert [(item.account, item.outcome) for item in items if isinstance(item, Auth)] == [
        ("alice", "ok")
    ]
