"""Who asks whether we relay, and who only has the wrong port."""

import pytest
from msgspec.structs import replace

from agents.detectors.relay_probe import COLD, RelayProbe, form
from schemas.events import Fact, Message, Recipient
from schemas.findings import Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    SITE,
    Story,
    event,
    every,
    regular,
    repeat,
    tell,
)

NAME = "relay_probe"
STRANGER = "203.0.113.7"


def denied(sender: str = "a@example.net", recipient: str = "b@example.com") -> Recipient:
    return event(
        Recipient, client=STRANGER, sender=sender, recipient=recipient, verdict="relay_denied"
    )


def asking(times: int, pairs: int = 2) -> list[Recipient]:
    """So many questions, of so many pairs in turn."""
    return [denied(recipient=f"b{number % pairs}@example.com") for number in range(times)]


def told(*parts: Fact | list[Recipient], warm: bool = True, site: Site = SITE) -> Story:
    return tell(RelayProbe(), *parts, warm=warm, site=site)


def shapes(*parts: Fact | list[Recipient]) -> set[str]:
    return told(*parts).shapes.get(NAME, set())


def test_two_denials_are_worth_a_word() -> None:
    finding = told(every(MINUTE, asking(2))).finding(NAME)
    assert (finding.shape, finding.severity, finding.wish) == ("asked", "low", None)
    assert finding.clients == [STRANGER]
    assert finding.targets == ["b0@example.com", "b1@example.com"]
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "pairs refused in 10 min": (2, 2),
        "refused in an hour": (2, 8),
        "forms of address": (1, 3),
        "refused in a week": (2, 5),
    }
    assert "asked 2 times in a week whether we relay: foreign sender to plain" in finding.summary


def test_one_is_a_mistake_and_so_are_two_an_hour() -> None:
    assert shapes(denied()) == set()
    assert shapes(every(30 * MINUTE, asking(2))) == set()


def test_eight_within_an_hour_are_insistent() -> None:
    finding = told(every(7 * MINUTE, asking(8))).finding(NAME)
    assert (finding.shape, finding.severity) == ("insistent", "medium")
    assert finding.wish == Wish("reject", Target("network", STRANGER), 3600.0)
    assert "insistent" not in shapes(every(7 * MINUTE, asking(7)))
    assert "insistent" not in shapes(every(10 * MINUTE, asking(8)))


def test_five_within_a_week_are_patient() -> None:
    finding = told(every(1.6 * DAY, 5 * [denied()])).finding(NAME)
    assert (finding.shape, finding.severity, finding.wish) == ("patient", "low", None)
    assert told(every(DAY, 4 * [denied()])).silent
    assert told(every(2 * DAY, 5 * [denied()])).silent


def neighbours(clients: int, times: int, gap: float = HOUR) -> list[Recipient]:
    asked = [replace(denied(), client=f"203.0.113.{n % clients}") for n in range(times)]
    return every(gap, asked)


def test_neighbours_that_take_turns_are_a_network() -> None:
    finding = told(neighbours(8, 8)).finding(NAME, "203.0.113.0/24")
    assert (finding.shape, finding.severity) == ("network", "medium")
    assert finding.wish == Wish("reject", Target("network", "203.0.113.0/24"), 3600.0)
    assert (len(finding.clients), finding.clients_count) == (8, 8)
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "clients": (8, 4),
        "refused in a day": (8, 8),
    }
    assert "8 addresses of 203.0.113.0/24 asked 8 times in a day" in finding.summary
    assert finding.targets == ["b@example.com"]
    assert told(neighbours(7, 7)).silent
    assert NAME in told(neighbours(4, 8)).shapes
    assert "network" not in shapes(neighbours(3, 8))
    assert "network" not in shapes(neighbours(8, 8, gap=4 * HOUR))


def test_three_forms_of_address_are_a_probe() -> None:
    tried = [denied(), denied(""), denied("root@example.org")]
    finding = told(every(20 * MINUTE, tried)).finding(NAME)
    assert (finding.shape, finding.severity) == ("forms", "medium")
    assert finding.wish is not None
    assert "null sender to plain, own sender to plain" in finding.summary
    assert "forms" not in shapes(every(20 * MINUTE, tried[:2]))
    assert "forms" not in shapes(every(40 * MINUTE, tried))


