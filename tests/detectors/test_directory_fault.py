"""Our own directory is broken: servers that know our addresses miss with all of them."""

from agents.detectors.directory_fault import DirectoryFault
from schemas.events import Fact, Message, Recipient, Signal
from tests.detectors.stories import DAY, START, Story, event, repeat, tell

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
    }
    assert finding.checks == ["each had 20 messages accepted in 7 days"]
    assert "refuses addresses as unknown for 3 servers" in finding.summary


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
