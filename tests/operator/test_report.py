"""The readable report: what a person sees, exactly; and nothing that a terminal would obey."""

from io import StringIO

import msgspec
import pytest
from rich.console import Console, RenderableType

from agents.operator import report
from agents.words import number, span
from schemas.findings import Alert, Decision, Evidence, Sample, Subject, Target

AT = 1772445600.0  # 2026-03-02T10:00:00Z

BREACH = Alert(
    id="0011223344556677",
    detector="auth_breach",
    shape="guessed",
    severity="critical",
    subject=Subject("account", "mara@example.org"),
    first=AT,
    last=AT + 540,
    at=AT + 540,
    summary="192.0.2.66 opened mara@example.org after guessing at 15 accounts",
    evidence=[
        Evidence("accounts failed", 15, 5),
        Evidence("share of failures", 0.9375, 0.5),
        Evidence("messages", 2, 20, "an hour"),
    ],
    decision="nothing: a person decides about accounts",
)
GUESSER = msgspec.structs.replace(
    BREACH,
    id="8899aabbccddeeff",
    detector="auth_dictionary",
    shape="dictionary",
    severity="high",
    subject=Subject("client", "192.0.2.66"),
    summary="failed at 15 accounts in 9 minutes",
    evidence=[Evidence("accounts failed", 15, 5)],
    decision="drop 192.0.2.66 for 20 min",
)
DROP = Decision(
    id="network:192.0.2.66:drop",
    target=Target("network", "192.0.2.66"),
    action="drop",
    alert=GUESSER.id,
    since=AT,
    until=AT + 1200,
    generation=2,
)


def test_without_a_terminal_lines_are_as_wide_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert report.console().width == report.WIDE
    monkeypatch.setenv("COLUMNS", "72")
    assert report.console().width == 72
    monkeypatch.setenv("COLUMNS", "400")
    assert report.console().width == report.WIDEST


def shown(what: RenderableType, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width, color_system=None, force_terminal=False)
    console.print(what)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


def test_a_finding_shows_who_what_when_its_counts_and_what_follows() -> None:
    assert shown(report.findings([GUESSER, BREACH], [DROP])) == (
        """\
HIGH      auth_dictionary dictionary  192.0.2.66               Mar 2 10:00–10:09
          failed at 15 accounts in 9 minutes
          accounts failed 15 ≥ 5
          → drop 192.0.2.66 for 20 min, after 1 earlier decision
CRITICAL  auth_breach guessed  mara@example.org                Mar 2 10:00–10:09
          192.0.2.66 opened mara@example.org after guessing at 15 accounts
          accounts failed 15 ≥ 5  share of failures 0.94 ≥ 0.5
          → nothing: a person decides about accounts"""
    )


def test_findings_that_are_alike_are_folded_beyond_a_few() -> None:
    many = [
        msgspec.structs.replace(GUESSER, id=f"{n:016x}", subject=Subject("client", f"192.0.2.{n}"))
        for n in range(1, 9)
    ]
    text = shown(report.findings(many))
    assert text.count("auth_dictionary") == 1
    assert "+ 7 alike: 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5 and 3 more" in text
    assert shown(report.findings(many[:4])).count("auth_dictionary") == 4


def test_a_narrow_terminal_cuts_names_and_keeps_the_time() -> None:
    first = shown(report.findings([BREACH]), width=60).splitlines()[0]
    assert first.endswith("Mar 2 10:00–10:09")
    assert "…" in first
    assert len(first) <= 60


@pytest.mark.parametrize(
    "hostile",
    ["\x1b]0;owned\x07", "\x1b[2J", "\u202egro.elpmaxe", "a\rb", "\x9b31m", "\u2066x"],
)
def test_nothing_from_a_log_steers_the_terminal(hostile: str) -> None:
    alert = msgspec.structs.replace(
        BREACH,
        summary=hostile,
        detector=hostile,
        shape=hostile,
        subject=Subject("account", hostile),
        evidence=[Evidence(hostile, 1, 2, hostile)],
        decision=hostile,
    )
    drop = msgspec.structs.replace(DROP, alert=BREACH.id, target=Target("account", hostile))
    for text in (shown(report.findings([alert])), shown(report.findings([alert], [drop]))):
        assert all(c.isprintable() or c == "\n" for c in text)


