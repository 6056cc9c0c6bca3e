"""Many guess together: at one account, from one network, or one client slowly at many accounts."""

from msgspec.structs import replace

from agents.detectors.auth_distributed import ATTACKED, COLD, AuthDistributed
from schemas.events import Auth, Fact, Signal
from schemas.findings import LISTED, Finding, Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    SITE,
    START,
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

NAME = "auth_distributed"
VICTIM = "anna@example.org"
HOME = "192.0.2.200"
BOTS = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8:7::1", "198.51.100.9"]
CLIENTS = {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8:7::/64", "198.51.100.9"}


def attack(*clients: str, tries: int = 2, gap: float = MINUTE, account: str = "anna") -> list[Auth]:
    """Each client in turn, over and over."""
    return every(gap, [failed(client, account) for client in (clients or BOTS)] * tries)


def told(*parts: Fact | list[Auth], warm: bool = True, site: Site = SITE) -> Story:
    return tell(AuthDistributed(), *parts, warm=warm, site=site)


def shapes(*parts: Fact | list[Auth], warm: bool = True, site: Site = SITE) -> set[str]:
    return told(*parts, warm=warm, site=site).shapes.get(NAME, set())


def about(subject: str, *parts: Fact | list[Auth], warm: bool = True) -> Finding:
    return told(*parts, warm=warm).finding(NAME, subject)


def test_a_client_that_tries_more_accounts_than_can_be_counted_tried_about_so_many() -> None:
    users = [f"user{n}" for n in range(90) for _ in range(3)]
    finding = about(HOME, every(5 * MINUTE, guesses(HOME, users)))
    spray = count(finding, "accounts")
    assert (64 < spray.count <= 90, spray.estimated) == (True, True)
    assert f"passwords at about {spray.count:g} accounts" in finding.summary


# -- one account, many clients -----------------------------------------------------------------


def test_five_clients_of_three_providers_at_one_account() -> None:
    finding = about(VICTIM, attack())
    assert (finding.shape, finding.severity) == ("one_account", "high")
    assert finding.subject.kind == "account"
    assert finding.targets == [VICTIM]
    assert set(finding.clients) == CLIENTS
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "clients": (5, 5),
        "places": (4, 3),
        "tries": (10, 10),
    }
    assert "5 clients of 4 providers" in finding.summary


def test_the_victim_is_not_accused_and_not_locked() -> None:
    finding = about(VICTIM, attack())
    assert finding.accounts == []
    assert finding.wish == Wish("notify", Target("account", VICTIM))


def test_four_clients_are_not_enough() -> None:
    assert shapes(attack(*BOTS[:4], tries=5)) == set()


def test_two_providers_are_not_enough() -> None:
    pool = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1", "198.51.100.2"]
    assert shapes(attack(*pool)) == set()


def test_three_are() -> None:
    pool = ["192.0.2.1", "192.0.2.2", "203.0.113.3", "198.51.100.1", "198.51.100.2"]
    assert "one_account" in shapes(attack(*pool))


def test_nine_tries_are_not_enough() -> None:
    assert shapes(attack()[:9]) == set()


def test_one_line_may_report_many_tries() -> None:
    tries = [failed(client, "anna", at, count=2) for at, client in enumerate(BOTS)]
    assert "one_account" in shapes(tries)


def test_tries_must_come_within_an_hour() -> None:
    assert "one_account" in shapes(attack(gap=6 * MINUTE))
    assert shapes(attack(gap=8 * MINUTE)) == set()


def test_the_owners_own_places_do_not_count() -> None:
    assert shapes(regular(BOTS[0], "anna"), attack()) == set()


def test_nor_does_a_neighbour_of_the_owners_place() -> None:
    assert shapes(regular("192.0.2.99", "anna"), attack()) == set()


def test_somebody_else_having_logged_in_from_there_excuses_nobody() -> None:
    assert "one_account" in shapes(regular(BOTS[0], "zoe"), attack())


