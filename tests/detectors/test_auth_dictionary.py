"""One client guesses: each shape at its threshold and just below, and everybody who must not be
taken for a guesser."""

import pytest
from msgspec.structs import replace

from agents.detectors.auth_dictionary import COLD, OPENED, TRIED, AuthDictionary
from schemas.events import Auth, Fact
from schemas.findings import Finding, Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    SITE,
    Story,
    count,
    every,
    failed,
    guesses,
    moved,
    opened,
    regular,
    repeat,
    tell,
)

GUESSER = "192.0.2.7"
NEIGHBOUR = "192.0.2.8"
STRANGER = "198.51.100.4"
NAME = "auth_dictionary"

FIVE = ["anna", "ben", "carl", "dora", "emil"]


def names(number: int) -> list[str]:
    return [f"user{n}" for n in range(number)]


def shapes(*parts: Fact | list[Auth], warm: bool = True, site: Site = SITE) -> set[str]:
    told = tell(AuthDictionary(), *parts, warm=warm, site=site)
    return told.shapes.get(NAME, set())


def found(*parts: Fact | list[Auth], warm: bool = True, site: Site = SITE) -> Finding:
    return tell(AuthDictionary(), *parts, warm=warm, site=site).finding(NAME)


def wish(*parts: Fact | list[Auth], warm: bool = True, site: Site = SITE) -> Wish:
    wished = found(*parts, warm=warm, site=site).wish
    assert wished is not None
    return wished


def breaches(*parts: Fact | list[Auth], warm: bool = True) -> list[tuple[str, str, str]]:
    """(account, client, further accounts) of each word to an account's watchers."""
    story = Story(AuthDictionary(), warm=warm)
    story.shard._mine = lambda key: key[0] != "m"
    story.tell(*parts)
    signals = story.shard.take().signals
    assert {signal.kind for signal in signals} <= {"breach"}
    assert all(signal.about == f"m:{signal.account}" for signal in signals)
    return [(s.account.partition("@")[0], s.client, s.detail) for s in signals]


# -- dictionary --------------------------------------------------------------------------------


def dictionary(*accounts: str, gap: float = 30) -> list[Auth]:
    return every(gap, guesses(GUESSER, accounts or FIVE))


def test_five_accounts_in_ten_minutes_are_a_dictionary() -> None:
    finding = found(dictionary())
    assert (finding.shape, finding.severity) == ("dictionary", "medium")
    assert finding.subject.value == GUESSER
    assert finding.clients == [GUESSER]
    assert finding.targets == [f"{name}@example.org" for name in FIVE]
    assert (count(finding, "accounts").count, count(finding, "accounts").threshold) == (5, 5)
    assert "5 wrong passwords at 5 accounts" in finding.summary


def test_four_accounts_are_not() -> None:
    assert shapes(dictionary(*FIVE[:4])) == set()


def test_they_may_lie_as_far_apart_as_the_window() -> None:
    assert shapes(dictionary(gap=150)) == {"dictionary"}


def test_accounts_that_lie_further_apart_do_not_meet_in_the_window() -> None:
    assert shapes(dictionary(gap=160)) == set()


def test_spellings_of_one_account_are_one() -> None:
    spellings = ["Anna", "anna", "EXAMPLE\\anna", "anna@example.org", "an.na", "anna+x@example.org"]
    assert shapes(dictionary(*spellings)) == set()


def test_failures_must_outnumber_what_succeeds() -> None:
    logins = [opened(GUESSER, "zoe", -HOUR + number) for number in range(5)]
    assert shapes(logins, dictionary()) == set()
    assert shapes(logins[1:], dictionary()) == {"dictionary"}


def test_one_account_speaks_for_a_client_five_times_a_day_at_most() -> None:
    logins = [opened(GUESSER, "zoe", -HOUR + number) for number in range(50)]
    assert shapes(logins, dictionary(*names(6))) == {"dictionary"}


def test_many_accounts_speak_for_an_office() -> None:
    logins = [opened(GUESSER, name, -HOUR) for name in ("uwe", "vera", "wim", "xenia", "yves")]
    assert shapes(logins, dictionary()) == set()


