"""An account opens to somebody who guessed: who did it, how, and what is done with it then."""

import pytest
from msgspec.structs import replace

from agents.detectors.auth_breach import CLIENTS, NEWCOMERS, AuthBreach
from agents.detectors.auth_dictionary import AuthDictionary
from agents.detectors.auth_distributed import AuthDistributed
from schemas.events import Auth, Change, Fact, Message, Signal
from schemas.findings import Finding, Target, Wish
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
    opened,
    regular,
    tell,
)

NAME = "auth_breach"
VICTIM = "anna@example.org"
THIEF = "198.51.100.4"
HOME = "2001:db8:99::1"
BOTS = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8:7::1", "198.51.100.9"]


def word(detail: str = "0", at: float = 0.0, client: str = THIEF) -> Signal:
    """What a client's watcher tells."""
    return event(
        Signal,
        at,
        about=f"m:{VICTIM}",
        kind="breach",
        client=client,
        account=VICTIM,
        detail=detail,
    )


def sent(at: float, client: str = THIEF) -> Message:
    return event(Message, at, client=client, account="anna", sender=VICTIM, recipients=1)


def changed(at: float, client: str = "") -> Change:
    return event(Change, at, client=client, account="anna", what="forward")


def found(*parts: Fact | list[Auth], warm: bool = True, site: Site = SITE) -> Finding:
    return tell(AuthBreach(), *parts, warm=warm, site=site).finding(NAME, VICTIM)


def severity(*parts: Fact | list[Auth]) -> str:
    return found(*parts).severity


# -- guessed -----------------------------------------------------------------------------------


def test_the_account_is_named_and_who_opened_it() -> None:
    finding = found(word())
    assert (finding.shape, finding.subject.kind) == ("guessed", "account")
    assert finding.accounts == [VICTIM]
    assert finding.clients == [THIEF]
    assert count(finding, "clients that opened it").threshold == 1
    assert THIEF in finding.summary


def test_who_guessed_at_this_account_only_may_have_forgotten_a_password() -> None:
    finding = found(word("0"))
    assert finding.severity == "medium"
    assert finding.wish == Wish("notify", Target("account", VICTIM))


def test_one_more_account_may_be_a_neighbours_mistake() -> None:
    finding = found(word("1"))
    assert finding.severity == "medium"
    assert count(finding, "further accounts guessed at").threshold == 2


def test_who_guessed_at_others_too_is_a_thief() -> None:
    finding = found(word("2"))
    assert finding.severity == "critical"
    assert count(finding, "further accounts guessed at").count == 2
    assert finding.wish == Wish("reject", Target("client_account", f"{THIEF} {VICTIM}"))


@pytest.mark.parametrize("detail", ["", "many", "-1", "1000000", "²", "1.5"])
def test_a_word_that_is_no_count_counts_nothing(detail: str) -> None:
    assert severity(word(detail)) == "medium"


def test_a_count_of_six_digits_is_one() -> None:
    assert severity(word("999999")) == "critical"


def test_to_hear_it_twice_changes_nothing() -> None:
    once, twice = (
        Story(AuthBreach()).tell(word("3")),
        Story(AuthBreach()).tell(word("3"), word("3")),
    )
    key = f"m:{VICTIM}"
    assert once.state(key, NAME) == twice.state(key, NAME)
    assert once.said[-1].evidence == twice.said[-1].evidence


def test_the_largest_count_stays_in_whatever_order_words_come() -> None:
    for words in ([word("0"), word("5", 1)], [word("5"), word("0", 1)]):
        finding = found(*words)
        assert (finding.severity, count(finding, "further accounts guessed at").count) == (
            "critical",
            5,
        )


def test_a_word_about_nobody_is_none() -> None:
    assert tell(AuthBreach(), word(client="")).silent


def test_other_words_are_not_its_business() -> None:
    other = event(Signal, about=f"m:{VICTIM}", kind="distributed", client=THIEF)
    assert tell(AuthBreach(), other).silent


def test_every_client_that_opened_it_is_named_and_they_are_bounded() -> None:
    words = [word(at=n, client=f"203.0.113.{n}") for n in range(CLIENTS + 1)]
    story = tell(AuthBreach(), words)
    clients = list(story.state(f"m:{VICTIM}", NAME).clients)
    assert clients == [f"203.0.113.{n}" for n in range(1, CLIENTS + 1)]
    assert len(story.finding(NAME).clients) == CLIENTS + 1


# -- what it does then -------------------------------------------------------------------------


