"""What the login detectors promise whatever comes: they do not raise, what they keep is bounded
and survives the wire, and an attack is found in any order of its events."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.detector import Detector
from agents.detectors.auth_breach import AuthBreach
from agents.detectors.auth_dictionary import AuthDictionary
from agents.detectors.auth_distributed import AuthDistributed
from agents.detectors.stale_client import StaleClient
from agents.record import pack, unpack
from schemas.events import Auth, Change, Fact, Message, Signal
from schemas.findings import SEVERITIES
from tests.detectors.stories import DAY, MINUTE, START, Story, every, failed, guesses, opened

KINDS: list[type[Detector]] = [AuthDistributed, AuthDictionary, AuthBreach, StaleClient]
CLIENTS = ["192.0.2.7", "192.0.2.8", "198.51.100.4", "203.0.113.9", "2001:db8::1", "127.0.0.1", ""]
ACCOUNTS = ["anna", "anna@example.org", "EXAMPLE\\anna", "ben", "c@example.net", "", "@", "a@b@c"]
SPREAD = 3 * DAY


def all_of_them() -> list[Detector]:
    return [kind() for kind in KINDS]


times = st.floats(START - SPREAD, START + SPREAD)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
accounts = st.sampled_from(ACCOUNTS) | text
clients = st.sampled_from(CLIENTS)
auths = st.builds(
    Auth,
    at=times,
    client=clients,
    account=accounts,
    outcome=st.sampled_from(["ok", "failed", "error", "?"]),
    reason=st.sampled_from(["", "bad_password", "unknown_account"]) | text,
    password=st.sampled_from(["", "x", "y"]) | text,
    count=st.integers(-5, 50) | st.integers(),
)
others = st.builds(Message, at=times, client=clients, account=accounts) | st.builds(
    Change, at=times, client=clients, account=accounts, what=text
)
words = st.builds(
    Signal,
    at=times,
    about=st.sampled_from(["c:192.0.2.7", "m:anna@example.org", "n:192.0.2.0/24"]),
    kind=st.sampled_from(["breach", "distributed", "took_part"]) | text,
    client=clients,
    account=accounts,
    detail=text | st.integers().map(str),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(auths | others | words, max_size=60), st.booleans())
def test_no_event_in_any_order_breaks_them(events: list[Fact], warm: bool) -> None:
    story = Story(*all_of_them(), warm=warm)
    for event in events:
        story.shard.fold(event)
    story.shard.drain()
    for finding in story.said:
        assert finding.severity in SEVERITIES
        assert finding.summary
        assert finding.evidence
        assert finding.severity != "info" or not (finding.clients or finding.accounts)
        msgspec.json.encode(finding)
    for record in story.shard.records.values():
        assert pack(unpack(pack(record))) == pack(record)


@settings(max_examples=60, deadline=None)
@given(st.lists(auths | others, max_size=60), st.lists(words, max_size=6))
def test_words_that_come_twice_change_nothing(events: list[Fact], said: list[Signal]) -> None:
    once, twice = Story(*all_of_them()), Story(*all_of_them())
    once.tell(events, said)
    twice.tell(events, said, said)
    assert once.shapes == twice.shapes
    assert once.accused == twice.accused
    states = [{k: r.states for k, r in s.shard.records.items()} for s in (once, twice)]
    assert states[0] == states[1]


def attack() -> list[Fact]:
    bots = [f"{net}.{n}" for net in ("192.0.2", "198.51.100", "203.0.113") for n in range(1, 4)]
    dictionary = every(20, guesses("192.0.2.77", [f"user{n}" for n in range(20)]))
    together = every(MINUTE, [failed(bot, "anna") for bot in bots] * 3)
    spray = every(15 * MINUTE, guesses("198.51.100.88", [f"staff{n}" for n in range(8)] * 3))
    return [*dictionary, *together, *spray, opened("192.0.2.77", "user99", 8 * MINUTE)]


@pytest.mark.parametrize("seed", range(10))
def test_events_that_come_late_are_found_alike(seed: int) -> None:
    """Disorder of some minutes, as of several gateways, changes no final word on anybody."""
    jitter = random.Random(seed)
    straight = Story(*all_of_them()).tell(attack())
    disordered = Story(*all_of_them())
    for event in sorted(attack(), key=lambda event: event.at + jitter.uniform(0, 90)):
        disordered.shard.fold(event)
    disordered.shard.drain()
    assert disordered.accused == straight.accused
    assert disordered.subjects == straight.subjects
    assert {f.id for f in disordered.findings} == {f.id for f in straight.findings}


def hostile(number: int) -> Auth:
    return failed(
        "192.0.2.7", f"name{number}@host{number}.example", number * 0.01, password=f"p{number}"
    )


def hostile_at_one(number: int) -> Auth:
    client = f"2001:db8:{number >> 8 & 0xFFFF:x}:{number & 0xFF:x}::1"
    return failed(client, "anna", number * 0.01, password=f"p{number}")


@pytest.mark.parametrize(
    ("make", "key"), [(hostile, "c:192.0.2.7"), (hostile_at_one, "m:anna@example.org")]
)
def test_what_is_kept_of_a_subject_does_not_grow(make: Any, key: str) -> None:
    """However many values an attacker thinks of: 20,000 take no more room than 1,000."""
    story = Story(*all_of_them())
    story.shard._mine = lambda asked: asked == key
    sizes = []
    for number in range(20_001):
        story.shard.fold(make(number))
        if number in (1000, 20_000):
            sizes.append(len(pack(story.record(key))))
    assert sizes[1] < 1.5 * sizes[0] < 60_000


def test_an_ordinary_client_costs_little() -> None:
    story = Story(*all_of_them())
    story.tell(every(MINUTE, [opened("192.0.2.7", "anna")] * 50), failed("192.0.2.7", "anna", 9999))
    assert len(pack(story.record("c:192.0.2.7"))) < 1024
