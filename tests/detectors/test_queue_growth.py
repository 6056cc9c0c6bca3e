"""A queue that fills, and with what."""

from agents.detectors.queue_growth import HOURS, LEAST_PAST, QueueGrowth
from schemas.events import Queue
from schemas.findings import Finding
from tests.detectors.stories import DAY, HOUR, MINUTE, Story, event, repeat, tell

NAME = "queue_growth"


def sample(size: int, at: float = 0.0, null: int = 0, top: tuple[str, int] = ("", 0)) -> Queue:
    return event(
        Queue,
        at=at,
        gateway="mx1",
        active=size - size // 2,
        deferred=size // 2,
        null_sender=null,
        top_senders=(("b@example.org", 1), top),
    )


def calm(size: int = 20, hours: int = 48) -> list[Queue]:
    return repeat(hours, lambda hour: sample(size, at=-(hour + 1) * HOUR))


def told(*parts: Queue | list[Queue]) -> Story:
    return tell(QueueGrowth(), *parts)


def about(*parts: Queue | list[Queue]) -> Finding:
    return told(*parts).finding(NAME, "mx1")


def test_half_of_a_queue_of_two_hundred_are_reports() -> None:
    finding = about(sample(200, null=100))
    assert (finding.shape, finding.severity) == ("reports", "high")
    assert finding.subject.kind == "gateway"
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "messages in the queue": (200, 200),
        "null sender": (50, 50),
        "one sender": (0.5, 50),
    }
    assert "holds 200 messages; 100 of them are reports" in finding.summary


def test_fewer_are_none() -> None:
    assert told(sample(199, null=199)).silent
    assert told(sample(200, null=99)).silent


def test_half_of_it_is_from_one_sender() -> None:
    finding = about(sample(200, top=("a@example.org", 100)))
    assert (finding.shape, finding.severity) == ("one_sender", "high")
    assert finding.targets == ["a@example.org"]
    assert "100 of them are from a@example.org" in finding.summary
    assert told(sample(200, top=("a@example.org", 99))).silent


def test_held_and_incoming_mail_counts() -> None:
    full = event(Queue, gateway="mx1", incoming=100, hold=100, null_sender=100)
    assert about(full).shape == "reports"


def test_five_times_the_usual_within_half_an_hour() -> None:
    finding = about(calm(40), sample(40, at=0), sample(200, at=20 * MINUTE))
    assert (finding.shape, finding.severity) == ("growth", "medium")
    assert "usual are 40" in finding.summary
    assert finding.targets == []
    assert [(e.sign, e.count, e.threshold) for e in finding.evidence][3:] == [
        ("times the usual", 5, 5)
    ]
    assert told(calm(41), sample(41), sample(200, at=20 * MINUTE)).silent


def test_an_empty_queue_is_usual_too() -> None:
    assert not told(calm(0), sample(0), sample(200, at=MINUTE)).silent


def test_a_queue_that_stays_full_is_no_news() -> None:
    assert told(calm(40, hours=30), sample(150), sample(300, at=20 * MINUTE)).silent
    assert not told(calm(40, hours=30), sample(149), sample(300, at=20 * MINUTE)).silent


def test_growth_is_measured_within_half_an_hour() -> None:
    assert not told(calm(40), sample(40), sample(300, at=30 * MINUTE)).silent
    assert told(calm(40, 30), sample(40), sample(300, at=30 * MINUTE + 1)).silent


def test_a_day_must_have_been_seen() -> None:
    before = calm(40, hours=LEAST_PAST)
    assert not told(before, sample(40), sample(300, at=MINUTE)).silent
    assert told(before[:-1], sample(40), sample(300, at=MINUTE)).silent


def test_two_weeks_are_remembered() -> None:
    story = told(repeat(HOURS + 3, lambda hour: sample(hour, at=hour * HOUR - 20 * DAY)))
    assert len(story.state("g:mx1", NAME).past) == HOURS
    many = repeat(500, lambda second: sample(5, at=float(second)))
    assert len(told(many).state("g:mx1", NAME).recent) == 61
