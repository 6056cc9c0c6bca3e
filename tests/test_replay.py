"""Old logs: what would have been found and blocked, in event time, and nothing carried out."""

import bz2
import gc
import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from agents import configuration, replay
from agents.commands import cli
from agents.commands.comparing import compared
from agents.comparison import Side, difference
from agents.operator import report
from agents.replay import Replay, Verdict
from schemas.events import Fact
from schemas.findings import Decision, Target
from schemas.settings import ResponseSettings, Settings
from streams.reader import ReadOptions
from streams.sources.archive import open_lines

NAMES = ("anna", "ben", "carl", "dora", "emil", "fred", "gina", "hans")


def failure(second: int, name: str, client: str = "192.0.2.66", host: str = "mx") -> str:
    return (
        f"2026-03-02T10:00:{second:02d}+00:00 {host} dovecot: imap-login: Disconnected: Connection "
        f"closed (auth failed, 1 attempts in 2 secs): user=<{name}@example.org>, method=PLAIN, "
        f"rip={client}, lip=192.0.2.1, TLS, session=<{name}{second}>"
    )


DICTIONARY = [failure(second, name) for second, name in enumerate(NAMES)]


def lines(texts: Iterable[str]) -> list[tuple[int, bytes]]:
    return [(number, text.encode()) for number, text in enumerate(texts)]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["replay", *arguments], env={"COLUMNS": "100"})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    path.write_text("\n".join(DICTIONARY) + "\n")
    return path


# -- the replay itself ------------------------------------------------------------------------


def test_a_replay_gives_the_final_state_of_each_finding() -> None:
    again = Replay(configuration.build(Settings()), ReadOptions())
    verdict = again.run([("mail.log", lines(DICTIONARY))])
    assert [alert.detector for alert in verdict.alerts] == ["auth_dictionary"]
    assert verdict.alerts[0].accounts == []
    assert verdict.alerts[0].targets_count == len(NAMES)
    assert again.reader.counts.lines == len(NAMES)
    assert again.events == len(NAMES)


def test_two_replays_find_the_same_under_the_same_ids() -> None:
    config = configuration.build(Settings())
    first, second = (
        Replay(config, ReadOptions()).run([("mail.log", lines(DICTIONARY))]) for _ in range(2)
    )
    assert first == second


def test_two_files_are_merged_by_time() -> None:
    halves = [("a", lines(DICTIONARY[::2])), ("b", lines(DICTIONARY[1::2]))]
    whole = Replay(configuration.build(Settings()), ReadOptions())
    split = Replay(configuration.build(Settings()), ReadOptions())
    ids = [alert.id for alert in whole.run([("a", lines(DICTIONARY))]).alerts]
    assert ids
    assert [alert.id for alert in split.run(halves).alerts] == ids


def test_nothing_is_enforced_even_where_the_settings_would() -> None:
    settings = Settings(
        response=ResponseSettings(enforce=True),
        detectors={"auth_dictionary": {"stage": "enforce"}},
    )
    # until a week of logins was seen a dictionary is only shown
    week_before = failure(1, "zoe", "198.51.100.7").replace("2026-03-02", "2026-02-20")
    verdict = Replay(configuration.build(settings), ReadOptions()).run(
        [("mail.log", lines([week_before, *DICTIONARY]))]
    )
    assert [decision.action for decision in verdict.decisions] == ["drop"]
    assert not verdict.decisions[0].enforced
    assert verdict.decisions[0].since == pytest.approx(1772445606.0, abs=30)


