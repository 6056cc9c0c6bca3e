"""What must hold of the detectors of mail flow whatever comes: no exception, bounded memory, the
same conclusions in another order."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.detector import Detector
from agents.detectors.account_burst import AccountBurst
from agents.detectors.backscatter_made import BackscatterMade
from agents.detectors.backscatter_received import BackscatterReceived
from agents.detectors.directory_harvest import DirectoryHarvest
from agents.engine import Engine
from agents.record import pack, unpack
from agents.shard import Shard
from schemas import keys
from schemas.events import Bounce, Delivery, Fact, Message, Recipient, Signal
from schemas.keys import Site
from tests.detectors.stories import DAY, HOUR, SITE, START, Heard, Story

HOSTILE = 20_000  # values; each of them new
LARGEST = 8192  # bytes of a packed record

TEXT = st.one_of(
    st.sampled_from(["", "anna@example.org", "bob@example.net", "x@", "@", "a@b@c", "d:", "%s{}"]),
    st.text(st.characters(codec="utf-8"), max_size=40),
)
CLIENT = st.sampled_from(
    ["", "192.0.2.1", "198.51.100.7", "10.0.0.3", "127.0.0.1", "2001:db8::1", "::1"]
)
AT = st.one_of(
    st.floats(START - 9 * DAY, START + 9 * DAY),
    st.sampled_from([START, START + HOUR, START - 30 * DAY]),
)
COUNT = st.integers(-5, 10**12)


def made(struct: type[Fact], **fields: Any) -> st.SearchStrategy[Fact]:
    return st.builds(struct, at=AT, gateway=st.sampled_from(["", "mx1"]), **fields)


MAIL = {"client": CLIENT, "account": TEXT, "sender": TEXT}
EVENT = st.one_of(
    made(
        Recipient,
        **MAIL,
        recipient=TEXT,
        queue_id=TEXT,
        verdict=st.sampled_from(["unknown", "accepted", "blocked", "deferred", "?"]),
    ),
    made(Message, **MAIL, recipients=COUNT, message_id=TEXT, queue_id=TEXT),
    made(
        Delivery,
        **MAIL,
        recipient=TEXT,
        relay=TEXT,
        message_id=TEXT,
        status=st.sampled_from(["sent", "bounced", "deferred", "expired", "?"]),
    ),
    made(
        Bounce,
        client=CLIENT,
        account=TEXT,
        recipient=TEXT,
        failed_recipient=TEXT,
        queue_id=TEXT,
        direction=st.sampled_from(["made", "received", "?"]),
        status=TEXT,
    ),
    made(
        Signal,
        about=st.sampled_from(
            ["c:192.0.2.1", "n:192.0.2.0/24", "m:anna@example.org", "d:example.org", "g:mx1"]
        ),
        kind=st.sampled_from(["guesser", "harvest", "backscatter", "breach", "released", "?"]),
        client=CLIENT,
        account=TEXT,
        detail=st.one_of(TEXT, st.sampled_from(["7", "٣", "²", "9" * 400])),
    ),
)


def detectors() -> list[Detector]:
    return [
        DirectoryHarvest(quick=2, hourly=3, slow=2, spread=3, provider=3),
        BackscatterReceived(reports=2, minute=2, domain=2),
        BackscatterMade(reports=2),
        AccountBurst(hourly=3, fan_out=3, inside=2, daily=5, bounce_messages=2, medium=1),
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENT, max_size=60), st.booleans())
def test_no_event_in_any_order_raises(events: list[Fact], known: bool) -> None:
    shard = Shard(Engine(detectors(), SITE if known else Site()), Heard())
    for event in events:
        shard.fold(event)
    shard.drain()
    for record in shard.records.values():
        assert pack(unpack(pack(record))) == pack(record)


def hostile(number: int) -> list[Fact]:
    """Everything that a stranger chooses, chosen anew."""
    at, name = START + number * 0.5, f"{number:x}" * 30
    client = f"198.18.{number >> 8 & 255}.{number & 255}"
    common: dict[str, Any] = {"at": at, "gateway": "mx1"}
    victim: dict[str, Any] = {"recipient": "anna@example.org", "message_id": name}
    login: dict[str, Any] = {"account": "anna@example.org", "sender": f"{name}@example.com"}
    return [
        Recipient(
            client="192.0.2.66",
            sender=f"x@{name}.example",
            recipient=f"{name}@example.org",
            verdict="unknown",
            **common,
        ),
        Recipient(client=client, recipient=f"{name}@example.org", verdict="unknown", **common),
        Delivery(client=client, **victim, **common),
        Bounce(direction="made", client=client, recipient=name, failed_recipient=name, **common),
        Message(client=client, recipients=number, **login, **common),
        Delivery(client=client, recipient=name, **login, **common),
        Signal(at=at, about="m:anna@example.org", kind="breach", client=client),
        Signal(at=at, about="d:example.org", kind="backscatter", account=name, detail="7"),
        Signal(at=at, about="d:example.org", kind="guesser", client=client),
        Signal(at=at, about="d:example.org", kind="guesser", client=name),
    ]


def test_what_is_kept_of_a_subject_is_bounded_whatever_comes() -> None:
    story = Story(DirectoryHarvest(), BackscatterReceived(), BackscatterMade(), AccountBurst())
    for number in range(HOSTILE // 10):
        for event in hostile(number):
            story.shard.fold(event)
    watched = ("c:192.0.2.66", "n:192.0.2.0/24", "m:anna@example.org", "d:example.org", "g:mx1")
    for key in watched:
        states = story.record(key).states
        sizes = {name: len(msgspec.msgpack.encode(state)) for name, state in states.items()}
        assert all(size < LARGEST for size in sizes.values()), (key, sizes)


def scene() -> dict[str, list[Fact]]:
    """Attacks of several subjects, by subject."""
    burst: list[Fact] = [
        Signal(at=START - HOUR, about="m:anna@example.org", kind="breach", client="192.0.2.9")
    ]
    for n in range(30):
        fields: dict[str, Any] = {
            "client": f"203.{n % 12}.113.{n}",
            "account": "anna@example.org",
            "sender": "anna@example.org",
        }
        burst.append(Message(at=START + n * 60, recipients=2, **fields))
        status = "bounced" if n % 2 else "sent"
        burst.append(
            Delivery(at=START + n * 60 + 2, recipient="q@example.net", status=status, **fields)
        )
    bots: list[Fact] = [
        Recipient(
            at=START + n * 30,
            client=f"198.18.{n}.1",
            sender="x@lure.example.com",
            recipient=f"guess{n}@example.org",
            verdict="unknown",
        )
        for n in range(60)
    ]
    reports: list[Fact] = [
        Delivery(
            at=START + n * 25,
            client=f"198.51.100.{n}",
            recipient=f"person{n % 9}@example.org",
            message_id=f"{n}@example.net",
        )
        for n in range(180)
    ]
    return {"burst": burst, "bots": bots, "reports": reports}


def conclusions(events: list[Fact]) -> set[tuple[str, ...]]:
    """What stands in the end: who, what and how grave."""
    story = Story(DirectoryHarvest(), BackscatterReceived(), BackscatterMade(), AccountBurst())
    for event in events:
        story.shard.fold(event)
    story.shard.drain()
    return {
        (found.id, found.detector, found.shape, found.severity, found.subject.value)
        for found in story.findings
    }


def in_time() -> list[Fact]:
    return sorted((e for part in scene().values() for e in part), key=lambda event: event.at)


def test_the_scene_has_findings_of_every_kind() -> None:
    names = {(name, shape) for _, name, shape, *_ in conclusions(in_time())}
    assert names >= {
        ("account_burst", "guessed_before"),
        ("directory_harvest", "domain"),
        ("directory_harvest", "took_part"),
        ("backscatter_received", "domain"),
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_order_among_subjects_changes_nothing(seed: int) -> None:
    """Each subject's events in their order, the subjects interleaved in any way."""
    chance = random.Random(seed)
    queues = [list(part) for part in scene().values()]
    shuffled: list[Fact] = []
    while queues:
        queue = chance.choice(queues)
        shuffled.append(queue.pop(0))
        queues = [rest for rest in queues if rest]
    assert conclusions(shuffled) == conclusions(in_time())