def test_mail_sent_by_the_thief_is_critical() -> None:
    finding = found(word(), sent(HOUR))
    assert finding.severity == "critical"
    assert (count(finding, "messages since").count, count(finding, "messages since").threshold) == (
        1,
        1,
    )
    assert "1 message," in finding.summary


def test_so_is_mail_from_any_new_place() -> None:
    assert severity(word(), sent(HOUR, "203.0.113.5")) == "critical"


def test_the_owner_may_go_on_working() -> None:
    assert severity(regular(HOME, "anna"), word(), sent(HOUR, HOME)) == "medium"


def test_mail_without_a_client_says_nothing() -> None:
    assert severity(word(), sent(HOUR, "")) == "medium"


def test_mail_through_our_own_front_end_says_nothing() -> None:
    site = Site(SITE.domains, SITE.default_domain, trusted=Networks([HOME]))
    assert found(word(), sent(HOUR, HOME), site=site).severity == "medium"


def test_a_changed_setting_is_critical() -> None:
    finding = found(word(), changed(HOUR))
    assert finding.severity == "critical"
    assert count(finding, "changes since").count == 1
    assert severity(word(), changed(HOUR, THIEF)) == "critical"


def test_the_owner_may_change_his_password() -> None:
    assert severity(regular(HOME, "anna"), word(), changed(HOUR, HOME)) == "medium"


def test_it_is_followed_for_a_day() -> None:
    assert severity(word(), sent(DAY)) == "critical"
    assert severity(word(), sent(DAY + 1)) == "medium"


def test_mail_that_was_sent_before_is_not_looked_at() -> None:
    assert severity(sent(0), word(at=1)) == "medium"


def test_mail_of_an_account_that_nobody_opened_is_nothing() -> None:
    assert tell(AuthBreach(), sent(0), changed(1)).silent


# -- distributed -------------------------------------------------------------------------------


def attack() -> list[Auth]:
    return every(MINUTE, [failed(bot, "anna") for bot in BOTS] * 2)


def distributed(*parts: Fact | list[Auth], warm: bool = True, site: Site = SITE) -> list[Finding]:
    story = tell(AuthDistributed(), AuthBreach(), *parts, warm=warm, site=site)
    return [finding for finding in story.findings if finding.detector == NAME]


def test_an_account_under_distributed_guessing_opens_from_a_new_place() -> None:
    (finding,) = distributed(attack(), opened(THIEF, "anna", HOUR))
    assert (finding.shape, finding.severity) == ("distributed", "high")
    assert (finding.clients, finding.accounts) == ([THIEF], [VICTIM])
    assert finding.wish == Wish("notify", Target("account", VICTIM))


def test_its_owner_may_come_in_from_his_own_places() -> None:
    assert distributed(regular(HOME, "anna"), attack(), opened(HOME, "anna", HOUR)) == []


def test_mail_from_there_makes_it_critical() -> None:
    mails = [sent(2 * HOUR + n) for n in range(5)]
    (finding,) = distributed(attack(), opened(THIEF, "anna", HOUR), mails)
    assert finding.severity == "critical"
    (finding,) = distributed(attack(), opened(THIEF, "anna", HOUR), mails[:4])
    assert finding.severity == "high"
    (finding,) = distributed(attack(), opened(THIEF, "anna", HOUR), word(at=HOUR), mails[:1])
    assert finding.severity == "critical"


def test_where_others_of_ours_log_in_it_is_its_owner_who_moved() -> None:
    def crowd(*names: str) -> list[Auth]:
        return [opened(THIEF, name, HOUR - 9) for name in names]

    login = opened(THIEF, "anna", HOUR)

    def distributed(*parts: Fact | list[Auth]) -> list[Finding]:
        story = tell(AuthDistributed(), AuthBreach(), regular(HOME, "anna"), *parts)
        return [finding for finding in story.findings if finding.detector == NAME]

    assert distributed(attack(), crowd("ben", "carl"), login) == []
    assert len(distributed(attack(), crowd("ben"), login)) == 1
    assert len(distributed(attack(), crowd("ben", "anna"), login)) == 1
    tried = [failed(THIEF, name, HOUR - 20) for name in ("uwe", "vera")]
    assert len(distributed(attack(), tried, crowd("ben", "carl"), login)) == 1
    assert distributed(attack(), tried[:1], crowd("ben", "carl"), login) == []


# -- amid a campaign -----------------------------------------------------------------------------


def amid(client: str = THIEF, at: float = 0.0) -> Signal:
    about = f"m:{VICTIM}"
    return Signal(at=START + at, about=about, kind="amid_campaign", client=client, account=VICTIM)


