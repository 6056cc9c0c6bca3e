"""What is told when an address comes onto a list, and when it leaves it."""

from agents.listed.standing import Standing
from agents.listed.zone import Answer, State
from schemas.findings import Alert, Subject
from tests.detectors.stories import DAY, HOUR, START

MX = "mx1.example.org"


def answer(state: State = "listed", code: str = "127.0.0.2", zone: str = "list.example") -> Answer:
    codes = (code,) if state == "listed" else ()
    return Answer(address="192.0.2.25", zone=zone, state=state, codes=codes, text="Spam")


def hear(standing: Standing, *answers: Answer, at: float = 0.0, who: str = MX) -> list[Alert]:
    return [alert for each in answers for alert in standing.hear(who, each, START + at)]


def test_a_listing_is_told_once_with_all_that_the_list_says() -> None:
    (alert,) = hear(Standing(), answer(), answer(), answer())
    assert (alert.detector, alert.shape, alert.state) == ("listed", "listed", "open")
    assert alert.severity == "high"
    assert alert.subject == Subject("gateway", MX)
    assert alert.summary == (
        "mx1.example.org (192.0.2.25) is listed by list.example, 127.0.0.2: Spam"
    )
    assert alert.evidence[0].sign == "list.example answered 127.0.0.2"
    assert (alert.samples[0].text, alert.samples[0].place) == ("127.0.0.2 Spam", "list.example")
    assert (alert.first, alert.revision) == (START, 1)


def test_an_address_is_its_own_subject() -> None:
    (alert,) = hear(Standing(), answer(), who="192.0.2.25")
    assert alert.subject == Subject("network", "192.0.2.25")
    assert alert.summary.startswith("192.0.2.25 is listed by")


def test_who_was_never_listed_is_not_spoken_of() -> None:
    assert hear(Standing(), answer("not listed"), answer("unknown")) == []


def test_an_answer_that_is_unknown_changes_nothing() -> None:
    standing = Standing()
    hear(standing, answer())
    assert hear(standing, answer("unknown"), answer()) == []


def test_what_is_gone_is_withdrawn() -> None:
    standing = Standing()
    (begun,) = hear(standing, answer())
    (gone,) = hear(standing, answer("not listed"), answer("not listed"), at=2 * HOUR)
    assert (gone.id, gone.state, gone.shape, gone.revision) == (begun.id, "withdrawn", "gone", 2)
    assert gone.summary.endswith("is listed no longer: list.example, after 2 h")
    assert (gone.first, gone.last) == (START, START + 2 * HOUR)


def test_who_comes_back_is_told_as_such() -> None:
    standing = Standing()
    (first,) = hear(standing, answer())
    hear(standing, answer("not listed"), at=HOUR)
    (same_day,) = hear(standing, answer(), at=2 * HOUR)
    assert (same_day.id, same_day.revision) == (first.id, 3)
    assert (same_day.shape, same_day.state) == ("listed again", "open")
    hear(standing, answer("not listed"), at=3 * HOUR)
    (next_day,) = hear(standing, answer(), at=DAY)
    assert next_day.id != first.id
    assert (next_day.revision, next_day.evidence[1].count) == (1, 3)


def test_another_code_revises_what_was_told() -> None:
    standing = Standing()
    (first,) = hear(standing, answer())
    (second,) = hear(standing, answer(code="127.0.0.9"), at=HOUR)
    assert (second.id, second.revision, second.first) == (first.id, 2, START)
    assert "127.0.0.9" in second.summary


def test_two_lists_are_two_alerts() -> None:
    found = hear(Standing(), answer(), answer(zone="other.example"))
    assert len({alert.id for alert in found}) == 2


def test_a_restart_says_nothing_twice() -> None:
    standing = Standing()
    hear(standing, answer())
    after = Standing(standing.pack())
    assert hear(after, answer()) == []
    assert [alert.state for alert in hear(after, answer("not listed"))] == ["withdrawn"]


def test_what_is_no_longer_asked_about_is_withdrawn_and_forgotten() -> None:
    standing = Standing()
    hear(standing, answer(), answer("not listed", zone="other.example"))
    assert standing.keep([MX], ["list.example", "other.example"], START) == []
    (alert,) = standing.keep([MX], ["other.example"], START)
    assert (alert.state, "no longer asked about" in alert.summary) == ("withdrawn", True)
    assert standing.keep(["mx2.example.org"], ["other.example"], START) == []
    assert standing.pack() == Standing().pack()
