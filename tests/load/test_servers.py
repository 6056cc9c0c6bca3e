"""Each server that a scenario can be written for: the same truth, in lines that are all read."""

from datetime import UTC, datetime
from functools import cache, partial

import pytest
from msgspec.structs import replace

from load.scenarios import (
    filtering,
    guessing,
    harvesting,
    hijacking,
    letters,
    passwords,
    relaying,
    spraying,
)
from load.scenarios.mixes import Mix, Performance
from load.scenarios.organisation import DAY, Form, Nature
from load.scenarios.servers import SERVERS
from load.scenarios.truth import Truth
from schemas import net
from schemas.events import Fact
from streams.reader import DeadLine, Reader, ReadOptions

SMALL = Mix(
    name="small",
    seed=7,
    nature=Nature(domain="small.example", people=40, gateways=2, mail=0.5),
    first=datetime(2026, 6, 3, tzinfo=UTC),
    days=1,
    stories=(
        partial(spraying.spray, members=30, hours=3, tries=2, day=0.2),
        guessing.unknown_names,
        hijacking.phished_burst,
        hijacking.infected_inside,
        harvesting.harvest_with_mail,
        relaying.relay_probe,
        passwords.auth_server_down,
        filtering.bad_host,
        letters.vacation,
    ),
)


def mix(server: str) -> Mix:
    return replace(SMALL, form=Form(server))


@cache
def written(server: str) -> tuple[list[bytes], Truth]:
    performance = Performance(mix(server))
    return list(performance.lines()), performance.truth


@cache
def read(server: str) -> tuple[list[Fact], list[DeadLine], int]:
    """Events, dead letters, and how many lines were nobody's."""
    dead: list[DeadLine] = []
    options = ReadOptions(zone="UTC", now=SMALL.first.timestamp() + 2 * DAY)
    reader = Reader(options, dead.append)
    lines = enumerate(written(server)[0])
    events = [event for _, event in (*reader.read([("log", lines)]), *reader.close())]
    return events, dead, reader.counts.nobody


each = pytest.mark.parametrize("server", sorted(SERVERS))


@each
def test_the_same_seed_gives_the_same_lines(server: str) -> None:
    assert list(Performance(mix(server)).lines()) == written(server)[0]


@each
def test_the_truth_does_not_depend_on_the_server(server: str) -> None:
    assert written(server)[1] == written("postfix")[1]


@each
def test_every_line_is_read(server: str) -> None:
    _, dead, nobody = read(server)
    assert not dead
    assert not nobody


@each
def test_every_attacker_is_in_the_events(server: str) -> None:
    clients = {net.client(event.client) for event in read(server)[0] if _has(event, "client")}
    for attack in written(server)[1].attacks:
        assert attack.clients.keys() <= clients, attack.story


@each
def test_every_stolen_account_is_in_the_events(server: str) -> None:
    accounts = {event.account for event in read(server)[0] if _has(event, "account")}
    for attack in written(server)[1].attacks:
        assert attack.accounts.keys() <= accounts, attack.story


@each
def test_each_gateway_is_named(server: str) -> None:
    assert {"gw1", "gw2"} == {event.gateway for event in read(server)[0]}


def _has(event: Fact, name: str) -> bool:
    return bool(getattr(event, name, ""))