def test_a_newcomer_amid_a_campaign_whom_the_owner_follows_at_home() -> None:
    here = regular(HOME, "anna")
    first = opened(THIEF, "anna")
    (finding,) = distributed(here, first, amid(), opened(HOME, "anna", HOUR))
    assert (finding.shape, finding.severity) == ("distributed", "high")
    assert (finding.clients, finding.accounts) == ([THIEF], [VICTIM])
    assert distributed(here, first, amid(), opened(HOME, "anna", HOUR - 1)) == []
    assert distributed(here, first, amid(), opened("203.0.114.9", "anna", HOUR)) == []
    back = opened(THIEF, "anna", HOUR - 9), opened(HOME, "anna", HOUR)
    assert distributed(here, first, amid(), *back) == []
    assert distributed(here, first, amid(), failed(HOME, "anna", HOUR)) == []
    error = replace(opened(THIEF, "anna", 60), outcome="error")
    assert len(distributed(here, first, amid(), error, opened(HOME, "anna", HOUR))) == 1
    company = [opened(THIEF, name, 9) for name in ("ben", "carl")]
    assert distributed(here, first, amid(), company, opened(HOME, "anna", HOUR)) == []
    again = opened(HOME, "anna", HOUR), opened(HOME, "anna", 2 * HOUR)
    assert len(distributed(here, first, amid(), *again)) == 1


def test_an_account_without_a_home_or_on_the_move_is_not_told_apart() -> None:
    story = amid(), opened(HOME, "anna", HOUR)
    assert distributed(opened(HOME, "anna", -DAY), *story) == []
    here = regular(HOME, "anna")
    trips = [opened(f"203.{n}.0.9", "anna", -4 * DAY + n) for n in range(4)]
    assert len(distributed(here, trips[:3], *story)) == 1
    assert distributed(here, trips, *story) == []


def test_newcomers_are_bounded() -> None:
    crowd = [amid(f"203.0.113.{n}", n) for n in range(9)]
    story = tell(AuthBreach(), regular(HOME, "anna"), crowd)
    assert list(story.state(f"m:{VICTIM}", NAME).newcomers) == [
        f"203.0.113.{n}" for n in range(9 - NEWCOMERS, 9)
    ]


def test_a_forbidden_account_is_told_of_beside_a_newcomer() -> None:
    story = tell(LISTED, regular("10.0.0.1", "anna"), amid(), opened("203.0.113.9", "anna", 60))
    assert story.finding(NAME).shape == "forbidden"


def test_an_account_under_attack_is_looked_at_beside_a_newcomer() -> None:
    here = regular(HOME, "anna")
    found = distributed(here, attack(), amid("203.0.113.5"), opened(THIEF, "anna", HOUR))
    assert [finding.clients for finding in found] == [[THIEF]]
    calm = distributed(here, amid("203.0.113.5", HOUR - 9), opened(THIEF, "anna", HOUR))
    assert calm == []


def test_no_attack_no_breach() -> None:
    assert distributed(attack()[:9], opened(THIEF, "anna", HOUR)) == []


def test_after_a_cold_start_the_place_must_have_guessed() -> None:
    assert distributed(attack(), opened("203.0.114.9", "anna", HOUR), warm=False) == []
    assert len(distributed(attack(), opened(BOTS[2], "anna", HOUR), warm=False)) == 1


def test_a_failure_of_the_login_opens_nothing() -> None:
    assert distributed(attack(), failed(THIEF, "anna", HOUR)) == []
    assert distributed(attack(), replace(opened(THIEF, "anna", HOUR), outcome="error")) == []


def test_a_trusted_front_end_opens_nothing() -> None:
    site = Site(SITE.domains, SITE.default_domain, trusted=Networks([THIEF]))
    assert distributed(attack(), opened(THIEF, "anna", HOUR), site=site) == []


def test_nor_does_a_login_without_a_client() -> None:
    assert distributed(attack(), opened("", "anna", HOUR)) == []


def words_of(*parts: Fact | list[Auth], forbidden: tuple[str, ...] = ()) -> list[Signal]:
    """What the account's watcher says itself."""
    said: list[Signal] = []

    class Telling(AuthBreach, frozen=True):
        def observe(self, event, seen, view):  # type: ignore[no-untyped-def]
            for word in super().observe(event, seen, view):
                if type(word) is Signal:
                    said.append(word)
                yield word

    tell(AuthDistributed(), Telling(forbidden=forbidden), *parts)
    return said


