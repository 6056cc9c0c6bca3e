"""Accounts in other hands, and people who only write a lot."""

from typing import Any

import pytest
from msgspec.structs import replace

from agents.account.signs import Weights
from agents.detectors.account_burst import AccountBurst
from agents.detectors.auth_distributed import AuthDistributed
from schemas.events import Change, Complaint, Delivery, Message, Recipient, Signal
from schemas.findings import Finding, Target
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    START,
    count,
    event,
    failed,
    moved,
    opened,
    tell,
)

ANNA = "anna@example.org"
HOME = "198.51.100.7"
ANYWHERE = Site()  # whose domains are not configured


def mail(at: float = 0.0, recipients: int = 1, **more: Any) -> Message:
    fields = {"client": HOME, "account": ANNA, "sender": ANNA, "recipients": recipients}
    return event(Message, at, **(fields | more))


def fate(at: float = 0.0, **more: Any) -> Delivery:
    fields = {
        "client": HOME,
        "account": ANNA,
        "sender": ANNA,
        "recipient": "bob@example.net",
        "relay": "mx.example.net",
    }
    return event(Delivery, at, **(fields | more))


def sending(
    messages: int, each: int = 1, gap: float = 60.0, refused: int = 0, **more: Any
) -> list[Message | Delivery]:
    """Messages and what became of them; of all their recipients so many were refused."""
    left = refused
    told: list[Message | Delivery] = []
    common = {name: more[name] for name in ("client", "account", "sender") if name in more}
    outcome = {name: more[name] for name in ("recipient", "relay", "status") if name in more}
    for number in range(messages):
        told.append(mail(number * gap, each, **common))
        for _ in range(each):
            status = {"status": "bounced"} if left > 0 else {}
            left -= 1
            told.append(fate(number * gap + 1, **(common | status | outcome)))
    return told


def guessed(at: float = -HOUR, client: str = "192.0.2.66", **more: Any) -> Signal:
    fields = {"about": f"m:{ANNA}", "kind": "breach", "client": client, "account": ANNA}
    return Signal(at=START + at, **(fields | more))


def silent(*events: Any, **more: Any) -> bool:
    return tell(AccountBurst(), *events, **more).silent


def found(*events: Any, **more: Any) -> Finding:
    return tell(AccountBurst(), *events, **more).finding("account_burst")


def many(clients: int, gap: float, places: int = 99, each: int = 1) -> list[Message]:
    """Each message through another client, of so many /16 in turn."""
    return [
        mail(n * gap, each, client=f"203.{n % places}.{n // places}.{n % 250 + 1}")
        for n in range(clients)
    ]


# -- volume ------------------------------------------------------------------------------------


def test_more_than_five_hundred_recipients_in_an_hour() -> None:
    told = found(sending(20, 26, gap=100))
    assert (told.shape, told.severity) == ("volume", "medium")
    assert (told.subject.kind, told.subject.value) == ("account", ANNA)
    assert told.accounts == [ANNA]
    assert told.clients == []
    assert told.wish is not None
    assert (told.wish.action, told.wish.target) == ("notify", Target("account", ANNA))
    seen = count(told, "volume")
    assert (seen.count, seen.threshold, seen.unit) == (520, 500, "recipients")


def test_five_hundred_are_silent_and_one_more_is_not() -> None:
    assert silent(sending(25, 20, gap=100))
    assert not silent(sending(25, 20, gap=100), mail(2600), fate(2601))


def test_five_hundred_in_more_than_an_hour_are_silent() -> None:
    assert silent(sending(30, 35, gap=300))


def test_what_is_tried_again_counts_once() -> None:
    later = [fate(n, status="deferred") for n in range(700)]
    assert silent(mail(0, 400), later)


def test_recipients_must_be_accepted_and_tried() -> None:
    tried = [fate(n, status="deferred") for n in range(501)]
    assert silent([mail(0, 480), mail(0, 20)], tried)
    assert silent([mail(0, 480), mail(0, 21)], tried[:500])
    assert not silent([mail(0, 480), mail(0, 21)], tried)


def test_a_burst_that_is_deferred_is_a_burst() -> None:
    later = [fate(n, status="deferred") for n in range(501)]
    assert not silent([mail(n, 30) for n in range(17)], later)


def test_a_letter_to_all_colleagues_is_silent() -> None:
    inside = [fate(n / 9 + 1, recipient=f"p{n}@example.org", relay="local") for n in range(700)]
    assert silent(mail(0, 700), inside)


def test_mail_to_colleagues_is_taken_off() -> None:
    inside = [fate(n / 9 + 1, recipient="carl@example.org") for n in range(300)]
    outside = [fate(n / 9 + 1, status="deferred") for n in range(700)]
    assert silent(mail(0, 800), inside, outside)
    assert not silent(mail(0, 801), inside, outside)


def test_where_domains_are_not_configured_relays_tell_who_is_inside() -> None:
    def letter(recipient: str, relay: str) -> bool:
        return silent(
            [mail(n, 30) for n in range(30)],
            [fate(n / 9 + 30, recipient=recipient, relay=relay) for n in range(700)],
            site=ANYWHERE,
        )

    assert letter("bob@example.net", "local")
    assert letter("bob@example.net", "127.0.0.1")
    assert letter("bob@example.org", "mail.example.org")
    assert not letter("bob@example.net", "mx.example.net")
    assert not letter("bob@example.net", "")


def test_more_than_two_thousand_in_a_day() -> None:
    slow = sending(20, 100, gap=HOUR)
    calm = AccountBurst(fan_out=1000)
    assert tell(calm, slow).silent
    told = tell(calm, slow, mail(19.5 * HOUR), fate(19.5 * HOUR)).finding("account_burst")
    assert (count(told, "volume").count, count(told, "volume").threshold) == (2001, 2000)


def test_the_day_s_count_is_of_those_whose_fate_is_known() -> None:
    calm = AccountBurst(fan_out=5000)
    later = [fate(n * 20, status="deferred") for n in range(3000)]
    assert tell(calm, mail(0, 400), later).silent


