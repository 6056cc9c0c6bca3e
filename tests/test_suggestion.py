"""Thresholds at which the known innocent stay silent: found by trying, and with their price."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents import configuration, suggestion
from agents.commands import cli
from agents.configuration import Config
from agents.detectors import DETECTORS
from agents.innocents import Innocents
from agents.replay import Replay, Verdict
from agents.suggestion import Suggesting, Suggestion, with_values
from agents.thresholds import Measure, above, measures
from schemas.audit import Audit
from schemas.findings import Alert, Decision, Evidence, Subject, Target
from schemas.settings import Settings, SiteSettings
from streams.reader import ReadOptions

OFFICE, GUESSER, WORSE = "192.0.2.10", "192.0.2.66", "198.51.100.7"
NAMES = [f"user{number}" for number in range(40)]


def failure(second: int, name: str, client: str) -> str:
    return (
        f"2026-03-02T10:{second // 60:02d}:{second % 60:02d}+00:00 mx dovecot: imap-login: "
        f"Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): "
        f"user=<{name}@example.org>, method=PLAIN, rip={client}, lip=192.0.2.1, TLS, "
        f"session=<{client}{second}>"
    )


def guesses(client: str, count: int) -> list[str]:
    return [failure(second, name, client) for second, name in enumerate(NAMES[:count])]


def suggest(texts: Iterable[str], *innocents: str, settings: Settings | None = None) -> Suggestion:
    config = configuration.build(settings or Settings())
    lines = [(number, text.encode()) for number, text in enumerate(texts)]
    known = Innocents()
    for one in innocents:
        known.add(one)

    def replays(configs: Sequence[Config], what: str) -> list[Verdict]:
        assert 0 < len(configs) <= suggestion.BESIDE
        replay = Replay(configs[0], ReadOptions(), None, configs[1:])
        replay.run([("mail.log", lines)])
        return replay.verdicts

    return Suggesting(config, known, replays).run()


# -- what is suggested ------------------------------------------------------------------------


def test_the_value_just_above_what_the_innocent_did_is_suggested() -> None:
    found = suggest([*guesses(OFFICE, 6), *guesses(WORSE, 20)], OFFICE)
    (advice,) = found.advice
    assert advice.changes == {"accounts": (5, 7)}
    assert found.left == []
    assert found.cost.findings == []


def test_what_is_lost_with_it_is_told() -> None:
    found = suggest([*guesses(OFFICE, 7), *guesses(GUESSER, 6), *guesses(WORSE, 20)], OFFICE)
    assert [alert.subject.value for alert in found.cost.findings] == [GUESSER]
    assert found.advice[0].changes == {"accounts": (5, 8)}


def test_where_no_setting_does_it_alone_several_do_together() -> None:
    found = suggest(guesses(OFFICE, 12), OFFICE)
    assert found.advice[0].changes == {"accounts": (5, 13), "wide": (8, 13)}
    assert found.left == []


def test_a_setting_that_need_not_be_changed_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"accounts": 13.0, "wide": 13.0, "passwords": 99.0}
    monkeypatch.setattr(
        suggestion, "_first", lambda *_: [suggestion.Try({"thin": 1.0}), suggestion.Try(both)]
    )
    assert suggest(guesses(OFFICE, 12), OFFICE).advice[0].changes == {
        "accounts": (5, 13),
        "wide": (8, 13),
    }


def test_where_no_threshold_helps_none_is_suggested() -> None:
    settings = Settings(site=SiteSettings(honeypots=("user0@example.org",)))
    found = suggest(guesses(OFFICE, 1), OFFICE, settings=settings)
    (advice,) = found.advice
    assert advice.changes == {}
    assert [alert.subject.value for alert in found.left] == [OFFICE]


def test_whoever_is_not_accused_needs_no_change() -> None:
    found = suggest(guesses(GUESSER, 6), OFFICE)
    assert (found.advice, found.left, found.passes) == ([], [], 1)


def test_the_number_of_passes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestion, "above", lambda count, was, scale: was + 1)  # far too little
    found = suggest(guesses(OFFICE, 30), OFFICE)
    assert found.advice[0].changes == {}
    assert found.passes <= 1 + suggestion.ROUNDS + 1


def test_the_settings_of_a_domain_stay_where_they_are_its_own() -> None:
    table = {
        "account_burst": {"domains": {"a.example": {"hourly": 900}, "b.example": {"daily": 1}}}
    }
    config = configuration.build(Settings(detectors=table))
    changed = with_values(config, "account_burst", {"hourly": 700})
    hourly = {name: one.hourly for name, one in changed.variants["account_burst"].items()}  # type: ignore[attr-defined]
    assert hourly == {"a.example": 900, "b.example": 700}
    assert with_values(config, "account_burst", {}) is config


# -- which setting, and which value -----------------------------------------------------------


def of(detector: str, sign: str, setting: str, scale: float = 1) -> Evidence:
    """A count that reached its threshold, which is that of a setting."""
    threshold = scale * getattr(DETECTORS[detector](), setting)
    return Evidence(sign, threshold + 1, threshold, "%" * (scale > 1))


@pytest.mark.parametrize(
    ("detector", "evidence", "found"),
    [
        ("auth_dictionary", Evidence("accounts", 9, 5), [Measure("accounts")]),
        ("auth_dictionary", Evidence("accounts in a day", 9, 8), [Measure("wide")]),
        ("auth_distributed", of("auth_distributed", "tries", "tries"), [Measure("tries")]),
        ("account_burst", Evidence("bounces", 17, 10, "%"), [Measure("bounces", 100)]),
        ("account_burst", Evidence("surge", 99, 60), [Measure("least_hourly")]),
        (
            "backscatter_made",
            of("backscatter_made", "reports of all accepted mail", "share", 100),
            [Measure("share", 100)],
        ),
        ("auth_dictionary", Evidence("accounts opened", 3, 1), []),
    ],
)  # fmt: skip
def test_a_count_names_the_setting_that_it_is_measured_by(
    detector: str, evidence: Evidence, found: list[Measure]
) -> None:
    assert measures(DETECTORS[detector](), evidence) == found


@pytest.mark.parametrize(
    ("count", "was", "scale", "value"),
    [(6, 5, 1, 7), (6.5, 5, 1, 7), (6.5, 5.0, 1, 7.0), (17, 0.1, 100, 0.18), (100, 0.5, 100, None)],
)
def test_the_smallest_value_that_is_not_reached(
    count: float, was: float, scale: float, value: float | None
) -> None:
    assert above(count, was, scale) == value


# -- the innocent -----------------------------------------------------------------------------


def alert(kind: str, value: str, severity: str = "high") -> Alert:
    return Alert(
        id="1", detector="d", shape="s", severity=severity,  # type: ignore[arg-type]
        subject=Subject(kind, value), first=1.0, last=1.0, at=1.0, summary="",  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "accused"),
    [
        ("client", "192.0.2.9", True),
        ("client", "198.51.100.1", False),
        ("network", "192.0.0.0/16", True),
        ("account", "anna@example.org", True),
        ("account", "ben@example.org", True),
        ("account", "carl@example.org", False),
        ("gateway", "mx.example.org", True),
    ],
)
def test_an_alert_is_about_them_where_they_are_its_subject(
    kind: str, value: str, accused: bool
) -> None:
    known = Innocents("example.org")
    known.read(["192.0.2.0/24  # the office", "", "Anna", "ben@EXAMPLE.org\n", "mx.example.org"])
    assert known.accused(alert(kind, value)) is accused
    assert not known.accused(alert(kind, value, "info"))


def test_whom_people_pardoned_is_innocent_unless_that_was_taken_back() -> None:
    def entry(at: float, what: str, target: str, origin: str = "pardon") -> Audit:
        return Audit(at=at, what=what, by="x", reason="", target=target, origin=origin)  # type: ignore[arg-type]

    known = Innocents()
    known.pardoned(
        [
            Decision(
                id="1", target=Target("account", "a@b.example"), action="observe", origin="pardon"
            ),
            Decision(id="2", target=Target("network", "203.0.113.9"), action="drop"),
        ],
        [
            entry(2, "removed", "network:192.0.2.1"),
            entry(1, "pardoned", "network:192.0.2.1"),
            entry(3, "pardoned", "client_account:192.0.2.2 c@b.example"),
            entry(4, "removed", "network:192.0.2.3", "automatic"),
        ],
    )  # fmt: skip
    assert len(known) == 2
    assert [known.concerns(one) for one in ("a@b.example", "192.0.2.2", "192.0.2.1")] == [
        True, True, False,
    ]  # fmt: skip


# -- the command ------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    log, settings = tmp_path / "mail.log", tmp_path / "mailwarden.toml"
    lines = [*guesses(OFFICE, 7), *guesses(GUESSER, 6), *guesses(WORSE, 20)]
    log.write_text("\n".join(sorted(lines)) + "\n")
    settings.write_text(f'[storage]\npath = "{tmp_path / "none.db"}"\n')
    return str(settings), str(log)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["replay", *arguments], env={"COLUMNS": "80"})


def test_the_table_and_the_lines_to_paste(files: tuple[str, str], tmp_path: Path) -> None:
    settings, log = files
    named = tmp_path / "innocent.txt"
    named.write_text(f"{OFFICE}  # the office\n")
    result = run("-c", settings, "--suggest", "--innocent", str(named), log)
    assert result.exit_code == 0, result.output
    assert "[detectors.auth_dictionary]\naccounts = 8  # was 5" in result.output
    assert "none of them is accused" in result.output
    assert f"dictionary  {GUESSER}" in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 80


def test_json_has_all_of_it(files: tuple[str, str]) -> None:
    settings, log = files
    result = run("-c", settings, "--suggest", "--json", "--innocent", OFFICE, log)
    one, whole = [json.loads(line) for line in result.stdout.splitlines()]
    assert one["changes"] == {"accounts": [5, 8]}
    assert [lost["subject"] for lost in whole["lost"]] == [f"client:{GUESSER}"]
    assert whole["accused"] == []
    assert whole["toml"] == "[detectors.auth_dictionary]\naccounts = 8  # was 5"


def test_where_no_threshold_helps_the_allow_list_is_named(files: tuple[str, str]) -> None:
    settings, log = files
    with Path(settings).open("a") as file:
        file.write('[site]\nhoneypots = ["user0@example.org"]\n')
    result = run("-c", settings, "--suggest", "--innocent", OFFICE, log)
    assert "No threshold of auth_dictionary keeps these silent" in result.output
    assert f'allow = ["{OFFICE}"]' in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--suggest"], "nobody is known to be innocent"),
        (["--innocent", OFFICE], "--innocent is for --suggest"),
        (["--suggest", "--compare", "x.toml"], "ask one at a time"),
    ],
)
def test_what_cannot_be_asked(files: tuple[str, str], arguments: list[str], words: str) -> None:
    settings, log = files
    result = run("-c", settings, *arguments, log)
    assert result.exit_code == 2
    assert words in " ".join(result.output.split())
