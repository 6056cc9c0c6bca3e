"""The scripts for Exchange cannot be run here: what they rely on is looked at."""

import re
from pathlib import Path

import pytest

from streams.blocklist import SHORTEST

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "packaging" / "exchange").glob("*.ps1"))
FIELDS = {"value", "kind", "action", "until"}  # of a record of the feed, as JSON


@pytest.fixture(params=SCRIPTS, ids=lambda path: path.name)
def script(request: pytest.FixtureRequest) -> str:
    data: bytes = request.param.read_bytes()
    return data.decode("ascii")  # Windows PowerShell 5.1 reads others by the system's code page


def test_there_are_two() -> None:
    assert len(SCRIPTS) == 2


def test_only_fields_of_the_feed_are_read(script: str) -> None:
    assert set(re.findall(r"\$record\.(\w+)", script, re.IGNORECASE)) == FIELDS


def test_nothing_is_changed_unless_it_may_be(script: str) -> None:
    """Each command that changes something stands in a block that -WhatIf keeps out."""
    changing = r"^\s*(?:\$null = )?((?:Add-IP|Remove-IP|New-Tenant|Remove-Tenant)\w+)"
    for match in re.finditer(changing, script, re.MULTILINE):
        before = script[: match.start()]
        assert "$PSCmdlet.ShouldProcess" in before[before.rindex("foreach") :], match[1]


def test_only_our_own_entries_are_touched(script: str) -> None:
    assert script.count("StartsWith($Mark, [StringComparison]::Ordinal)") == 1
    assert "$Mark = 'mailwarden '" in script


def test_what_goes_wrong_ends_the_script(script: str) -> None:
    assert "$ErrorActionPreference = 'Stop'" in script
    assert "Set-StrictMode -Version 2.0" in script


def test_the_widest_networks_are_those_of_the_block_list(script: str) -> None:
    (v6,) = re.findall(r"^\$Shortest = (?:@\{.*'InterNetworkV6' = )?(\d+)", script, re.MULTILINE)
    assert int(v6) == SHORTEST[6]
    v4 = re.findall(r"'InterNetwork' = (\d+); 'InterNetworkV6' = 19", script)
    assert v4 in ([], [str(SHORTEST[4])])


def test_brackets_are_closed(script: str) -> None:
    code = re.sub(r"<#.*?#>|#[^\n]*|'[^']*'", "", script, flags=re.DOTALL)
    for opening, closing in ("()", "[]", "{}"):
        assert code.count(opening) == code.count(closing)
