"""Bounces of other people's forgeries, and the reports that an address brings on itself."""

from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.structs import replace

from agents.detector import Detector, View
from agents.detectors.backscatter_received import BackscatterReceived
from schemas.events import Bounce, Delivery, Recipient, Signal
from schemas.findings import Target
from schemas.keys import Site
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    START,
    Story,
    count,
    event,
    every,
    moved,
    tell,
)

VICTIM = "anna@example.org"
ANYWHERE = Site()  # whose domains are not configured


def report(number: int, at: float = 0.0, **more: Any) -> Delivery:
    """A report of another server, delivered to the victim."""
    fields = {
        "client": f"198.51.{number % 90}.25",
        "recipient": VICTIM,
        "message_id": f"report{number}@mx.example.net",
        "queue_id": f"4F2Xk{number}",
        "relay": "local",
    }
    return event(Delivery, at, **(fields | more))


def reports(number: int, gap: float = 60.0, start: float = 0.0, **more: Any) -> list[Delivery]:
    return every(gap, [report(n, **more) for n in range(number)], start)


def sent(number: int, at: float = -HOUR, **more: Any) -> list[Delivery]:
    """Mail of the victim to people elsewhere."""
    fields = {
        "client": "10.0.0.9",
        "account": VICTIM,
        "sender": VICTIM,
        "recipient": "bob@example.net",
        "relay": "mx.example.net",
    }
    return [event(Delivery, at, **(fields | more)) for _ in range(number)]


def silent(*events: Any, site: Site | None = None) -> bool:
    story = (
        Story(BackscatterReceived()) if site is None else Story(BackscatterReceived(), site=site)
    )
    return story.tell(*events).silent


# -- an address --------------------------------------------------------------------------------


def test_twenty_reports_in_an_hour_to_one_that_sent_nothing() -> None:
    found = tell(BackscatterReceived(), reports(20)).finding("backscatter_received", VICTIM)
    assert (found.shape, found.severity, found.subject.kind) == ("joe_job", "medium", "account")
    assert (found.clients, found.accounts, found.targets) == ([], [], [VICTIM])
    assert found.wish is not None
    assert (found.wish.action, found.wish.target) == ("notify", Target("address", VICTIM))
    assert count(found, "reports in an hour").count == 20
    assert count(found, "reports in an hour").threshold == 20
    assert count(found, "servers that report").count == 20
    assert "198.51.0.25" in found.summary


def test_nineteen_reports_in_an_hour_are_none() -> None:
    assert tell(BackscatterReceived(), reports(60, gap=205)).shapes == {
        "backscatter_received": {"slow"}
    }


def test_two_hundred_reports_in_an_hour_are_grave() -> None:
    detector = BackscatterReceived(reports=6)
    assert tell(detector, reports(60)).finding("backscatter_received").severity == "high"
    assert tell(detector, reports(59)).finding("backscatter_received").severity == "medium"


def test_reports_must_be_three_times_what_was_sent() -> None:
    assert silent(sent(7), reports(21))
    found = tell(BackscatterReceived(), sent(7), reports(22)).finding("backscatter_received")
    assert count(found, "reports in 7 days").count == 22
    assert count(found, "reports in 7 days").threshold == 21
    assert found.checks[0] == "the address wrote to 7 recipients elsewhere in 7 days, 7 in two"


def test_what_was_sent_counts_for_seven_days() -> None:
    assert silent(sent(50, -6.9 * DAY), reports(60))
    assert not silent(sent(50, -8 * DAY), reports(60))


def test_a_mailing_with_real_bounces_is_silent() -> None:
    assert silent(sent(400), reports(80, gap=20))


def test_mail_to_ourselves_brings_no_reports_from_elsewhere() -> None:
    assert not silent(sent(50, recipient="carl@example.org"), reports(20))


def test_mail_that_is_deferred_was_not_sent_yet() -> None:
    assert not silent(sent(50, status="deferred"), reports(20))


def test_mail_that_was_refused_was_sent() -> None:
    assert silent(sent(50, status="bounced"), reports(20))


def test_forged_mail_that_came_through_us_was_not_sent_by_the_victim() -> None:
    forged = sent(50, account="", client="203.0.113.7")
    assert not silent(forged, reports(20))