def test_counts_below_their_thresholds_show_only_where_none_is_above() -> None:
    below = [Evidence("tries", 2, 20, "an hour"), Evidence("accounts", 1, 5)]
    assert shown(report.counts(below)) == "tries 2 < 20 an hour  accounts 1 < 5"


def test_a_threshold_that_says_nothing_is_left_out() -> None:
    found = [
        Evidence("servers that report", 85, 0),
        Evidence("honeypots", 1, 1),
        Evidence("accounts", 15, 5),
        Evidence("changes", 0, 0),
        Evidence("new places", 1, 1, "networks"),
    ]
    assert shown(report.counts(found)) == (
        "honeypots 1  accounts 15 ≥ 5  new places 1  servers that report 85"
    )
    below = [Evidence("servers that report", 85, 0), Evidence("honeypots", 0, 1)]
    assert shown(report.counts(below)) == "honeypots 0 < 1  servers that report 85"


def test_events_are_told_in_words_with_the_place_of_their_lines() -> None:
    told = [
        Sample(AT, '{"type":"auth","at":1,"client":"192.0.2.66","outcome":"failed"}', "mail.log:7"),
        Sample(AT + 61, "127.0.0.2 listed", ""),
        Sample(AT + 62, "[1]", ""),
    ]
    assert shown(report.samples(told)) == (
        """\
  Mar  2 10:00:00  auth  client=192.0.2.66  outcome=failed
                   mail.log:7
  Mar  2 10:01:01  127.0.0.2 listed
  Mar  2 10:01:02  [1]"""
    )


def test_a_count_is_broken_from_its_threshold_only_where_there_is_no_room() -> None:
    found = [Evidence("fan_out", 60, 50, "recipients"), Evidence("unknown recipients", 64, 25)]
    assert shown(report.counts(found), width=40) == (
        "fan out 60 ≥ 50 recipients\nunknown recipients 64 ≥ 25"
    )
    assert shown(report.counts(found), width=20).splitlines()[0] == "fan out 60 ≥ 50"
    assert shown(report.counts([Evidence("places", 3, 0, "networks")])) == "places 3 networks"


def test_an_estimate_is_shown_as_one() -> None:
    rough = [Evidence("accounts", 178, 5, estimated=True), Evidence("tries", 200, 20)]
    assert shown(report.counts(rough)) == "accounts about 178 ≥ 5  tries 200 ≥ 20"


def test_markup_from_a_log_is_text() -> None:
    alert = msgspec.structs.replace(BREACH, summary="[bold red]x[/] [link=file:///]y[/link]")
    assert "[bold red]x[/] [link=file:///]y[/link]" in shown(report.findings([alert]))


def test_severities_are_counted_the_worst_first() -> None:
    assert shown(report.by_severity([GUESSER, BREACH, GUESSER])) == " 1 critical   2 high"
    assert shown(report.by_severity([])) == "nothing"


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (AT, AT + 1, "Mar 2 10:00"),
        (AT, AT + 60, "Mar 2 10:00–10:01"),
        (AT, AT + 86400, "Mar 2 10:00 – Mar 3 10:00"),
    ],
)
def test_a_period_names_each_date_once(first: float, last: float, words: str) -> None:
    assert report.period(first, last) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.5, "0.5 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90, "1.5 min"),
        (1914, "32 min"),
        (3569, "59 min"),
        (3570, "1 h"),
        (5400, "1 h 30 min"),
        (19200, "5 h 20 min"),
        (86399, "1 d"),
        (90000, "1 d 1 h"),
        (604800, "7 d"),
    ],
)
def test_a_span_is_told_as_people_say_it(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_numbers_read_well() -> None:
    assert [number(value) for value in (3, 1234.0, 0.5, 0.125)] == [
        "3",
        "1,234",
        "0.5",
        "0.12",
    ]
