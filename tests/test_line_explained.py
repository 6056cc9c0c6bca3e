"""How one line is read, and why nothing comes of it."""

import json

import pytest
from click.testing import CliRunner

from agents.commands import cli
from agents.line_explained import explain
from streams.reader import ReadOptions
from tests.parsers.cases import USUAL

FAILED = "Mar  4 08:01:07 mx1 postfix/smtpd[411]: warning: unknown[192.0.2.7]: SASL LOGIN "
FAILED += "authentication failed: x"


def one(line: str, **options):
    (found,) = explain(line.encode(), ReadOptions(**{**USUAL, **options}))
    return found


def test_a_line_tells_its_carrier_its_format_and_its_event():
    found = one(FAILED)
    assert (found.at, found.host, found.program, found.pid) == (
        1741075267.0,
        "mx1",
        "postfix/smtpd",
        "411",
    )
    assert "stamps.bsd" in found.carrier
    assert (found.formats, found.format) == (["postfix"], "postfix")
    assert "postfix.smtpd._sasl" in found.parser
    assert [item["item"] for item in found.items] == ["attempt"]
    (event,) = found.events
    assert (event["type"], event["client"], event["outcome"]) == ("auth", "192.0.2.7", "failed")
    assert found.why == ""


def test_patterns_that_are_found_in_the_line_are_named():
    found = one("Mar  4 08:01:07 mx1 postfix/postscreen[7]: CONNECT from [192.0.2.7]:9 to [::1]:25")
    assert found.patterns == ["postfix.postscreen._OPENED"]


def test_the_lines_in_an_envelope_are_explained_one_by_one():
    line = json.dumps({"message": FAILED, "@timestamp": "2025-03-04T08:01:08Z"})
    found = one(line)
    assert (found.format, found.host) == ("postfix", "mx1")
    lines = explain(f"[{line},{line}]".encode(), ReadOptions(**USUAL))
    assert [each.format for each in lines] == ["postfix", "postfix"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("", "empty"),
        ("#Fields: date-time,connector-id,session-id,event", "header"),
        ("hello world", "no tag"),
        ("Mar  4 08:01:07 mx1 crond[7]: x", "no format has the tag 'crond'"),
        ("Mar  4 08:01:07 mx1 smtpd[7]: hello", "none of those formats"),
        ("Mar  4 08:01:07 mx1 postfix/smtpd[7]: hello", "nothing of interest"),
        ("Mar  4 08:01:07 mx1 postfix/qmgr[7]: 4F1A2B3C4D: removed", "part of a story"),
        ('{"a": 1}', "keys"),
        ("Feb 31 08:01:07 mx1 postfix/smtpd[7]: x", "carrier"),
        ("Mar  4 08:01:07 mx1 postfix/smtpd[7]: connect from x", "dead letter"),
    ],
)
def test_where_nothing_comes_of_a_line_it_says_why(line, word):
    found = one(line)
    assert word in found.why
    assert found.events == []


def test_only_the_format_that_is_wanted_is_asked():
    assert one(FAILED, format="dovecot").formats == []


def run(*arguments: str):
    return CliRunner().invoke(cli, ["parse", *arguments])


def test_the_command_prints_json_where_nobody_looks():
    result = run("--year", "2025", "--zone", "UTC", "--explain", FAILED)
    assert json.loads(result.stdout)["format"] == "postfix"


def test_the_command_prints_a_table_for_eyes():
    result = run("--table", "--explain", FAILED + "\x1b[31m")
    assert result.exit_code == 0
    assert "postfix/smtpd 411" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--explain", "x", "file"]])
def test_it_takes_files_or_a_line(arguments):
    assert run(*arguments).exit_code == 2


def test_a_line_is_no_mail():
    assert "no mail" in run("--format", "dsn", "--explain", "x").stderr
