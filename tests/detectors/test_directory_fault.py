"""Our own directory is broken: servers that know our addresses miss with all of them."""

from collections.abc import Iterable

from msgspec.structs import replace

from agents.detectors.directory_fault import ASKING, DirectoryFault
from agents.detectors.directory_harvest import DirectoryHarvest
from schemas.events import Auth, Delivery, Fact, Message, Recipient, Signal
from tests.detectors.stories import DAY, HOUR, MINUTE, START, Story, event, opened, repeat, tell

NAME = "directory_fault"
SERVERS = ["192.0.2.1", "198.51.100.1", "203.0.113.1"]


def known(client: str, messages: int = 20, at: float = -DAY) -> list[Message]:
    return repeat(
        messages,
        lambda number: event(Message, at=at + number, client=client, sender="a@example.net"),
    )


def misses(client: str, many: int = 5, at: float = 0.0, gap: float = 60.0) -> list[Recipient]:
    return repeat(
        many,
        lambda number: event(
            Recipient,
            at=at + number * gap,
            gateway="mx1",
            client=client,
            sender="a@example.net",
            recipient=f"user{number}@example.org",
            verdict="unknown",
        ),
    )


def told(*parts: Fact | Iterable[Fact]) -> Story:
    return tell(DirectoryFault(), *parts)


def fault(*parts: Fact | Iterable[Fact], clients: list[str] | None = None) -> Story:
    all_known = [e for client in clients or SERVERS for e in known(client)]
    return told(all_known, *parts)


def test_three_servers_that_know_us_miss_with_everything() -> None:
    finding = fault(*[misses(client) for client in SERVERS]).finding(NAME, "mx1")
    assert (finding.shape, finding.severity) == ("unknown", "critical")
    assert finding.subject.kind == "gateway"
    assert finding.clients == []
    assert finding.wish is None
    assert finding.targets == ["user4@example.org"]
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "servers that suddenly miss": (3, 3),
        "providers": (3, 3),
        "refused whose owners log in": (0, 3),
        "refused that got mail": (0, 5),
    }
    assert finding.checks == ["each had 20 messages accepted in 7 days"]
    assert "refuses addresses as unknown for 3 servers" in finding.summary
    assert "as user4@example.org. Look" in finding.summary


def test_two_servers_are_none_and_three_of_two_providers_neither() -> None:
    assert fault(*[misses(client) for client in SERVERS[:2]]).silent
    near = ["192.0.2.1", "192.0.2.2", "198.51.100.1"]
    assert fault(*[misses(client) for client in near], clients=near).silent


def test_four_misses_are_none() -> None:
    assert fault(*[misses(client, many=4) for client in SERVERS]).silent
    assert fault(*[misses(client, gap=170) for client in SERVERS]).silent


def test_servers_that_still_reach_others_are_none() -> None:
    one = [event(Message, client=c, sender="a@example.net", recipients=1) for c in SERVERS]
    assert not fault(one, *[misses(client) for client in SERVERS]).silent
    two = [event(Message, client=c, sender="a@example.net", recipients=2) for c in SERVERS]
    assert fault(two, *[misses(client, many=7) for client in SERVERS]).silent
    assert not fault(two, *[misses(client, many=8) for client in SERVERS]).silent
    none = [event(Message, client=c, sender="a@example.net", recipients=0) for c in SERVERS]
    assert fault(none, none, *[misses(client) for client in SERVERS]).silent


def test_strangers_are_none() -> None:
    strangers = [e for c in SERVERS for e in known(c, messages=19)]
    assert told(strangers, *[misses(client) for client in SERVERS]).silent
    long_ago = [e for c in SERVERS for e in known(c, at=-8 * DAY)]
    assert told(long_ago, *[misses(client) for client in SERVERS]).silent
    assert not told(
        [e for c in SERVERS for e in known(c, at=-6 * DAY)], *[misses(c) for c in SERVERS]
    ).silent


def test_reports_to_names_that_nobody_has_are_none() -> None:
    reports = [
        event(Recipient, at=e.at - START, client=e.client, gateway="mx1", verdict="unknown")
        for client in SERVERS
        for e in misses(client, many=9)
    ]
    assert fault(reports).silent