def test_successes_of_yesterday_no_longer_speak() -> None:
    logins = [opened(GUESSER, "zoe", -26 * HOUR + number) for number in range(50)]
    assert shapes(logins, dictionary()) == {"dictionary"}


def test_logins_of_a_guesser_no_longer_speak_for_it() -> None:
    story = Story(AuthDictionary()).tell(dictionary())
    story.tell([opened(GUESSER, name, HOUR) for name in names(40)])
    assert story.state(f"c:{GUESSER}", NAME).opened.seen == {}


def test_accounts_that_the_client_opened_this_month_are_no_guesses() -> None:
    assert shapes(regular(GUESSER, *FIVE, days=1, last=30), dictionary()) == set()


def test_accounts_that_it_opened_longer_ago_are() -> None:
    assert shapes(regular(GUESSER, *FIVE, days=1, last=31), dictionary()) == {"dictionary"}


def test_accounts_that_the_neighbourhood_opens_are_no_guesses() -> None:
    assert shapes(regular(NEIGHBOUR, *FIVE), dictionary()) == set()


def test_what_strangers_open_elsewhere_excuses_nobody() -> None:
    assert shapes(regular(STRANGER, *FIVE), dictionary()) == {"dictionary"}


def test_people_who_mistype_and_then_succeed_are_no_guessers() -> None:
    typos = [
        [failed(GUESSER, name, minute * MINUTE), opened(GUESSER, name, minute * MINUTE + 9)]
        for minute, name in enumerate(FIVE)
    ]
    assert shapes(*typos) == set()


def test_our_own_faults_are_not_counted() -> None:
    assert shapes([replace(event, outcome="error") for event in dictionary()]) == set()


def test_a_trusted_front_end_is_not_judged() -> None:
    site = Site(default_domain=SITE.default_domain, trusted=Networks([GUESSER]))
    assert shapes(dictionary(), site=site) == set()


def test_a_provider_that_fetches_for_many_is_silent() -> None:
    strangers = [f"old{n}" for n in range(9)]
    assert shapes(regular(GUESSER, *names(10), last=2), dictionary(*strangers)) == set()


def test_nine_accounts_make_no_provider() -> None:
    assert shapes(regular(GUESSER, *names(9), last=2), dictionary()) == {"dictionary"}


def test_who_fails_at_as_many_accounts_as_it_opens_is_no_provider() -> None:
    strangers = [f"old{n}" for n in range(10)]
    assert shapes(regular(GUESSER, *names(10), last=2), dictionary(*strangers)) == {"dictionary"}


def test_a_guesser_is_dropped() -> None:
    assert wish(dictionary()) == Wish("drop", Target("network", GUESSER))


def test_a_host_of_ipv6_commands_its_64() -> None:
    attack = every(30, [failed(f"2001:db8::{n}", name) for n, name in enumerate(FIVE, 1)])
    assert wish(attack).target.value == "2001:db8::/64"


def test_with_a_cold_start_it_is_only_told() -> None:
    assert wish(dictionary(), warm=False).against == COLD
    assert wish(dictionary(*names(14)), warm=False).against == COLD


def test_fifteen_accounts_are_nobodys_own_even_then() -> None:
    assert wish(dictionary(*names(15)), warm=False) == Wish("drop", Target("network", GUESSER))


@pytest.mark.parametrize("client", [GUESSER, NEIGHBOUR], ids=["there", "in its network"])
def test_unless_somebody_got_in_there(client: str) -> None:
    login = opened(client, "zoe", at=-HOUR)
    assert wish(login, dictionary(*names(15)), warm=False).against == COLD


def test_eight_accounts_in_a_day_are_one_at_any_pace_where_nothing_ever_succeeded() -> None:
    finding = found(dictionary(*names(8), gap=9 * MINUTE))
    assert (finding.shape, finding.severity) == ("dictionary", "medium")
    assert count(finding, "accounts in a day").count == 8


def test_seven_accounts_in_a_day_are_not() -> None:
    assert shapes(dictionary(*names(7), gap=9 * MINUTE)) == set()


def test_where_anything_succeeded_this_month_a_day_is_too_long() -> None:
    assert shapes(regular(GUESSER, "zoe", last=2), dictionary(*names(9), gap=9 * MINUTE)) == set()


# -- unknown names -----------------------------------------------------------------------------


