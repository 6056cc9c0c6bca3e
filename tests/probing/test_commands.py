"""What the commands take, and what a person sees."""

from io import StringIO
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from agents.commands.asking import Address, Host, IpAddress
from agents.commands.check import command
from agents.commands.check_host import show
from agents.commands.check_relay import table
from agents.probing.grades import Graded
from agents.probing.relay import Try


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mx1.example.org", ("mx1.example.org", 25)),
        ("mx1.example.org:2525", ("mx1.example.org", 2525)),
        ("192.0.2.1", ("192.0.2.1", 25)),
        ("192.0.2.1:587", ("192.0.2.1", 587)),
        ("2001:db8::1", ("2001:db8::1", 25)),
        ("[2001:db8::1]", ("2001:db8::1", 25)),
        ("[2001:db8::1]:587", ("2001:db8::1", 587)),
    ],
)
def test_a_host_may_name_its_port(text: str, expected: tuple[str, int]) -> None:
    assert Host().convert(text, None, None) == expected
    assert Host().convert(expected, None, None) == expected


@pytest.mark.parametrize("text", ["", ":25", "mx1:0", "mx1:x", "mx1:65536", "a:b:c:25"])
def test_other_hosts_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Host().convert(text, None, None)


@pytest.mark.parametrize(
    "text", ["", "a", "@b.example", "a@", "a@b@c", "a b@c", "<a@b.c>", "a@b\r\nRCPT TO:<c>"]
)
def test_only_plain_addresses_are_said_to_a_server(text: str) -> None:
    assert Address().convert("a+b@example.org", None, None) == "a+b@example.org"
    with pytest.raises(click.BadParameter):
        Address().convert(text, None, None)


def test_a_source_is_an_address() -> None:
    assert IpAddress().convert("::ffff:192.0.2.1", None, None) == "192.0.2.1"
    with pytest.raises(click.BadParameter):
        IpAddress().convert("mx1.example.org", None, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["relay", "192.0.2.1", "--maildir", "."], "give both"),
        (["host", "192.0.2.1", "--dns", "dns.example"], "no address of a resolver"),
        (["relay"], "Missing argument"),
        (["frob", "192.0.2.1"], "No such command"),
    ],
)
def test_what_cannot_be_asked_is_said(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert "relay" in result.output
    assert "host" in result.output


def test_a_person_sees_a_table_without_control_characters() -> None:
    console = Console(width=120, record=True, file=StringIO())
    answer = "250 fine\x1b[2J"
    console.print(table([Try("plain", "", "b@example.com", "accepted", "RCPT", answer, 2.5)]))
    text = console.export_text()
    assert "accepted  plain  <> → <b@example.com>" in text
    assert "(2.5 s)" in text
    assert "\x1b" not in text


def test_a_cure_stands_below_its_fault(capsys: pytest.CaptureFixture[str]) -> None:
    show(Graded("VRFY", "warning", "it tells\x1b[2J who exists", "switch it off"))
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("! VRFY")
    assert "\x1b[2J" not in shown[0]
    assert shown[1].strip() == "→ switch it off"
