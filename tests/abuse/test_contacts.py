from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.abuse.contacts import Contacts
from schemas.settings import AbuseSettings, SettingsError
from tests.probing.dns import NameServer
from tests.test_enrichment import written

ZONE = "abuse-contacts.example"


def contacts(system: str = "", **settings: Any) -> Contacts:
    return Contacts(AbuseSettings(**settings), lambda address: system)


def test_the_narrowest_network_of_the_file_counts(tmp_path: Path) -> None:
    path = tmp_path / "contacts.csv"
    path.write_text(
        "# ours\n203.0.113.0/24, abuse@wide.example\n203.0.113.0/28,abuse@narrow.example # x\n\n"
        "2001:db8::/32, abuse@six.example\nAS64496, abuse@system.example\n"
    )
    known = contacts("as64496", contacts=str(path))
    assert known.of("203.0.113.9") == "abuse@narrow.example"
    assert known.of("203.0.113.99") == "abuse@wide.example"
    assert known.of("2001:db8:1::1") == "abuse@six.example"
    assert known.of("198.51.100.1") == "abuse@system.example"
    assert contacts("", contacts=str(path)).of("198.51.100.1") == ""
    assert contacts().of("203.0.113.9") == ""


def test_an_mmdb_file(tmp_path: Path) -> None:
    path = written(
        tmp_path / "abuse.mmdb",
        {
            "203.0.113.0/24": {"email": "abuse@example.net"},
            "198.51.100.0/24": {"email": "call us", "abuse_contact": "x@example.org"},
        },
    )
    known = contacts(contacts=path)
    assert known.of("203.0.113.9") == "abuse@example.net"
    assert known.of("198.51.100.1") == "x@example.org"
    assert known.of("192.0.2.1") == ""


@pytest.fixture
def dns() -> Iterator[NameServer]:
    made = NameServer({})
    yield made
    made.close()


def test_by_dns_where_that_is_switched_on(dns: NameServer) -> None:
    dns.records = {
        (f"9.113.0.203.{ZONE}", "TXT"): ['"abuse@example.net"'],
        (f"8.113.0.203.{ZONE}", "TXT"): ['"no address"'],
        (f"7.113.0.203.{ZONE}", "TXT"): ["broken"],
        (f"1.{'0.' * 23}8.b.d.0.1.0.0.2.{ZONE}", "TXT"): ['"abuse@six.example"'],
    }
    asked = contacts(zone=ZONE, resolvers=(dns.address,))
    assert asked.of("203.0.113.9") == "abuse@example.net"
    assert asked.of("2001:db8::1") == "abuse@six.example"
    assert [asked.of(f"203.0.113.{n}") for n in (6, 7, 8)] == ["", "", ""]
    assert contacts(resolvers=(dns.address,)).of("203.0.113.9") == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("203.0.113.0/24", "expected NETWORK, ADDRESS"),
        ("203.0.113.0/24, nobody", "expected NETWORK, ADDRESS"),
        ("somewhere, abuse@example.net", "expected a network or an AS number, not 'somewhere'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "c"
    path.write_text(f"# first\n{text}\n")
    with pytest.raises(SettingsError) as caught:
        contacts(contacts=str(path))
    assert str(caught.value) == f"abuse.contacts: {path}:2: {said}"


@pytest.mark.parametrize("name", ["none.csv", "none.mmdb"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^abuse\.contacts: .*{name}: "):
        contacts(contacts=str(tmp_path / name))