def unknown(*accounts: str, gap: float = 30) -> list[Auth]:
    return every(gap, guesses(GUESSER, accounts, reason="unknown_account"))


def test_three_accounts_that_do_not_exist_are_unknown_names() -> None:
    finding = found(unknown("root", "test", "oracle"))
    assert (finding.shape, finding.severity) == ("unknown_names", "medium")
    assert count(finding, "unknown accounts").count == 3
    assert count(finding, "unknown accounts").threshold == 3


def test_two_are_not() -> None:
    assert shapes(unknown("root", "test")) == set()


def test_wrong_passwords_at_accounts_that_exist_are_none() -> None:
    assert shapes(unknown("root", "test"), failed(GUESSER, "anna", 90)) == set()


def test_they_must_come_within_the_window() -> None:
    assert shapes(unknown("root", "test", "oracle", gap=300)) == {"unknown_names"}
    assert shapes(unknown("root", "test", "oracle", gap=320)) == set()


HONEYPOTS = Site(
    domains=SITE.domains,
    default_domain=SITE.default_domain,
    honeypots=frozenset({"scanner", "copier@example.org"}),
)


@pytest.mark.parametrize("name", ["scanner", "scanner@example.org", "SCANNER", "copier"])
def test_one_honeypot_is_enough(name: str) -> None:
    finding = found(failed(GUESSER, name), site=HONEYPOTS)
    assert (finding.shape, finding.severity) == ("unknown_names", "high")
    assert count(finding, "honeypots").threshold == 1
    assert "honeypots" in finding.summary


def test_a_honeypot_keeps_its_guest_out_for_a_day_even_after_a_cold_start() -> None:
    wished = wish(failed(GUESSER, "scanner"), site=HONEYPOTS, warm=False)
    assert wished == Wish("drop", Target("network", GUESSER), seconds=DAY)


def test_a_name_that_logs_in_here_is_no_honeypot() -> None:
    assert shapes(regular(GUESSER, "scanner"), failed(GUESSER, "scanner"), site=HONEYPOTS) == set()


def test_other_names_are_none() -> None:
    assert shapes(failed(GUESSER, "scan"), site=HONEYPOTS) == set()


# -- stuffing ----------------------------------------------------------------------------------


def stuffing(accounts: int, fat: int = 0, tries: int = 3, gap: float = 5 * MINUTE) -> list[Auth]:
    """One try at each account, `tries` at the first `fat` of them."""
    targets = [n for number, n in enumerate(names(accounts)) for _ in range(tries * (number < fat))]
    return every(gap, guesses(GUESSER, [*targets, *names(accounts)[fat:]]))


def test_fifteen_accounts_with_few_tries_each_are_stuffing() -> None:
    finding = found(stuffing(15))
    assert (finding.shape, finding.severity) == ("stuffing", "high")
    assert count(finding, "accounts in a day").count == 15
    assert count(finding, "accounts in a day").threshold == 8


def test_fourteen_are_not() -> None:
    assert "stuffing" not in shapes(stuffing(14))


def test_a_fifth_of_them_may_be_tried_more_often() -> None:
    assert shapes(stuffing(15, fat=3)) == {"stuffing"}
    assert shapes(stuffing(15, fat=4)) == {"dictionary"}


def test_two_tries_each_are_few() -> None:
    assert shapes(stuffing(15, fat=15, tries=2)) == {"stuffing"}


def test_stuffing_may_take_a_day() -> None:
    assert shapes(stuffing(15, gap=1.6 * HOUR)) == {"stuffing"}
    assert shapes(stuffing(15, gap=3.6 * HOUR)) == {"slow"}


def test_a_fast_one_is_stuffing_too() -> None:
    assert shapes(stuffing(20, gap=2)) == {"stuffing"}


# -- guessing at one account -------------------------------------------------------------------


def guessing(times: int, gap: float = 30, account: str = "anna") -> list[Auth]:
    """Each time another password."""
    return every(gap, repeat(times, lambda n: failed(GUESSER, account, password=f"p{n}")))


def test_ten_passwords_at_one_account_are_guessing() -> None:
    finding = found(guessing(10))
    assert (finding.shape, finding.severity) == ("guessing", "medium")
    assert count(finding, "passwords at one account").count == 10
    assert count(finding, "passwords at one account").threshold == 10