def test_a_traveller_who_succeeds_in_each_place_is_silent() -> None:
    stops = [
        [
            failed(place, "anna", n * 600),
            failed(place, "anna", n * 600 + 5),
            opened(place, "anna", n * 600 + 9),
        ]
        for n, place in enumerate(BOTS)
    ]
    assert shapes(*stops) == set()


def test_who_guesses_elsewhere_is_not_counted_here() -> None:
    assert shapes(attack(tries=1), attack(tries=1, account="ben")) == set()


# -- who took part -----------------------------------------------------------------------------


def test_every_client_answers_for_its_part() -> None:
    story = told(attack())
    assert story.subjects[NAME] == {VICTIM, *CLIENTS}
    finding = story.finding(NAME, BOTS[0])
    assert (finding.shape, finding.severity) == ("took_part", "medium")
    assert finding.clients == [BOTS[0]]
    assert VICTIM in finding.targets
    assert VICTIM in finding.summary
    assert count(finding, "accounts under attack by many").count == 1
    assert count(finding, "accounts under attack by many").threshold == 1
    assert finding.wish == Wish("drop", Target("network", BOTS[0]))


def test_with_a_cold_start_it_is_only_told() -> None:
    wish = about(BOTS[0], attack(), warm=False).wish
    assert wish is not None
    assert wish.against == COLD


def test_so_do_those_that_come_later_in_the_day() -> None:
    late = failed("203.0.113.77", "anna", 20 * HOUR)
    assert "203.0.113.77" in told(attack(), late).subjects[NAME]


def test_a_client_that_comes_when_the_guessing_was_over_for_a_day_does_not() -> None:
    late = failed("203.0.113.77", "anna", DAY + 2 * HOUR)
    assert "203.0.113.77" not in told(attack(), late).subjects[NAME]


def test_so_do_those_that_came_earlier_in_the_day() -> None:
    early = failed("203.0.113.77", "anna", 9 * MINUTE - DAY)
    assert "203.0.113.77" in told(early, attack()).subjects[NAME]


def test_a_client_of_the_day_before_does_not() -> None:
    early = failed("203.0.113.77", "anna", 9 * MINUTE - DAY - 1)
    assert "203.0.113.77" not in told(early, attack()).subjects[NAME]


def test_what_a_client_does_after_it_was_told_counts_for_its_part() -> None:
    """On many workers it is told later than in one process: the end must be the same."""
    at_once = told(attack(), [failed(BOTS[0], "anna", 30 * MINUTE + n) for n in range(5)])
    finding = at_once.finding(NAME, BOTS[0])
    alone = told(attack()).finding(NAME, BOTS[0])
    [tries] = [seen.count for seen in finding.evidence if seen.sign == "tries at one account"]
    [before] = [seen.count for seen in alone.evidence if seen.sign == "tries at one account"]
    assert tries == before + 5


def test_a_client_that_comes_back_after_its_part_has_ended_begins_anew() -> None:
    story = told(attack())
    before = story.finding(NAME, BOTS[0])
    story.tell(failed(BOTS[0], "ben", 3 * DAY))
    assert story.finding(NAME, BOTS[0]) == before


def test_a_client_that_ever_logged_in_is_left_out() -> None:
    story = told(regular(BOTS[0], "zoe"), attack())
    assert story.subjects[NAME] == {VICTIM, *CLIENTS} - {BOTS[0]}


def signals(*parts: Fact | list[Auth]) -> list[str]:
    story = Story(AuthDistributed())
    story.shard._mine = lambda key: key[0] == "m"
    story.tell(*parts)
    found = story.shard.take().signals
    assert all(s.kind == "took_part" and s.about == f"c:{s.client}" for s in found)
    assert all(s.account == VICTIM for s in found)
    return [s.client for s in found]


def test_each_client_is_told_once_a_day() -> None:
    assert sorted(signals(attack(tries=50))) == sorted(CLIENTS)
    assert len(signals(attack(tries=6 * 24, gap=2 * MINUTE))) == 5
    assert len(signals(attack(tries=6 * 25 + 20, gap=2 * MINUTE))) == 10