def test_more_than_a_thousand_colleagues_in_an_hour_are_a_sign() -> None:
    def letter(number: int) -> list[Delivery]:
        return [fate(n, recipient=f"p{n}@example.org") for n in range(number)]

    assert silent(guessed(), letter(1000))
    told = found(guessed(), letter(1001))
    assert (count(told, "inside").count, count(told, "inside").threshold) == (1001, 1000)
    assert silent(letter(1001))


# -- the other signs ---------------------------------------------------------------------------


def test_fifty_recipients_of_one_message_are_a_sign_and_not_enough() -> None:
    assert silent(mail(0, 50))
    told = found(guessed(), mail(0, 50))
    assert (told.shape, told.severity) == ("guessed_before", "high")
    assert count(told, "fan_out").count == 50
    assert silent(guessed(), mail(0, 49))


def test_a_tenth_of_the_recipients_refused_is_a_sign() -> None:
    told = found(guessed(), sending(20, 2, refused=4))
    assert count(told, "bounces").threshold == 10
    assert count(told, "bounces").unit == "%"
    assert silent(sending(20, 2, refused=4))


def test_the_share_of_refused_recipients_has_floors() -> None:
    assert silent(guessed(), sending(19, refused=19))
    assert not silent(guessed(), sending(20, refused=20))
    assert silent(guessed(), sending(20, refused=2))
    assert not silent(guessed(), sending(20, refused=3))
    quiet = sending(25)
    refusal = [fate(24.5 * MINUTE, status="bounced")]
    assert silent(guessed(), quiet, refusal * 2)
    assert not silent(guessed(), quiet, refusal * 3)
    thirty = sending(27)
    late = [fate(27.5 * MINUTE, status="bounced")]
    assert not silent(guessed(), thirty, late * 3)
    assert silent(guessed(), thirty, fate(27.2 * MINUTE), late * 3)


def test_recipients_that_we_refuse_ourselves_count() -> None:
    refusals = [
        event(
            Recipient,
            n * 60,
            client=HOME,
            account=ANNA,
            sender=ANNA,
            recipient=f"x{n}@example.org",
            verdict="unknown",
        )
        for n in range(25)
    ]
    assert not silent(guessed(), sending(25), refusals)
    other = [replace(one, verdict="refused") for one in refusals]
    assert not silent(guessed(), sending(25), other)
    greylisted = [replace(one, verdict="deferred") for one in refusals]
    assert silent(guessed(), sending(25), greylisted)


def test_what_was_deferred_was_not_refused() -> None:
    assert silent(guessed(), sending(40, status="deferred"))


def test_a_message_that_expired_names_no_recipient() -> None:
    nameless = [fate(n * 60, recipient="", status="bounced") for n in range(30)]
    assert silent(guessed(), sending(25), nameless)


def test_five_clients_of_four_networks_in_an_hour_are_a_sign() -> None:
    told = found(guessed(), many(5, 700, places=4))
    assert (count(told, "clients").count, count(told, "clients").threshold) == (5, 5)
    assert silent(many(5, 700, places=4))
    assert silent(guessed(), many(4, 700))
    assert silent(guessed(), many(9, 300, places=3))
    assert silent(guessed(), many(9, 1300, places=9))


def test_the_places_of_the_hour_count_not_those_of_the_day() -> None:
    before = [mail(-5 * HOUR, client="100.64.0.1"), mail(-5 * HOUR, client="100.65.0.1")]
    assert silent(guessed(), before, many(6, 300, places=2))


def test_twenty_clients_in_a_day_are_a_sign() -> None:
    assert silent(guessed(), many(19, 4000, places=9))
    told = found(guessed(), many(20, 4000, places=9))
    assert (count(told, "clients").count, count(told, "clients").threshold) == (20, 20)


def test_twenty_clients_of_ten_networks_need_no_other_sign() -> None:
    told = found(many(20, 4000, places=10))
    assert (told.shape, told.severity) == ("clients", "medium")
    assert (count(told, "networks").count, count(told, "networks").threshold) == (10, 10)
    assert silent(many(20, 4000, places=9))


def test_a_phone_that_changes_its_address_is_silent() -> None:
    assert silent(many(60, 600, places=2))


def test_more_clients_than_can_be_counted_one_by_one_are_about_so_many() -> None:
    bots = [mail(n * 600.0, client=f"{20 + n}.0.2.1") for n in range(80)]
    finding = tell(AccountBurst(), bots).finding("account_burst", ANNA)
    assert "it sends through about " in finding.summary
    seen = count(finding, "clients")
    assert (60 < seen.count <= 80, seen.estimated) == (True, True)


def test_webmail_and_our_own_hosts_are_no_clients() -> None:
    site = Site(domains=frozenset({"example.org"}), trusted=Networks(["203.0.0.0/8"]))
    assert silent(many(30, 60), site=site)
    own = Site(domains=frozenset({"example.org"}), own=Networks(["203.0.0.0/8"]))
    assert silent(many(30, 60), site=own)
    assert silent([mail(n, client="") for n in range(30)])


def test_five_senders_under_one_login_are_a_sign() -> None:
    def forged(number: int) -> list[Message]:
        return [mail(n * 60, sender=f"bank{n}@example.com") for n in range(number)]

    assert silent(forged(5))
    told = found(guessed(), forged(5))
    assert count(told, "senders").count == 5
    assert silent(guessed(), forged(4))


def test_variable_return_paths_are_one_sender() -> None:
    letters = [mail(n * 60, sender=f"anna+x{n}@example.org") for n in range(20)]
    assert silent(guessed(), letters)


def test_mail_without_a_sender_under_a_login_is_a_sign() -> None:
    assert silent(guessed(), [mail(n, sender="") for n in range(4)])
    told = found(guessed(), [mail(n, sender="") for n in range(5)])
    assert (count(told, "senders").count, count(told, "senders").threshold) == (5, 5)


# -- guessed before ----------------------------------------------------------------------------


def test_an_account_that_was_opened_and_sends_nothing_is_silent() -> None:
    assert silent(guessed(), guessed(5), guessed(9))
    assert silent(guessed(), sending(10))


def test_who_opened_it_is_accused() -> None:
    told = found(guessed(), guessed(client="192.0.2.67"), mail(0, 60))
    assert told.clients == ["192.0.2.66", "192.0.2.67"]
    assert count(told, "guessed_before").count == 1