def test_nine_passwords_are_not() -> None:
    assert shapes(guessing(9)) == set()


def test_one_password_again_and_again_is_a_device() -> None:
    assert shapes(every(10, guesses(GUESSER, ["anna"] * 50, password="x"))) == set()


def test_without_fingerprints_each_failure_may_be_another_password() -> None:
    assert shapes(every(30, guesses(GUESSER, ["anna"] * 10))) == {"guessing"}
    assert shapes(every(30, guesses(GUESSER, ["anna"] * 9))) == set()


def test_one_line_may_report_many_tries() -> None:
    assert shapes(failed(GUESSER, "anna", count=10)) == {"guessing"}


def test_what_is_known_of_passwords_and_what_is_not_adds_up() -> None:
    blind = [failed(GUESSER, "anna", 280 + number) for number in range(5)]
    assert shapes(guessing(5), blind) == {"guessing"}


def test_passwords_at_several_accounts_do_not_add_up() -> None:
    assert shapes(guessing(9), moved(guessing(9, account="ben"), 5)) == set()


def test_slower_guesses_do_not_meet_in_the_window() -> None:
    assert shapes(guessing(10, gap=60)) == {"guessing"}
    assert shapes(guessing(10, gap=75)) == set()


def test_twenty_passwords_at_one_account_in_a_day_are_guessing() -> None:
    finding = found(guessing(20, gap=HOUR))
    assert finding.shape == "guessing"
    sign = count(finding, "passwords at one account in a day")
    assert (sign.count, sign.threshold) == (20, 20)


def test_nineteen_in_a_day_are_not() -> None:
    assert shapes(guessing(19, gap=HOUR)) == set()


def test_twenty_in_more_than_a_day_are_not() -> None:
    assert shapes(guessing(20, gap=1.4 * HOUR)) == set()


def test_the_owner_may_forget_his_password() -> None:
    assert shapes(regular(GUESSER, "anna"), guessing(30)) == set()


def test_a_success_ends_the_count_of_passwords() -> None:
    story = Story(AuthDictionary()).tell(guessing(3), opened(GUESSER, "anna", 120))
    assert story.state(f"c:{GUESSER}", NAME).tried == {}


# -- slow --------------------------------------------------------------------------------------


def slow(
    tries: int = 5, accounts: int = 3, gap: float = 2 * HOUR, client: str = GUESSER
) -> list[Auth]:
    return every(gap, repeat(tries, lambda n: failed(client, f"user{n % accounts}")))


def test_five_tries_over_three_accounts_without_any_success_are_slow_guessing() -> None:
    finding = found(slow())
    assert (finding.shape, finding.severity) == ("slow", "low")
    assert count(finding, "failures in a day").count == 5


def test_four_tries_are_not() -> None:
    assert shapes(slow(tries=4)) == set()


def test_two_accounts_are_not() -> None:
    assert shapes(slow(tries=8, accounts=2)) == set()


def test_a_client_with_a_past_is_no_slow_guesser() -> None:
    assert shapes(regular(GUESSER, "zoe"), slow()) == set()


def test_its_median_gap_is_ten_minutes_at_least() -> None:
    assert shapes(slow(gap=10 * MINUTE)) == {"slow"}
    assert shapes(slow(gap=10 * MINUTE - 1)) == set()


