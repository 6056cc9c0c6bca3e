"""Who guesses addresses, and who only writes to people that have left."""

from typing import Any

from msgspec.structs import replace

from agents.detectors.directory_harvest import DirectoryHarvest
from schemas.events import Message, Recipient, Signal
from schemas.findings import Target
from schemas.keys import Site
from schemas.net import Networks
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
    repeat,
    tell,
)

THIEF = "192.0.2.66"
PROVIDER = "198.51.100.25"


def to(client: str, *recipients: str, verdict: str = "unknown", **more: Any) -> list[Recipient]:
    more.setdefault("sender", f"spam@{client}.example.com")
    return [
        event(Recipient, client=client, recipient=recipient, verdict=verdict, **more)
        for recipient in recipients
    ]


def nobody(first: int, number: int) -> list[str]:
    """Names that do not exist."""
    return [f"guess{n}@example.org" for n in range(first, first + number)]


def mail(client: str, at: float = 0.0, recipients: int = 1, **more: Any) -> Message:
    more.setdefault("sender", f"post@{client}.example.com")
    return event(Message, at, client=client, recipients=recipients, **more)


def guesses(number: int, gap: float, client: str = THIEF, **more: Any) -> list[Recipient]:
    return every(gap, to(client, *nobody(0, number), **more))


# -- fast --------------------------------------------------------------------------------------


def test_ten_unknown_recipients_in_ten_minutes_are_guesses() -> None:
    story = tell(DirectoryHarvest(), guesses(10, 66))
    found = story.finding("directory_harvest", THIEF)
    assert (found.shape, found.severity) == ("fast", "medium")
    assert found.clients == [THIEF]
    assert found.wish is not None
    assert (found.wish.action, found.wish.target) == ("tarpit", Target("network", THIEF))
    seen = count(found, "unknown recipients in 10 min")
    assert (seen.count, seen.threshold) == (10, 10)
    assert count(found, "unknown recipients in 1 h").threshold == 25
    assert found.targets_count == 10


def test_more_than_can_be_counted_one_by_one_are_told_as_about_so_many() -> None:
    finding = tell(DirectoryHarvest(), guesses(66, 3)).finding("directory_harvest", THIEF)
    assert f"{THIEF} guesses addresses: about {finding.targets_count} do not exist" in (
        finding.summary
    )
    assert finding.targets_count in (64, 65, 66)
    recent = count(finding, "unknown recipients in 10 min")
    assert (recent.count, recent.estimated) == (64, True)
    assert not count(finding, "unknown of all recipients").estimated


def test_nine_unknown_recipients_are_not() -> None:
    assert tell(DirectoryHarvest(), guesses(9, 30), mail(THIEF, DAY)).silent


def test_ten_in_more_than_ten_minutes_are_not_fast() -> None:
    assert tell(DirectoryHarvest(), mail(THIEF), guesses(20, 80)).silent


def test_twenty_five_in_an_hour_are_guesses() -> None:
    story = tell(DirectoryHarvest(), mail(THIEF), guesses(25, 148))
    assert story.shapes == {"directory_harvest": {"fast"}}
    assert count(story.findings[0], "unknown recipients in 1 h").count == 25


def test_twenty_four_in_an_hour_are_not() -> None:
    assert tell(DirectoryHarvest(), mail(THIEF), guesses(60, 156)).silent


def test_one_name_tried_often_is_no_harvest() -> None:
    assert tell(DirectoryHarvest(), every(5, to(THIEF, *["gone@example.org"] * 60))).silent


def test_half_of_the_recipients_must_surely_be_unknown() -> None:
    """Two standard errors above a half: the dead of a list may be the first that are tried."""

    def told(unknown: int, accepted: int) -> set[str]:
        good = to(THIEF, *(f"person{n}@example.org" for n in range(accepted)), verdict="accepted")
        shapes = tell(DirectoryHarvest(), good, guesses(unknown, 5)).shapes
        return shapes.get("directory_harvest", set())

    assert told(10, 2) == {"fast"}
    assert told(10, 3) == set()
    assert told(25, 12) == {"fast"}
    assert told(25, 13) == set()
    assert told(12, 4) == {"fast"}  # exactly