def test_a_client_that_is_still_there_after_more_than_a_day_is_told_again() -> None:
    again = failed(BOTS[0], "anna", DAY + 9 * MINUTE)
    assert len(signals(attack(), again)) == 5
    assert len(signals(attack(), failed(BOTS[1], "anna", HOUR), moved([again], 1))) == 6


def test_to_hear_it_twice_changes_nothing() -> None:
    word = event(Signal, about=f"c:{BOTS[0]}", kind="took_part", client=BOTS[0], account=VICTIM)
    once, twice = Story(AuthDistributed()).tell(word), Story(AuthDistributed()).tell(word, word)
    key = f"c:{BOTS[0]}"
    assert once.state(key, NAME) == twice.state(key, NAME)
    assert once.said[-1].evidence == twice.said[-1].evidence


def test_other_words_are_not_its_business() -> None:
    word = event(Signal, about=f"c:{BOTS[0]}", kind="breach", client=BOTS[0], account=VICTIM)
    assert told(word).silent


def test_a_client_names_the_last_accounts_it_attacked() -> None:
    words = [
        event(Signal, n, about=f"c:{BOTS[0]}", kind="took_part", client=BOTS[0], account=f"user{n}")
        for n in range(ATTACKED + 1)
    ]
    story = told(words)
    assert list(story.state(f"c:{BOTS[0]}", NAME).attacked) == [
        f"user{n}" for n in range(1, ATTACKED + 1)
    ]


# -- one network -------------------------------------------------------------------------------

BLOCK = "203.0.113.0/24"


def block(
    addresses: int = 4, tries: int = 5, gap: float = HOUR, prefix: str = "203.0.113."
) -> list[Auth]:
    return every(gap, [failed(f"{prefix}{n}") for n in range(1, addresses + 1)] * tries)


def test_four_addresses_of_one_network_that_fail_twenty_times() -> None:
    finding = about(BLOCK, block())
    assert (finding.shape, finding.severity) == ("one_network", "high")
    assert finding.subject.kind == "network"
    assert finding.clients == [f"203.0.113.{n}" for n in range(1, 5)]
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "failing addresses": (4, 4),
        "failures": (20, 20),
    }
    assert finding.wish == Wish("drop", Target("network", BLOCK))
    assert "4 addresses" in finding.summary


def test_three_addresses_are_not_enough() -> None:
    assert shapes(block(3, 9)) == set()


def test_nineteen_failures_are_not_enough() -> None:
    assert shapes(block()[:19]) == set()


def test_they_must_come_within_a_day() -> None:
    assert shapes(block(gap=1.25 * HOUR)) == {"one_network"}
    assert shapes(block(gap=1.4 * HOUR)) == set()


def test_a_network_where_anybody_logged_in_this_month_is_not_judged() -> None:
    assert shapes(regular("203.0.113.200", "zoe", days=1, last=29), block()) == set()
    assert shapes(regular("203.0.113.200", "zoe", days=1, last=32), block()) == {"one_network"}


def test_with_a_cold_start_a_network_is_only_told() -> None:
    wish = about(BLOCK, block(), warm=False).wish
    assert wish is not None
    assert wish.against == COLD


def test_hosts_of_one_ipv6_network_are_counted_by_their_64() -> None:
    assert shapes(every(HOUR, [failed(f"2001:db8:1:{n}::1") for n in range(4)] * 5)) == {
        "one_network"
    }
    assert shapes(every(HOUR, [failed(f"2001:db8:1:1::{n}") for n in range(4)] * 5)) == set()


def test_addresses_that_failed_before_are_listed_for_a_day() -> None:
    early = failed("203.0.113.99", at=18 * HOUR - DAY)
    assert "203.0.113.99" in about(BLOCK, early, block()).clients
    early = failed("203.0.113.99", at=18 * HOUR - DAY - 1)
    assert "203.0.113.99" not in about(BLOCK, early, block()).clients


