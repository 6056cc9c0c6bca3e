"""A server's names, as a name server on loopback tells them."""

import asyncio
from collections.abc import Iterator

import pytest

from agents import resolver
from agents.probing import names
from agents.probing.grades import Graded
from tests.probing.dns import NameServer

MX = "mx.example.org"
US = "192.0.2.25"
GOOD = {
    ("25.2.0.192.in-addr.arpa", "PTR"): [f"{MX}."],
    (MX, "A"): [US],
    ("example.org", "TXT"): ['"other"', f'"v=spf1 a:{MX} -all"'],
}
Records = dict[tuple[str, str], list[str]]


@pytest.fixture
def server() -> Iterator[NameServer]:
    made = NameServer(dict(GOOD))
    yield made
    made.close()


def check(server: NameServer, greeting: str = MX) -> dict[str, Graded]:
    async def ask() -> list[Graded]:
        asking = resolver.new([server.address], lifetime=2)
        return await names.check(asking, US, greeting, "example.org")

    return {graded.check: graded for graded in asyncio.run(ask())}


def test_names_that_lead_back_are_well(server: NameServer) -> None:
    found = check(server)
    assert {name: graded.grade for name, graded in found.items()} == {
        "PTR": "ok",
        "greeting": "ok",
        "SPF": "ok",
    }
    assert found["PTR"].text == f"{US} is {MX}, and {MX} is {US}"
    assert found["SPF"].text == f"example.org lets {US} send"


@pytest.mark.parametrize(
    ("changed", "wrong", "grade", "words"),
    [
        ({("25.2.0.192.in-addr.arpa", "PTR"): []}, "PTR", "warning", "has no name"),
        ({(MX, "A"): ["192.0.2.9"]}, "PTR", "warning", "no such name leads back"),
        ({(MX, "A"): ["192.0.2.9"]}, "greeting", "warning", f"which is not {US}"),
        ({("25.2.0.192.in-addr.arpa", "PTR"): ["broken"]}, "PTR", "unknown", "does not answer"),
        ({("example.org", "TXT"): []}, "SPF", "warning", "has no SPF record"),
        ({("example.org", "TXT"): ['"v=spf1 -all"']}, "SPF", "warning", "answers fail"),
        ({("example.org", "TXT"): ['"v=spf1 frob"']}, "SPF", "critical", "answers permerror"),
        ({("example.org", "TXT"): ["broken"]}, "SPF", "unknown", "answers temperror"),
    ],
)
def test_each_fault_is_named(
    server: NameServer, changed: Records, wrong: str, grade: str, words: str
) -> None:
    server.records.update(changed)
    found = check(server)[wrong]
    assert found.grade == grade
    assert words in found.text
    assert bool(found.cure) == (grade != "unknown")


def test_spf_is_followed_through_its_mx_and_includes(server: NameServer) -> None:
    server.records[("example.org", "TXT")] = ['"v=spf1 include:spf.example.net -all"']
    server.records[("spf.example.net", "TXT")] = ['"v=spf1 mx:example.org -all"']
    server.records[("example.org", "MX")] = [f"10 {MX}."]
    assert check(server)["SPF"].grade == "ok"


def test_a_greeting_without_a_full_name_is_a_fault(server: NameServer) -> None:
    assert "which is no full name" in check(server, greeting="localhost")["greeting"].text
