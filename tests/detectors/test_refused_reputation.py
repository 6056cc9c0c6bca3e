"""Receivers that do not want our mail."""

import pytest

from agents.detectors.refused_reputation import (
    DOMAINS,
    RECEIVERS,
    RefusedReputation,
)
from schemas.events import Bounce, Delivery, Fact
from schemas.findings import Finding
from tests.detectors.stories import HOUR, MINUTE, Story, event, every, repeat, tell

NAME = "refused_reputation"
REPLY = "550 5.7.1 Client host 192.0.2.25 blocked, see http://list.example/"


def refused(number: int = 0, at: float = 0.0, **more: str) -> Delivery:
    """One mail that a receiver does not take."""
    usual = {
        "gateway": "mx1",
        "queue_id": f"4F{number}",
        "sender": "anna@example.org",
        "recipient": "b@example.com",
        "relay": "mx.example.com",
        "status": "bounced",
        "enhanced": "5.7.1",
        "reason": "listed",
    }
    return event(Delivery, at=at, **{**usual, **more})


def reported(number: int = 0, at: float = 0.0, **more: str) -> Bounce:
    """The report of it."""
    usual = {
        "gateway": "mx1",
        "direction": "made",
        "about": f"4F{number}",
        "recipient": "anna@example.org",
        "failed_recipient": "b@example.com",
        "reason": "reputation",
        "reply": REPLY,
    }
    return event(Bounce, at=at, **{**usual, **more})


def policy(number: int = 0, **more: str) -> Delivery:
    sender = f"name{number}@example.org"
    return refused(number, **{"reason": "policy", "sender": sender, **more})


def told(*parts: Fact | list[Delivery] | list[Bounce]) -> Story:
    return tell(RefusedReputation(), *parts)


def about(*parts: Fact | list[Delivery] | list[Bounce]) -> Finding:
    return told(*parts).finding(NAME, "mx1")


def test_three_refusals_by_one_receiver_in_an_hour() -> None:
    finding = about(every(MINUTE, repeat(3, refused)))
    assert (finding.shape, finding.severity) == ("reputation", "high")
    assert finding.subject.kind == "gateway"
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "mails refused for reputation": (3, 3),
        "mails refused for policy": (0, 3),
        "senders refused for policy": (0, 3),
    }
    said = 'example.com refused 3 mails of mx1 in an hour for reputation: "5.7.1". The cure: find'
    assert finding.summary.startswith(said)
    assert finding.wish is None


def test_two_are_none() -> None:
    assert told(repeat(2, refused)).silent


def test_an_hour_is_looked_at() -> None:
    assert told(every(0.6 * HOUR, repeat(3, refused))).silent
    assert not told(every(0.4 * HOUR, repeat(3, refused))).silent


def test_a_mail_that_is_tried_again_and_reported_is_one() -> None:
    again = every(MINUTE, repeat(5, lambda _: refused(status="deferred", enhanced="4.7.1")))
    assert told(again, reported(at=HOUR / 2)).silent
    assert not told(again, refused(1), refused(2)).silent


def test_a_mail_to_several_is_several() -> None:
    assert not told([refused(recipient=f"b{n}@example.com") for n in range(3)]).silent


def test_a_mail_without_queue_id_is_known_by_its_message_id() -> None:
    mails = [refused(queue_id="", message_id=f"m{n}@example.org") for n in range(3)]
    assert not told(mails).silent
    assert told([refused(message_id=f"m{n}@example.org") for n in range(3)]).silent


def test_reports_alone_are_enough_and_quote_the_reply() -> None:
    finding = about(every(MINUTE, repeat(3, lambda n: reported(n, direction="received"))))
    assert finding.summary.startswith(
        f'example.com refused 3 mails of mx1 in an hour for reputation: "{REPLY}"'
    )


def test_the_reply_is_worth_more_than_a_status() -> None:
    finding = about(every(MINUTE, repeat(3, refused)), reported(0, at=0.5), refused(4, at=400.0))
    assert REPLY in finding.summary
    finding = about(repeat(3, lambda n: reported(n, reply="")))
    assert "for reputation. The cure" in finding.summary
    late = refused(4, at=60.0, enhanced="5.7.9")
    assert '"5.7.1"' in about(repeat(3, refused), late).summary
    assert '"5.7.9"' in about(repeat(2, lambda n: refused(n, enhanced="")), late).summary


