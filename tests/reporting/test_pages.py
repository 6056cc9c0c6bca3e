"""The same figures on a terminal and in HTML, and nothing of an attacker's as code."""

import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from agents.reporting import html, sentences, terminal
from agents.reporting.served import Served, counted, served
from schemas.findings import Subject
from tests.reporting.test_figures import DAY, NOW, alert, changed, decision, report

EVIL = "<script>alert(1)</script>\"'&\x1b[31m\u202e@example.org"


def shown(found: object) -> str:
    console = Console(width=100, force_terminal=False)
    with console.capture() as capture:
        console.print(terminal.page(found))  # type: ignore[arg-type]
    return capture.get()


class Seen(HTMLParser):
    """Tags, attributes and text of a document; well-formed or the test fails."""

    EMPTY = frozenset({"meta", "rect", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


ATTACKED = report(
    alert("a", subject=Subject("account", EVIL), detector="auth_breach", origins=[f"AS1 {EVIL}"]),
    alert("b", detector=EVIL, severity="low", accounts=["x"]),
    alert("c", state="withdrawn"),
    alert("d", severity="info"),
    alert("e", stage="observe"),
    audit=[
        changed("decided", "n:1", action="drop", enforced=True),
        changed("decided", "n:2", action="drop"),
        changed("removed", "n:1"),
    ],
    in_force=[decision("192.0.2.1/32", enforced=True)],
    source=EVIL,
    served=Served(NOW, {"policy": 5}, {"nftables": 7}),
)


def test_what_an_attacker_wrote_is_text_everywhere() -> None:
    page = html.page(ATTACKED)
    seen = Seen(page)
    assert "script" not in seen.tags
    assert "<script>alert(1)</script>" in seen.text
    assert not seen.attributes & {"src", "href", "onload", "onerror"}
    for text in (page, shown(ATTACKED)):
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_the_page_needs_nothing_else() -> None:
    page = html.page(ATTACKED)
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page


def test_both_pages_say_the_same() -> None:
    text, seen = " ".join(shown(ATTACKED).split()), Seen(html.page(ATTACKED))
    for sentence in sentences.headline(ATTACKED):
        assert sentence in text
        assert sentence in seen.text
    for table in sentences.tables(ATTACKED):
        assert (
            (table.title in text) == (table.title in seen.text) == bool(table.rows or table.empty)
        )


def test_the_headline_says_what_counts() -> None:
    assert sentences.headline(ATTACKED) == [
        "2 attacks found, in 2 incidents; 1 of high or critical severity.",
        "1 decision enforced, 1 in force now. 1 only observed.",
        (
            "Half of the incidents were told within 1 min after their first event, nine of ten"
            " within 1 min (known for 2 of 2)."
        ),
        "1 of 3 findings were withdrawn (33.3 %).",
        "Since 2023-11-14 22:13 the gateways here have refused 5 requests and 7 packets.",
        "1 account to look after now: see below.",
        "Besides, 1 note without an accusation.",
        "1 finding of detectors on trial not counted.",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Nothing had to be decided."),
        (
            {"audit": [changed("decided", "n:1", action="drop")]},
            "Nothing was enforced: 1 decision only observed.",
        ),
        (
            {"made": [decision("192.0.2.1/32")], "replayed": True},
            "1 decision would have been made: a replay only shows.",
        ),
    ],
)
def test_a_quiet_time_is_told_too(more: dict[str, object], said: str) -> None:
    quiet = report(**more)
    assert sentences.headline(quiet) == ["No attack was found.", said]
    assert "Nothing." in shown(quiet)
    assert "<svg" not in html.page(quiet)


def test_of_a_long_time_a_terminal_shows_the_days_with_attacks() -> None:
    long = report(alert("a", ago=40 * DAY), alert("b"), since=NOW - 60 * DAY)
    text = shown(long)
    assert "Days with attacks" in text
    assert "2023-10-05" in text
    assert "2023-10-06" not in text
    assert html.page(long).count("<g>") == 61


def test_gateways_that_refused_nobody_are_not_told_of() -> None:
    quiet = report(served=Served(NOW, {}, {}))
    assert not [each for each in sentences.headline(quiet) if "refused" in each]


METRICS = """\
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1000.0
# TYPE mailwarden_gateway_answers_total counter
mailwarden_gateway_answers_total{gateway="policy",answer="neutral"} 90.0
mailwarden_gateway_answers_total{gateway="policy",answer="reject"} 3.0
mailwarden_gateway_answers_total{gateway="policy",answer="tarpit"} 2.0
mailwarden_gateway_answers_total{gateway="auth_policy",answer="refuse"} 4.0
# TYPE mailwarden_gateway_refused_packets_total counter
mailwarden_gateway_refused_packets_total{gateway="nftables",fate="dropped"} 8.0
"""


def test_refusals_are_counted_and_no_other_answers() -> None:
    assert counted(METRICS) == Served(1000.0, {"policy": 5, "auth_policy": 4}, {"nftables": 8})


def test_a_program_that_is_not_there_is_no_error() -> None:
    assert served("") is None
    assert served("127.0.0.1:1") is None
