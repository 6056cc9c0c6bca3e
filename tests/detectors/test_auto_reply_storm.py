"""An address that answers by itself, again and again."""

from agents.detectors.auto_reply_storm import AutoReplyStorm
from schemas.events import Delivery, Fact, Message
from schemas.findings import Target, Wish
from tests.detectors.stories import HOUR, MINUTE, Story, event, every, repeat, tell

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


def told(*parts: Fact | list[Message] | list[Fact], **settings: tuple[str, ...]) -> Story:
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
