"""Mail from outside that came around the filter which all of it is to pass."""

from typing import Any

from agents.detectors.filter_bypass import WAYS, FilterBypass
from schemas.events import Fact, Message, Signal, Verdict
from schemas.findings import Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import DAY, HOUR, MINUTE, SITE, Story, count, event, every, tell

NAME = "filter_bypass"
FILTER = "198.51.100.7"
STRANGER = "203.0.113.7"
BEHIND = Site(
    domains=SITE.domains,
    default_domain=SITE.default_domain,
    filters=Networks(("198.51.100.0/24",)),
    trusted=Networks(("198.51.100.0/24", "192.0.2.25", "127.0.0.0/8")),
)


def mail(client: str = STRANGER, at: float = 0.0, **more: Any) -> Message:
    usual = {"gateway": "mx1", "sender": "a@example.net", "recipients": 1}
    return event(Message, at=at, client=client, **{**usual, **more})


def through(many: int = 10, at: float = -DAY, gateway: str = "mx1") -> list[Message]:
    """Mail that the filter delivered."""
    return [mail(FILTER, at=at, gateway=gateway) for _ in range(many)]


def spam(client: str = STRANGER, at: float = 0.0, kind: str = "spam", **more: Any) -> Verdict:
    return event(Verdict, at=at, client=client, kind=kind, **{"gateway": "mx1", **more})


def told(*parts: Fact | list[Any], site: Site = BEHIND) -> Story:
    return tell(FilterBypass(), *parts, site=site)


def around(*parts: Fact | list[Any]) -> Story:
    """A gateway behind a filter, and what else came to it."""
    return told(through(), *parts)


def habit(
    many: int, client: str = STRANGER, gap: float = MINUTE, start: float = 0.0
) -> list[Message]:
    return every(gap, many * [mail(client)], start)


def crowd(many: int, gap: float = MINUTE) -> list[Message]:
    """One message each of so many clients."""
    return every(gap, [mail(f"203.0.113.{n + 1}") for n in range(many)])


# -- the gateway --------------------------------------------------------------------------------


def test_a_stray_message_is_said_of_the_gateway_alone() -> None:
    story = around(mail())
    assert len(story.findings) == 1
    finding = story.finding(NAME, "mx1")
    assert (finding.shape, finding.severity) == ("stray", "low")
    assert finding.subject.kind == "gateway"
    assert finding.wish is None
    assert finding.clients == []  # it may only have an old MX record
    assert f"delivered by {STRANGER}" in finding.checks
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "messages around the filter in 24 h": (1, 1),
        "clients": (1, 10),
        "clients that sent spam": (0, 3),
        "messages through the filter in 7 d": (10, 10),
    }
    assert "mx1 took 1 message of 1 client in a day around the filter. The cure" in finding.summary
    assert "to the filter's networks only (198.51.100.0/24), and let no MX" in finding.summary


def test_ten_clients_are_an_open_gateway() -> None:
    finding = around(crowd(10)).finding(NAME, "mx1")
    assert (finding.shape, finding.severity) == ("open", "medium")
    assert count(finding, "clients").count == 10
    assert finding.checks[-1].count(",") == 7  # so many are shown
    assert around(crowd(9)).finding(NAME, "mx1").shape == "stray"
    assert around(crowd(20, gap=3 * HOUR)).finding(NAME, "mx1").shape == "stray"


def test_addresses_of_one_host_are_one_client() -> None:
    hosts = [mail(f"2001:db8:66:1::{n:x}", at=n) for n in range(1, 12)]
    assert around(hosts).finding(NAME, "mx1").checks[-1].endswith(" 2001:db8:66:1::/64")


def test_of_an_open_gateway_no_further_client_is_named() -> None:
    late = habit(5, "192.0.2.7", start=HOUR)
    assert around(crowd(8), late).subjects[NAME] == {"mx1", "192.0.2.7"}
    assert around(crowd(9), late).subjects[NAME] == {"mx1"}