def test_a_message_carries_the_recipients_that_were_accepted() -> None:
    assert tell(DirectoryHarvest(), mail(THIEF, recipients=3), guesses(10, 5)).silent
    assert not tell(DirectoryHarvest(), mail(THIEF, recipients=2), guesses(10, 5)).silent


def test_accepted_recipients_and_their_message_count_once() -> None:
    good = to(THIEF, *(f"person{n}@example.org" for n in range(2)), verdict="accepted")
    assert not tell(DirectoryHarvest(), good, mail(THIEF, recipients=2), guesses(10, 5)).silent


def test_a_message_without_a_count_has_one_recipient() -> None:
    mails = repeat(3, lambda n: mail(THIEF, recipients=0))
    assert tell(DirectoryHarvest(), mails, guesses(10, 5)).silent


def test_recipients_refused_for_other_reasons_are_recipients() -> None:
    names = [f"person{n}@example.org" for n in range(3)]
    blocked = to(THIEF, *names, verdict="blocked")
    assert tell(DirectoryHarvest(), blocked, guesses(10, 5)).silent


def test_deferred_recipients_come_again_and_do_not_count() -> None:
    names = [f"person{n}@example.org" for n in range(40)]
    deferred = to(THIEF, *names, verdict="deferred")
    assert not tell(DirectoryHarvest(), deferred, guesses(10, 5)).silent


def test_a_list_with_dead_members_is_silent() -> None:
    members = [mail(THIEF, 10 + n * 5, sender="list@example.net") for n in range(15)]
    dead = every(7, to(THIEF, *nobody(0, 14), sender="list@example.net"), start=10)
    assert tell(DirectoryHarvest(), members, dead).silent


def test_a_message_under_way_is_waited_for() -> None:
    """The dead members of a list come first, then the message for those that live."""
    dead = every(0.1, to(THIEF, *nobody(0, 14), queue_id="4F2XkQ1zJtz1"))
    story = tell(DirectoryHarvest(), dead, mail(THIEF, 3, recipients=30))
    assert story.silent
    assert story.tell(to(THIEF, *nobody(90, 1), at=5)).silent


def test_guesses_beside_one_address_that_exists_are_guesses() -> None:
    def session(number: int) -> list[Recipient]:
        names = nobody(number * 8, 8)
        return every(1, to(THIEF, *names, queue_id=f"4F2XkQ1zJtz{number}"), start=number * 60)

    assert tell(DirectoryHarvest(), session(0), session(1)).silent
    assert not tell(DirectoryHarvest(), session(0), session(1), session(2)).silent


def test_a_list_that_sends_several_messages_at_a_time_is_silent() -> None:
    dead = [to(THIEF, f"gone{n}@example.org", queue_id=f"4F2XkQ1zJtz{n % 8}")[0] for n in range(17)]
    assert tell(DirectoryHarvest(), every(1, dead)).silent
    more = [to(THIEF, f"gone{n}@example.org", queue_id=f"4F2XkQ1zJtz{n % 9}")[0] for n in range(17)]
    assert not tell(DirectoryHarvest(), every(1, more)).silent


def test_reports_to_forged_names_are_not_guesses() -> None:
    reports = to(THIEF, *nobody(0, 10), sender="")
    assert tell(DirectoryHarvest(), reports, to(THIEF, *nobody(10, 10))).silent
    assert not tell(DirectoryHarvest(), reports[:9], to(THIEF, *nobody(9, 10))).silent


def test_a_callout_asks_for_one_recipient_from_the_null_sender() -> None:
    assert tell(DirectoryHarvest(), guesses(60, 60, sender="")).silent


