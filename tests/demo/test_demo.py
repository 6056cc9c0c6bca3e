"""The demo, as a newcomer calls it: every attack is found, and no innocent accused."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.commands import cli
from agents.demo.innocents import INNOCENTS
from agents.demo.score import score
from agents.demo.traffic import Plan, Traffic
from schemas import wire
from streams.reader import Reader, ReadOptions
from streams.sources.archive import open_lines


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("day") / "kept"


@pytest.fixture(scope="module")
def shown(kept: Path) -> Result:
    """What the demo prints for a small company."""
    return CliRunner().invoke(
        cli, ["demo", "--scale", "0.2", "--keep", str(kept)], env={"COLUMNS": "100"}
    )


def test_it_finds_each_attack_and_accuses_nobody_else(shown: Result) -> None:
    assert shown.exit_code == 0, shown.output
    assert "attacks found      25 of 25" in shown.output
    assert f"innocents accused  0 of {len(INNOCENTS)}" in shown.output
    assert "✗" not in shown.output
    assert "Accused without cause" not in shown.output


def test_it_says_of_every_innocent_what_kept_it_silent(shown: Result) -> None:
    silent = shown.output.partition("stayed silent")[2].partition("Said for information")[0]
    assert silent.count("✓") == len(INNOCENTS)
    for word in (
        "1 account, 1 password (guessing:",
        "a trusted address",
        "of our server's own errors",
        "of them from the null sender",
        "declared: it may send much",
        "tries no login and names",
    ):
        assert word in " ".join(silent.split()), word


def test_it_fits_its_width_and_draws_no_colour_into_a_pipe(shown: Result) -> None:
    assert max(len(line) for line in shown.output.splitlines()) <= 100
    assert "\x1b" not in shown.output


def test_what_it_keeps_can_be_replayed(shown: Result, kept: Path) -> None:
    assert shown.exit_code == 0
    result = CliRunner().invoke(
        cli,
        ["replay", "-c", str(kept / "mailwarden.toml"), "--json", str(kept / "mail.log")],
    )
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    kinds = [one.pop("kind") for one in found]
    assert kinds == sorted(kinds)
    assert set(kinds) == {"alert", "decision"}
    alerts = [
        wire.decode_alert(json.dumps(one).encode())
        for one, kind in zip(found, kinds, strict=True)
        if kind == "alert"
    ]
    traffic = Traffic(Plan(scale=0.2))
    assert sum(1 for _ in traffic.lines()) > 20_000
    result_ = score(traffic.truth, alerts)
    assert (result_.found, result_.wronged) == (len(traffic.truth.attacks), 0)


def test_every_line_of_it_is_understood(shown: Result, kept: Path) -> None:
    assert shown.exit_code == 0
    dead: list[object] = []
    reader = Reader(ReadOptions(), dead.append)
    events = sum(1 for _ in reader.read([("mail.log", open_lines(kept / "mail.log"))]))
    assert dead == []
    assert reader.counts.nobody == 0
    assert events > 10_000


def test_its_findings_are_given_as_json_too() -> None:
    result = CliRunner().invoke(cli, ["demo", "--scale", "0.2", "--json"])
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {one["kind"] for one in found} == {"alert", "decision"}
    assert not any(one["enforced"] for one in found if one["kind"] == "decision")


@pytest.mark.parametrize("wrong", [["--scale", "0"], ["--days", "0"], ["--seed", "x"]])
def test_an_option_that_makes_no_sense_is_named(wrong: list[str]) -> None:
    result = CliRunner().invoke(cli, ["demo", *wrong])
    assert result.exit_code == 2
    assert wrong[0] in result.output