def test_half_of_its_gaps_may_be_short() -> None:
    pairs = [failed(GUESSER, f"user{n}", n // 2 * HOUR + n % 2) for n in range(5)]
    assert shapes(pairs) == {"slow"}
    triples = [failed(GUESSER, f"user{n}", n // 3 * HOUR + n % 3) for n in range(6)]
    assert shapes(triples) == set()


def test_tries_in_a_burst_come_without_a_pause() -> None:
    burst = [failed(GUESSER, "user9", 9 * HOUR, count=9)]
    assert shapes(slow(tries=4), burst) == set()


def test_slow_guessing_at_accounts_that_exist_is_only_told() -> None:
    assert "slow" in wish(slow()).against


def test_with_unknown_names_it_is_blocked() -> None:
    finding = found([replace(event, reason="unknown_account") for event in slow()])
    assert (finding.shape, finding.severity) == ("slow", "medium")
    assert finding.wish == Wish("drop", Target("network", GUESSER))


# -- nameless ----------------------------------------------------------------------------------


def nameless(times: int, gap: float = 30, client: str = GUESSER) -> list[Auth]:
    return every(gap, guesses(client, [""] * times))


def test_ten_failures_without_a_name_in_ten_minutes() -> None:
    finding = found(nameless(10))
    assert (finding.shape, finding.severity) == ("nameless", "low")
    assert count(finding, "failures without a name").count == 10
    assert count(finding, "failures without a name").threshold == 10
    assert "10 failures without a name" in finding.summary


def test_nine_of_them_are_nothing() -> None:
    assert shapes(nameless(9)) == set()


def test_ten_in_a_day_from_where_nobody_ever_logs_in() -> None:
    assert shapes(nameless(10, gap=2 * HOUR)) == {"nameless"}
    assert shapes(nameless(9, gap=2 * HOUR)) == set()


def test_a_client_with_a_past_may_fail_ten_times_as_often() -> None:
    past = regular(GUESSER, "anna")
    assert shapes(past, nameless(99, gap=1)) == set()
    assert shapes(past, nameless(100, gap=1)) == {"nameless"}


def test_slow_nameless_failures_from_a_network_with_a_past_are_nothing() -> None:
    assert shapes(regular(NEIGHBOUR, "anna"), nameless(12, gap=2 * HOUR)) == set()
    assert shapes(regular(GUESSER, "anna"), nameless(12, gap=2 * HOUR)) == set()


def test_nameless_failures_must_outnumber_what_succeeds() -> None:
    logins = [opened(GUESSER, name, -HOUR + n) for name in names(21) for n in range(5)]
    assert shapes(logins, nameless(105, gap=1)) == set()
    assert shapes(logins, nameless(106, gap=1)) == {"nameless"}


def test_who_fails_without_a_name_is_slowed_not_blocked() -> None:
    assert wish(nameless(10)) == Wish("tarpit", Target("network", GUESSER))


def test_where_people_log_in_nameless_failures_are_only_told() -> None:
    assert "succeed" in wish(regular(NEIGHBOUR, "anna"), nameless(10)).against
    assert "succeed" in wish(regular(GUESSER, "anna"), nameless(100, gap=1)).against
    assert wish(nameless(10), warm=False).against == COLD


def test_a_named_shape_outranks_nameless_failures() -> None:
    finding = found(nameless(10), moved(dictionary(), HOUR), moved(nameless(20), 2 * HOUR))
    assert finding.shape == "dictionary"


# -- an account opens --------------------------------------------------------------------------


def test_who_opens_an_account_after_a_dictionary_is_critical() -> None:
    finding = found(dictionary(), opened(GUESSER, "zoe", HOUR))
    assert (finding.shape, finding.severity) == ("dictionary", "critical")
    assert count(finding, "accounts opened").threshold == 1
    assert "opened zoe@example.org" in finding.summary


def test_its_watchers_hear_who_opened_it_and_how_much_else_was_tried() -> None:
    assert breaches(dictionary(), opened(GUESSER, "zoe", HOUR)) == [("zoe", GUESSER, "5")]


def test_the_account_itself_is_no_further_one() -> None:
    assert breaches(dictionary(), opened(GUESSER, "emil", HOUR)) == [("emil", GUESSER, "4")]


def test_who_guessed_at_one_account_only_may_have_forgotten_a_password() -> None:
    attack = [*guessing(12), opened(GUESSER, "anna", HOUR)]
    assert breaches(attack) == [("anna", GUESSER, "0")]
    assert found(attack).severity == "medium"


def test_one_further_account_makes_no_thief_of_him() -> None:
    attack = [*guessing(12), failed(GUESSER, "ben", 200), opened(GUESSER, "anna", HOUR)]
    assert breaches(attack) == [("anna", GUESSER, "1")]
    assert found(attack).severity == "medium"
    attack += [failed(GUESSER, "carl", 201)]
    assert found(attack).severity == "critical"


def test_nor_does_his_own_name_mistyped() -> None:
    slips = guesses(GUESSER, ["anna.bergq", "ana.berg", "anna.berk", "annaberg"])
    attack = [*every(9, slips), *every(9, guesses(GUESSER, ["dora", "emil"]), start=90)]
    assert breaches(attack, opened(GUESSER, "anna.berg", HOUR)) == [("anna.berg", GUESSER, "2")]


def test_names_that_are_alike_to_four_fifths_are_no_slips_yet() -> None:
    attack = every(9, guesses(GUESSER, ["ebert", "dora", "emil", "fritz", "gisela"]))
    assert breaches(attack, opened(GUESSER, "ebers", HOUR)) == [("ebers", GUESSER, "5")]


# -- people who come over from another house ---------------------------------------------------


def elsewhere(*accounts: str) -> list[str]:
    return [f"{account}@old.example" for account in accounts]


def test_logins_of_another_house_are_no_unknown_names() -> None:
    absent = guesses(GUESSER, elsewhere(*FIVE[:4]), reason="unknown_account")
    assert shapes(every(30, absent)) == set()


def test_five_of_them_are_a_dictionary() -> None:
    assert shapes(dictionary(*elsewhere(*FIVE))) == {"dictionary"}


def test_one_name_in_many_houses_is_one() -> None:
    assert shapes(dictionary(*(f"anna@house{n}.example" for n in range(9)))) == set()


def test_where_our_domains_are_not_known_no_login_is_of_another_house() -> None:
    absent = guesses(GUESSER, elsewhere(*FIVE[:3]), reason="unknown_account")
    assert shapes(every(30, absent), site=Site()) == {"unknown_names"}


def test_who_opens_the_namesake_here_came_over() -> None:
    move = [
        event
        for number, name in enumerate(FIVE * 3)
        for event in (
            failed(GUESSER, f"{name}{number}@old.example", 60 * number, reason="unknown_account"),
            opened(GUESSER, f"{name}{number}", 60 * number + 50),
        )
    ]
    assert shapes(move) == set()
    assert breaches(move) == []


def test_even_where_he_is_taken_for_a_guesser_it_is_no_breach() -> None:
    attack = dictionary(*elsewhere(*FIVE))
    assert breaches(attack, opened(GUESSER, "anna", HOUR)) == []
    assert breaches(attack, opened(GUESSER, "zoe", HOUR)) == [("zoe", GUESSER, "5")]


def test_who_guessed_at_the_account_itself_as_well_did_not_come_over() -> None:
    attack = dictionary(*elsewhere(*FIVE), "anna")
    assert breaches(attack, opened(GUESSER, "anna", HOUR)) == [("anna", GUESSER, "4")]


def test_a_breach_decides_even_after_a_cold_start() -> None:
    wished = wish(dictionary(), opened(GUESSER, "zoe", HOUR), warm=False)
    assert wished == Wish("drop", Target("network", GUESSER))


def test_who_opens_too_many_of_what_it_fails_at_is_no_guesser_but_people_who_move() -> None:
    hits = [opened(GUESSER, f"right{number}", HOUR + number) for number in range(9)]
    assert len(breaches(dictionary(*names(5)), hits)) == 3
    assert len(breaches(dictionary(*names(15)), hits)) == 4
    assert len(breaches(dictionary(*names(40)), hits)) == 9


def test_colleagues_behind_the_same_address_are_not_breached() -> None:
    assert breaches(regular(GUESSER, "zoe"), dictionary(), opened(GUESSER, "zoe", HOUR)) == []


def test_a_login_before_any_guess_is_no_breach() -> None:
    assert breaches(opened(GUESSER, "zoe", -MINUTE), dictionary(*names(9))) == []


def test_a_login_a_day_after_the_last_guess_is_no_breach() -> None:
    assert breaches(dictionary(), opened(GUESSER, "zoe", 2 * DAY)) == []


def test_an_account_that_failed_before_it_opened_is_told_once_the_shape_stands() -> None:
    hit = [failed(GUESSER, "zoe"), opened(GUESSER, "zoe", 1)]
    assert breaches(hit, moved(dictionary(), 10)) == [("zoe", GUESSER, "5")]


def test_so_is_the_first_account_that_opens_to_a_stranger_amid_failures() -> None:
    attack = [failed(GUESSER, "anna"), failed(GUESSER, "ben", 1), opened(GUESSER, "zoe", 2)]
    assert breaches(attack, moved(dictionary(*names(9)), 10)) == [("zoe", GUESSER, "5")]


def test_a_second_one_needs_more_failures_than_logins() -> None:
    attack = [failed(GUESSER, "anna"), opened(GUESSER, "yves", 1), opened(GUESSER, "zoe", 2)]
    assert breaches(attack, moved(dictionary(*names(9)), 10)) == [("yves", GUESSER, "5")]


def test_a_typing_mistake_of_yesterday_is_forgotten() -> None:
    hit = [failed(GUESSER, "zoe", -3 * DAY), opened(GUESSER, "zoe", 1 - 3 * DAY)]
    assert breaches(hit, dictionary()) == []


def test_one_of_a_day_ago_is_not_yet() -> None:
    hit = [failed(GUESSER, "zoe", -1), opened(GUESSER, "zoe")]
    assert breaches(hit, moved(dictionary(), DAY - 120)) == [("zoe", GUESSER, "5")]


def test_where_others_log_in_the_first_success_amid_failures_is_no_breach() -> None:
    typo = [failed(GUESSER, "anna"), opened(GUESSER, "zoe", 2)]
    assert breaches(regular(GUESSER, "uwe", last=3), typo, moved(dictionary(*names(9)), 10)) == []


def test_a_breach_is_told_again_after_an_hour_at_the_soonest() -> None:
    again = [opened(GUESSER, "zoe", HOUR + gap) for gap in (0, 1, HOUR - 1, HOUR)]
    assert len(breaches(dictionary(), again)) == 2


def test_nameless_guesses_that_end_with_a_success_are_a_breach() -> None:
    assert breaches(nameless(10), opened(GUESSER, "zoe", HOUR)) == [("zoe", GUESSER, "0")]


def test_with_a_cold_start_they_may_be_a_neighbours_phone() -> None:
    assert breaches(nameless(10), opened(GUESSER, "zoe", HOUR), warm=False) == []


def test_with_a_cold_start_a_named_guess_is_a_breach_all_the_same() -> None:
    attack = [*nameless(10), *moved(dictionary(), HOUR), opened(GUESSER, "zoe", 2 * HOUR)]
    assert breaches(attack, warm=False) == [("zoe", GUESSER, "5")]


def test_a_login_without_a_name_opens_nothing() -> None:
    assert breaches(dictionary(), opened(GUESSER, "", HOUR)) == []


def test_what_was_stolen_is_no_home() -> None:
    story = Story(AuthDictionary()).tell(dictionary(), opened(GUESSER, "zoe", HOUR))
    story.tell([failed(GUESSER, "zoe", HOUR + 60)])
    assert "zoe@example.org" in story.state(f"c:{GUESSER}", NAME).strange.names.values()


# -- bounds ------------------------------------------------------------------------------------


def test_what_is_kept_of_a_client_is_bounded() -> None:
    story = Story(AuthDictionary())
    story.tell(every(1, guesses(GUESSER, names(200), reason="unknown_account")))
    story.tell(every(1, [opened(GUESSER, name) for name in names(200)], start=300))
    seen = story.state(f"c:{GUESSER}", NAME)
    assert (len(seen.tried), len(seen.breached)) == (0, OPENED)
    assert len(seen.opened.seen) <= 64
    story.tell(every(1, guesses(GUESSER, [f"new{n}" for n in range(20)]), start=600))
    assert len(seen.tried) == TRIED


def test_suspects_are_bounded_and_the_oldest_goes_first() -> None:
    story = Story(AuthDictionary())
    for number, name in enumerate(names(OPENED + 1)):
        story.tell(failed(GUESSER, name, number * HOUR), opened(GUESSER, name, number * HOUR + 1))
    kept = list(story.state(f"c:{GUESSER}", NAME).suspects)
    assert kept == [f"{name}@example.org" for name in names(OPENED + 1)[1:]]


def test_never_more_accounts_than_tries_are_told() -> None:
    told = found(every(1, guesses(GUESSER, names(200))))
    accounts = count(told, "accounts in a day")
    assert accounts.estimated
    assert 150 < accounts.count <= 200
    assert f"200 wrong passwords at about {accounts.count:g} accounts" in told.summary
