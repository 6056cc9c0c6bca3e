"""Mail of strangers to strangers that went through us."""

import pytest

from agents.detectors.open_relay import OpenRelay
from schemas.events import Delivery, Fact
from schemas.findings import Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import MINUTE, SITE, Story, event, every, regular, tell

NAME = "open_relay"
STRANGER = "203.0.113.7"


def left(recipient: str = "b@example.com", **more: str) -> Delivery:
    usual = {
        "gateway": "mx1",
        "client": STRANGER,
        "sender": "a@example.net",
        "relay": "mx.example.com",
        "queue_id": "4F0C11A2B3",
    }
    return event(Delivery, recipient=recipient, **{**usual, **more})


def told(*parts: Fact | list[Delivery], site: Site = SITE) -> Story:
    return tell(OpenRelay(), *parts, site=site)


def test_two_domains_are_enough() -> None:
    finding = told(left(), left("c@example.net")).finding(NAME, STRANGER)
    assert (finding.shape, finding.severity) == ("relayed", "critical")
    assert finding.wish == Wish("reject", Target("network", STRANGER))
    assert finding.clients == [STRANGER]
    assert finding.targets == ["b@example.com", "c@example.net"]
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "messages that left": (2, 1),
        "recipients elsewhere": (2, 0),
        "senders": (1, 0),
    }
    assert "mx1 took mail of 203.0.113.7" in finding.summary


def test_one_domain_may_be_one_that_we_relay_for() -> None:
    finding = told(left()).finding(NAME)
    assert (finding.shape, finding.severity) == ("one_domain", "medium")
    assert finding.wish == Wish("notify", Target("network", STRANGER))
    assert "If we relay for example.com, it belongs to [site] domains" in finding.summary


def test_many_are_counted() -> None:
    mail = every(MINUTE, [left(f"b{n}@example.com", sender=f"a{n}@x.net") for n in range(8)])
    finding = told(mail).finding(NAME)
    assert finding.evidence[2].count == 8
    assert (finding.evidence[0].count, finding.targets_count) == (8, 8)


def test_the_null_sender_relays_as_well() -> None:
    assert not told(left(sender="")).silent


@pytest.mark.parametrize(
    "mail",
    [
        left("anna@example.org"),
        left("b@example.com", original="anna@example.org"),
        left("b@example.com", original="root"),
        left(account="anna"),
        left(client=""),
        left(client="10.0.0.7"),
        left(sender="anna@example.org"),
        left(status="expired"),
        left(status="bounced"),
    ],
    ids=[
        "ours",
        "a forward",
        "an alias",
        "a login",
        "our own",
        "inside",
        "our sender",
        "old",
        "refused",
    ],
)
def test_mail_with_one_end_here_is_none(mail: Delivery) -> None:
    assert told(mail).silent


def test_customers_and_relays_are_none() -> None:
    assert tell(OpenRelay(), regular(STRANGER, "anna", days=1, last=9), left()).silent
    near = regular("203.0.113.99", "anna", days=1, last=9)
    assert not tell(OpenRelay(), near, left()).silent
    site = Site(domains=SITE.domains, trusted=Networks((STRANGER,)))
    assert told(left(), site=site).silent


def test_without_domains_nobody_knows_what_is_ours() -> None:
    assert told(left(), site=Site()).silent
