"""A device with an old password is a word to the help desk, never an accusation."""

from msgspec.structs import replace

from agents.detectors.stale_client import ACCOUNTS, StaleClient
from schemas.events import Auth, Recipient
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    SITE,
    Story,
    count,
    event,
    every,
    failed,
    guesses,
    moved,
    opened,
    regular,
    tell,
)

PHONE = "192.0.2.7"
NEIGHBOUR = "192.0.2.8"


def phone(times: int, account: str = "anna", gap: float = 5 * MINUTE, **more: str) -> list[Auth]:
    return every(gap, guesses(PHONE, [account] * times, **more))


def test_a_phone_that_used_to_log_in_is_told_of_at_its_tenth_failure() -> None:
    told = tell(StaleClient(), regular(PHONE, "anna"), phone(10))
    finding = told.finding("stale_client", PHONE)
    assert (finding.shape, finding.severity) == ("known_account", "info")
    assert count(finding, "tries alike").count == 10
    assert count(finding, "tries alike").threshold == 10


def test_nine_failures_are_nothing() -> None:
    assert tell(StaleClient(), regular(PHONE, "anna"), phone(9)).silent


def test_nobody_is_accused_and_nothing_is_asked_for() -> None:
    finding = tell(StaleClient(), regular(PHONE, "anna"), phone(10)).finding("stale_client")
    assert (finding.clients, finding.accounts, finding.wish) == ([], [], None)
    assert finding.targets == ["anna@example.org"]
    assert PHONE in finding.summary


def test_an_account_that_the_neighbourhood_uses_is_at_home_here() -> None:
    told = tell(StaleClient(), regular(NEIGHBOUR, "anna"), phone(10))
    assert told.shapes == {"stale_client": {"known_account"}}


def test_in_a_new_place_one_password_tells_a_device() -> None:
    assert tell(StaleClient(), phone(10, password="x")).shapes == {"stale_client": {"one_password"}}


def test_in_a_new_place_without_fingerprints_nothing_tells_it() -> None:
    assert tell(StaleClient(), phone(30)).silent


def test_changing_passwords_in_a_new_place_are_no_device() -> None:
    tries = [failed(PHONE, "anna", password=str(number)) for number in range(20)]
    assert tell(StaleClient(), every(MINUTE, tries)).silent


def test_a_known_account_may_have_several_old_passwords() -> None:
    tries = [failed(PHONE, "anna", password=str(number)) for number in range(10)]
    told = tell(StaleClient(), regular(PHONE, "anna"), every(MINUTE, tries))
    assert told.shapes == {"stale_client": {"known_account"}}


def test_a_success_between_ends_the_run() -> None:
    told = tell(
        StaleClient(),
        regular(PHONE, "anna"),
        phone(9),
        opened(PHONE, "anna", 46 * MINUTE),
        [failed(PHONE, "anna", HOUR + number) for number in range(9)],
    )
    assert told.silent


def test_somebody_elses_success_does_not() -> None:
    told = tell(StaleClient(), regular(PHONE, "anna"), phone(10), opened(PHONE, "ben", 60))
    assert told.shapes == {"stale_client": {"known_account"}}


def test_our_own_fault_is_not_counted() -> None:
    faults = [replace(event, outcome="error") for event in moved(phone(5), 1)]
    assert tell(StaleClient(), regular(PHONE, "anna"), phone(9), faults).silent


def test_failures_without_an_account_are_nobodys() -> None:
    assert tell(StaleClient(), regular(PHONE, "anna"), phone(20, account="", password="x")).silent


def test_a_run_lasts_while_it_is_tried_once_a_day() -> None:
    told = tell(StaleClient(), regular(PHONE, "anna", days=9), phone(10, gap=DAY))
    assert told.shapes == {"stale_client": {"known_account"}}


def test_a_run_ends_after_more_than_a_day() -> None:
    assert tell(StaleClient(), regular(PHONE, "anna", days=9), phone(20, gap=DAY + 1)).silent


def test_one_line_may_report_many_tries() -> None:
    told = tell(StaleClient(), regular(PHONE, "anna"), failed(PHONE, "anna", count=10))
    assert told.shapes == {"stale_client": {"known_account"}}


