from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from agents.configuration import build, build_shard
from agents.enrichment import Enrichment
from schemas.events import Auth
from schemas.settings import EnrichmentSettings, Settings, SettingsError

SYSTEMS = {
    "203.0.113.0/24": {
        "autonomous_system_number": 64496,
        "autonomous_system_organization": "Example Net",
    },
    "2001:db8:7::/48": {"asn": "AS64497", "as_name": "Example Six"},
    "198.51.100.0/25": {"asn": "ASwhat"},
    "198.51.100.128/25": {"autonomous_system_number": 64498},
}
COUNTRIES = {
    "203.0.113.0/24": {"country": {"iso_code": "NL"}},
    "2001:db8:7::/48": {"country": "DE"},
    "198.51.100.0/24": {"registered_country": {"iso_code": "FR"}},
}


def written(path: Path, networks: dict[str, Any]) -> str:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, data in networks.items():
        writer.insert_network(IPSet([network]), data)
    writer.to_db_file(str(path))
    return str(path)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> EnrichmentSettings:
    home = tmp_path_factory.mktemp("mmdb")
    return EnrichmentSettings(
        asn=written(home / "asn", SYSTEMS), country=written(home / "country", COUNTRIES)
    )


def test_a_client_is_placed_by_its_autonomous_system_else_by_its_prefix(
    settings: EnrichmentSettings,
) -> None:
    place = Enrichment(settings).place
    assert place("203.0.113.9") == "as64496"
    assert place("2001:db8:7:1::/64") == "as64497"
    assert place("192.0.2.1") == Enrichment(EnrichmentSettings()).place("192.0.2.1")
    assert place("198.51.100.1") == "198.51.0.0/16"


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("203.0.113.9", ["AS64496 Example Net, NL"]),
        ("2001:db8:7::/64", ["AS64497 Example Six, DE"]),
        ("198.51.100.1", ["FR"]),
        ("198.51.100.200", ["AS64498, FR"]),
        ("192.0.2.1", []),
        ("no address", []),
    ],
)
def test_where_a_client_is_from(settings: EnrichmentSettings, client: str, said: list[str]) -> None:
    assert Enrichment(settings).origins([client]) == said


def test_of_many_clients_the_most_frequent_origins_come_first(
    settings: EnrichmentSettings,
) -> None:
    clients = ["198.51.100.1", "203.0.113.1", "203.0.113.2", "192.0.2.1"]
    assert Enrichment(settings).origins(clients) == ["AS64496 Example Net, NL (2)", "FR"]


def test_without_files_nothing_is_known() -> None:
    assert Enrichment(EnrichmentSettings()).origins(["203.0.113.9"]) == []


@pytest.mark.parametrize("text", [None, b"no database"])
def test_a_file_that_cannot_be_used_is_a_wrong_setting(tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "x.mmdb"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(SettingsError, match=r"settings: enrichment\.asn: .*x\.mmdb: "):
        build(Settings(enrichment=EnrichmentSettings(asn=str(path))))


def test_an_alert_says_where_its_clients_are_from(settings: EnrichmentSettings) -> None:
    shard = build_shard(build(Settings(enrichment=settings)))
    for second in range(20):
        shard.fold(
            Auth(at=1e9 + second, client="203.0.113.9", account=f"u{second}@x", service="imap")
        )
    alerts = shard.take().alerts
    assert {tuple(alert.origins) for alert in alerts} == {("AS64496 Example Net, NL",)}
