"""A gateway that answers forged mail, and one that only reports to its own people."""

from typing import Any

from agents.detectors.backscatter_made import BackscatterMade
from schemas.events import Bounce, Message
from tests.detectors.stories import DAY, HOUR, Story, count, event, every, tell


def made(number: int, gap: float = 60.0, **more: Any) -> list[Bounce]:
    """Reports about mail of a spammer, each to another forged sender."""
    fields = {
        "direction": "made",
        "gateway": "mx1",
        "client": "192.0.2.66",
        "status": "bounced",
    } | more
    return every(
        gap,
        [
            event(
                Bounce,
                recipient=f"forged{n}@example.net",
                failed_recipient=f"nobody{n}@example.org",
                **fields,
            )
            for n in range(number)
        ],
    )


def accepted(number: int, **more: Any) -> list[Message]:
    fields = {"gateway": "mx1", "client": "198.51.100.9", "sender": "bob@example.net"} | more
    return [event(Message, recipients=1, **fields) for _ in range(number)]


def silent(*events: Any) -> bool:
    return Story(BackscatterMade()).tell(*events).silent


def test_twenty_reports_in_an_hour_about_mail_of_strangers() -> None:
    found = tell(BackscatterMade(), accepted(30), made(20)).finding("backscatter_made", "mx1")
    assert (found.shape, found.severity, found.subject.kind) == ("reports", "medium", "gateway")
    assert found.clients == ["192.0.2.66"]
    assert found.accounts == []
    assert found.targets[0] == "forged0@example.net"
    assert found.targets_count == 20
    assert found.wish is None
    assert count(found, "reports made in an hour").count == 20
    assert count(found, "reports made in an hour").threshold == 20
    assert count(found, "recipients that failed").count == 20
    assert "nobody0@example.org" in found.summary
    assert "and others" in found.summary
    assert "RCPT" in found.summary


def test_nineteen_in_an_hour_are_silent() -> None:
    assert silent(made(60, 205))


def test_a_twentieth_of_what_was_accepted_must_be_reported() -> None:
    found = tell(BackscatterMade(), accepted(400), made(20)).finding("backscatter_made")
    seen = count(found, "reports of all accepted mail")
    assert (seen.count, seen.threshold, seen.unit) == (5.0, 5.0, "%")
    assert silent(accepted(401), made(20))


def test_mail_of_logins_and_of_our_own_is_not_what_strangers_brought() -> None:
    logins = accepted(500, account="anna@example.org")
    own = accepted(500, client="10.0.0.4") + accepted(500, client="")
    assert not silent(logins, own, made(20))


def test_ten_times_as_many_are_grave() -> None:
    detector = BackscatterMade(reports=6)
    assert tell(detector, made(60, 30)).finding("backscatter_made").severity == "high"
    assert tell(detector, made(59, 30)).finding("backscatter_made").severity == "medium"


def test_reports_to_our_own_people_are_due() -> None:
    assert silent(made(60, account="anna@example.org"))
    assert silent(made(60, client="10.0.0.4"))
    assert silent(made(60, client=""))


def test_reports_that_came_in_were_made_by_others() -> None:
    assert silent(made(60, direction="received"))


def test_reports_of_delay_and_success_are_no_backscatter() -> None:
    assert silent(made(60, status="deferred"))
    assert silent(made(60, status="delivered"))
    assert not silent(made(60, status="expired"))
    assert not silent(made(60, status=""))


def feeders(*shares: int) -> list[str]:
    """The clients that are named when they caused so many reports each."""
    parts = [made(share, client=f"192.0.2.{n}") for n, share in enumerate(shares)]
    events = every(20, [report for part in parts for report in part])
    return tell(BackscatterMade(), events).finding("backscatter_made").clients


def test_clients_are_named_that_caused_five_reports_and_a_tenth_of_all() -> None:
    assert feeders(30, 5, 4) == ["192.0.2.0", "192.0.2.1"]
    assert feeders(63, 7) == ["192.0.2.0", "192.0.2.1"]
    assert feeders(64, 7) == ["192.0.2.0"]


def test_reports_that_name_nobody_are_still_reports() -> None:
    bare = [event(Bounce, direction="made", gateway="mx1", client="192.0.2.66") for _ in range(20)]
    found = tell(BackscatterMade(), every(9, bare)).finding("backscatter_made")
    assert "unknown names" in found.summary
    assert "and others" not in found.summary
    assert found.targets == []


def test_three_recipients_are_all_that_are_named() -> None:
    three = [report for n in range(7) for report in made(3)]
    found = tell(BackscatterMade(), every(9, three)).finding("backscatter_made")
    assert "and others" not in found.summary
    four = [report for n in range(7) for report in made(4)]
    assert "and others" in tell(BackscatterMade(), every(9, four)).findings[0].summary


def test_each_gateway_is_judged_alone() -> None:
    assert silent(made(19), made(19, gateway="mx2"))


def test_the_window_is_a_day_and_the_count_an_hour() -> None:
    assert BackscatterMade().horizon == DAY
    assert silent(made(12, 60), every(60, made(12), start=2 * HOUR))