def test_typing_mistakes_of_a_login_belong_to_the_account() -> None:
    assert tell(DirectoryHarvest(), guesses(30, 5, account="anna@example.org")).silent


def test_relays_in_front_of_us_are_not_judged() -> None:
    site = Site(domains=frozenset({"example.org"}), trusted=Networks(["192.0.2.0/24"]))
    assert tell(DirectoryHarvest(), guesses(90, 5), site=site).silent


def test_who_goes_on_after_the_first_answer_is_refused() -> None:
    story = tell(DirectoryHarvest(), guesses(40, 30))
    found = story.finding("directory_harvest", THIEF)
    assert found.wish is not None
    assert found.wish.action == "reject"


def test_who_stops_before_the_first_answer_ends_is_slowed() -> None:
    story = tell(DirectoryHarvest(), guesses(28, 30))
    found = story.finding("directory_harvest", THIEF)
    assert found.wish is not None
    assert found.wish.action == "tarpit"


def test_the_first_answer_lasts_ten_minutes() -> None:
    first, last = guesses(10, 60), to(THIEF, *nobody(20, 1), at=540 + 10 * MINUTE)
    found = tell(DirectoryHarvest(), first, last).finding("directory_harvest", THIEF)
    assert found.wish is not None
    assert found.wish.action == "reject"


def test_another_day_begins_with_the_mild_answer() -> None:
    story = tell(DirectoryHarvest(), guesses(40, 30), moved(guesses(12, 20), 3 * DAY))
    last = story.findings[-1]
    assert last.wish is not None
    assert last.wish.action == "tarpit"


def test_one_ipv6_host_is_one_client() -> None:
    many = [to(f"2001:db8:1:2::{n:x}", f"guess{n}@example.org")[0] for n in range(12)]
    story = tell(DirectoryHarvest(), every(5, many))
    assert story.subjects == {"directory_harvest": {"2001:db8:1:2::/64"}}


# -- slow --------------------------------------------------------------------------------------


def test_ten_unknown_in_a_day_from_a_client_that_delivered_nothing() -> None:
    found = tell(DirectoryHarvest(), guesses(10, 2 * HOUR)).finding("directory_harvest")
    assert (found.shape, found.wish) == ("slow", None)
    assert count(found, "unknown recipients in 24 h").count == 10


def test_nine_unknown_in_a_day_are_silent() -> None:
    assert tell(DirectoryHarvest(), guesses(9, 2 * HOUR)).silent


def test_slow_guesses_beside_a_delivery_are_silent() -> None:
    assert tell(DirectoryHarvest(), mail(THIEF), guesses(20, HOUR)).silent


def test_nine_tenths_of_slow_guesses_must_miss() -> None:
    blocked = to(THIEF, *(f"person{n}@example.org" for n in range(2)), verdict="blocked")
    assert not tell(DirectoryHarvest(), blocked, guesses(18, HOUR)).silent
    assert tell(DirectoryHarvest(), blocked, guesses(17, HOUR)).silent


def test_twenty_five_slow_guesses_are_answered() -> None:
    story = Story(DirectoryHarvest()).tell(guesses(24, 50 * MINUTE))
    assert story.findings[0].wish is None
    story.tell(to(THIEF, *nobody(70, 1), at=24 * 50 * MINUTE - HOUR / 2))
    assert story.findings[0].wish is not None
    assert story.findings[0].shape == "slow"


# -- a big provider ----------------------------------------------------------------------------


def provider(messages: int) -> list[Message]:
    return [
        mail(PROVIDER, -6 * DAY + n * HOUR, sender=f"someone@d{n}.example.net")
        for n in range(messages)
    ]


def test_a_provider_is_judged_for_each_sender_and_never_blocked() -> None:
    crooked = guesses(10, 5, PROVIDER, sender="x@crook.example.net")
    found = tell(DirectoryHarvest(), provider(20), crooked).finding("directory_harvest")
    assert (found.shape, found.severity, found.wish) == ("provider", "low", None)
    assert found.subject.value == PROVIDER
    assert found.clients == []
    assert "crook.example.net" in found.summary


