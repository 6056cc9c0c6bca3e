"""An address that answers by itself, again and again."""

from typing import Any

import pytest

from agents.detectors.auto_reply_storm import AutoReplyStorm
from schemas.events import Delivery, Fact, Message
from schemas.findings import Target, Wish
from schemas.keys import Site
from tests.detectors.stories import DAY, HOUR, MINUTE, Story, event, every, moved, repeat, tell

NAME = "auto_reply_storm"
AWAY = "anna@example.org"


def replies(many: int, gap: float = MINUTE, sender: str = AWAY, count: int = 1) -> list[Message]:
    return every(
        gap,
        repeat(
            many,
            lambda number: event(Message, sender=sender, auto=True, recipients=count),
        ),
    )


def loop(many: int, gap: float = 50.0, partner: str = "robot@example.net") -> list[Fact]:
    """Each reply and its delivery."""
    found: list[Fact] = []
    for number in range(many):
        at = number * gap
        found.append(event(Message, at=at, sender=AWAY, auto=True, recipients=1))
        found.append(event(Delivery, at=at, sender=AWAY, recipient=partner, relay="mx.example.net"))
    return found


def answers(to: str, many: int = 5, gap: float = 2 * HOUR) -> list[Message]:
    """Replies of which the log says whom they answer."""
    return every(
        gap, many * [event(Message, sender=AWAY, account=AWAY, auto=True, recipients=1, answers=to)]
    )


def told(*parts: Fact | list[Message] | list[Fact], **settings: Any) -> Story:
    return tell(AutoReplyStorm(**settings), *parts)


def test_more_than_fifty_within_an_hour() -> None:
    finding = told(replies(51)).finding(NAME, AWAY)
    assert (finding.shape, finding.severity) == ("rate", "medium")
    assert finding.wish == Wish("notify", Target("address", AWAY))
    assert finding.accounts == []
    assert finding.targets == []
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "automatic replies in an hour": (51, 50),
        "to one address in 10 min": (0, 10),
        "to lists and programs in 24 h": (0, 5),
    }
    assert finding.summary == f"{AWAY} sent 51 automatic replies in an hour"


def test_fifty_are_a_holiday_of_somebody_important() -> None:
    assert told(replies(50)).silent
    assert told(replies(60, gap=2 * MINUTE)).silent


def test_each_recipient_counts() -> None:
    assert not told(replies(17, count=3)).silent
    assert told(replies(16, count=3)).silent
    assert not told(replies(51, count=0)).silent


def test_more_than_ten_to_one_address_in_ten_minutes_are_a_loop() -> None:
    finding = told(loop(11)).finding(NAME, AWAY)
    assert (finding.shape, finding.severity) == ("loop", "high")
    assert finding.targets == ["robot@example.net"]
    assert "11 of them to robot@example.net in 10 min: a loop" in finding.summary
    assert told(loop(10)).silent
    assert told(loop(20, gap=70)).silent


def test_mail_that_a_person_writes_is_none() -> None:
    person = every(1, repeat(99, lambda _: event(Message, sender=AWAY, recipients=1)))
    assert told(person).silent
    typed = every(1, repeat(99, lambda _: event(Delivery, sender=AWAY, recipient="b@example.net")))
    assert told(typed).silent


def test_what_is_written_long_after_the_last_reply_is_none() -> None:
    typed = repeat(
        99, lambda n: event(Delivery, at=HOUR + n, sender=AWAY, recipient="b@example.net")
    )
    assert told(replies(1), typed).silent
    at_once = repeat(11, lambda n: event(Delivery, at=600, sender=AWAY, recipient="b@example.net"))
    assert not told(replies(1), at_once).silent
    late = repeat(11, lambda n: event(Delivery, at=601, sender=AWAY, recipient="b@example.net"))
    assert told(replies(1), late).silent


def test_mail_of_others_under_its_login_is_none() -> None:
    other = repeat(
        99,
        lambda _: event(
            Delivery, sender="ben@example.org", account=AWAY, recipient="b@example.net"
        ),
    )
    assert told(replies(1), other).silent