def test_webmail_in_front_of_us_is_not_judged() -> None:
    site = Site(default_domain=SITE.default_domain, trusted=Networks([PHONE]))
    assert tell(StaleClient(), regular(PHONE, "anna"), phone(20), site=site).silent


def test_what_is_followed_is_bounded_and_the_oldest_goes_first() -> None:
    story = Story(StaleClient())
    names = [f"user{number}" for number in range(ACCOUNTS + 1)]
    story.tell(every(1, guesses(PHONE, names)))
    runs = story.state(f"c:{PHONE}", "stale_client").runs
    assert list(runs) == [f"{name}@example.org" for name in names[1:]]


# -- the wrong port -----------------------------------------------------------------------------


def denied(times: int, gap: float = MINUTE, **more: str) -> list[Recipient]:
    fields = {"client": PHONE, "sender": "anna@example.org", "verdict": "relay_denied"}
    return every(gap, [event(Recipient, recipient="b@example.com", **(fields | more))] * times)


def test_mail_of_a_customer_without_a_login_is_told_to_the_help_desk() -> None:
    finding = tell(StaleClient(), regular(PHONE, "anna"), denied(3)).finding("stale_client", PHONE)
    assert (finding.shape, finding.severity) == ("wrong_port", "info")
    assert (finding.clients, finding.accounts, finding.wish) == ([], [], None)
    assert finding.targets == ["anna@example.org"]
    assert [(e.sign, e.count, e.threshold) for e in finding.evidence] == [
        ("refused without a login", 3, 3)
    ]
    assert "must use submission" in finding.summary
    assert "old password" not in finding.summary


def test_two_denials_are_nothing_and_so_are_those_of_two_senders() -> None:
    known = regular(PHONE, "anna")
    assert tell(StaleClient(), known, denied(2)).silent
    assert tell(StaleClient(), known, denied(2), denied(2, sender="ben@example.org")).silent
    assert tell(StaleClient(), known, denied(3, gap=DAY + 1)).silent
    assert not tell(StaleClient(), known, denied(3, gap=DAY)).silent


def test_strangers_are_no_customers() -> None:
    assert tell(StaleClient(), denied(9)).silent
    near = regular(NEIGHBOUR, "anna")
    assert not tell(StaleClient(), near, denied(9)).silent
    assert tell(StaleClient(), near, denied(9, sender="x@example.net")).silent
    assert not tell(StaleClient(), near, denied(9, sender="x@example.net"), site=Site()).silent
    own = regular(PHONE, "anna")
    assert not tell(StaleClient(), own, denied(9, sender="x@example.net")).silent


def test_other_refusals_and_logins_have_no_wrong_port() -> None:
    known = regular(PHONE, "anna")
    assert tell(StaleClient(), known, denied(9, verdict="unknown")).silent
    one = phone(1), moved(denied(9, verdict="unknown"), HOUR)
    assert tell(StaleClient(), known, *one).silent
    assert tell(StaleClient(), known, denied(9, account="anna")).silent
    site = Site(domains=SITE.domains, trusted=Networks([PHONE]))
    assert tell(StaleClient(), known, denied(9), site=site).silent


def test_a_stranger_leaves_no_trace() -> None:
    story = tell(StaleClient(), denied(1, verdict="unknown"))
    assert "stale_client" not in story.record(f"c:{PHONE}").states


def test_an_old_password_and_the_wrong_port_are_told_together() -> None:
    known = regular(PHONE, "anna")
    finding = tell(StaleClient(), known, phone(10), moved(denied(3), 2 * HOUR)).finding(
        "stale_client"
    )
    assert "old password at anna@example.org; sends mail of anna@example.org" in finding.summary
    assert len(finding.evidence) == 2


def test_senders_are_bounded() -> None:
    known = regular(PHONE, "anna")
    many = [denied(1, sender=f"s{n}@example.org")[0] for n in range(ACCOUNTS + 5)]
    story = tell(StaleClient(), known, every(1, many))
    assert list(story.state(f"c:{PHONE}", "stale_client").ports) == [
        f"s{n}@example.org" for n in range(5, ACCOUNTS + 5)
    ]
