"""Block lists that a server relies on, told by a real one."""

import asyncio
import os

import pytest

from agents import resolver
from agents.probing import lists
from agents.probing.grades import Graded
from agents.probing.lists import DAY, moment
from tests.listed.conftest import ZONES, BlockList, block_list
from tools.kafka import free_ports

__all__ = ["block_list"]

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("listed")]

NOW = 1_796_000_000.0


def check(server: str, address: str, zone: str) -> Graded:
    asking = resolver.new([server], lifetime=0.5)
    (found,) = asyncio.run(lists.check(asking, address, [zone], NOW))
    assert found.check == f"block list {zone}"
    return found


def test_a_server_that_is_listed_is_critical(block_list: BlockList) -> None:
    found = check(block_list.resolver, "192.0.2.25", "good.example")
    assert found.grade == "critical"
    assert found.text.startswith("192.0.2.25 is on it, 127.0.0.2: Spam of 192.0.2.25")


def test_a_list_that_fails_its_test_is_a_fault(block_list: BlockList) -> None:
    assert check(block_list.resolver, "192.0.2.99", "all.example").grade == "warning"
    assert check(block_list.resolver, "192.0.2.99", "deaf.example").grade == "warning"


def test_one_that_does_not_answer_is_unknown() -> None:
    (port,) = free_ports(1)
    assert check(f"127.0.0.1:{port}", "192.0.2.99", "good.example").grade == "unknown"


def test_data_that_stand_still_are_stale(block_list: BlockList) -> None:
    zone = "good.example"
    try:
        for serial, grade, words in (
            (1, "ok", "how old its data are is not known"),
            (int(NOW - DAY), "ok", "its data are 1 d old"),
            (int(NOW - 4 * DAY), "warning", "its data are stale: 4 d old"),
        ):
            path = block_list.folder / f"{zone}.new"
            path.write_text(
                f"$SOA 1 ns.list.example. admin.list.example. {serial} 1 1 1 1\n{ZONES[zone]}"
            )
            path.chmod(0o644)
            os.utime(path, (NOW - serial, NOW - serial))  # rbldnsd tells files apart by it
            path.rename(block_list.folder / zone)
            for _ in range(50):
                found = check(block_list.resolver, "192.0.2.99", zone)
                if words in found.text:
                    break
                asyncio.run(asyncio.sleep(0.1))
            assert (found.grade, words in found.text) == (grade, True), found
    finally:
        block_list.write(zone, ZONES[zone])


@pytest.mark.parametrize(
    ("serial", "made"),
    [
        ("1795999999", 1_795_999_999.0),
        ("2026113001", 1_795_996_800.0),
        ("2027113001", 0.0),
        ("2026133001", 0.0),
        ("42", 0.0),
        ("999999999", 0.0),
        ("x", 0.0),
    ],
)
def test_a_serial_may_tell_when_it_was_made(serial: str, made: float) -> None:
    assert moment(serial, NOW) == made