def test_mail_of_our_own_hosts_was_sent() -> None:
    assert silent(sent(50, account="", client="10.0.0.3"), reports(20))
    assert silent(sent(50, account="", client=""), reports(20))


def test_mail_that_a_login_sends_under_another_name_counts_for_that_name() -> None:
    assert silent(sent(50, account="secretary@example.org"), reports(20))
    assert not silent(sent(50, sender="office@example.org"), reports(20))


def test_variable_return_paths_are_those_of_one_address() -> None:
    mailing = [
        sent(1, sender=f"anna+bob{n}=example.net@example.org", account="anna@example.org")[0]
        for n in range(20)
    ]
    answers = [report(n, recipient=f"anna+bob{n}=example.net@example.org") for n in range(30)]
    assert silent(mailing, every(60, answers))


def test_a_report_that_two_of_our_hosts_log_is_one() -> None:
    edge = reports(15)
    hub = [replace(one, client="10.0.0.2", queue_id=f"Z{one.queue_id}") for one in edge]
    assert silent(edge, hub)


def test_reports_without_a_message_id_are_told_apart_by_their_queue_id() -> None:
    story = tell(BackscatterReceived(), reports(20, message_id="", gateway="mx1"))
    assert story.subjects == {"backscatter_received": {VICTIM}}


def test_a_report_that_is_deferred_comes_again() -> None:
    assert silent(reports(60, status="deferred"))


def test_our_own_reports_have_no_client() -> None:
    assert silent(reports(60, client=""))


def test_mail_without_a_sender_from_a_login_is_no_report() -> None:
    assert silent(reports(60, account="anna@example.org"))


def test_reports_for_others_that_pass_through_are_not_ours() -> None:
    assert silent(reports(60, recipient="eve@example.net", relay="mx.example.net"))


def test_an_edge_that_knows_no_domains_relays_reports_to_the_mailbox() -> None:
    relayed = reports(20, relay="hub.example.org")
    assert not silent(relayed, site=ANYWHERE)
    ours = [replace(one, client="10.0.0.4") for one in relayed]
    assert silent(ours, site=ANYWHERE)
    delivered = [replace(one, relay="local") for one in ours]
    assert not silent(delivered, site=ANYWHERE)


def test_collectors_of_reports_get_them_by_design() -> None:
    assert silent(reports(60, recipient="dmarc-reports@example.org"))
    assert not silent(reports(60, recipient="sales@example.org"))


def test_mail_with_a_sender_is_no_report() -> None:
    assert silent(reports(60, sender="bob@example.net"))


def test_one_server_may_send_seven_reports_in_a_minute_and_no_more() -> None:
    def flood(number: int, gap: float) -> list[Delivery]:
        return reports(number, gap, client="198.51.100.25")

    assert silent(flood(12, 12))
    assert silent(reports(7, 1))
    found = tell(BackscatterReceived(), flood(7, 8)).finding("backscatter_received")
    assert (found.shape, found.severity) == ("one_reflector", "medium")
    assert count(found, "reports from one server in a minute").count == 7
    assert count(found, "reports from one server in a minute").threshold == 7


def test_the_pace_of_eight_servers_is_watched() -> None:
    story = tell(BackscatterReceived(), reports(19, 1))
    assert len(story.state(f"m:{VICTIM}", "backscatter_received").paces) == 8


def test_reports_that_a_parser_read_are_counted_alike() -> None:
    read = [
        event(Bounce, recipient=VICTIM, about=f"{n}@example.org", failed_recipient="x@example.net")
        for n in range(20)
    ]
    assert tell(BackscatterReceived(), every(60, read)).shapes == {
        "backscatter_received": {"joe_job"}
    }
    again = [replace(one, about="1@example.org") for one in read]
    assert silent(every(60, again))
    named = [replace(one, queue_id=f"4F2X{n}") for n, one in enumerate(again)]
    assert not silent(every(60, named))


class Told(Struct, array_like=True):
    details: list[str] = field(default_factory=list)


class Ear(Detector, frozen=True, kw_only=True):
    """Hears what is said to the watchers of a mailbox."""

    name = "ear"
    hears: ClassVar = {"m": (Signal,)}
    state = Told
    horizon = DAY  # type: ignore[assignment]

    def observe(self, event: Signal, seen: Told, view: View) -> tuple[()]:
        seen.details.append(f"{event.kind} {event.account} {event.detail}")
        return ()