def test_whoever_watches_sees_every_event_and_progress_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay, "BATCH", 3)
    monkeypatch.setattr(replay, "GLANCE", 2)
    seen: list[Fact] = []
    told: list[tuple[str, int]] = []
    again = Replay(configuration.build(Settings()), ReadOptions())
    again.run(
        [("mail.log", lines(DICTIONARY))],
        watch=seen.append,
        progress=lambda name, offset: told.append((name, offset)),
    )
    assert len(seen) == again.events
    assert [name for name, _ in told] == ["mail.log"] * (again.events // 6)


def test_the_collector_is_left_as_it_was() -> None:
    gc.disable()
    try:
        Replay(configuration.build(Settings()), ReadOptions()).run([])
        assert not gc.isenabled()
    finally:
        gc.enable()
    Replay(configuration.build(Settings()), ReadOptions()).run([])
    assert gc.isenabled()


# -- the command ------------------------------------------------------------------------------


def test_the_summary_names_who_and_counts_what_was_read(log: Path) -> None:
    result = run(str(log))
    assert result.exit_code == 0, result.output
    assert "auth_dictionary dictionary  192.0.2.66" in result.output
    assert "8 lines in " in result.output
    assert "none carried out" in result.output


def test_json_gives_one_object_a_line(log: Path) -> None:
    result = run("--json", str(log))
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["kind"] for one in found] == ["alert"]
    assert found[0]["subject"] == {"kind": "client", "value": "192.0.2.66"}


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_compressed_logs_are_read_as_they_are(
    tmp_path: Path, log: Path, suffix: str, compress: object
) -> None:
    packed = tmp_path / f"mail.log.1{suffix}"
    packed.write_bytes(compress(log.read_bytes()))  # type: ignore[operator]
    assert run("--json", str(packed)).stdout.count('"id"') == run("--json", str(log)).stdout.count(
        '"id"'
    )


def test_a_file_that_breaks_off_is_named_and_what_it_held_is_used(tmp_path: Path) -> None:
    cut = tmp_path / "mail.log.gz"
    content = "\n".join(DICTIONARY * 400).encode()
    cut.write_bytes(gzip.compress(content)[:-40])
    result = run("--json", str(cut))
    assert result.exit_code == 1
    assert f"{cut}: cannot be read on" in result.stderr
    assert '"kind":"alert"' in result.stdout


def test_a_missing_file_is_named() -> None:
    result = run("nowhere.log", "nothing.log")
    assert result.exit_code == 2
    assert "no such file: nowhere.log, nothing.log" in result.output


def test_lines_that_cannot_be_read_are_counted_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    broken = "2026-03-02T10:00:00+00:00 mx postfix/smtpd[1]: NOQUEUE: reject: \x1b[2J"
    path.write_text("\n".join([*DICTIONARY, *[broken] * 5]) + "\n")
    result = run("--json", str(path))
    assert result.exit_code == 0
    assert "5 lines could not be read; the first:" in result.stderr
    assert result.stderr.count(f"{path}:") == 3
    assert "\x1b" not in result.stderr


def test_options_say_how_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_text(
        "".join(
            f"Mar  2 10:00:0{second} {failure(second, name).partition(' mx ')[2]}\n"
            for second, name in enumerate(NAMES)
        ).replace(": dovecot", ": mx dovecot")
    )
    result = run("--json", "--year", "2024", "--zone", "Europe/Berlin", "--host", "gw", str(path))
    assert result.exit_code == 0, result.output
    alert = json.loads(result.stdout.splitlines()[0])
    assert alert["first"] == 1709370000.0  # 2024-03-02T09:00:00Z


def test_wrong_settings_are_named(tmp_path: Path, log: Path) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text("[detectors.auth_dictionary]\nacounts = 3\n")
    result = run("-c", str(settings), str(log))
    assert result.exit_code == 2
    assert "detectors.auth_dictionary.acounts" in result.output


def test_an_unknown_format_lists_those_there_are(log: Path) -> None:
    result = run("--format", "nonsense", str(log))
    assert result.exit_code == 2
    assert "postfix" in result.output


# -- two settings -------------------------------------------------------------------------------