def test_nineteen_messages_make_no_provider() -> None:
    crooked = guesses(20, 5, PROVIDER, sender="x@crook.example.net")
    assert tell(DirectoryHarvest(), provider(19), crooked).shapes == {"directory_harvest": {"fast"}}


def test_a_provider_of_many_who_err_is_silent() -> None:
    typos = [
        to(PROVIDER, f"typo{n}@example.org", sender=f"user@d{n % 9}.example.net")[0]
        for n in range(80)
    ]
    assert tell(DirectoryHarvest(), provider(20), every(20, typos)).silent


def test_mail_of_the_same_sender_speaks_for_it() -> None:
    sender = "x@club.example.net"
    dead = guesses(10, 5, PROVIDER, sender=sender)
    alive = [mail(PROVIDER, n * 5 + 1, recipients=2, sender=sender) for n in range(6)]
    assert tell(DirectoryHarvest(), provider(20), dead, alive).silent


def test_recipients_that_were_accepted_speak_for_a_provider_s_sender() -> None:
    sender = "x@club.example.net"
    dead = guesses(10, 5, PROVIDER, sender=sender)
    alive = every(
        4,
        to(PROVIDER, *(f"p{n}@example.org" for n in range(12)), verdict="accepted", sender=sender),
        start=1,
    )
    assert tell(DirectoryHarvest(), provider(20), dead, alive).silent


def test_the_senders_of_a_provider_are_bounded() -> None:
    many = [
        to(PROVIDER, f"typo{n}@example.org", sender=f"user@d{n}.example.net")[0] for n in range(200)
    ]
    story = tell(DirectoryHarvest(), provider(20), every(1, many))
    senders = story.state(f"c:{PROVIDER}", "directory_harvest").senders
    assert list(senders) == [f"d{n}.example.net" for n in range(192, 200)]


# -- spread ------------------------------------------------------------------------------------


def spread(number: int, clients: int, sender: str = "", gap: float = 300.0) -> list[Recipient]:
    """Guesses of the clients of one network in turn, each under a name of its own."""
    return every(
        gap,
        [
            to(
                f"203.0.113.{n % clients}",
                f"guess{n}@example.org",
                sender=sender or f"x@s{n}.example.com",
            )[0]
            for n in range(number)
        ],
    )


def test_fifty_guesses_of_a_network_are_a_harvest() -> None:
    found = tell(DirectoryHarvest(), spread(50, 10)).finding("directory_harvest", "203.0.113.0/24")
    assert (found.shape, found.subject.kind) == ("network", "network")
    assert found.wish is not None
    assert found.wish.target == Target("network", "203.0.113.0/24")
    assert count(found, "clients that guess").count == 10
    assert found.clients == [f"203.0.113.{n}" for n in range(10)]


def test_forty_nine_guesses_of_a_network_are_silent() -> None:
    assert tell(DirectoryHarvest(), spread(49, 10)).silent


def test_two_clients_are_a_network_and_one_is_none() -> None:
    subjects = tell(DirectoryHarvest(), spread(60, 2)).subjects["directory_harvest"]
    assert "203.0.113.0/24" in subjects
    subjects = tell(DirectoryHarvest(), spread(60, 1)).subjects["directory_harvest"]
    assert subjects == {"203.0.113.0"}


def test_four_fifths_of_a_network_s_recipients_must_be_unknown() -> None:
    good = repeat(3, lambda n: mail("203.0.113.200", n, recipients=4))
    assert not tell(DirectoryHarvest(), good, spread(50, 10)).silent
    assert tell(DirectoryHarvest(), good, mail("203.0.113.200"), spread(50, 10)).silent


def test_a_network_at_exactly_four_fifths_is_told_of() -> None:
    good = mail("203.0.113.200", -60, recipients=15)
    assert tell(DirectoryHarvest(), good, spread(59, 10)).silent
    assert not tell(DirectoryHarvest(), good, spread(60, 10)).silent


