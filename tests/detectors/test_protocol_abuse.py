"""Who breaks the rules of SMTP again and again."""

from agents.detectors.protocol_abuse import COLD, ProtocolAbuse
from schemas.events import Connection, Fact, Recipient
from schemas.findings import Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import MINUTE, SITE, Story, event, every, regular, tell

NAME = "protocol_abuse"
STRANGER = "203.0.113.7"
EARLY = event(Connection, client=STRANGER, outcome="abuse", reason="pregreet")
OTHER = event(Connection, client=STRANGER, outcome="abuse", reason="non_smtp")
HELO = event(Recipient, client=STRANGER, verdict="refused", reason="helo")


def told(*parts: Fact | list[Fact], warm: bool = True, site: Site = SITE) -> Story:
    return tell(ProtocolAbuse(), *parts, warm=warm, site=site)


def test_three_violations_in_ten_minutes() -> None:
    finding = told(every(4 * MINUTE, [EARLY, OTHER, HELO])).finding(NAME)
    assert (finding.shape, finding.severity) == ("rules", "low")
    assert finding.clients == [STRANGER]
    assert finding.wish == Wish("reject", Target("network", STRANGER))
    assert [(e.sign, e.count, e.threshold) for e in finding.evidence] == [
        ("violations in 10 min", 3, 3)
    ]
    assert "3 times in 10 min: pregreet, non_smtp, helo" in finding.summary


def test_two_are_none_and_three_in_half_an_hour_neither() -> None:
    assert told(every(MINUTE, [EARLY, EARLY])).silent
    assert told(every(10 * MINUTE, 3 * [EARLY])).silent


def test_a_word_without_a_reason_counts_as_well() -> None:
    plain = event(Connection, client=STRANGER, outcome="abuse")
    assert "protocol" in told(every(1, 3 * [plain])).finding(NAME).summary


def test_what_breaks_no_rule_is_for_others() -> None:
    refused = event(Connection, client=STRANGER, outcome="refused", reason="listed")
    unknown = event(Recipient, client=STRANGER, verdict="unknown", reason="user_unknown")
    assert told(every(1, 3 * [refused]), every(1, 3 * [unknown])).silent


def test_known_and_trusted_clients_are_none() -> None:
    known = regular("203.0.113.99", "anna", days=1, last=20)
    assert tell(ProtocolAbuse(), known, every(1, 3 * [EARLY])).silent
    site = Site(trusted=Networks((STRANGER,)))
    assert told(every(1, 3 * [EARLY]), site=site).silent


def test_without_a_past_nothing_is_decided() -> None:
    finding = told(every(1, 3 * [EARLY]), warm=False).finding(NAME)
    assert finding.wish is not None
    assert finding.wish.against == COLD
