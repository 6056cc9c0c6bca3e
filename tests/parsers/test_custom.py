"""A site's own formats."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from agents.commands import cli
from agents.configuration import build
from agents.custom_rules import failing
from schemas.settings import (
    CustomCase,
    CustomSettings,
    ParsersSettings,
    Settings,
    SettingsError,
)
from streams.secrets import mask
from tests.parsers import cases

PATTERN = (
    r"login of (?P<account>[^ ]{1,99}) from (?P<client>[^ ]{1,45}) refused(?: \((?P<count>\d+)x\))?"
)
LINE = "login of Anna@example.org from 2001:DB8::1 refused (3x)"
EVENT = {"client": "2001:db8::1", "account": "anna@example.org", "outcome": "failed", "count": 3}


def rule(**changed: object) -> CustomSettings:
    usual = {
        "pattern": PATTERN,
        "set": {"outcome": "failed", "service": "imap"},
        "programs": ("shopd",),
        "cases": (CustomCase(text=LINE, event=EVENT), CustomCase(text="login of Anna accepted")),
    }
    return CustomSettings(**{**usual, **changed})


def formats(one: CustomSettings, name: str = "shop"):
    table = msgspec.to_builtins(one)
    return build(Settings(parsers=ParsersSettings(custom={name: table}))).formats


def read(line: str, one: CustomSettings):
    return cases.read([line.encode()], custom=formats(one))


def test_a_line_of_its_program_is_the_event_of_its_fields() -> None:
    (event,) = read(f"Mar  4 08:01:07 mx1 shopd[7]: {LINE}", rule()).events
    assert (event.type, event.gateway, event.service) == ("auth", "mx1", "imap")
    assert {name: getattr(event, name) for name in EVENT} == EVENT


def test_lines_of_others_and_other_lines_are_nobodys() -> None:
    assert read(f"Mar  4 08:01:07 mx1 sshd[7]: {LINE}", rule()).nobodys == 1
    assert read("Mar  4 08:01:07 mx1 shopd[7]: started", rule()).nobodys == 1


def test_without_programs_it_reads_lines_without_a_tag() -> None:
    assert len(read(f"Mar  4 08:01:07 {LINE}", rule(programs=())).events) == 1


def test_the_whole_text_must_agree() -> None:
    assert not read(f"Mar  4 08:01:07 mx1 shopd: x {LINE}", rule()).events
    assert not read(f"Mar  4 08:01:07 mx1 shopd: {LINE} x", rule()).events


def test_a_client_that_is_no_address_is_a_dead_letter() -> None:
    (dead,) = read("Mar  4 08:01:07 mx1 shopd: login of a from here refused", rule()).dead
    assert "no address" in dead.reason


def test_a_field_of_the_wrong_kind_is_a_dead_letter() -> None:
    wrong = rule(event="message", pattern=r"size (?P<size>\S{1,9})", set={}, cases=())
    (dead,) = read("Mar  4 08:01:07 mx1 shopd: size large", wrong).dead
    assert "int" in dead.reason


def test_passwords_become_fingerprints() -> None:
    shown = rule(pattern=r"(?P<account>\w{1,9}) typed (?P<password>\w{1,9})", cases=())
    (event,) = read("Mar  4 08:01:07 mx1 shopd: anna typed secret", shown).events
    assert event.password == mask()("secret")


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"pattern": "("}, "parsers.custom.shop.pattern: not a regular expression"),
        ({"pattern": "(?P<user>x)"}, "auth has no field 'user'"),
        ({"pattern": "(?P<at>x)"}, "auth has no field 'at'"),
        ({"set": {"colour": "red"}}, "set: auth has no field 'colour'"),
        ({"event": "signal"}, "event: expected one of connection, auth"),
        ({"pattern": r"login (?:a+)+b"}, "keeps it at work too long"),
        ({"pattern": r"(?:.*a){12}b"}, "keeps it at work too long"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(changed, word) -> None:
    with pytest.raises(SettingsError, match=r"parsers\.custom\.shop") as refused:
        formats(rule(**changed))
    assert word in str(refused.value)


def test_the_name_of_a_known_format_is_taken() -> None:
    with pytest.raises(SettingsError, match=r"parsers.custom.exim: .* known already"):
        formats(rule(), "exim")


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(SettingsError, match=r"parsers.custom.shop.colour: no such setting"):
        build(Settings(parsers=ParsersSettings(custom={"shop": {"pattern": "x", "colour": 1}})))


@pytest.mark.parametrize(
    ("case", "word"),
    [
        (CustomCase(text=LINE, event={"account": "ben"}), "account is 'anna@example.org'"),
        (CustomCase(text=LINE), "an event, and there should be none"),
        (CustomCase(text="x", event=EVENT), "no event"),
        (CustomCase(text="login of a from b refused", event=EVENT), "no address"),
    ],
)
def test_cases_that_do_not_hold_are_told(case: CustomCase, word: str) -> None:
    (wrong,) = failing("shop", rule(cases=(case,)))
    assert word in wrong


def test_check_and_parse_use_it(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_text(f"Mar  4 08:01:07 mx1 shopd[7]: {LINE}\n")
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(
        f"[storage]\npath = '{tmp_path}'\n[logs]\nfiles = ['{tmp_path}/mail.log']\n"
        f"[parsers.custom.shop]\nprograms = ['shopd']\npattern = '{PATTERN}'\n"
        f"cases = [{{ text = '{LINE}', event = {{ count = 3 }} }}]\n"
    )
    told = CliRunner().invoke(cli, ["check", "-c", str(settings)])
    assert "shop: its 1 case hold" in told.output
    told = CliRunner().invoke(cli, ["parse", "-c", str(settings), f"{tmp_path}/mail.log"])
    assert '"account":"anna@example.org"' in told.output