def test_a_network_of_servers_that_report_is_silent() -> None:
    reports = [to(f"203.0.113.{n % 10}", f"forged{n}@example.org", sender="")[0] for n in range(50)]
    assert tell(DirectoryHarvest(), every(200, reports), spread(50, 10)).silent


def botnet(clients: int, each: int = 1) -> list[Recipient]:
    return every(
        200,
        [
            to(f"198.18.{n}.9", f"guess{n}.{k}@example.org", sender=f"a{n}@lure.example.com")[0]
            for k in range(each)
            for n in range(clients)
        ],
    )


def test_fifty_clients_under_one_domain_are_a_harvest() -> None:
    story = tell(DirectoryHarvest(), botnet(50))
    found = story.finding("directory_harvest", "lure.example.com")
    assert (found.shape, found.subject.kind, found.wish) == ("domain", "domain", None)
    assert count(found, "clients that only guess").count == 100
    assert len(found.clients) == 50


def test_each_client_of_a_harvest_answers_for_its_part() -> None:
    story = tell(DirectoryHarvest(), botnet(50))
    found = story.finding("directory_harvest", "198.18.7.9")
    assert found.shape == "took_part"
    assert found.wish is not None
    assert found.wish.target == Target("network", "198.18.7.9")
    parts = [finding for finding in story.findings if finding.shape == "took_part"]
    assert len(parts) == 50


def test_forty_nine_guesses_under_one_domain_are_silent() -> None:
    assert tell(DirectoryHarvest(), botnet(49)).silent


def test_one_client_under_one_domain_is_judged_alone() -> None:
    story = tell(DirectoryHarvest(), every(600, to(THIEF, *nobody(0, 60), sender="x@a.example")))
    assert story.subjects == {"directory_harvest": {THIEF}}


def test_two_clients_under_one_domain_are_many() -> None:
    pair = [
        to(f"198.18.{n % 2}.9", f"guess{n}@example.org", sender="x@lure.example.com")[0]
        for n in range(50)
    ]
    assert (
        "lure.example.com"
        in tell(DirectoryHarvest(), every(600, pair)).subjects["directory_harvest"]
    )


def test_four_fifths_of_a_domain_s_clients_must_only_guess() -> None:
    honest = [f"198.19.{n}.25" for n in range(13)]

    def story(number: int) -> Story:
        good = [mail(client, -HOUR, recipients=9) for client in honest[:number]]
        typos = [
            to(client, f"typo{n}@example.org", sender="x@lure.example.com", at=-60)[0]
            for n, client in enumerate(honest[:number])
        ]
        return tell(DirectoryHarvest(), good, typos, botnet(48))

    assert "lure.example.com" in story(12).subjects["directory_harvest"]
    assert story(13).silent


def test_reports_say_nothing_about_a_sender_s_domain() -> None:
    reports = to("198.18.1.9", *nobody(0, 50), sender="")
    assert tell(DirectoryHarvest(), reports, botnet(10)).silent


def test_a_client_that_delivers_is_told_of_no_harvest() -> None:
    busy = "198.18.3.9"
    story = tell(DirectoryHarvest(), mail(busy, -HOUR, recipients=2), botnet(60))
    assert busy not in story.subjects["directory_harvest"]
    assert busy not in story.accused


def test_a_client_is_told_again_in_vain() -> None:
    story = tell(DirectoryHarvest(), botnet(50))
    said = len(story.said)
    again = Signal(at=START + 3 * HOUR, about="c:198.18.3.9", kind="harvest", client="198.18.3.9")
    assert len(story.tell(again, again).findings) == 51
    assert len(story.said) <= said + 2


def test_a_provider_told_of_a_harvest_is_silent() -> None:
    word = Signal(at=START + 5, about=f"c:{PROVIDER}", kind="harvest", client=PROVIDER)
    typo = to(PROVIDER, "typo@example.org")
    assert tell(DirectoryHarvest(), provider(20), typo, word).silent