def test_logins_and_other_refusals_are_none() -> None:
    users = [
        event(
            Recipient, at=e.at - START, client=e.client, account="a", sender="a", verdict="unknown"
        )
        for client in SERVERS
        for e in misses(client, many=9)
    ]
    assert fault(users).silent
    deferred = [
        event(Recipient, at=e.at - START, client=e.client, sender="a@b", verdict="refused")
        for client in SERVERS
        for e in misses(client, many=9)
    ]
    assert fault(deferred).silent


def words(story: Story) -> int:
    seen = story.state("g:mx1", NAME)
    return sum(times for _, times, _ in seen.clients.seen.values())


def test_a_server_says_so_once_in_five_minutes() -> None:
    assert words(fault(misses(SERVERS[0], many=9, gap=60), clients=SERVERS[:1])) == 1
    assert words(fault(misses(SERVERS[0], many=10, gap=60), clients=SERVERS[:1])) == 2


def test_words_of_others_are_not_for_it() -> None:
    other = Signal(at=START, about="g:mx1", kind="other", client="192.0.2.1")
    assert not told(other).state("g:mx1", NAME).clients.seen


# -- addresses that we know ---------------------------------------------------------------------


def owners(many: int = 5, at: float = -DAY) -> list[Auth]:
    return [opened("192.0.2.200", f"user{number}", at) for number in range(many)]


def test_people_who_log_in_and_are_refused_as_unknown_prove_it() -> None:
    one = known(SERVERS[0]), misses(SERVERS[0], many=3)
    finding = told(owners(), *one).finding(NAME, "mx1")
    assert (finding.shape, finding.severity) == ("known_addresses", "critical")
    assert finding.targets == [f"user{n}@example.org" for n in range(3)]
    assert finding.targets_count == 3
    assert "though 3 owners of them logged in within 30 days" in finding.summary
    assert told(owners(2), *one).silent
    assert told(owners(at=-32 * DAY), *one).silent
    assert told(owners(), known(SERVERS[0]), misses(SERVERS[0], many=3, gap=6 * MINUTE)).silent
    assert told(owners(), misses(SERVERS[0], many=9)).silent


def test_an_address_keeps_nothing_of_it() -> None:
    story = told(owners(), known(SERVERS[0]), misses(SERVERS[0], many=3))
    other = Signal(at=START, about="m:user0@example.org", kind="other", gateway="mx1")
    told(owners(), other)
    assert story.finding(NAME, "mx1").targets_count == 3
    assert told(owners(), other, other, other).silent


# -- addresses that got mail ---------------------------------------------------------------------


def got(many: int = 20, at: float = -DAY, **more: str) -> list[Delivery]:
    """Mail of a stranger to so many of ours, each in a second that is looked at."""
    usual = {"client": "192.0.2.9", "sender": "x@example.net", "relay": "mail.example.org"}
    return [
        event(Delivery, at=at + 8 * n, **{**usual, "recipient": f"user{n}@example.org", **more})
        for n in range(many)
    ]


def two(many: int = 7) -> list[Recipient]:
    """Two servers, each misses with as many, the second with the same ones: from the fifth on
    they ask for addresses whose mail counts."""
    return [*misses(SERVERS[0], many), *misses(SERVERS[1], many, at=7)]


def seen_by_two(*parts: Fact | Iterable[Fact]) -> Story:
    """A site that only two servers send to."""
    return fault(*parts, clients=SERVERS[:2])


def test_addresses_that_got_mail_are_refused_to_two_servers() -> None:
    finding = seen_by_two(got(), two(9)).finding(NAME, "mx1")
    assert (finding.shape, finding.severity) == ("accepted_addresses", "critical")
    assert finding.targets == [f"user{n}@example.org" for n in range(4, 9)]
    assert finding.targets_count == 5
    assert "though 5 of them got mail within 7 days, as user4@example.org" in finding.summary
    assert finding.evidence[3].count == 5
    assert seen_by_two(got(), two(8)).silent
    assert seen_by_two(got(8), two(9)).silent
    assert seen_by_two(two(9)).silent


def test_the_address_that_the_sender_named_counts() -> None:
    aliased = [
        event(Delivery, at=-DAY + 8 * n, client="192.0.2.9", sender="x@example.net",
              recipient="box@example.org", original=f"user{n}@example.org")
        for n in range(20)
    ]  # fmt: skip
    assert not seen_by_two(aliased, two(9)).silent
    assert seen_by_two(got(recipient="box@example.org"), two(9)).silent


def test_mail_that_was_not_delivered_or_long_ago_proves_nothing() -> None:
    assert seen_by_two(got(status="bounced", sender=""), two(9)).silent
    assert seen_by_two(got(at=-8 * DAY), two(9)).silent