def test_a_word_of_another_partition_may_come_late() -> None:
    words = [event for event in in_time() if isinstance(event, Signal)]
    rest = [event for event in in_time() if not isinstance(event, Signal)]
    assert conclusions(rest + words) == conclusions(words + rest)


def test_signals_that_are_heard_twice_change_nothing() -> None:
    once, twice = (
        Story(DirectoryHarvest(), BackscatterReceived(), BackscatterMade(), AccountBurst())
        for _ in range(2)
    )
    for event in in_time():
        once.shard.fold(event)
        twice.shard.fold(event)
    fold = twice.shard.fold
    for about in ("c:198.18.3.1", "d:lure.example.com"):
        kind = "harvest" if about.startswith("c:") else "guesser"
        word = Signal(at=START + 1800, about=about, kind=kind, client="198.18.3.1")
        fold(word)
        fold(word)
    once.shard.drain()
    twice.shard.drain()
    assert {found.id: found.severity for found in once.findings} == {
        found.id: found.severity for found in twice.findings
    }


def test_late_and_shuffled_events_do_not_raise() -> None:
    events = in_time()
    random.Random(7).shuffle(events)
    assert conclusions(events)


@pytest.mark.parametrize(
    "detector", [DirectoryHarvest, BackscatterReceived, BackscatterMade, AccountBurst]
)
def test_settings_are_read_from_a_table_and_unknown_ones_refused(detector: type[Detector]) -> None:
    assert msgspec.convert({}, detector) == detector()
    with pytest.raises(msgspec.ValidationError, match="unknown field `no_such`"):
        msgspec.convert({"no_such": 1}, detector)


def test_weights_are_settings() -> None:
    read = msgspec.convert({"weights": {"volume": 5}}, AccountBurst)
    assert (read.weights.volume, read.weights.clients) == (5, 2)
    with pytest.raises(msgspec.ValidationError, match=r"no_such.* - at `\$.weights`"):
        msgspec.convert({"weights": {"no_such": 5}}, AccountBurst)


def test_every_watched_subject_gets_the_events_it_is_told_of() -> None:
    """The keys of an event lead to all watchers that count on it."""
    recipient = Recipient(
        at=START, client="192.0.2.1", recipient="x@example.org", verdict="unknown"
    )
    assert "d:example.org" in keys.keys(recipient, SITE)
    other = Message(at=START, account="crm@example.org", sender="office@example.org")
    assert {"m:crm@example.org", "m:office@example.org"} <= set(keys.keys(other, SITE))
