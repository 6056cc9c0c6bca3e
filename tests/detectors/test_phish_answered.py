"""An account that writes to an address of phishers."""

from agents.detectors.phish_answered import PhishAnswered
from schemas.events import Delivery, Fact
from schemas.findings import Target, Wish
from schemas.keys import Site
from tests.detectors.stories import DAY, Story, event

NAME = "phish_answered"
SITE = Site(
    domains=frozenset({"example.org"}),
    default_domain="example.org",
    phishing=frozenset({"collector@example.net", "other@example.net"}),
)


def wrote(to: str, at: float = 0.0, account: str = "anna", **more: str) -> Delivery:
    given = {"sender": "anna@example.org", "relay": "mx.example.net"} | more
    return event(Delivery, at=at, account=account, recipient=to, **given)


def told(*parts: Fact) -> Story:
    return Story(PhishAnswered(), site=SITE).tell(*parts)


def test_one_mail_is_enough_and_the_owner_is_told() -> None:
    finding = told(wrote("collector@example.net")).finding(NAME, "anna@example.org")
    assert (finding.shape, finding.severity) == ("answered", "medium")
    assert finding.targets == ["collector@example.net"]
    assert finding.wish == Wish("notify", Target("account", "anna@example.org"))
    assert finding.summary == (
        "anna@example.org wrote to collector@example.net, which phishers read: "
        "it may have told its password"
    )
    assert [(e.sign, e.count, e.threshold) for e in finding.evidence] == [
        ("addresses of phishers", 1, 1)
    ]


def test_whatever_became_of_it() -> None:
    assert not told(wrote("collector@example.net", status="bounced")).silent


def test_a_sender_without_a_login_counts_where_the_address_is_ours() -> None:
    story = told(wrote("collector@example.net", account=""))
    assert story.subjects == {NAME: {"anna@example.org"}}


def test_spellings_of_the_address_are_one() -> None:
    story = told(wrote("collector+7@example.net"), wrote("other@example.net", at=60.0))
    finding = story.finding(NAME, "anna@example.org")
    assert finding.targets_count == 2
    assert "and 1 more" in finding.summary


def test_the_address_that_was_given_counts_not_what_an_alias_made_of_it() -> None:
    assert not told(wrote("inner@example.com", original="collector@example.net")).silent


def test_other_mail_is_nobodys_business() -> None:
    assert told(wrote("friend@example.net"), wrote("", at=DAY)).silent


def test_mail_that_a_stranger_sends_is_not_ours() -> None:
    story = told(
        event(
            Delivery,
            client="192.0.2.1",
            sender="someone@example.com",
            recipient="collector@example.net",
        )
    )
    assert story.silent


def test_a_login_that_sends_in_another_name_is_named_with_it() -> None:
    story = told(wrote("collector@example.net", sender="office@example.org"))
    assert story.subjects == {NAME: {"anna@example.org", "office@example.org"}}
