from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from agents.commands import options


def given(kind: click.ParamType, text: str) -> Any:
    return kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("1h", 3600),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1w", 604800),
        ("1w1d1h1m1s", 694861),
        ("366d", 31622400),
        (" 5m ", 300),
    ],
)
def test_spans(text: str, seconds: float) -> None:
    assert given(options.Span(), text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "h", "10", "1.5h", "-1h", "367d", "1m1h", "٣h"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is no time such as 90s, 30m, 1h, 2d or 1w"):
        given(options.Span(), text)


NOON = datetime(2023, 11, 14, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14T12:00:00", NOON),
        ("2023-11-14T13:00:00+01:00", NOON),
        ("2023-11-14T12:00:00Z", NOON),
        ("2023-11-14", NOON - 43200),
        (str(NOON), NOON),
    ],
)
def test_moments(text: str, at: float) -> None:
    assert given(options.Moment(), text) == at
    assert given(options.Since(), text) == at


@pytest.mark.parametrize("text", ["yesterday", "", "nan", "inf", "-inf"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither ISO 8601 nor Unix seconds"):
        given(options.Moment(), text)


def test_a_time_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 100_000.0)
    assert given(options.Since(), "1h") == 96_400.0


def test_values_that_are_converted_already_stay() -> None:
    assert options.Moment().convert(5.0, None, None) == 5.0
    assert options.Span().convert(5.0, None, None) == 5.0


def test_zones() -> None:
    assert given(options.Zone(), "Europe/Berlin") == "Europe/Berlin"
    for text in ("Europe/Nowhere", "", "../etc/passwd"):
        with pytest.raises(click.BadParameter, match="is no IANA zone"):
            given(options.Zone(), text)


def test_formats_are_those_that_can_be_parsed() -> None:
    assert given(options.Format(), "auto") == "auto"
    assert given(options.Format(), "postfix") == "postfix"
    with pytest.raises(click.BadParameter, match=r"there are: auto, .*dovecot, .*postfix"):
        given(options.Format(), "postfx")


def test_wrong_settings_end_with_exit_2_and_the_key(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text("[response]\nenforce = 3\n")

    @click.command()
    @options.config
    @options.reading
    def command(config: Path | None, **reading: object) -> None:
        assert set(reading) == {"format", "year", "now", "zone", "host"}
        options.load(config)

    result = CliRunner().invoke(command, ["-c", str(path)])
    assert result.exit_code == 2
    assert result.output == f"Error: {path}: response.enforce: expected `bool`, got `int`\n"
    result = CliRunner().invoke(command, ["--format", "nothing"])
    assert result.exit_code == 2
    assert "no format 'nothing'; there are:" in result.output


def test_what_is_piped_is_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    for terminal in (False, True):
        monkeypatch.setattr("sys.stdout.isatty", lambda terminal=terminal: terminal)
        assert options.for_eyes(as_json=False) is terminal
        assert not options.for_eyes(as_json=True)