def test_what_other_settings_find_otherwise_is_shown(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[detectors.auth_dictionary]\nenabled = false\n")
    result = run("--compare", str(other), str(log))
    assert "Only these settings: 1 finding, " in result.output
    assert "auth_dictionary" in result.output
    assert f"Only {other}: 0 findings, 0 decisions" in " ".join(result.output.split())
    told = [
        json.loads(line)
        for line in run("--json", "--compare", str(other), str(log)).output.splitlines()
    ]
    assert {(one["kind"], one["only"]) for one in told} == {("alert", "ours")}


def test_findings_that_both_have_and_decisions_are_compared_as_well(log: Path) -> None:
    config = configuration.build(Settings())
    verdict = Replay(config, ReadOptions()).run([("log", open_lines(log))])
    graver = [
        msgspec.structs.replace(alert, severity="critical", decision="nothing: too old")
        for alert in verdict.alerts
    ]
    decision = Decision(
        id="d",
        target=Target("network", "192.0.2.66"),
        action="drop",
        reason="why",
        alert=graver[0].id,
        until=2.0,
    )
    found = difference(Side(config, verdict), Side(config, Verdict(graver, [decision])))
    assert found.any
    assert [(a.id == b.id, b.severity) for a, b in found.changed] == [(True, "critical")]
    assert (found.ours, found.theirs, found.undecided) == ([], [], [decision])
    assert found.refusals["d"].words == verdict.alerts[0].decision
    shown = report.console()
    with shown.capture() as caught:
        shown.print(compared(found, "a", "b"))
    assert "Told otherwise: 1 finding" in caught.get()
    assert "drop 192.0.2.66: why" in caught.get()
    assert f"a: {verdict.alerts[0].decision}" in " ".join(caught.get().split())


def test_settings_that_find_the_same_say_so(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("")
    assert "Both find and decide the same." in run("--compare", str(other), str(log)).output
    assert run("--json", "--compare", str(other), str(log)).output == ""


OTHERWISE = (
    ("disabled", "[detectors.auth_dictionary]\nenabled = false\n", "is switched off"),
    ("below", "[detectors.auth_dictionary]\naccounts = 9\nwide = 20\n", "accounts 8 < 9"),
    ("trusted", '[network]\nallow = ["192.0.2.0/24"]\n', "in network.allow"),
    ("below", "[detectors.auth_dictionary]\nwindow = 2.0\nwide = 20\n", "accounts 3 < 5"),
)


@pytest.mark.parametrize(("why", "settings", "words"), OTHERWISE)
def test_each_difference_has_its_reason(
    log: Path, tmp_path: Path, why: str, settings: str, words: str
) -> None:
    other = tmp_path / "other.toml"
    other.write_text(settings)
    result = run("--compare", str(other), str(log))
    assert words in " ".join(result.output.split())
    told = json.loads(run("--json", "--compare", str(other), str(log)).output)
    assert told["only"] == "ours"
    assert told["why"]["kind"] == why
    assert all(seen["count"] < seen["threshold"] for seen in told["why"]["counts"])
    # and the other way round, where the file that is used is the stricter one
    base = tmp_path / "base.toml"
    base.write_text("")
    turned = json.loads(run("--json", "-c", str(other), "--compare", str(base), str(log)).output)
    assert turned["only"] == "theirs"
    assert turned["why"] == told["why"]


def test_the_counts_beside_a_reason_are_the_highest_that_were_reached_there(
    log: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[detectors.auth_dictionary]\naccounts = 12\nwide = 20\n")
    told = json.loads(run("--json", "--compare", str(other), str(log)).output)
    assert told["why"]["settings"] == {"accounts": [12, 5], "wide": [20, 8]}
    assert [(one["sign"], one["count"]) for one in told["why"]["counts"]] == [
        ("accounts", 8),
        ("accounts in a day", 8),
    ]


def test_a_decision_that_response_refuses_there_says_its_word(tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    week_before = failure(1, "zoe", "198.51.100.7").replace("2026-03-02", "2026-02-20")
    log.write_text("\n".join([week_before, *DICTIONARY]) + "\n")
    other = tmp_path / "other.toml"
    other.write_text("[response]\nbudget = 0\n")
    result = run("--compare", str(other), str(log))
    assert "0 findings, 1 decision" in result.output
    assert "nothing: the budget of 0 decisions a minute is spent" in " ".join(result.output.split())