def test_the_watchers_of_the_account_are_told_who_opened_it() -> None:
    found = words_of(attack(), opened(THIEF, "anna", HOUR))
    assert [(w.about, w.kind, w.client, w.account, w.detail) for w in found] == [
        (f"c:{THIEF}", "newcomer", THIEF, VICTIM, "distributed")
    ]


# -- forbidden ---------------------------------------------------------------------------------

LISTED = AuthBreach(forbidden=("anna",))


def test_an_account_that_nobody_may_use_from_outside() -> None:
    finding = tell(LISTED, opened(THIEF, "anna")).finding(NAME, VICTIM)
    assert (finding.shape, finding.severity) == ("forbidden", "critical")
    assert finding.wish == Wish("reject", Target("client_account", f"{THIEF} {VICTIM}"))


def test_its_watchers_are_told_of_it_once_an_hour() -> None:
    logins = [opened(THIEF, "anna", gap) for gap in (0, 1, HOUR - 1, HOUR)]
    found = words_of(logins, forbidden=("anna",))
    assert [(w.client, w.detail) for w in found] == [(THIEF, "forbidden")] * 2


def test_from_our_own_networks_it_may_be_used() -> None:
    assert tell(LISTED, opened("10.1.2.3", "anna")).silent


def test_other_accounts_may() -> None:
    assert tell(LISTED, opened(THIEF, "ben")).silent


def test_forbidden_outranks_what_else_is_known() -> None:
    story = tell(LISTED, word(), opened("203.0.113.9", "anna", 1))
    assert story.finding(NAME).shape == "forbidden"
    story = tell(LISTED, opened("203.0.113.9", "anna"), word("2", 1))
    assert story.finding(NAME).shape == "forbidden"


# -- with the client's watcher -----------------------------------------------------------------


def test_from_the_first_guess_to_the_alert() -> None:
    story = tell(
        AuthDictionary(),
        AuthBreach(),
        every(30, guesses(THIEF, ["ben", "carl", "dora", "emil", "anna"])),
        opened(THIEF, "anna", HOUR),
    )
    assert story.subjects == {"auth_dictionary": {THIEF}, NAME: {VICTIM}}
    assert story.finding(NAME).severity == "critical"
    assert count(story.finding(NAME), "further accounts guessed at").count == 4


def test_a_login_leaves_no_trace_unless_somebody_may_not_log_in() -> None:
    login = opened(HOME, VICTIM)
    kept = [
        NAME in tell(detector, login).record(f"m:{VICTIM}").states
        for detector in (AuthBreach(), LISTED)
    ]
    assert kept == [False, True]


# -- what is taken back ------------------------------------------------------------------------


def excused(at: float = 60.0, client: str = THIEF) -> Signal:
    return Signal(at=START + at, about=f"m:{VICTIM}", kind="excused", client=client)


def test_where_people_of_ours_log_in_it_was_the_owner() -> None:
    finding = found(word(), excused())
    assert finding.state == "withdrawn"
    assert THIEF in finding.summary
    assert found(word(), excused(client="192.0.2.99")).state == "open"
    assert found(word(), excused(), excused(61)).state == "withdrawn"


def test_a_word_of_guessing_says_more_than_one_of_a_newcomer() -> None:
    def way(*words: Signal) -> str:
        state = tell(AuthBreach(), *words).state(f"m:{VICTIM}", NAME)
        return str(state.clients[THIEF].way)

    newcomer = replace(word(), detail="distributed")
    assert way(newcomer, word(at=1)) == "guessed"
    assert way(newcomer, replace(newcomer, at=START + 1)) == "distributed"
    assert way(replace(word(), detail="forbidden"), word(at=1)) == "forbidden"
    assert way(word(), replace(newcomer, at=START + 1)) == "guessed"


def test_of_two_places_only_the_one_is_excused() -> None:
    finding = found(word(), word(client="192.0.2.99", at=1), excused())
    assert (finding.state, finding.clients) == ("open", ["192.0.2.99"])


def test_nothing_excuses_what_is_forbidden() -> None:
    story = tell(LISTED, opened("203.0.113.9", "anna"), excused(client="203.0.113.9"))
    assert story.finding(NAME).state == "open"


def test_a_new_office_is_recognised_by_the_next_who_log_in() -> None:
    login = opened(THIEF, "anna", HOUR)
    crowd = [opened(THIEF, name, HOUR + 60 * n) for n, name in enumerate(["ben", "carl"], 1)]
    (finding,) = distributed(attack(), login, crowd, opened(THIEF, "dora", 2 * HOUR))
    assert finding.state == "withdrawn"
    (finding,) = distributed(attack(), login, crowd)
    assert finding.state == "open"