def test_robots_are_declared() -> None:
    assert told(replies(60), robots=(AWAY,)).silent


# -- what the log says of the one who is answered -----------------------------------------------


def test_a_loop_is_seen_in_the_replies_themselves() -> None:
    finding = told(answers("robot@example.net", 11, 50)).finding(NAME, AWAY)
    assert (finding.shape, finding.severity) == ("loop", "high")
    assert finding.targets == ["robot@example.net"]
    assert told(answers("robot@example.net", 10, 50)).silent


def test_their_deliveries_are_not_counted_again() -> None:
    delivered = [
        event(Delivery, at=n * 50.0, sender=AWAY, recipient="robot@example.net") for n in range(9)
    ]
    assert told(answers("robot@example.net", 9, 50), delivered).silent


@pytest.mark.parametrize(
    "robot",
    [
        "<>",
        "MAILER-DAEMON@example.net",
        "owner-users@lists.example.net",
        "users-request@lists.example.net",
        "users-bounces+anna=example.org@lists.example.net",
        "bounce-4711@news.example.net",
        "noreply@shop.example",
        "no-reply@shop.example",
        "do_not_reply+x@shop.example",
        "donotreply@shop.example",
        "billing-noreply@shop.example",
        "listserv@lists.example.net",
        "majordomo@lists.example.net",
    ],
)
def test_five_a_day_that_nobody_asked_for(robot: str) -> None:
    finding = told(answers(robot)).finding(NAME, AWAY)
    assert (finding.shape, finding.severity) == ("unasked", "medium")
    assert (finding.targets, finding.targets_count) == ([robot], 1)
    said = "; 5 in a day to lists and programs, which nobody reads (RFC 3834)"
    assert finding.summary == f"{AWAY} sent 1 automatic reply in an hour{said}"
    assert told(answers(robot, 4)).silent
    assert told(answers(robot, 9, gap=7 * HOUR)).silent


@pytest.mark.parametrize(
    "person",
    [
        "anna.request@example.net",
        "bouncer@example.net",
        "norepl@example.net",
        "x@owner-users.example.net",
        "noreply.fan@example.net",
        "reply@example.net",
        "a-owners@example.net",
    ],
)
def test_people_may_be_answered(person: str) -> None:
    assert told(answers(person, 20)).silent


def test_the_null_sender_is_no_partner_of_a_loop() -> None:
    assert told(answers("<>", 11, 50)).finding(NAME, AWAY).shape == "unasked"


# -- where replies must stay inside -------------------------------------------------------------


def never(*parts: Fact | list[Message] | list[Fact], **more: Any) -> Story:
    return told(*parts, external_auto_replies="never", **more)


def test_each_reply_that_leaves_is_told() -> None:
    finding = never(answers("x@example.net", 1), answers("y@example.com", 1)).finding(NAME, AWAY)
    assert (finding.shape, finding.severity) == ("external", "low")
    assert (finding.targets, finding.targets_count) == (["x@example.net", "y@example.com"], 2)
    assert finding.summary.endswith(
        "; in a day 2 addresses outside got one, where none is to leave"
    )
    assert {e.sign: e.count for e in finding.evidence}["answered outside in 24 h"] == 2
    assert finding.events == 2
    one = never(answers("x@example.net", 1)).finding(NAME, AWAY).summary
    assert one.endswith("; in a day 1 address outside got one, where none is to leave")


def test_inside_they_may_go() -> None:
    assert never(answers("ben@example.org", 20)).silent
    assert never(answers("ben", 20)).silent
    assert never(replies(20)).silent
    assert told(answers("x@example.net", 20)).silent
    assert never(answers("x@example.net", 20), robots=(AWAY,)).silent
    unknown = AutoReplyStorm(external_auto_replies="never")
    assert tell(unknown, answers("x@example.net"), site=Site()).silent


def test_after_a_day_none_counts_any_more() -> None:
    later = [e for n in (0, 1) for e in moved(answers("x@example.net", 1), n * 2 * DAY)]
    assert {f.targets_count for f in never(later).said} == {1}