def test_the_word_may_come_after_the_burst_that_followed_it() -> None:
    story = tell(AccountBurst(), mail(0, 60))
    assert story.silent
    story.shard.fold(guessed(-HOUR))
    assert story.finding("account_burst").severity == "high"


def test_what_was_sent_before_the_guess_says_nothing() -> None:
    assert silent(mail(0, 60), guessed(HOUR))
    assert not silent(mail(0, 60), guessed(0))


def test_a_guess_counts_for_a_day() -> None:
    assert silent(guessed(-DAY - 1), mail(0, 60))
    assert not silent(guessed(-DAY), mail(0, 60))
    again = guessed(-DAY - HOUR), guessed(-2 * HOUR)
    assert not silent(again, mail(0, 60))


def test_a_sign_counts_for_a_day() -> None:
    assert silent(guessed(-30 * HOUR), mail(-30 * HOUR - 9, 60), mail(0, 60))


def test_a_guess_that_is_told_twice_counts_once() -> None:
    once, twice = found(guessed(), mail(0, 60)), found(guessed(), guessed(), mail(0, 60))
    assert (once.severity, once.evidence) == (twice.severity, twice.evidence)


def test_guessing_by_many_beside_a_sign_counts() -> None:
    botnet = [failed(f"198.{18 + n}.0.9", ANNA, at=n * 60) for n in range(12)]
    story = tell(AuthDistributed(), AccountBurst(), botnet, mail(HOUR, 60))
    finding = story.finding("account_burst")
    assert {e.sign for e in finding.evidence} == {"fan_out", "attacked"}
    assert "many guess at its password" in finding.summary
    assert tell(AuthDistributed(), AccountBurst(), botnet, mail(HOUR, 2)).subjects.keys() == {
        "auth_distributed"
    }


def test_an_owner_on_the_road_is_not_the_one_who_guesses() -> None:
    botnet = [failed(f"198.{18 + n}.0.9", ANNA, at=n * 60) for n in range(12)]
    away = mail(HOUR, client="203.0.113.50")
    home = [opened(HOME, ANNA, at=-(day + 1) * DAY) for day in range(5)]
    story = tell(AuthDistributed(), AccountBurst(), home, botnet, away)
    assert "account_burst" not in story.subjects


def test_a_breach_that_was_none_is_taken_back() -> None:
    excuse = guessed(HOUR, kind="excused")
    told = tell(AccountBurst(), guessed(), mail(0, 60), excuse).finding("account_burst")
    assert told.state == "withdrawn"
    assert "where others of ours log in" in told.summary
    two = guessed(client="192.0.2.67")
    story = tell(AccountBurst(), guessed(), two, mail(0, 60), excuse)
    assert story.finding("account_burst").state == "open"
    burst = guessed(), sending(10, 60, gap=90), excuse
    assert found(*burst).state == "open"
    assert silent(excuse, mail(0, 60))
    assert found(mail(0, 60), guessed(0), excuse).state == "withdrawn"
    exactly = AccountBurst(weights=Weights(fan_out=3))
    assert tell(exactly, guessed(), mail(0, 60), excuse).finding("account_burst").state == "open"


def test_words_about_other_things_are_passed_over() -> None:
    assert silent(guessed(kind="took_part"), mail(0, 60))


def test_a_guess_without_a_client_accuses_nobody() -> None:
    assert found(guessed(client=""), mail(0, 60)).clients == []


def test_the_intruders_are_bounded() -> None:
    story = tell(AccountBurst(), [guessed(n, client=f"192.0.2.{n}") for n in range(30)] * 2)
    assert story.state(f"m:{ANNA}", "account_burst").places.intruders == [
        f"192.0.2.{n}" for n in range(22, 30)
    ]


# -- how grave ---------------------------------------------------------------------------------


def test_signs_add_up() -> None:
    assert found(sending(10, 60, gap=90)).severity == "high"  # volume, fan_out
    grave = found(guessed(), sending(10, 60, gap=90))
    assert grave.severity == "critical"
    assert "60 recipients of one message" in grave.summary


@pytest.mark.parametrize(
    "case",
    [(2, None), (3, "medium"), (4, "medium"), (5, "high"), (6, "high"), (7, "critical")],
)
def test_the_sum_makes_the_severity(case: tuple[int, str | None]) -> None:
    weight, severity = case
    told = tell(AccountBurst(weights=Weights(fan_out=weight)), mail(0, 50)).findings
    assert [finding.severity for finding in told] == [severity] * (severity is not None)


def test_each_sign_has_its_weight() -> None:
    assert Weights() == Weights(
        guessed_before=3,
        changed=3,
        complaints=5,
        complained=3,
        clients=2,
        senders=2,
        bounces=2,
        volume=3,
        probing=2,
        limits=2,
        surge=2,
        pace=2,
        daily=2,
        fan_out=2,
        inside=2,
        networks=1,
        new_place=1,
        strange_hour=1,
        tested=1,
        attacked=1,
    )


def test_signs_are_kept_for_a_day() -> None:
    clients = many(20, 60, places=8)
    told = tell(AccountBurst(), clients, sending(25, refused=25), mail(20 * HOUR, 1))
    assert told.finding("account_burst").severity == "medium"
    early = moved(sending(25, refused=25, gap=30), -25 * HOUR)
    assert silent(early, clients)


def test_peaks_are_kept_for_a_day() -> None:
    told = found(mail(-DAY, 300), guessed(), mail(0, 80))
    assert count(told, "fan_out").count == 300
    told = found(mail(-DAY - 1, 300), guessed(), mail(0, 80))
    assert count(told, "fan_out").count == 80


def test_a_count_stands_beside_the_threshold_it_reached() -> None:
    assert count(found(many(20, 60, places=10)), "clients").threshold == 20
    assert count(found(guessed(), many(19, 60, places=9)), "clients").threshold == 5


def test_peaks_are_kept() -> None:
    told = found(guessed(), mail(0, 300), mail(60, 80))
    assert count(told, "fan_out").count == 300


# -- who is accused ----------------------------------------------------------------------------