def test_the_list_of_addresses_is_bounded() -> None:
    story = told(block(250, 1, gap=1))
    assert len(story.state(f"n:{BLOCK}", NAME).suspects) == LISTED
    assert len(story.finding(NAME, BLOCK).clients) == LISTED
    assert story.finding(NAME, BLOCK).clients_count > LISTED


# -- password spray ----------------------------------------------------------------------------

SPRAYER = "198.51.100.4"


def spray(accounts: int = 5, tries: int = 2, gap: float = 20 * MINUTE) -> list[Auth]:
    return every(gap, guesses(SPRAYER, [f"user{n}" for n in range(accounts)] * tries))


def test_two_paced_tries_at_each_of_five_accounts_are_a_spray() -> None:
    finding = about(SPRAYER, spray())
    assert (finding.shape, finding.severity) == ("password_spray", "high")
    assert finding.clients == [SPRAYER]
    assert finding.targets == [f"user{n}@example.org" for n in range(5)]
    assert (count(finding, "accounts").count, count(finding, "accounts").threshold) == (5, 5)
    assert count(finding, "tries at one account").count == 2
    assert count(finding, "tries at one account").threshold == 8
    assert finding.wish == Wish("drop", Target("network", SPRAYER))
    assert "10 passwords at 5 accounts" in finding.summary


def test_four_accounts_are_no_spray() -> None:
    assert shapes(spray(4, 6)) == set()


def test_one_try_each_is_no_spray_yet() -> None:
    assert shapes(spray(9, 1)) == set()
    assert shapes(spray(5, 2)[:9]) == set()


def test_seven_tries_each_are_no_spray() -> None:
    seven = every(10 * MINUTE, guesses(SPRAYER, [f"user{n // 7}" for n in range(35)]))
    assert shapes(seven) == set()
    six = every(10 * MINUTE, guesses(SPRAYER, [f"user{n // 6}" for n in range(30)]))
    assert shapes(six) == {"password_spray"}


def test_one_account_tried_to_its_lockout_is_still_a_spray_and_beyond_it_is_not() -> None:
    assert shapes([failed(SPRAYER, "zoe", -60, count=8)], spray()) == {"password_spray"}
    assert shapes([failed(SPRAYER, "zoe", -60, count=9)], spray()) == set()


def test_what_a_dictionary_does_in_ten_minutes_is_no_spray() -> None:
    assert shapes(spray(gap=2.8 * MINUTE)) == {"password_spray"}
    assert shapes(spray(gap=2 * MINUTE)) == set()


def test_who_was_fast_this_day_is_no_sprayer_today() -> None:
    fast = every(10, guesses(SPRAYER, [f"fast{n}" for n in range(5)]))
    assert shapes(fast, moved(spray(), 20 * HOUR)) == set()
    assert shapes(fast, moved(spray(), DAY + 40 - 3 * HOUR)) == set()
    assert shapes(fast, moved(spray(), DAY + 41 - 3 * HOUR)) == {"password_spray"}


def test_tries_must_come_within_a_day() -> None:
    assert shapes(spray(gap=2.5 * HOUR)) == {"password_spray"}
    assert shapes(spray(gap=6 * HOUR)) == set()


def test_accounts_that_are_used_here_are_no_targets() -> None:
    assert shapes(regular(SPRAYER, "user0", last=2), spray()) == set()
    assert shapes(regular("198.51.100.99", "user0"), spray()) == set()


def test_an_account_that_opens_was_mistyped() -> None:
    assert shapes(spray()[:9], opened(SPRAYER, "user0", 3.01 * HOUR), spray()[9:]) == {
        "password_spray"
    }
    assert shapes(spray()[:6], opened(SPRAYER, "user0", 1.7 * HOUR), spray()[6:]) == set()


def test_where_as_many_log_in_it_is_an_office() -> None:
    office = ["uwe", "vera", "wim", "xenia", "yves"]
    assert shapes(regular(SPRAYER, *office), spray()) == set()
    assert shapes(regular(SPRAYER, *office[1:]), spray()) == {"password_spray"}