def test_without_a_past_nothing_is_decided() -> None:
    finding = told(every(MINUTE, asking(8)), warm=False).finding(NAME)
    assert finding.wish is not None
    assert finding.wish.against == COLD


def test_a_customer_with_the_wrong_port_is_none() -> None:
    ours = [replace(one, sender="anna@example.org") for one in asking(9)]
    near = regular("203.0.113.99", "anna", days=1, last=20)
    assert tell(RelayProbe(), near, every(MINUTE, ours)).silent
    assert tell(RelayProbe(), near, every(MINUTE, asking(9)), site=Site()).silent
    assert not tell(RelayProbe(), near, every(MINUTE, asking(9))).silent
    assert not tell(RelayProbe(), every(MINUTE, ours)).silent
    itself = regular(STRANGER, "anna", days=1, last=20)
    assert tell(RelayProbe(), itself, every(MINUTE, asking(9))).silent


def test_one_mail_that_is_tried_again_is_one_question() -> None:
    assert shapes(every(MINUTE, 4 * [denied()])) == set()
    assert shapes(every(MINUTE, 9 * [denied()])) == {"patient"}


def mail(days: float, **more: str) -> Message:
    return event(Message, at=-days * DAY, client=STRANGER, sender="a@example.net", **more)


def test_a_partner_that_writes_to_an_old_address_is_silent() -> None:
    assert shapes(mail(7), every(0, asking(9))) == set()
    assert shapes(mail(7.1), every(MINUTE, asking(9))) != set()
    assert shapes(mail(1, account="anna"), every(MINUTE, asking(9))) != set()
    tried = [denied(), denied(""), denied("root@example.org")]
    assert shapes(mail(1), every(20 * MINUTE, tried)) == {"forms"}


def test_logins_and_trusted_clients_are_none() -> None:
    user = repeat(
        9, lambda _: event(Recipient, client=STRANGER, account="a", verdict="relay_denied")
    )
    assert told(user).silent
    site = Site(domains=SITE.domains, trusted=Networks((STRANGER,)))
    assert told(every(MINUTE, asking(9)), site=site).silent


def test_other_refusals_are_for_others() -> None:
    other = repeat(9, lambda _: event(Recipient, client=STRANGER, verdict="unknown"))
    assert told(other).silent


@pytest.mark.parametrize(
    ("recipient", "called"),
    [
        ("b@example.com", "plain"),
        ("b@example.org", "own domain"),
        ("b%example.com@example.org", "percent route"),
        ("example.com!b", "bang path"),
        ("example.com!b@example.org", "bang path"),
        ("@example.org:b@example.com", "source route"),
        ("b@example.com@example.org", "double address"),
        ('"b@example.com"@example.org', "quoted"),
        ("b@[192.0.2.1]", "address literal"),
        ("b", "bare name"),
        ("imceasmtp-b+40example.com@example.org", "encapsulated"),
    ],
)
def test_forms_of_address_have_names(recipient: str, called: str) -> None:
    assert form(recipient, SITE) == called


def test_after_a_quiet_hour_it_begins_anew() -> None:
    assert "insistent" not in shapes(
        every(MINUTE, asking(4)), every(MINUTE, asking(4), start=2 * HOUR)
    )


def test_the_words_for_a_mailbox_that_nobody_has_may_mean_another_domain() -> None:
    asked = [replace(one, verdict="unknown", sender="") for one in asking(8, 4)]
    assert told(every(MINUTE, asked)).shapes.get(NAME)
    ours = [replace(one, recipient="nobody@example.org") for one in asked]
    assert not told(every(MINUTE, ours)).shapes.get(NAME)
    nothing_known = replace(SITE, domains=frozenset())
    assert not told(every(MINUTE, asked), site=nothing_known).shapes.get(NAME)


def test_a_host_of_ours_that_mistypes_a_domain_asks_nothing() -> None:
    asked = [replace(one, verdict="unknown") for one in asking(8, 4)]
    own = replace(SITE, own=Networks(("203.0.113.0/24",)))
    assert not told(every(MINUTE, asked), site=own).shapes.get(NAME)