def test_clients_are_accused_that_are_new_to_the_account() -> None:
    home = [opened("203.0.0.1", ANNA, at=-9 * DAY)]
    recent = [opened("203.1.0.2", ANNA, at=-DAY)]
    told = found(home, recent, many(20, 60, places=10))
    assert "203.0.0.1" not in told.clients
    assert "203.1.0.2" not in told.clients
    assert "203.2.0.3" in told.clients
    assert len(told.clients) == 18


def test_clients_of_another_day_are_not_accused() -> None:
    before = mail(-1.5 * DAY, client="100.64.0.9")
    assert "100.64.0.9" not in found(before, many(20, 60, places=10)).clients


LEAD = 2 * HOUR


def test_two_hours_before_the_first_sign_make_a_client_welcome() -> None:
    crowd = many(20, 60, places=10)
    early = mail(-DAY / 2)
    first = 4 * MINUTE  # the fifth client makes the first sign
    here = "203.0.0.1"
    assert here in found(early, crowd).clients
    assert here not in found(early, opened(here, ANNA, at=first - LEAD), crowd).clients
    assert here in found(early, opened(here, ANNA, at=first - LEAD + 1), crowd).clients
    assert here in found(early, failed(here, ANNA, at=-3 * HOUR), crowd).clients
    assert here in found(early, opened("", ANNA, at=-3 * HOUR), crowd).clients
    again = opened(here, ANNA, at=first - LEAD), opened(here, ANNA, at=first - LEAD + 9)
    assert here not in found(early, again, crowd).clients


def test_who_moved_before_the_crowd_came_is_its_owner() -> None:
    """The new place is a sign of the owner's, and no beginning of what the crowd does."""
    crowd = many(20, 60, places=10)
    moving = opened(AWAY, ANNA, at=-3 * HOUR), mail(-3 * HOUR + 60, client=AWAY)
    known = opened(HOME, ANNA, at=-9 * DAY), mail(-3 * DAY), mail(-2 * DAY)
    told = found(known, moving, crowd)
    assert {"new_place", "clients"} <= {e.sign for e in told.evidence}
    assert AWAY not in told.clients
    assert "203.0.0.1" in told.clients


def test_a_day_of_its_own_tells_where_a_new_account_is_at_home() -> None:
    crowd = many(20, 60, places=10)

    def accused(at: float) -> list[str]:
        story = tell(AccountBurst(), opened(HOME, ANNA, at=at), crowd, warm=False)
        return story.finding("account_burst").clients

    assert accused(-HOUR) == []
    assert "203.0.0.1" in accused(-13 * HOUR)


def test_so_does_mail_from_it() -> None:
    crowd = many(20, 45, places=10)  # whose fifth makes the first sign, 3 min after START
    here = "203.0.0.1"
    assert here not in found(mail(3 * MINUTE - LEAD, client=here), crowd).clients
    assert here in found(mail(6 * MINUTE - LEAD, client=here), crowd).clients


def test_new_places_of_a_day_are_bounded() -> None:
    places = [opened(f"203.{n}.0.1", ANNA, at=n) for n in range(20)]
    story = tell(AccountBurst(), mail(-1), places, moved(places, HOUR))
    kept = [f"203.{n}.0.0/24" for n in range(8)]
    assert list(story.state(f"m:{ANNA}", "account_burst").places.arrived) == kept
    later = [opened(f"203.{n}.0.1", ANNA, at=DAY + n) for n in range(30, 33)]  # those are known
    kept = [f"203.{n}.0.0/24" for n in range(30, 33)]
    assert list(story.tell(later).state(f"m:{ANNA}", "account_burst").places.arrived) == kept


def test_a_login_alone_leaves_no_trace() -> None:
    assert (
        "account_burst" not in tell(AccountBurst(), opened(HOME, ANNA)).record(f"m:{ANNA}").states
    )


def test_with_little_past_nobody_is_accused_but_who_guessed() -> None:
    assert found(many(20, 60, places=10), warm=False).clients == []
    assert found(guessed(), many(20, 60, places=10), warm=False).clients == ["192.0.2.66"]


def test_with_a_day_of_past_who_was_never_there_is_accused_where_mail_bounces() -> None:
    yesterday = [opened(HOME, ANNA, at=-DAY), *moved(sending(2), -DAY)]
    burst = sending(40, 20, gap=60, refused=200, client=AWAY)
    assert found(yesterday, burst, warm=False).clients == [AWAY]
    assert found(burst, warm=False).clients == []  # it may have been there for years
    harmless = sending(40, 20, gap=60, client=AWAY)
    assert found(yesterday, harmless, warm=False).clients == []
    at_home = sending(40, 20, gap=60, refused=200)
    assert found(yesterday, at_home, warm=False).clients == []


def test_one_client_that_sends_much_is_not_accused() -> None:
    assert found(sending(20, 26, gap=100)).clients == []


# -- whose mail it is --------------------------------------------------------------------------


def test_one_name_has_many_spellings() -> None:
    half = sending(10, 30, gap=60)
    other = [replace(one, account="ANNA".lower()) for one in sending(10, 30, gap=60)]
    assert tell(AccountBurst(), half, moved(other, 700)).subjects == {"account_burst": {ANNA}}


def test_mail_under_another_name_is_the_login_s() -> None:
    told = tell(AccountBurst(), sending(20, 30, gap=60, account="crm@example.org"))
    assert told.subjects == {"account_burst": {"crm@example.org"}}


def test_mail_of_our_own_hosts_is_its_sender_s() -> None:
    assert not silent(sending(20, 30, gap=60, account="", client="10.0.0.3"))
    assert not silent(sending(20, 30, gap=60, account="", client=""))
    assert silent(sending(20, 30, gap=60, account="", client="203.0.113.7"))


def test_mail_that_our_own_hosts_pass_on_is_a_stranger_s() -> None:
    passed = sending(20, 30, gap=60, account="", client="10.0.0.3", sender="news@example.com")
    assert silent(passed)
    assert not silent(passed, site=ANYWHERE)


@pytest.mark.parametrize(
    "sender",
    [
        "club-bounces@example.org",
        "club-bounce@example.org",
        "owner-club@example.org",
        "club-request@example.org",
        "mailer-daemon@example.org",
        "club-bounces+anna=example.net@example.org",
    ],
)
def test_mailing_lists_send_much(sender: str) -> None:
    assert silent(sending(20, 30, gap=60, account="", client="", sender=sender))