def test_many_filters_are_not_all_written_out() -> None:
    ways = [f"198.51.{n}.0/24" for n in range(100, 104)]
    for known, said in ((3, "198.51.102.0/24),"), (4, "198.51.102.0/24, ...),")):
        site = Site(filters=Networks(ways[:known]), trusted=Networks(ways[:known]))
        assert said in told(through(), mail(), site=site).finding(NAME, "mx1").summary


def test_spam_of_three_clients() -> None:
    def spammers(many: int) -> list[Fact]:
        clients = [f"203.0.113.{n + 1}" for n in range(many)]
        return [e for n, c in enumerate(clients) for e in (mail(c, at=n), spam(c, at=n + 0.5))]

    finding = around(spammers(3)).finding(NAME, "mx1")
    assert (finding.shape, finding.severity) == ("spam", "high")
    assert "around the filter; spam came from 3 of them" in finding.summary
    assert finding.clients == [f"203.0.113.{n}" for n in (1, 2, 3)]
    assert around(spammers(2)).finding(NAME, "mx1").shape == "stray"
    assert around([e for e in spammers(3) if type(e) is Message]).finding(NAME).shape == "stray"


# -- the client ---------------------------------------------------------------------------------


def test_five_messages_a_day_are_a_habit() -> None:
    finding = around(habit(5)).finding(NAME, STRANGER)
    assert (finding.shape, finding.severity) == ("direct", "medium")
    assert finding.wish == Wish("notify", Target("network", STRANGER))
    assert finding.clients == [STRANGER]
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "messages around the filter in 24 h": (5, 5),
        "called spam": (0, 3),
    }
    assert f"{STRANGER} brought 5 messages to mx1 in a day, around" in finding.summary
    assert around(habit(4)).subjects[NAME] == {"mx1"}
    assert around(habit(9, gap=7 * HOUR)).subjects[NAME] == {"mx1"}


def test_three_spams() -> None:
    spams = [spam(at=n, kind="virus" if n == 2 else "spam") for n in (1, 2, 3)]
    finding = around(mail(), spams).finding(NAME, STRANGER)
    assert (finding.shape, finding.severity) == ("spam", "high")
    assert finding.wish == Wish("reject", Target("network", STRANGER))
    assert "brought 1 message to mx1 in a day; 3 were called spam, around" in finding.summary
    assert around(mail(), spams[:2]).subjects[NAME] == {"mx1"}
    assert around(mail(), [spam(at=n, kind="ham") for n in range(9)]).subjects[NAME] == {"mx1"}


def test_a_verdict_may_come_before_its_message() -> None:
    found = around([spam() for _ in range(3)], mail(at=1)).finding(NAME, STRANGER)
    assert found.shape == "spam"


def test_all_ways_around_count() -> None:
    behind = [*through(), *through(gateway="mx2")]
    both = [mail(at=n, gateway=f"mx{1 + n % 2}") for n in range(5)]
    assert "to mx2, mx1 in a day" in told(behind, both).finding(NAME, STRANGER).summary


def test_a_word_of_the_gateway_holds_for_a_day() -> None:
    word = event(Signal, about=f"c:{STRANGER}", gateway="mx1", kind="around_filter")
    spams = [spam(at=DAY - n) for n in (2, 1)]
    assert told(word, spams, spam(at=DAY)).finding(NAME, STRANGER).shape == "spam"
    assert told(word, spams, spam(at=DAY + 1)).silent
    # of another gateway, which the filter does not deliver to
    assert told(word, spams, spam(at=DAY, gateway="mx2")).silent


