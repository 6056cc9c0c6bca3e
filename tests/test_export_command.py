"""What `mailwarden export` writes, as the programs read it that it is for: stix2, PyMISP."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import stix2
from click.testing import CliRunner, Result
from pymisp import MISPEvent
from stix2patterns.validator import run_validator

from agents.commands import cli
from agents.single.store import Changes, Store
from schemas.findings import Decision, Severity
from tests.gateways.decided import decided, pardoned

Run = Callable[..., Result]


def block(value: str, severity: Severity = "high", **more: Any) -> Decision:
    now = time.time()
    made = decided(value, until=now + 3600, **more)
    return msgspec.structs.replace(
        made, since=now - 60, severity=severity, detector="auth_dictionary"
    )


DECISIONS = [
    block("203.0.113.9"),
    block("198.51.100.0/24", "low"),
    block("2001:db8:0:7::/64", "critical"),
    block("bad@example.net", kind="address", action="reject"),
    block("bad'\\.example", "low", kind="domain", action="reject"),
    block("anna@example.org", kind="account", action="reject"),  # ours
    block("203.0.113.77", enforced=False),  # observed only
    msgspec.structs.replace(pardoned("198.51.100.7"), until=4e9),
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(
        f'[storage]\npath = "{tmp_path}/mailwarden.db"\n[response]\npanic = "{tmp_path}/panic"\n'
        '[abuse]\norganisation = "Example Org"\n'
    )
    with Store(tmp_path / "mailwarden.db") as store:
        store.commit(Changes(decisions=DECISIONS), 1.0)
    return lambda *words: CliRunner().invoke(cli, ["export", *words, "-c", str(settings)])


def test_stix_is_read_by_its_own_library(run: Run) -> None:
    result = run("stix")
    assert result.exit_code == 0, result.output
    bundle = stix2.parse(result.stdout)
    indicators = [one for one in bundle.objects if one.type == "indicator"]
    assert {one.pattern for one in indicators} >= {
        "[ipv4-addr:value = '203.0.113.9']",
        "[ipv6-addr:value ISSUBSET '2001:db8:0:7::/64']",
        "[email-addr:value = 'bad@example.net']",
        r"[domain-name:value = 'bad\'\\.example']",
    }
    for one in indicators:
        assert run_validator(one.pattern, stix_version="2.1") == []
        assert one.valid_from < one.valid_until
    confidence = {one.pattern: one.confidence for one in indicators}
    assert confidence["[ipv4-addr:value = '203.0.113.9']"] == 75
    assert confidence["[ipv6-addr:value ISSUBSET '2001:db8:0:7::/64']"] == 90
    text = result.stdout
    assert "anna" not in text
    assert "203.0.113.77" not in text
    assert "198.51.100.0/24" not in text  # an address of it is pardoned: it is told in pieces
    assert "'198.51.100.7'" not in text


def test_least(run: Run) -> None:
    bundle = json.loads(run("stix", "--least", "critical").stdout)
    assert len(bundle["objects"]) == 2


def test_misp_is_read_by_pymisp(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    result = run("misp", "--to", str(folder))
    assert result.exit_code == 0, result.output
    names = {path.name for path in folder.iterdir()}
    [file] = names - {"manifest.json", "hashes.csv"}
    event = MISPEvent()
    event.load_file(str(folder / file))
    values = {(one.type, one.category, one.value, one.to_ids) for one in event.attributes}
    assert values >= {
        ("ip-src", "Network activity", "203.0.113.9", True),
        ("ip-src", "Network activity", "2001:db8:0:7::/64", True),
        ("email-src", "Payload delivery", "bad@example.net", True),
        ("domain", "Network activity", "bad'\\.example", True),
    }
    assert "anna" not in (folder / file).read_text()
    assert event.uuid == file.removesuffix(".json")
    # PyMISP writes feeds as well: manifest and hashes are what it makes of the event.
    theirs = event.to_feed(with_meta=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest) == {event.uuid}
    expected = json.loads(json.dumps(event.manifest))
    tags = expected[event.uuid]["Tag"]
    expected[event.uuid]["Tag"] = [{"name": t["name"], "colour": t["colour"]} for t in tags]
    for name in ("threat_level_id", "analysis", "timestamp"):  # numbers, or numbers as texts
        expected[event.uuid][name] = str(expected[event.uuid][name])
    assert manifest == expected
    hashes = dict(line.split(",") for line in (folder / "hashes.csv").read_text().splitlines())
    assert set(hashes) == set(theirs["Event"]["_hashes"])
    assert set(hashes.values()) == {event.uuid}


def test_written_anew_it_is_the_same_event(run: Run, tmp_path: Path) -> None:
    run("misp", "--to", str(tmp_path / "one"))
    run("misp", "--to", str(tmp_path / "two"))
    for path in (tmp_path / "one").iterdir():
        assert path.read_text() == (tmp_path / "two" / path.name).read_text()


def test_with_the_kill_switch_pulled_nothing_is_blocked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "panic").touch()
    result = run("stix")
    assert len(json.loads(result.stdout)["objects"]) == 1
    assert "kill switch" in result.stderr
    run("misp", "--to", str(tmp_path / "feed"))
    assert (tmp_path / "feed" / "hashes.csv").read_text() == ""


def test_a_folder_that_cannot_be_written(run: Run) -> None:
    result = run("misp", "--to", "/proc/nowhere")
    assert result.exit_code == 2
    assert re.search(r"/proc/nowhere: ", result.output)