def test_a_login_is_no_mailing_list() -> None:
    name = "club-bounces@example.org"
    assert not silent(sending(20, 30, gap=60, account=name, sender=name))


def test_mail_of_a_login_that_passes_another_host_is_the_same_mail() -> None:
    first = sending(10, 30, gap=60)
    again = moved(sending(10, 30, gap=60, account="", client="10.0.0.3"), 5)
    assert silent(first, again)


def test_mail_without_a_login_counts_once_no_login_was_seen_for_a_day() -> None:
    plain = sending(20, 30, gap=60, account="", client="10.0.0.3")
    assert silent(mail(-DAY + 1200), plain)
    assert not silent(mail(-DAY - 1), plain)
    assert silent(mail(-DAY), sending(17, 30, gap=60, account="", client="10.0.0.3"))


def test_refusals_are_heard_by_the_last_host_on_the_way() -> None:
    handed = sending(25, 2, relay="relay.example.org")
    refused = [fate(n * 60 + 5, account="", client="10.0.0.3", status="bounced") for n in range(25)]
    assert not silent(guessed(), handed, refused)
    assert silent(guessed(), handed, [replace(one, status="sent") for one in refused])
    assert silent(guessed(), handed, [replace(one, client="203.0.113.5") for one in refused])
    other = [replace(one, account="carl@example.org") for one in refused]
    assert silent(guessed(), handed, other)
    assert silent(guessed(), refused)


# -- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ANNA, "anna"])
def test_declared_senders_are_silent(name: str) -> None:
    site = Site(
        domains=frozenset({"example.org"}),
        default_domain="example.org",
        bulk=frozenset({name}),
    )
    assert silent(guessed(), sending(20, 90, gap=9, refused=900), site=site)


def test_a_declared_name_is_that_of_the_default_domain() -> None:
    site = Site(
        domains=frozenset({"example.org", "example.com"}),
        default_domain="example.com",
        bulk=frozenset({"anna"}),
    )
    assert not silent(sending(20, 90, gap=9), site=site)


def test_a_release_gives_a_day_of_grace() -> None:
    burst = sending(10, 60, gap=90)
    release = guessed(HOUR, kind="released")
    story = tell(AccountBurst(), burst, release)
    said = len(story.said)
    story.tell(moved(burst, 2 * HOUR), guessed(3 * HOUR))
    assert len(story.said) == said
    assert silent(release, moved(burst, HOUR + DAY - 1000))
    assert not silent(release, moved(burst, HOUR + DAY + 1))
    assert not silent(release, mail(HOUR + DAY, 60), guessed(HOUR + DAY))


# -- what is asked for -------------------------------------------------------------------------


def wish(*events: Any, **settings: Any) -> tuple[str, str]:
    asked = tell(AccountBurst(**settings), *events).finding("account_burst").wish
    assert asked is not None
    assert asked.target == Target("account", ANNA)
    return asked.action, asked.against


def test_a_grave_finding_asks_for_a_limit() -> None:
    assert wish(sending(10, 60, gap=90)) == ("limit", "")


def test_more_needs_a_sign_that_it_is_a_thief() -> None:
    assert wish(sending(10, 60, gap=90), strongest="lock") == ("limit", "")
    assert wish(guessed(), sending(10, 60, gap=90), strongest="lock") == ("lock", "")
    assert wish(guessed(), sending(10, 60, gap=90), strongest="hold") == ("hold", "")


def test_a_medium_finding_is_for_people() -> None:
    assert wish(sending(20, 26, gap=100), strongest="lock") == ("notify", "")


def test_a_site_may_only_want_to_know() -> None:
    assert wish(guessed(), sending(10, 60, gap=90), strongest="notify") == ("notify", "")


def test_protected_accounts_ask_a_person() -> None:
    action, against = wish(guessed(), sending(10, 60, gap=90), protected=("anna",))
    assert action == "notify"
    assert "person" in against


def test_the_window_is_a_day() -> None:
    assert AccountBurst().horizon == DAY


# -- against the account's own past ------------------------------------------------------------

AWAY = "203.0.113.50"


def days(count: int, each: int = 1, at: float = 0.0, recipients: int = 1) -> list[Message]:
    """Some mail on each of the days before, at the same hour."""
    return [
        mail(at - (day + 1) * DAY + number, recipients)
        for day in range(count)
        for number in range(each)
    ]


def at_home(days: int = 5) -> list[Any]:
    return [opened(HOME, ANNA, at=-(day + 1) * DAY) for day in range(days)]


def signs(*events: Any, **more: Any) -> dict[str, tuple[float, float]]:
    """The signs that stand, whatever they weigh."""
    told = tell(AccountBurst(medium=1, at_home=1), *events, **more)
    if told.silent:
        return {}
    return {e.sign: (e.count, e.threshold) for e in told.finding("account_burst").evidence}


def test_an_hour_with_ten_times_its_usual_is_a_surge() -> None:
    before = days(3, recipients=7)
    assert signs(before, mail(0, 35), mail(60, 36)) == {"surge": (71, 70)}
    assert signs(before, mail(0, 35), mail(60, 35)) == {}


def test_sixty_recipients_an_hour_are_too_many_for_nobody() -> None:
    assert signs(days(3), mail(0, 30), mail(60, 31)) == {"surge": (61, 60)}
    assert signs(days(3), mail(0, 30), mail(60, 30)) == {}


def test_one_odd_day_is_not_what_is_usual() -> None:
    assert signs(days(3), mail(-4 * DAY, 49), mail(0, 30), mail(60, 31)) == {"surge": (61, 60)}
    odd = [mail(-4 * DAY, 49), mail(-5 * DAY, 49)]
    assert signs(days(3), odd, mail(0, 30), mail(60, 31)) == {}


def test_three_days_must_be_known() -> None:
    today = [mail(0, 30), mail(60, 31)]
    assert signs(mail(-3 * DAY), today) == {"surge": (61, 60)}
    assert signs(mail(-2 * DAY), today) == {}
    assert signs([opened(HOME, ANNA, at=-3 * DAY)], today) == {"surge": (61, 60)}
    assert signs([opened(HOME, ANNA, at=-2 * DAY)], today) == {}


