"""Our own directory is broken: servers that know our addresses miss with all of them."""

from agents.detectors.directory_fault import ASKING, DirectoryFault
from agents.detectors.directory_harvest import DirectoryHarvest
from schemas.events import Auth, Fact, Message, Recipient, Signal
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


def told(*parts: Fact | list[Message] | list[Recipient]) -> Story:
    return tell(DirectoryFault(), *parts)


def fault(
    *parts: Fact | list[Message] | list[Recipient], clients: list[str] | None = None
) -> Story:
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