def test_a_receiver_is_the_owner_of_its_servers() -> None:
    hosted = [
        refused(n, recipient=f"b@customer{n}.example", relay=f"mx{n}.provider.example.")
        for n in range(3)
    ]
    assert about(hosted).summary.startswith("provider.example refused")
    reports = [reported(n, at=9.0, failed_recipient=f"c@customer{n}.example") for n in range(3)]
    assert told(hosted[:2], [refused(2, relay="")]).silent
    assert not told(hosted[:1], [reports[0]], [hosted[1]]).silent


@pytest.mark.parametrize(
    ("relay", "owner"),
    [
        ("mx1.mail.co.uk", "mail.co.uk"),
        ("a.b.web.de", "web.de"),
        ("MX.Example.NET", "example.net"),
        ("dovecot", "example.com"),
    ],
)
def test_the_owner_is_read_from_the_hosts_name(relay: str, owner: str) -> None:
    mails = repeat(3, lambda n: refused(n, relay=relay))
    assert about(mails).summary.startswith(f"{owner} refused")


def test_two_receivers_are_two_findings() -> None:
    others = [refused(n, recipient="c@example.net", relay="mx.example.net") for n in range(3)]
    assert len(told(repeat(3, refused), others).findings) == 2
    assert told(repeat(2, refused), others[:2]).silent


def test_policy_that_hits_three_senders_is_about_us() -> None:
    finding = about(repeat(3, policy))
    assert (finding.shape, finding.severity) == ("policy", "medium")
    assert [(e.count, e.threshold) for e in finding.evidence] == [(0, 3), (3, 3), (3, 3)]
    assert "example.com refused 3 mails of mx1 in an hour for policy" in finding.summary
    assert "SPF, DKIM and DMARC" in finding.summary
    reports = [
        reported(n, reason="policy", recipient=f"name{n}@example.org", reply="550 no")
        for n in range(3)
    ]
    assert '"550 no"' in about(reports).summary


def test_policy_that_hits_two_senders_or_one_mail_is_about_the_mail() -> None:
    assert told([policy(n, sender=f"name{n % 2}@example.org") for n in range(9)]).silent
    assert told([policy(0, sender=f"name{n}@example.org") for n in range(9)]).silent
    assert told(repeat(2, policy)).silent
    assert told(repeat(2, policy), repeat(2, lambda n: refused(7 + n))).silent


def test_other_failures_and_mail_for_ours_are_none() -> None:
    assert told(repeat(9, lambda n: refused(n, reason="user_unknown"))).silent
    assert told(repeat(9, lambda n: reported(n, reason="mailbox_full"))).silent
    assert told(repeat(9, lambda n: refused(n, recipient="ben@example.org"))).silent
    assert told(repeat(9, lambda n: reported(n, failed_recipient="ben@example.org"))).silent
    mixed = [refused(3, reason="mailbox_full"), refused(4, recipient="ben@example.org")]
    assert told(repeat(2, refused), mixed).silent


def test_reputation_as_reports_call_it_counts_with_that_of_logs() -> None:
    assert not told(refused(0), refused(1), reported(2)).silent


def test_what_is_remembered_is_bounded() -> None:
    story = told(
        repeat(
            DOMAINS + 9,
            lambda n: refused(n, recipient=f"b@d{n}.example", relay=f"mx.r{n}.example"),
        )
    )
    seen = story.state("g:mx1", NAME)
    assert len(seen.receivers) == RECEIVERS
    assert len(seen.homes) == DOMAINS
    assert "r264.example" in seen.receivers
    assert "d264.example" in seen.homes


def test_a_receiver_that_is_heard_of_again_stays() -> None:
    def other(n: int) -> Delivery:
        return refused(n, recipient=f"b@d{n}.example", relay=f"mx.r{n}.example")

    many = every(1.0, [refused(0), *[other(n) for n in range(RECEIVERS - 1)], refused(900)])
    more = every(1.0, [other(99), refused(901)], start=100.0)
    assert not told(many, more).silent