def heard(*events: Any) -> list[str]:
    story = Story(BackscatterReceived(), Ear()).tell(*events)
    told = story.shard.records[f"m:{VICTIM}"].states.get("ear")
    return told.details if told else []


def about_ours(status: str = "bounced", **more: Any) -> Bounce:
    fields = {"recipient": VICTIM, "failed_recipient": "bob@example.net", "queue_id": "4F2X"}
    return event(Bounce, status=status, **(fields | more))


def test_who_watches_what_an_address_sends_is_told_of_a_failure_of_its_mail() -> None:
    assert heard(sent(1), about_ours()) == [f"reported {VICTIM} 4F2X"]
    assert heard(sent(1), about_ours("expired")) == [f"reported {VICTIM} 4F2X"]


def test_nobody_is_told_of_a_delay_or_of_mail_that_is_not_ours() -> None:
    assert heard(sent(1), about_ours("deferred")) == []
    assert heard(sent(1), about_ours(failed_recipient="carl@example.net")) == []


def test_reports_that_we_made_are_no_received_ones() -> None:
    made = [
        event(Bounce, direction="made", recipient=VICTIM, queue_id=f"4F2X{n}") for n in range(60)
    ]
    assert silent(every(60, made))


# -- a domain ----------------------------------------------------------------------------------


def strays(number: int, gap: float = 30.0, **more: Any) -> list[Recipient]:
    """Reports to names that nobody has."""
    fields = {"verdict": "unknown"} | more
    return every(
        gap,
        [
            event(
                Recipient,
                client=f"198.51.{n % 90}.25",
                recipient=f"forged{n}@example.org",
                **fields,
            )
            for n in range(number)
        ],
    )


def test_a_hundred_reports_in_an_hour_to_names_of_a_domain() -> None:
    found = tell(BackscatterReceived(), strays(100)).finding("backscatter_received")
    assert (found.shape, found.subject.kind, found.subject.value) == (
        "domain",
        "domain",
        "example.org",
    )
    assert (found.severity, found.clients, found.targets) == ("medium", [], ["example.org"])
    assert found.wish is not None
    assert found.wish.action == "notify"
    assert count(found, "reports in an hour").count == 100
    assert count(found, "reports in an hour").threshold == 100


def test_ninety_nine_are_silent() -> None:
    assert silent(strays(99))


def test_a_hundred_in_more_than_an_hour_are_silent() -> None:
    assert silent(strays(200, 39))


def test_a_thousand_are_grave() -> None:
    detector = BackscatterReceived(domain=10)
    assert tell(detector, strays(100)).finding("backscatter_received").severity == "high"
    assert tell(detector, strays(99)).finding("backscatter_received").severity == "medium"


def test_guesses_with_a_sender_are_a_harvest() -> None:
    assert silent(strays(200, 10, sender="spam@example.com"))


def test_refusals_for_other_reasons_say_nothing() -> None:
    assert silent(strays(200, 10, verdict="blocked"))


def part(account: str, number: int, at: float = 0.0) -> Signal:
    return Signal(
        at=START + at,
        about="d:example.org",
        kind="backscatter",
        account=account,
        detail=str(number),
    )


def test_a_domain_hears_of_the_reports_to_its_addresses() -> None:
    spread = [
        report(n * 10 + k, recipient=f"person{k}@example.org", client=f"198.51.{k}.25")
        for n in range(10)
        for k in range(10)
    ]
    story = tell(BackscatterReceived(), every(30, spread))
    found = story.finding("backscatter_received", "example.org")
    assert set(found.targets) == {f"person{k}@example.org" for k in range(10)}
    assert count(found, "reports in an hour").count == 100
    assert story.subjects == {"backscatter_received": {"example.org"}}


def test_addresses_that_deserve_their_reports_do_not_tell() -> None:
    story = tell(BackscatterReceived(), sent(40), reports(60))
    assert "d:example.org" not in story.shard.records


def test_an_address_without_a_domain_tells_nobody() -> None:
    story = Story(BackscatterReceived(), site=ANYWHERE)
    story.tell(reports(30, recipient="anna", client="198.51.100.25"))
    assert story.subjects == {"backscatter_received": {"anna"}}
    assert set(story.shard.records) == {"m:anna"}