def test_a_client_with_a_finding_of_its_own_keeps_its_shape() -> None:
    word = Signal(at=START + 900, about=f"c:{THIEF}", kind="harvest", client=THIEF)
    assert tell(DirectoryHarvest(), guesses(12, 5), word).shapes == {"directory_harvest": {"fast"}}


def test_signals_of_others_are_passed_over() -> None:
    word = Signal(at=START + 5, about=f"c:{THIEF}", kind="took_part", client=THIEF)
    assert tell(DirectoryHarvest(), to(THIEF, "typo@example.org"), word).silent


def test_a_server_that_reports_is_told_of_no_harvest() -> None:
    word = Signal(at=START + 5, about=f"c:{THIEF}", kind="harvest", client=THIEF)
    assert tell(DirectoryHarvest(), to(THIEF, "typo@example.org", sender=""), word).silent


def words(*events: Any) -> list[tuple[str, str]]:
    """What the watchers told each other."""
    story = Story(DirectoryHarvest())
    heard = []
    fold = story.shard.engine.fold

    def listen(event: Any, *rest: Any, **more: Any) -> None:
        if type(event) is Signal:
            heard.append((event.about, event.kind))
        fold(event, *rest, **more)

    story.shard.engine.fold = listen  # type: ignore[method-assign]
    story.tell(*events)
    return heard


def test_a_domain_is_told_of_a_client_once_in_an_hour() -> None:
    names = to(THIEF, *nobody(0, 9), sender="x@lure.example.com")
    assert words(every(60, names)) == [("d:lure.example.com", "guesser")]
    assert len(words(every(2 * HOUR, names[:3]))) == 3


def test_a_domain_is_told_of_clients_that_miss_four_times_of_five() -> None:
    blocked = to(THIEF, "person@example.org", verdict="blocked")
    names = to(THIEF, *nobody(0, 4), sender="x@lure.example.com", at=5)
    assert words(blocked, names[:3]) == []
    assert words(blocked, names) == [("d:lure.example.com", "guesser")]


def test_half_of_the_recipients_of_one_that_takes_part_must_be_unknown() -> None:
    word = Signal(at=START + 9, about=f"c:{THIEF}", kind="harvest", client=THIEF)
    blocked = to(THIEF, "person@example.org", verdict="blocked")
    typo = to(THIEF, "typo@example.org")
    assert tell(DirectoryHarvest(), blocked, typo, word).shapes == {
        "directory_harvest": {"took_part"}
    }
    assert tell(DirectoryHarvest(), blocked, blocked, typo, word).silent


def test_senders_are_watched_from_their_first_miss() -> None:
    good = to(THIEF, "person@example.org", verdict="accepted")
    unsigned = to(THIEF, *nobody(0, 1), sender="")
    story = tell(DirectoryHarvest(), good, unsigned)
    assert story.state(f"c:{THIEF}", "directory_harvest").senders == {}


def test_a_sender_without_a_domain_concerns_no_domain() -> None:
    story = tell(DirectoryHarvest(), to(THIEF, *nobody(0, 9), sender="root"))
    assert not [key for key in story.shard.records if key.startswith("d:")]


def test_the_window_is_a_day() -> None:
    assert DirectoryHarvest().horizon == DAY
    assert START % DAY == DAY / 2


# -- VRFY and a broken directory ---------------------------------------------------------------


def test_vrfy_is_guessing_though_it_has_no_sender() -> None:
    asked = guesses(10, 5, sender="", command="vrfy")
    assert tell(DirectoryHarvest(), asked).shapes == {"directory_harvest": {"fast"}}
    assert tell(DirectoryHarvest(), guesses(10, 5, sender="")).silent