def test_of_an_account_whose_mail_bounces_a_day_is_enough_for_twice_as_much() -> None:
    spam = sending(61, 2, gap=58, refused=14)
    assert signs(days(1), spam)["surge"] == (122, 120)
    assert "surge" not in signs(days(1), spam[:-3])  # 120
    assert "surge" not in signs(spam)
    assert "surge" not in signs(days(1), sending(61, 2, gap=58, refused=2))
    assert signs(days(1, recipients=7), sending(71, 2, gap=50, refused=15))["surge"] == (142, 140)
    assert "surge" not in signs(days(1, recipients=7), sending(70, 2, gap=50, refused=15))


def test_so_it_is_with_what_is_sent_in_a_day() -> None:
    drip = sending(121, 2, gap=90, refused=26)
    assert signs(days(1), drip)["daily"] == (242, 240)
    assert "daily" not in signs(days(1), drip[:-3])
    usual = [mail(-DAY, 30)]
    assert signs(usual, sending(151, 2, gap=90, refused=32))["daily"] == (302, 300)
    assert "daily" not in signs(usual, sending(150, 2, gap=90, refused=32))


def test_bounces_of_the_day_before_open_no_short_past() -> None:
    before = moved(sending(20, 1, gap=60, refused=3), -28 * HOUR)
    burst = [mail(0, 205), mail(1, 205), *[fate(2) for _ in range(410)]]
    assert "surge" in {e.sign for e in found(before, moved(burst, -5 * HOUR)).evidence}
    assert silent(before, burst)


def test_what_lies_two_weeks_back_is_forgotten() -> None:
    old = [mail(-14 * DAY, 49), mail(-13 * DAY, 49)]
    assert signs(old, mail(0, 30), mail(60, 31)) == {}
    old = [mail(-15 * DAY, 49), mail(-13 * DAY, 49)]
    assert "surge" in signs(old, mail(-12 * DAY), mail(0, 30), mail(60, 31))


def test_more_than_thirty_messages_in_ten_minutes_are_nobodys_typing() -> None:
    assert signs(sending(31, gap=10)) == {"pace": (31, 30)}
    assert signs(sending(30, gap=10)) == {}
    assert signs(sending(40, gap=25)) == {}


def test_unless_it_often_does() -> None:
    often = [e for day in (1, 2, 3) for e in moved(sending(8, gap=10), -day * DAY)]
    assert signs(often, sending(40, gap=5)) == {}
    assert "pace" in signs(often, sending(41, gap=5))
    told = found(guessed(), sending(31, gap=10))
    assert count(told, "pace").unit == "messages in 10 min"
    assert "31 messages in 10 min, unlike before" in told.summary


def test_a_surge_from_its_own_place_is_an_invoice_run_and_from_a_new_one_a_finding() -> None:
    run = [mail(number * 10, 1) for number in range(100)]
    assert silent(at_home(), run)
    told = found(at_home(), [replace(one, client=AWAY) for one in run])
    assert (told.shape, told.severity) == ("surge", "medium")
    assert {e.sign for e in told.evidence} == {"surge", "pace", "new_place"}
    assert told.clients == [AWAY]
    assert "from a network that is new to it" in told.summary


def abroad(*events: Message) -> list[Message]:
    return [replace(one, client=AWAY) for one in events]


BURST = [mail(HOUR + number * 10) for number in range(61)]


def test_a_lone_message_from_a_new_place_before_a_burst_was_a_test() -> None:
    found = signs(at_home(), abroad(mail(0), *BURST))
    assert found["tested"] == (1, 1)
    assert signs(at_home(), abroad(mail(HOUR - 300), *BURST))["tested"] == (1, 1)


@pytest.mark.parametrize(
    "first",
    [
        abroad(mail(HOUR - 299)),  # not so long before
        abroad(mail(0), mail(60)),  # not alone
        abroad(mail(0, 2)),  # to several
        [mail(0)],  # from home
        [],
    ],
)
def test_other_messages_before_it_were_none(first: list[Message]) -> None:
    found = signs(at_home(), first, abroad(*BURST))
    assert "new_place" in found
    assert "tested" not in found


def test_a_test_is_forgotten_after_a_day() -> None:
    burst = [mail(number * 10) for number in range(5)]  # the fifth ends the day
    assert "tested" in signs(at_home(), abroad(mail(40 - DAY), *burst, mail(50, 60)))
    before = abroad(mail(HOUR - DAY - 700))
    later = tell(AccountBurst(medium=1, at_home=1), at_home(), before, abroad(*BURST)).findings[-1]
    assert {e.sign for e in later.evidence} == {"surge", "pace", "new_place"}


def test_four_messages_in_ten_minutes_are_no_burst_yet() -> None:
    large = abroad(*[mail(HOUR + number * 149, 20) for number in range(4)])
    assert set(signs(at_home(), abroad(mail(0)), large)) == {"surge", "new_place"}
    large += abroad(mail(HOUR + 599, 20))
    assert set(signs(at_home(), abroad(mail(0)), large)) == {"surge", "new_place", "tested"}


def test_a_burst_from_home_after_a_message_from_elsewhere_says_nothing_of_a_test() -> None:
    assert "tested" not in signs(at_home(), abroad(mail(0)), BURST)


def test_a_traveller_who_writes_twice_tests_nothing() -> None:
    assert signs(at_home(), abroad(mail(0), mail(HOUR))) == {"new_place": (1, 1)}


def test_many_clients_of_an_account_without_a_home_are_named() -> None:
    told = found(many(20, 60, places=20), sending(25, refused=25))
    assert "new_place" not in {e.sign for e in told.evidence}
    assert len(told.clients) >= 20


def test_an_account_without_a_home_has_no_new_places() -> None:
    assert "new_place" not in signs(mail(0, 1, client=AWAY))
    assert "new_place" in signs(at_home(), mail(0, 1, client=AWAY))
    assert "new_place" not in signs(at_home(), mail(0, 1))


def test_large_messages_are_no_sign_of_who_often_writes_them() -> None:
    assert signs(days(3, recipients=9), mail(0, 50)) == {"fan_out": (50, 50)}
    assert signs(days(3, recipients=10), mail(0, 50)) == {}
    assert signs(mail(-DAY, 10), mail(-2 * DAY, 10), mail(0, 50)) == {"fan_out": (50, 50)}