def several(*counts: int) -> list[Signal]:
    return [part(f"person{n}@example.org", number, n) for n, number in enumerate(counts)]


def test_a_word_that_is_heard_again_changes_nothing() -> None:
    words = several(18, 18, 18, 18, 18)
    assert silent(words * 3)
    assert silent(words, part("person1@example.org", 5, 9), strays(9))
    assert not silent(words, strays(10))
    assert not silent(words, strays(9), part("person1@example.org", 19, 400))


def test_addresses_that_are_told_of_by_themselves_are_left_out() -> None:
    assert not silent(several(19), strays(81))
    assert silent(several(20), strays(99))
    assert tell(BackscatterReceived(), reports(300, 12)).subjects == {
        "backscatter_received": {VICTIM}
    }


def test_a_word_counts_for_an_hour() -> None:
    words = several(18, 18, 18, 18, 18, 9)
    stray = moved(strays(1), HOUR + MINUTE)
    assert not silent(words, stray)
    assert not silent(words, part("person0@example.org", 3, HOUR + MINUTE), stray)
    assert silent(words, moved(strays(1), HOUR + 4 * MINUTE))
    late = part("person0@example.org", 3, HOUR + 4 * MINUTE)
    assert silent(words, late, moved(strays(96), HOUR + 4 * MINUTE))


def test_a_word_without_a_number_is_passed_over() -> None:
    assert silent(replace(part("a@example.org", 1), detail="many"), strays(99))
    assert silent(replace(part("a@example.org", 500), kind="guesser"))


def test_the_addresses_of_a_domain_are_bounded() -> None:
    story = tell(BackscatterReceived(), [part(f"p{n}@example.org", 1, n) for n in range(99)])
    parts = story.state("d:example.org", "backscatter_received").parts
    assert len(parts) == 64
    assert "p98@example.org" in parts


def test_the_window_is_a_day() -> None:
    assert BackscatterReceived().horizon == DAY


# -- the ledger -----------------------------------------------------------------------------------


def read(number: int, at: float = 0.0, **more: Any) -> Bounce:
    """A report that an intake has read."""
    fields = {
        "client": f"198.51.{number % 90}.25",
        "recipient": VICTIM,
        "about": f"<forged{number}@example.org>",
        "failed_recipient": f"x{number}@example.net",
        "source": "intake",
    }
    return event(Bounce, at, **(fields | more))


def reads(number: int, gap: float = 60.0, **more: Any) -> list[Bounce]:
    return every(gap, [read(n, **more) for n in range(number)])


def mailing(number: int = 60, at: float = -8 * DAY) -> list[Delivery]:
    return [
        replace(one, recipient=f"r{n}@example.net", message_id=f"mail{n}@example.org")
        for n, one in enumerate(sent(number, at=at))
    ]


def test_reports_about_mail_that_was_never_sent_prove_a_forgery() -> None:
    """However much it sends: by numbers alone it would be silent."""
    found = tell(BackscatterReceived(), mailing(), mailing(at=-HOUR), reads(20)).finding(
        "backscatter_received", VICTIM
    )
    assert found.shape == "joe_job"
    assert (count(found, "proved not ours").count, count(found, "proved not ours").threshold) == (
        100,
        80,
    )
    assert "0 are about its own mail, 20 are not" in found.checks[1]
    assert silent(mailing(), mailing(at=-HOUR), reads(19))


def test_reports_about_its_own_mail_are_no_forgery_however_many() -> None:
    own = [replace(one, about=f"<mail{n % 60}@example.org>") for n, one in enumerate(reads(60))]
    assert silent(mailing(at=-HOUR), own)
    own = [
        replace(one, about="", failed_recipient=f"r{n % 60}@example.net", queue_id=f"q{n}")
        for n, one in enumerate(reads(60))
    ]
    assert silent(mailing(at=-HOUR), own)
    assert silent(sent(1, at=-HOUR, recipient="r@example.net"), own[:0])


def test_a_fifth_may_be_its_own() -> None:
    def mixed(own: int) -> list[Bounce]:
        return [
            replace(one, about=f"<mail{n}@example.org>") if n < own else one
            for n, one in enumerate(reads(20))
        ]

    both = mailing(), mailing(at=-HOUR)
    assert not silent(*both, mixed(4))
    assert silent(*both, mixed(5))