def test_vrfy_and_expn_are_guesses_whatever_the_answer() -> None:
    for verdict in ("refused", "accepted", "blocked"):
        names = nobody(0, 10)
        asked = every(5, to(THIEF, *names, sender="", command="expn", verdict=verdict))
        finding = tell(DirectoryHarvest(), asked).finding("directory_harvest", THIEF)
        assert finding.shape == "fast"
        assert "10 were asked for by VRFY or EXPN, whether they exist or not" in finding.checks
        assert finding.summary.endswith(": 10 do not exist or were only asked for")
        assert tell(DirectoryHarvest(), every(5, to(THIEF, *names, verdict=verdict))).silent
    usual = tell(DirectoryHarvest(), guesses(10, 5)).finding("directory_harvest", THIEF)
    assert not any("VRFY" in check for check in usual.checks)
    assert usual.summary.endswith(": 10 do not exist")


def test_neighbours_that_ask_by_vrfy_are_a_network() -> None:
    asked = [
        e
        for n in range(10)
        for e in to(f"192.0.2.{n}", *nobody(6 * n, 6), sender="", command="vrfy", verdict="refused")
    ]
    assert tell(DirectoryHarvest(), every(300, asked)).shapes == {"directory_harvest": {"network"}}


def fault(at: float = 300.0, about: str = f"c:{THIEF}") -> Signal:
    return Signal(at=START + at, about=about, kind="fault", gateway="mx1")


def test_while_our_directory_is_broken_nobody_guesses() -> None:
    story = tell(DirectoryHarvest(), guesses(10, 5), fault())
    finding = story.finding("directory_harvest", THIEF)
    assert finding.state == "withdrawn"
    assert finding.summary.startswith("the directory of mx1 is broken")
    said = len(story.said)
    story.tell(moved(guesses(40, 30), 310))
    assert len(story.said) == said
    assert (
        story.tell(moved(guesses(10, 5), 300 + 1801)).finding("directory_harvest", THIEF).state
        == "open"
    )
    assert tell(DirectoryHarvest(), fault(0), moved(guesses(10, 5), 1800)).silent
    assert not tell(DirectoryHarvest(), fault(0), moved(guesses(10, 5), 1801)).silent
    about = "d:lure.example.com"
    guesser = Signal(at=START + 1800, about=about, kind="guesser", client=THIEF)
    story = tell(DirectoryHarvest(), fault(0, about), guesser)
    assert not story.state(about, "directory_harvest").guessers.seen
    word = Signal(at=START + 400, about=f"c:{THIEF}", kind="harvest", client=THIEF)
    assert tell(DirectoryHarvest(), guesses(5, 5), fault(), word).silent


def test_what_was_unknown_before_counts_no_more() -> None:
    late = moved(guesses(9, 5), 300 + 1801)
    early = [replace(one, recipient=f"a{n}@example.org") for n, one in enumerate(guesses(9, 5))]
    story = tell(DirectoryHarvest(quick_seconds=HOUR), early, fault(), late)
    assert story.silent


def test_a_provider_s_senders_are_let_go_as_well() -> None:
    crooked = guesses(30, 5, PROVIDER, sender="x@crook.example.net")
    story = tell(DirectoryHarvest(), provider(20), crooked, fault(about=f"c:{PROVIDER}"))
    assert story.finding("directory_harvest", PROVIDER).state == "withdrawn"
    assert story.state(f"c:{PROVIDER}", "directory_harvest").senders == {}


def test_who_is_found_guessing_asks_whether_the_directory_is_broken() -> None:
    def asked(*events: Any) -> float:
        asked: float = (
            tell(DirectoryHarvest(), *events).state(f"c:{THIEF}", "directory_harvest").asked
        )
        return asked and asked - START

    assert asked(guesses(9, 5, gateway="mx1")) == 0
    assert asked(guesses(30, 5, gateway="mx1")) == 45
    assert asked(guesses(12, 5)) == 0
    assert asked(guesses(15, 50, gateway="mx1")) == 450
    assert asked(guesses(16, 50, gateway="mx1")) == 750