def test_failures_without_an_account_are_no_spray() -> None:
    assert shapes(every(HOUR, guesses(SPRAYER, [""] * 12))) == set()


# -- nobody ------------------------------------------------------------------------------------


def test_what_comes_through_a_trusted_front_end_is_not_judged() -> None:
    site = Site(default_domain=SITE.default_domain, trusted=Networks([*BOTS, BLOCK]))
    assert shapes(attack(), site=site) == set()
    assert shapes(block(), site=site) == set()


def test_without_a_client_nobody_can_be_told() -> None:
    assert shapes(attack(*[""] * 20)) == set()


def test_our_own_faults_are_not_counted() -> None:
    assert shapes([replace(e, outcome="error") for e in attack()]) == set()


def test_what_is_kept_of_a_mailbox_is_bounded() -> None:
    story = told(attack(*[f"10.{n // 250}.{n % 250}.1" for n in range(1000)], tries=1, gap=1))
    seen = story.state(f"m:{VICTIM}", NAME)
    assert len(seen.told) == LISTED
    assert len(seen.suspects) <= LISTED
    assert story.finding(NAME, VICTIM).clients_count > 500
    assert story.finding(NAME, VICTIM).last == START + 999


# -- who logs in after all ---------------------------------------------------------------------


def test_who_took_part_and_logs_in_failing_nowhere_else_is_one_of_ours() -> None:
    story = told(attack(), opened(BOTS[4], "anna", 20 * MINUTE))
    finding = story.finding(NAME, BOTS[4])
    assert finding.state == "withdrawn"
    assert finding.summary == f"{BOTS[4]} logged in as anna@example.org, and failed nowhere else"
    assert story.finding(NAME, BOTS[0]).state == "open"
    victim = story.finding(NAME, VICTIM)
    assert victim.state == "open"
    assert set(victim.clients) == CLIENTS - {BOTS[4]}


def test_who_failed_elsewhere_or_opens_another_account_is_not() -> None:
    login = opened(BOTS[4], "anna", 20 * MINUTE)
    assert told(attack(), failed(BOTS[4], "ben", 60), login).finding(NAME, BOTS[4]).state == "open"
    other = opened(BOTS[4], "ben", 20 * MINUTE)
    assert told(attack(), other).finding(NAME, BOTS[4]).state == "open"
    both = attack(), moved(attack(account="zoe"), HOUR)
    later = opened(BOTS[4], "anna", 2 * HOUR), opened(BOTS[4], "zoe", 2 * HOUR + 1)
    assert told(*both, later[0]).finding(NAME, BOTS[4]).state == "open"


def test_who_only_logs_in_changes_nothing() -> None:
    assert len(told(attack(), opened(HOME, "anna", 20 * MINUTE)).said) == len(told(attack()).said)


# -- a newcomer at an account under attack -----------------------------------------------------


def believed(*parts: Fact | list[Auth]) -> bool:
    """Whether a login from a new place is passed on as a breach."""
    about = f"c:{HOME}"
    word = Signal(
        at=START + HOUR, about=about, kind="newcomer", client=HOME, account=VICTIM, detail="x"
    )
    story = Story(AuthDistributed())
    story.shard._mine = lambda key: key[0] != "m"
    story.tell(*parts, opened(HOME, "anna", HOUR - 1), word)
    said = story.shard.take().signals
    assert all((s.about, s.kind, s.detail) == (f"m:{VICTIM}", "breach", "x") for s in said)
    return bool(said)


def test_a_place_where_two_others_log_in_is_no_thief_s() -> None:
    others = [opened(HOME, name, at) for at, name in enumerate(["ben", "carl", "dora"])]
    assert believed()
    assert believed(others[:1])
    assert not believed(others[:2])
    tries = [failed(HOME, name, 60) for name in ("uwe", "vera", "willi")]
    assert not believed(others, tries[:2])
    assert believed(others, tries)