def test_only_ways_that_are_known_to_be_around_are_named() -> None:
    elsewhere = mail(at=-1, gateway="mx3")
    assert "to mx1 in a day" in around(elsewhere, habit(5)).finding(NAME, STRANGER).summary
    word = event(Signal, about=f"c:{STRANGER}", gateway="mx1", kind="around_filter")
    later = event(Signal, at=DAY, about=f"c:{STRANGER}", gateway="mx2", kind="around_filter")
    spams = [spam(at=DAY - n) for n in (4, 3)]
    finding = told(word, spams, later, spam(at=DAY, gateway="mx2")).finding(NAME, STRANGER)
    assert "to mx1, mx2 in a day" in finding.summary


def signals(*parts: Fact | list[Any]) -> int:
    """How often the watcher of the gateway heard of spam of the one client."""
    seen = around(mail(), *parts).state("g:mx1", NAME)
    return sum(times for _, times, _ in seen.spammers.seen.values())


def test_the_gateway_is_told_of_spam_once_an_hour() -> None:
    assert signals(spam(at=1), spam(at=2), spam(at=HOUR)) == 1
    assert signals(spam(at=1), spam(at=2), spam(at=HOUR + 1)) == 2
    assert signals(mail(at=2)) == 0


def test_the_client_is_told_anew_while_it_goes_on() -> None:
    later = around(habit(40, gap=2 * HOUR)).state(f"c:{STRANGER}", NAME).ways["mx1"]
    first = around(mail()).state(f"c:{STRANGER}", NAME).ways["mx1"]
    soon = around(habit(5)).state(f"c:{STRANGER}", NAME).ways["mx1"]
    assert later.told > first.told
    assert soon.told == first.told


def test_its_gateways_are_bounded() -> None:
    mails = [mail(at=n, gateway=f"mx{n}") for n in range(9)]
    ways = told(mails).state(f"c:{STRANGER}", NAME).ways
    assert list(ways) == [f"mx{n}" for n in range(9 - WAYS, 9)]


# -- who may ------------------------------------------------------------------------------------


def test_without_a_filter_nothing_is_said() -> None:
    assert told(through(), habit(50), site=SITE).silent


def test_a_gateway_that_the_filter_does_not_deliver_to_is_not_behind_it() -> None:
    assert told(habit(9)).silent
    assert told(through(9), habit(9)).silent
    assert told(through(gateway="mx2"), habit(9)).silent
    assert told(through(at=-8 * DAY), habit(9)).silent
    assert not told(through(at=-6 * DAY), habit(9)).silent


def test_users_neighbours_and_partners_are_none() -> None:
    assert around(habit(9, "192.0.2.25")).silent  # monitoring, backup MX: upstream or allowed
    assert around(habit(9, "10.1.2.3")).silent
    assert around(habit(9, FILTER)).silent
    assert around(habit(9, "127.0.0.1")).silent
    assert around([mail(at=n, account="anna") for n in range(9)]).silent
    assert around([mail(at=n, client="") for n in range(9)]).silent
    assert around([spam("10.1.2.3", at=n) for n in range(9)]).silent


def test_what_our_own_hosts_bring_does_not_prove_a_filter() -> None:
    ours = [mail("10.1.2.3", at=-DAY) for _ in range(50)]
    users = [mail(FILTER, at=-DAY, account="anna") for _ in range(50)]
    other = [mail("192.0.2.25", at=-DAY) for _ in range(50)]
    assert told(ours, users, other, habit(9)).silent


def test_a_filter_on_one_of_our_own_hosts_is_one() -> None:
    site = Site(filters=Networks(("10.9.9.9",)), trusted=Networks(("10.9.9.9",)))
    inside = [mail("10.9.9.9", at=-DAY) for _ in range(10)]
    assert told(inside, habit(5), site=site).subjects[NAME] == {"mx1", STRANGER}


def test_words_that_are_none_of_its_leave_nothing() -> None:
    other = event(Signal, about="g:mx1", kind="harvesting", client=STRANGER)
    assert NAME not in told(other).record("g:mx1").states
    assert count(around(mail(), other).finding(NAME), "clients that sent spam").count == 0
