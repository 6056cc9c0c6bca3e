"""Why nothing is said of an innocent: counted from events, judged by the detectors' settings."""

from types import SimpleNamespace
from typing import Any

import pytest

from agents.demo.silence import Tally, Watch, check, seen
from agents.demo.truth import Innocent
from schemas.events import Auth, Bounce, Connection, Delivery, Fact, Message, Recipient
from schemas.keys import Site

PHONE, CLIENT = "2001:db8:7::/64", "192.0.2.10"
SITE = Site(
    domains=frozenset({"example.org"}),
    default_domain="example.org",
    bulk=frozenset({"news@example.org"}),
)
SETTINGS: dict[str, Any] = {
    "auth_dictionary": SimpleNamespace(name="auth_dictionary", accounts=5, passwords=10),
    "directory_harvest": SimpleNamespace(
        name="directory_harvest", quick=10, share=0.5, null_share=0.5
    ),
    "account_burst": SimpleNamespace(name="account_burst", hourly=500, bounces=0.1),
    "backscatter_received": SimpleNamespace(name="backscatter_received", reports=20, ratio=3.0),
}
ONE = Innocent(name="one", story="", clients=(CLIENT, PHONE))
BOX = Innocent(name="box", story="", accounts=("anna@example.org",))
NEWS = Innocent(name="news", story="", accounts=("news@example.org",))


def tally(innocent: Innocent, *events: Fact) -> Tally:
    watch = Watch([innocent], SITE)
    for event in events:
        watch(event)
    return watch.tallies[innocent.name]


def words(innocent: Innocent, counts: Tally) -> str:
    return check(counts, innocent, SETTINGS, SITE)


def test_logins_are_counted_by_their_outcome() -> None:
    found = tally(
        ONE,
        Auth(at=1, client=CLIENT, account="anna", outcome="ok", count=2),
        Auth(at=1, client=CLIENT, account="anna", password="ab12", count=3),
        Auth(at=1, client="2001:db8:7::99", account="ben", password="ab12"),
        Auth(at=1, client=CLIENT, account="ben", outcome="error"),
        Auth(at=1, client="203.0.113.9", account="ben"),
        Auth(at=1, account="ben"),
    )
    assert (found.opened, found.failed, found.errors) == (2, 4, 1)
    assert (found.accounts, found.passwords) == ({"anna", "ben"}, {"ab12"})
    assert seen(found) == "2 logins, 4 failed logins, 1 logins that our server failed"


def test_recipients_are_counted_by_their_verdict() -> None:
    found = tally(
        ONE,
        Recipient(at=1, client=CLIENT, recipient="x@example.org", verdict="unknown"),
        Recipient(at=1, client=CLIENT, recipient="x@example.org", verdict="unknown", sender="a@b"),
        Recipient(at=1, client=CLIENT, recipient="y@example.org", verdict="deferred"),
        Message(at=1, client=CLIENT, recipients=7),
        Message(at=1, client="203.0.113.9", recipients=7),
        Connection(at=1, client=CLIENT),
        Connection(at=1, client=CLIENT, outcome="closed"),
        Connection(at=1, client="203.0.113.9"),
        Bounce(at=1, recipient="anna@example.org"),
    )
    assert (found.unknown, found.misses, found.senderless) == ({"x@example.org"}, 2, 1)
    assert (found.delivered, found.looks) == (7, 1)


def test_mail_is_counted_for_the_mailbox_in_its_one_spelling() -> None:
    found = tally(
        BOX,
        Delivery(at=1, sender="anna+list=x@example.org", recipient="x@b.example", status="sent"),
        Delivery(at=1, account="anna", sender="z@c.example", status="bounced"),
        Delivery(at=1, sender="ben@example.org", status="bounced"),
        Delivery(at=1, client="203.0.113.9", recipient="anna@example.org"),
        Delivery(at=1, client="203.0.113.9", recipient="ben@example.org"),
        Delivery(at=1, recipient="anna@example.org"),  # our own report
    )
    assert (found.sent, found.bounced, found.reports) == (2, 1, 1)


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (
            Tally(failed=90, accounts={"anna"}, passwords={"ab12"}),
            "1 account, 1 password (guessing: 10 passwords)",
        ),
        (
            Tally(failed=9, opened=10, accounts=set("abcde")),
            (
                "5 accounts fail, but 10 logins succeed beside 9 that do not "
                "(a dictionary fails more than it succeeds)"
            ),
        ),
        (Tally(errors=30), "30 of our server's own errors count for nobody"),
        (
            Tally(unknown=set("abcdefghij"), misses=10, delivered=40),
            "20% of its recipients are unknown (a harvest: 50%)",
        ),
        (
            Tally(unknown=set("abcdefghij"), misses=10, senderless=5),
            "50% of them from the null sender (a harvest: under 50%)",
        ),
        (Tally(unknown={"a"}, misses=1, delivered=4), "1 unknown recipient (a harvest: 10)"),
        (Tally(looks=288), "tries no login and names no recipient"),
        (
            Tally(failed=90, accounts=set("abcde")),
            "5 accounts, 0 passwords (guessing: 10 passwords)",
        ),
        (
            Tally(failed=3, accounts={"a"}),
            "3 failed logins (guessing: 10) at 1 account (a dictionary: 5)",
        ),
        (Tally(failed=20, accounts=set("abcde"), passwords=set("abcdefghij")), ""),
    ],
)
def test_the_check_that_held_is_named_with_its_numbers(counts: Tally, why: str) -> None:
    assert words(ONE, counts) == why


@pytest.mark.parametrize(
    ("innocent", "counts", "why"),
    [
        (
            BOX,
            Tally(sent=40, reports=30),
            "30 reports for 40 that it sent (a joe job: 3 times as many)",
        ),
        (BOX, Tally(reports=9), "9 reports (a joe job: 20 an hour)"),
        (
            BOX,
            Tally(sent=200, bounced=2),
            "200 recipients, 1.0% bounced (a burst: 500 in an hour, or 10%)",
        ),
        (NEWS, Tally(sent=400, reports=30), "declared: it may send much"),
    ],
)
def test_a_mailbox_is_judged_by_what_it_sent(innocent: Innocent, counts: Tally, why: str) -> None:
    assert words(innocent, counts) == why


def test_a_trusted_client_is_no_clients_own_address() -> None:
    webmail = Innocent(name="webmail", story="", clients=("127.0.0.1",))
    assert words(webmail, Tally(failed=90)).startswith("a trusted address")
