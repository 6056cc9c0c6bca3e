"""What a name server on loopback says of clients."""

import asyncio
from collections.abc import Iterator

import pytest

from agents import resolver
from agents.detector import Question
from agents.reputation.asker import answer
from tests.probing.dns import NameServer

MX = "mail.example.net"
CLIENT = "192.0.2.25"
POINTER = ("25.2.0.192.in-addr.arpa", "PTR")
GOOD = {
    POINTER: [f"{MX}."],
    (MX, "A"): [CLIENT],
    ("example.net", "TXT"): [f'"v=spf1 a:{MX} -all"'],
    ("forged.example", "TXT"): ['"v=spf1 -all"'],
}
Records = dict[tuple[str, str], list[str]]


@pytest.fixture
def server() -> Iterator[NameServer]:
    made = NameServer(dict(GOOD))
    yield made
    made.close()


def said(server: NameServer, *greetings: str, domains: tuple[str, ...] = ()) -> list[str]:
    question = Question(
        at=7.0, about=f"c:{CLIENT}", client=CLIENT, greetings=greetings, domains=domains
    )
    asking = resolver.new([server.address], lifetime=2)
    answers = asyncio.run(answer(asking, question))
    assert {(each.at, each.about, each.client) for each in answers} <= {
        (7.0, f"c:{CLIENT}", CLIENT)
    }
    return [f"{each.kind} {each.detail}" for each in answers]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, [f"names agree {MX}"]),
        ({POINTER: []}, ["names missing"]),
        ({(MX, "A"): ["192.0.2.9"]}, [f"names disagree {MX}"]),
        ({(MX, "A"): []}, [f"names disagree {MX}"]),
        ({POINTER: ["broken"]}, []),
        ({(MX, "A"): ["broken"]}, []),
    ],
)
def test_names_must_lead_back(server: NameServer, changed: Records, word: list[str]) -> None:
    server.records.update(changed)
    assert said(server) == word


def test_a_greeting_is_its_own_where_its_address_is(server: NameServer) -> None:
    assert said(server, MX, "elsewhere.example", f"[{CLIENT}]", "[192.0.2.9]")[1:] == [
        f"helo own {MX}",
        "helo other elsewhere.example",
        f"helo own [{CLIENT}]",
        "helo other [192.0.2.9]",
    ]


@pytest.mark.parametrize("helo", ["a" * 150 + ".example", "..", "x y", "\u0130.example", "\\", "["])
def test_whatever_it_calls_itself(server: NameServer, helo: str) -> None:
    assert said(server, helo)[0] == f"names agree {MX}"


def test_spf_is_told_where_it_says_something(server: NameServer) -> None:
    domains = ("example.net", "forged.example", "nothing.example", "x" * 90)
    server.records["broken.example", "TXT"] = ["broken"]
    assert said(server, MX, domains=(*domains, "broken.example"))[2:] == [
        "spf pass example.net",
        "spf fail forged.example",
    ]