def test_an_hour_at_which_it_never_sends() -> None:
    noon = days(3)
    night = 9 * HOUR
    assert signs(noon, mail(night, 10), mail(night + 1, 11)) == {"strange_hour": (21, 20)}
    assert signs(noon, mail(night, 10), mail(night + 1, 10)) == {}
    assert signs(noon[1:], mail(night, 10), mail(night + 1, 11)) == {}
    assert signs(noon, mail(HOUR, 10), mail(HOUR + 1, 11)) == {}
    assert signs(noon, mail(2 * HOUR, 10), mail(2 * HOUR + 1, 11)) != {}
    assert signs(noon, mail(-HOUR, 10), mail(-HOUR + 1, 11)) == {}


# -- other signs ----------------------------------------------------------------------------------


def climbing(*counts: int, gap: float = MINUTE) -> list[Message]:
    return [mail(number * gap, count) for number, count in enumerate(counts)]


def test_ever_more_recipients_are_a_search_for_our_limit() -> None:
    assert signs(climbing(1, 2, 5, 10)) == {"probing": (4, 4)}
    assert signs(climbing(1, 2, 5, 9)) == {}
    assert signs(climbing(2, 5, 10)) == {}
    assert signs(climbing(1, 2, 2, 5, 5, 10)) == {"probing": (4, 4)}
    assert signs(climbing(1, 2, 5, 4, 10)) == {}
    assert signs(climbing(1, 2, 5, 10, gap=21 * MINUTE)) == {}
    assert signs(climbing(1, 2, 5, 10, gap=20 * MINUTE)) == {"probing": (4, 4)}
    assert signs(climbing(1, 2, 3, 5, 10, 11)) == {"probing": (4, 4)}


def test_recipients_beyond_a_limit() -> None:
    over = [
        event(Recipient, number, account=ANNA, verdict="deferred", reason="overload")
        for number in range(3)
    ]
    assert signs(over) == {"limits": (3, 3)}
    assert signs(over[:2]) == {}
    assert signs([replace(one, reason="greylisted") for one in over]) == {}


def complaint(at: float = 0.0, kind: str = "abuse") -> Complaint:
    return event(Complaint, at, account=ANNA, kind=kind)


def test_three_complaints_are_a_finding() -> None:
    told = found([complaint(number) for number in range(3)])
    assert (told.shape, told.severity) == ("complained", "medium")
    assert silent([complaint(number) for number in range(2)])
    assert silent([complaint(number, "not-spam") for number in range(9)])


def test_two_are_enough_where_other_signs_stand() -> None:
    two = [complaint(60), complaint(61)]
    both = {"complaints": (2, 2), "complained": (2, 2)}
    assert signs(mail(0, 60), two) == {"fan_out": (60, 50), **both}
    assert signs(mail(0, 60), two[:1]) == {"fan_out": (60, 50)}
    assert signs(two) == {}


def test_complaints_are_measured_by_the_mail() -> None:
    crowd = [mail(number * 28, 1) for number in range(3001)]
    calm = AccountBurst(times=1000, medium=1, at_home=1, pace=1000, night=10000)

    def told(*moments: int) -> set[str]:
        reports = [complaint(3001 * 28 + moment) for moment in moments]
        return {e.sign for f in tell(calm, crowd, reports).findings for e in f.evidence}

    assert told(1, 2, 3) == set()
    assert told(1, 2, 3, 4) == {"complained"}
    assert told(*range(15)) == {"complained"}
    assert told(*range(16)) == {"complained", "complaints"}


def test_a_share_of_complaints_needs_twenty_messages() -> None:
    three = [complaint(20 * MINUTE + number) for number in range(3)]
    assert "complaints" in signs(sending(20, gap=60), three)
    assert "complaints" not in signs(sending(19, gap=60), three)


def test_complaints_of_two_degrees_weigh_once() -> None:
    told = found(sending(20, gap=60), [complaint(20 * MINUTE + number) for number in range(3)])
    assert (told.shape, told.severity) == ("complaints", "high")


def test_a_forward_before_the_mail_counts() -> None:
    forward = event(Change, -HOUR, account=ANNA, what="forward")
    assert silent(forward)
    told = found(forward, mail(0, 60))
    assert told.shape == "changed"
    assert {e.sign for e in told.evidence} == {"changed", "fan_out"}
    rule = replace(forward, what="rule")
    assert found(rule, mail(0, 60)).shape == "changed"
    assert silent(replace(forward, what="password"), mail(0, 60))
    assert silent(replace(forward, at=START + 60), mail(0, 60))


@pytest.mark.parametrize("what", ["identity", "signature"])
def test_so_does_a_return_address_elsewhere(what: str) -> None:
    change = event(Change, -HOUR, account=ANNA, what=what, detail="Reply-To: <X@Evil.example>")
    assert found(change, mail(0, 60)).shape == "changed"
    ours = replace(change, detail="Reply-To: anna.b@example.org")
    assert silent(ours, mail(0, 60))
    assert silent(replace(change, detail="Best regards"), mail(0, 60))
    assert silent(replace(change, what="mfa"), mail(0, 60))


# -- who gets it --------------------------------------------------------------------------------


def letter(
    recipients: int, elsewhere: int, at: float = 0.0, queue_id: str = "4A1", **more: Any
) -> list[Message | Delivery]:
    """One message, of whose recipients so many are elsewhere, and its deliveries."""
    return [
        mail(at, recipients, queue_id=queue_id),
        *(
            fate(at + 1, queue_id=queue_id, **({"recipient": f"p{n}@example.org"} | more))
            for n in range(recipients - elsewhere)
        ),
        *(fate(at + 1, queue_id=queue_id, **more) for _ in range(elsewhere)),
    ]


BEFORE = [mail(-DAY / 2), fate(-DAY / 2)]  # it is known that deliveries are logged


def test_an_invitation_to_colleagues_is_no_fan_out() -> None:
    assert signs(BEFORE, letter(120, 49)) == {}
    assert signs(BEFORE, letter(120, 50)) == {"fan_out": (50, 50)}
    assert signs(BEFORE, letter(49, 49)) == {}