def test_a_week_is_how_long_mail_counts() -> None:
    def asked(at: float) -> list[Signal]:
        return [
            event(Signal, at=at, about=f"m:user{n}@example.org", gateway="mx1", kind="missing",
                  client=SERVERS[n % 2], detail="nearly all")
            for n in range(5)
        ]  # fmt: skip

    at_once = [replace(e, at=START - 7 * DAY) for e in got(5, at=-7 * DAY)]
    assert not told(at_once, asked(0)).silent
    assert told(at_once, asked(1)).silent
    assert told(at_once, [replace(e, detail="") for e in asked(0)]).silent


def test_a_report_that_arrived_proves_it_too() -> None:
    assert not seen_by_two(got(sender=""), two(9)).silent


def test_what_an_address_sent_proves_nothing_of_it() -> None:
    sent = [
        event(Delivery, at=-DAY + 8 * n, sender=f"user{n}@example.org", recipient="x@example.net",
              account=f"user{n}@example.org")
        for n in range(20)
    ]  # fmt: skip
    more = [event(Delivery, at=-HOUR + n, sender=f"user{n}@example.org", account=f"user{n}",
                  recipient=f"user{n + 1}@example.org") for n in range(20)]  # fmt: skip
    assert seen_by_two(sent, more, two(9)).silent


def test_a_department_that_left_is_missed_by_its_list_alone() -> None:
    assert fault(got(), misses(SERVERS[0], 20, gap=20), clients=SERVERS[:1]).silent


def test_servers_that_reach_others_ask_for_nobody() -> None:
    reached = [event(Message, client=c, sender="a@example.net", recipients=5) for c in SERVERS[:2]]
    assert seen_by_two(got(), reached, two(9)).silent


def test_misses_far_apart_are_no_fault() -> None:
    slow = [*misses(SERVERS[0], 12, gap=170), *misses(SERVERS[1], 12, at=7, gap=170)]
    assert seen_by_two(got(), slow).silent


# -- whom it lets go ----------------------------------------------------------------------------


def strays(at: float = 0.0, many: int = 12) -> list[Recipient]:
    """A server that nobody knows writes to our people."""
    return [
        event(
            Recipient, at=at + number, gateway="mx1", client="203.0.113.77", sender="a@example.com",
            recipient=f"user{number}@example.org", verdict="unknown",
        )
        for number in range(many)
    ]  # fmt: skip


def harvest(*parts: Fact | list[Message] | list[Recipient]) -> list[str]:
    """The states of the finding about the strange server, one after the other."""
    all_known = [e for client in SERVERS for e in known(client)]
    story = tell(DirectoryHarvest(), DirectoryFault(), all_known, *parts)
    return [f.state for f in story.said if f.subject.value == "203.0.113.77"]


BROKEN = [e for client in SERVERS for e in misses(client)]  # stands after 4 min


def test_while_it_lasts_nobody_guesses_addresses() -> None:
    assert set(harvest(strays())) == {"open"}
    assert harvest(strays(), BROKEN)[-1] == "withdrawn"
    assert harvest(strays(), BROKEN, strays(20 * MINUTE))[-1] == "withdrawn"
    last = 34 * MINUTE - 9  # whose tenth guess comes half an hour after the last sign
    assert harvest(BROKEN, strays(last, many=10))[-1] == "withdrawn"
    assert harvest(BROKEN, strays(last + 1, many=10))[-1] == "open"
    assert harvest(strays(), [e for e in BROKEN if e.client != SERVERS[0]])[-1] == "open"


def test_who_asked_more_than_an_hour_ago_is_not_told() -> None:
    asked = 9  # seconds: the tenth guess
    later = [e for client in SERVERS for e in misses(client, at=asked + HOUR - 4 * MINUTE)]
    assert harvest(strays(), later)[-1] == "withdrawn"
    later = [e for client in SERVERS for e in misses(client, at=asked + 1 + HOUR - 4 * MINUTE)]
    assert harvest(strays(), later)[-1] == "open"


def test_those_who_asked_are_bounded() -> None:
    asks = [
        Signal(at=START + n, about="g:mx1", kind="harvesting", detail=f"c:198.18.0.{n}")
        for n in range(ASKING + 9)
    ]
    assert list(told(asks).state("g:mx1", NAME).asking) == [
        f"c:198.18.0.{n}" for n in range(9, ASKING + 9)
    ]
