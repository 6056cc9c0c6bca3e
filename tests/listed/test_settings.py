from pathlib import Path

import pytest
from click.testing import CliRunner

from agents import configuration, resolver
from agents.commands.check import command
from schemas.settings import SettingsError


def written(folder: Path, listed: str) -> Path:
    path = folder / "mailwarden.toml"
    (folder / "mail.log").touch()
    logs = f'[logs]\nfiles = ["{folder}/mail.log"]\njournal = "no"\n'
    path.write_text(f'{logs}[storage]\npath = "{folder}/mailwarden.db"\n[listed]\n{listed}')
    return path


def said(folder: Path, listed: str) -> str:
    result = CliRunner().invoke(command, ["-c", str(written(folder, listed))])
    assert result.exit_code == 0, result.output
    return next(line for line in result.output.splitlines() if line.startswith("listed"))


def test_check_says_what_would_be_asked(tmp_path: Path) -> None:
    line = said(
        tmp_path,
        'gateways = ["mx1.example.org", "192.0.2.25"]\nlists = ["list.example"]\ninterval = 7200\n'
        'resolvers = ["192.0.2.53"]\n',
    )
    assert line.endswith(
        "list.example asked about mx1.example.org, 192.0.2.25 every 2 h, through 192.0.2.53"
    )


def test_check_says_why_nothing_is(tmp_path: Path) -> None:
    assert said(tmp_path, "").endswith("listed.gateways names none of ours")
    assert said(tmp_path, 'gateways = ["mx1"]\nlists = []').endswith("listed.lists is empty")


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("interval = 0", "listed.interval: expected a number of seconds above 0"),
        ('gateways = [""]', "listed.gateways: expected addresses or names"),
        ('lists = [""]', "listed.lists: expected names of DNS block lists"),
        ('resolvers = ["dns.example:53"]', "listed.resolvers: expected addresses such as"),
        ('resolvers = ["192.0.2.53:x"]', "listed.resolvers: expected addresses such as"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    tmp_path: Path, setting: str, expected: str
) -> None:
    with pytest.raises(SettingsError, match=expected):
        configuration.load(written(tmp_path, setting))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_resolvers_are_addresses(text: str, expected: tuple[str, int]) -> None:
    assert resolver.server(text) == expected


@pytest.mark.parametrize("text", ["dns.example", "dns.example:53", "192.0.2.53:0", "192.0.2.53:x"])
def test_names_of_resolvers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no address of a resolver"):
        resolver.server(text)