def test_nor_is_one_that_is_tried_again() -> None:
    again = [fate(n, queue_id="4A1", status="deferred") for n in range(2, 40)]
    here = [fate(50, queue_id="4A1", recipient="c@example.org", status="deferred")] * 9
    assert signs(BEFORE, letter(120, 49), again, here) == {}
    first = [mail(0, 60, queue_id="4A1"), *again]
    assert signs(BEFORE, first, here, moved(again, 40)) == {"fan_out": (60, 50)}


def test_deliveries_of_other_messages_are_not_its_own() -> None:
    assert signs(BEFORE, letter(60, 49), letter(40, 40, 60, queue_id="4A2")) == {}
    assert signs(BEFORE, letter(60, 60, queue_id="")) == {"fan_out": (60, 50)}


def test_four_messages_are_followed_at_a_time() -> None:
    begun = [mail(n, 60, queue_id=f"4A{n}") for n in range(6)]
    first = [fate(10, queue_id="4A1") for _ in range(60)]
    third = [fate(10, queue_id="4A2") for _ in range(60)]
    assert signs(BEFORE, begun, first) == {}
    assert signs(BEFORE, begun, third) == {"fan_out": (60, 50)}


def test_nor_is_it_a_surge() -> None:
    known = [mail(-DAY * day, 1, queue_id=f"{day}") for day in (1, 2, 3, 4)]
    known += [fate(-DAY * day + 1) for day in (1, 2, 3, 4)]
    assert signs(known, letter(45, 20), letter(45, 40, 60, queue_id="4A2")) == {}
    assert signs(known, letter(45, 21), letter(45, 40, 60, queue_id="4A2")) == {"surge": (61, 60)}


def test_a_day_with_five_times_its_usual_is_too_much() -> None:
    def drip(count: int, **more: Any) -> list[Message | Delivery]:
        return [e for n in range(count) for e in (mail(n * 420, **more), fate(n * 420 + 1, **more))]

    quiet = [opened(HOME, ANNA, at=-9 * DAY), mail(-3 * DAY), mail(-2 * DAY)]
    calm = AccountBurst(medium=1, at_home=1, night=10000)

    def told(*parts: Any) -> dict[str, tuple[float, float]]:
        found = tell(calm, *parts).findings
        return {e.sign: (e.count, e.threshold) for f in found for e in f.evidence}

    assert told(quiet, drip(121)) == {"daily": (121, 120)}
    assert told(quiet, drip(120)) == {}
    assert told(drip(121)) == {}
    busy = [mail(-DAY * day + n * 120, 5) for day in (2, 3) for n in range(5)]
    assert told(busy, drip(126)) == {"daily": (126, 125)}
    assert told(busy, drip(125)) == {}
    thief = tell(AccountBurst(night=1000), quiet, drip(130, client=AWAY)).finding("account_burst")
    assert {e.sign for e in thief.evidence} == {"daily", "new_place"}
    assert thief.clients == [AWAY]


def test_mail_at_strange_hours_adds_up_over_a_day() -> None:
    noon = [e for day in (1, 2, 3) for e in (mail(-day * DAY), fate(1 - day * DAY))]
    night = [fate(6 * HOUR + n * 1000) for n in range(21)]
    assert signs(noon, night) == {"strange_hour": (21, 20)}
    assert signs(noon, night[:20]) == {}
    assert signs(noon, [replace(one, status="deferred") for one in night]) == {}
    assert signs(noon[2:], night) == {}
    assert signs(noon, [replace(one, recipient="c@example.org") for one in night]) == {}


# -- reports that come back --------------------------------------------------------------------


def reported(number: int, at: float = 40 * MINUTE) -> Signal:
    return guessed(at, client="", kind="reported", detail=f"r{number}")


def test_reports_about_its_mail_are_refusals_that_came_later() -> None:
    back = [reported(n) for n in range(4)]
    assert signs(sending(30, gap=60), back[:3]) == {"bounces": (10, 10)}
    assert signs(sending(30, gap=60), back[:2]) == {}
    assert signs(sending(30, gap=60), [back[0]] * 9) == {}


def test_a_release_silences_them_too() -> None:
    release = guessed(0, kind="released")
    assert signs(release, sending(30, gap=60), [reported(n) for n in range(9)]) == {}


# -- from its own place ------------------------------------------------------------------------


def test_at_home_it_takes_more_to_suspect_the_owner() -> None:
    busy = sending(30, refused=5)
    assert silent(at_home(9), busy, mail(0, 50))  # bounces, fan_out
    assert not silent(at_home(9), busy, mail(0, 50, client=AWAY))
    assert not silent(busy, mail(0, 50))
    assert not silent(at_home(5), busy, mail(0, 50), warm=False)
    assert silent(at_home(5), busy, mail(0, 50))
    assert not silent(at_home(9), guessed(), mail(0, 60))
    assert not silent(
        [opened(HOME, ANNA, at=-1)], [opened(AWAY, ANNA, at=-9 * DAY)], busy, mail(0, 50)
    )


def test_five_are_enough_and_four_are_not() -> None:
    weights = Weights(fan_out=4)
    assert tell(AccountBurst(weights=weights), at_home(9), mail(0, 60)).silent
    weights = Weights(fan_out=5)
    assert not tell(AccountBurst(weights=weights), at_home(9), mail(0, 60)).silent


def test_clients_of_another_day_make_no_difference_to_that() -> None:
    before = mail(-2 * DAY, client="203.0.113.99")
    assert silent(at_home(9), before, sending(30, refused=5), mail(0, 50))


# -- whom a thief writes to ---------------------------------------------------------------------


def test_colleagues_who_got_mail_of_a_hijacked_account_are_named() -> None:
    def inside(at: float, *names: str) -> list[Delivery]:
        return [fate(at + n, recipient=f"{name}@example.org") for n, name in enumerate(names)]

    early = inside(-2 * HOUR, "old")
    told = found(early, guessed(), mail(0, 60), inside(60, "ben", "carl", "ben"), mail(70, 60))
    assert told.targets == ["ben@example.org", "carl@example.org"]
    crowd = inside(60, *(f"p{n}" for n in range(40)))
    told = found(guessed(), mail(0, 60), crowd, mail(200, 99))
    assert told.targets == [f"p{n}@example.org" for n in range(24, 40)]