def test_without_a_week_of_its_mail_nothing_is_proved() -> None:
    assert silent(mailing(at=-6 * DAY), reads(20))
    assert not silent(mailing(at=-7 * DAY), reads(20))


def test_reports_that_name_nothing_are_counted_as_before() -> None:
    nameless = [
        replace(one, about="", failed_recipient="", queue_id=f"q{n}")
        for n, one in enumerate(reads(20))
    ]
    assert silent(mailing(), mailing(at=-HOUR), nameless)
    assert not silent(nameless)


def test_half_of_them_must_be_known() -> None:
    """The rest may be anything: then their number counts."""
    both = mailing(), mailing(at=-HOUR)
    logged = [report(n, at=n * 60.0 + 1) for n in range(11)]
    assert silent(*both, reads(9), logged)
    assert not silent(*both, reads(10), logged[:10])


def test_a_report_that_comes_twice_is_judged_once() -> None:
    twice = [each for one in reads(10) for each in (one, one)]
    state = tell(BackscatterReceived(), mailing(), twice).state(
        f"m:{VICTIM}", "backscatter_received"
    )
    assert state.alien.total == 10


def test_a_message_id_or_a_recipient_is_enough_to_prove_it() -> None:
    both = mailing(), mailing(at=-HOUR)
    assert not silent(*both, [replace(one, failed_recipient="") for one in reads(20)])
    assert not silent(*both, [replace(one, about="", queue_id=f"q{one.at}") for one in reads(20)])


def test_twenty_reports_in_a_day_to_one_that_sent_nothing_are_worth_a_word() -> None:
    found = tell(BackscatterReceived(), reports(20, gap=HOUR)).finding("backscatter_received")
    assert (found.shape, found.severity) == ("slow", "low")
    assert "20 reports in a day to" in found.summary
    assert (count(found, "reports in a day").count, count(found, "reports in a day").threshold) == (
        20,
        20,
    )
    assert silent(reports(19, gap=HOUR))
    assert silent(reports(20, gap=1.5 * HOUR))


ONE_PLACE: dict[str, Any] = {"client": "198.51.100.25"}


def test_ten_times_what_was_sent_in_a_week() -> None:
    assert silent(sent(2, at=-DAY), reports(20, gap=HOUR, **ONE_PLACE))
    assert not silent(sent(2, at=-DAY), reports(21, gap=HOUR, **ONE_PLACE))


def test_or_more_reports_from_many_places_in_a_day_than_mail_in_two() -> None:
    week = sent(50, at=-3 * DAY)
    found = tell(BackscatterReceived(), week, sent(19), reports(20, gap=HOUR))
    assert found.shapes == {"backscatter_received": {"slow"}}
    evidence = count(found.finding("backscatter_received"), "networks in a day")
    assert (evidence.count, evidence.threshold) == (20, 8)
    assert silent(week, sent(20), reports(20, gap=HOUR))  # each may have been answered
    assert silent(sent(20, at=-DAY), reports(20, gap=HOUR))


def places(number: int) -> list[Delivery]:
    """Twenty reports in a day, from so many networks."""
    return every(HOUR, [report(n, client=f"198.51.{n % number}.25") for n in range(20)])


def test_an_address_that_gets_as_many_every_day_is_sent_them_by_design() -> None:
    mail = [*sent(30, at=-2 * DAY - HOUR), *sent(5)]  # it asked for those of two days ago
    before = moved(places(12)[:19], -2 * DAY)
    assert not silent(mail, before, places(12))
    before += moved([report(99, client="198.51.99.25")], -2 * DAY)
    assert silent(mail, before, places(12))


def test_from_eight_networks_on_they_are_spread() -> None:
    assert not silent(sent(3, at=-DAY), places(8))
    assert silent(sent(3, at=-DAY), places(7))


def test_what_the_ledger_knows_to_be_its_own_is_not_slow_either() -> None:
    """A mailing to people who are gone, of which the servers report one after the other."""
    mails = [replace(sent(1)[0], recipient=f"r{n}@example.net") for n in range(10)]
    own = [
        event(
            Bounce,
            n * HOUR,
            client=f"198.51.{n}.25",
            queue_id=f"q{n}",
            recipient=VICTIM,
            failed_recipient=f"r{n % 10}@example.net",
            status="bounced",
        )
        for n in range(20)
    ]
    assert silent(mails, own)
