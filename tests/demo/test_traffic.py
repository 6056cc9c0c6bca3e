"""The generator: the same lines for the same seed, by time, from addresses that nobody has."""

import ipaddress
import re
from datetime import UTC, datetime

import pytest

from agents.demo.attacks import ATTACKS
from agents.demo.innocents import INNOCENTS
from agents.demo.traffic import SETTINGS, Plan, Traffic
from schemas.findings import DAY

SMALL = Plan(scale=0.2)

NOBODYS = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "2001:db8::/32",
        "3fff::/20",
    )
]


@pytest.fixture(scope="module")
def day() -> tuple[list[bytes], Traffic]:
    traffic = Traffic(SMALL)
    return list(traffic.lines()), traffic


def test_the_same_seed_gives_the_same_lines(day: tuple[list[bytes], Traffic]) -> None:
    assert list(Traffic(SMALL).lines()) == day[0]


def test_another_seed_gives_another_day(day: tuple[list[bytes], Traffic]) -> None:
    assert list(Traffic(Plan(scale=0.2, seed=2)).lines()) != day[0]


def test_lines_come_by_time_and_end(day: tuple[list[bytes], Traffic]) -> None:
    stamps = [line[:32] for line in day[0]]
    assert stamps == sorted(stamps)
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in day[0])


def test_the_day_follows_a_week_of_logins_alone(day: tuple[list[bytes], Traffic]) -> None:
    before = [line for line in day[0] if line < b"2026-03-02T00"]
    assert before[0] < b"2026-02-23"
    assert all(b"-login: Login: " in line for line in before)


def test_all_addresses_are_set_aside_or_never_given_out(
    day: tuple[list[bytes], Traffic],
) -> None:
    found = set()
    for line in day[0]:
        found.update(
            re.findall(rb"(?:\[|rip=|lip=|,)(\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f:]+)", line)
        )
    assert len(found) > 300
    for text in found:
        address = ipaddress.ip_address(text.decode())
        assert any(address.version == n.version and address in n for n in NOBODYS), address


def test_all_domains_are_reserved(day: tuple[list[bytes], Traffic]) -> None:
    for line in day[0]:
        for domain in re.findall(rb"[\w.+=-]@([\w.-]+)", line):
            assert domain.endswith(b".example"), line


def test_every_attack_and_every_innocent_is_labelled(day: tuple[list[bytes], Traffic]) -> None:
    truth = day[1].truth
    assert len({attack.name for attack in truth.attacks}) == len(ATTACKS)
    assert len({innocent.name for innocent in truth.innocents}) == len(INNOCENTS)
    assert all(attack.expects for attack in truth.attacks)


def test_nobody_is_attacker_and_innocent(day: tuple[list[bytes], Traffic]) -> None:
    truth = day[1].truth
    innocent = {client for one in truth.innocents for client in one.clients}
    attackers = {client for one in truth.attacks for client in one.clients}
    assert not innocent & attackers
    stolen = {account for one in truth.attacks for account in one.accounts}
    assert not stolen & {account for one in truth.innocents for account in one.accounts}


def test_two_days_have_two_casts() -> None:
    traffic = Traffic(Plan(scale=0.2, days=2))
    lines = list(traffic.lines())
    first, second = (traffic.truth.attacks[n :: len(ATTACKS)] for n in (0, len(ATTACKS)))
    assert len(traffic.truth.attacks) == 2 * len(ATTACKS)
    assert lines[-1] > b"2026-03-03T23"
    assert {a.name for a in first[:1]} == {a.name for a in second[:1]}
    by_day = [
        {client for attack in traffic.truth.attacks[part] for client in attack.clients}
        for part in (slice(0, len(ATTACKS)), slice(len(ATTACKS), None))
    ]
    alone = [{c for c in clients if c.startswith("198.18.")} for clients in by_day]
    assert alone[0]
    assert not alone[0] & alone[1]


def test_a_weekend_is_quiet() -> None:
    plan = Plan(scale=0.2, past=0, first=datetime(2026, 3, 1, tzinfo=UTC))
    sunday = sum(1 for _ in Traffic(plan).lines())
    monday = sum(1 for _ in Traffic(Plan(scale=0.2, past=0)).lines())
    assert sunday < 0.8 * monday


def test_stamps_can_be_those_of_traditional_syslog() -> None:
    line = next(Traffic(Plan(scale=0.2, stamp="rfc3164")).lines())
    assert re.match(rb"Feb 22 \d\d:\d\d:\d\d mail dovecot: ", line)


def test_a_larger_scale_is_a_larger_company() -> None:
    traffic = Traffic(Plan(scale=0.3, past=1))
    lines = sum(1 for _ in traffic.lines())
    assert traffic.people == 108
    assert lines > 10_000


def test_the_settings_name_what_the_traffic_uses(day: tuple[list[bytes], Traffic]) -> None:
    assert 'domains = ["lindhafen.example"]' in SETTINGS
    assert min(attack.first for attack in day[1].truth.attacks) % DAY < DAY
