"""What holds for every format, shown by the case lines of all of them."""

import base64
import re

import pytest
from msgspec import structs

from streams.parsers import PARSERS
from streams.parsers.part import DOCUMENT, INDENTED, Record
from streams.secrets import mask
from tests.parsers import cases, records

MASK = mask()
FILES = sorted(cases.FOLDER.glob("*.log"))
CASES = cases.cases()


def named(case):
    return case.place


def events(case, lines):
    """What lines make, in the order of time, but for where they lay."""
    found = cases.read(lines, **case.options)
    told = [structs.replace(event, offset=-1) for event in found.events]
    return sorted(told, key=repr), len(found.dead)


# -- one format for each line -------------------------------------------------------------------


def untagged(record: Record) -> Record:
    return Record(record.at, record.host, "", record.pid, record.text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_line_is_claimed_by_one_format_at_most(path):
    """With its tag and, of text, without it too."""
    for case in cases.of_file(path):
        for record in records.of_case(case):
            tagged = record.program not in ("", DOCUMENT, INDENTED[0]) and record.data is None
            for each in (record, untagged(record)) if tagged else (record,):
                who = [one.name for one in PARSERS.values() if records.claims(one, each, MASK)]
                assert len(who) <= 1, (who, each)


# -- the same line in other clothes -------------------------------------------------------------

ENDS = {"crlf": b"\r\n", "cr": b"\r", "nul": b"\x00", "nul_crlf": b"\x00\r\n"}

UNLIKE = {
    # case, variants: why these are another case
    ("envelopes.log:107", "crlf cr"): "the runtime's pieces are put together as they are",
}


def unlike(case, variant):
    return any(case.place == place and variant in names.split() for place, names in UNLIKE)


@pytest.mark.parametrize("variant", ENDS)
def test_what_a_line_ends_with_changes_nothing(variant):
    for case in CASES:
        if not unlike(case, variant):
            lines = [line + ENDS[variant] for line in case.lines]
            assert events(case, lines) == events(case, case.lines), case.place


@pytest.mark.parametrize("begin", [b"\xef\xbb\xbf", b"\x00" * 512], ids=["bom", "hole"])
def test_what_a_file_begins_with_changes_nothing(begin):
    for case in CASES:
        lines = [begin + case.lines[0], *case.lines[1:]]
        assert events(case, lines) == events(case, case.lines), case.place


def test_empty_lines_between_change_nothing():
    for case in CASES:
        lines = [each for line in case.lines for each in (b"", line, b"\r\n")]
        assert events(case, lines) == events(case, case.lines), case.place


PID = re.compile(rb"(?<=[\w)])\[\d+\]: ")
TOLD_APART_BY_PID = {"postfix.log:570"}
"""Two sessions at once, of which the second line names no client."""


def test_a_missing_pid_changes_nothing_but_what_it_alone_tells_apart():
    changed = set()
    for case in CASES:
        lines = [PID.sub(b": ", line, count=1) for line in case.lines]
        if lines != case.lines and events(case, lines) != events(case, case.lines):
            changed.add(case.place)
    assert changed == TOLD_APART_BY_PID


TAG = re.compile(
    rb"(?P<head>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ )[\w./-]+(?:\([\w.:-]+\))?(?:\[\d+\])?: "
)

ANOTHER_STORY = {
    "exim.log:40": "two sessions with the same words count twice, for nothing tells them apart",
    "pam.log:16": "PAM and the server tell of one attempt; without tags only PAM does",
    "pam.log:29": "saslauthd and the server tell of one attempt, likewise",
    "pam.log:34": "saslauthd and the server tell of one attempt, likewise",
    "postfix.log:460": "the line is of anvil, and repeats words of smtpd that it alone would say",
    "sendmail.log:35": "the attempt's second line, which alone names the client, is lost",
    "sendmail.log:100": "the refusals are lost, so the message of the rest is not theirs",
}


def about(event):
    return event.type, getattr(event, "client", ""), getattr(event, "account", "")


def test_without_its_tag_a_line_tells_the_same_or_less():
    other = set()
    for case in CASES:
        lines = [TAG.sub(rb"\g<head>", line) for line in case.lines]
        if lines == case.lines:
            continue
        told = [about(event) for event in events(case, case.lines)[0]]
        for each in (about(event) for event in events(case, lines)[0]):
            if each in told:
                told.remove(each)
            else:
                other.add(case.place)
    assert other == set(ANOTHER_STORY)


# -- secrets ------------------------------------------------------------------------------------

SHOWN = re.compile(
    r"given password: (?P<a>[^)]+)\)"
    r"|\(pass: '(?P<b>[^']+)'\)"
    r"|AUTH PLAIN (?P<c>[A-Za-z0-9+/]{8,}={0,2})"
    r"|AUTHENTICATE PLAIN (?P<d>[A-Za-z0-9+/]{8,}={0,2})"
    r"|RECEIVED: (?:PASS (?P<e>\S+?)|\S+ LOGIN \S+ (?P<f>\S+?))\"?$"
    r"|\bPASS (?P<g>[^ \"]+)"
)
HIDDEN = re.compile(r"\*+|<.*>")


def secrets(line: str) -> set[str]:
    """The passwords that a line shows, as they stand there and as they were typed."""
    found = set()
    for match in SHOWN.finditer(line):
        for said in filter(None, match.groups()):
            found.add(said)
            try:
                typed = base64.b64decode(said, validate=True).split(b"\0")[-1].decode()
            except ValueError:
                continue
            found.add(typed)
    return {secret for secret in found if len(secret) >= 5 and not HIDDEN.fullmatch(secret)}


SECRET_CASES = [
    (case, shown)
    for case in CASES
    if (shown := {one for line in case.lines for one in secrets(line.decode(errors="replace"))})
]


def test_there_are_cases_with_secrets():
    assert len(SECRET_CASES) >= 7


def test_no_event_shows_a_secret_that_its_line_shows():
    for case, shown in SECRET_CASES:
        found = cases.read(case.lines, **case.options)
        told = [repr(event).lower() for event in found.events]
        for secret in shown:
            assert not any(secret.lower() in event for event in told), (case.place, secret)


PLANTED = "Xq7planted"
STARS = re.compile(rb"(?<=[ ,\"])\*{3,5}(?=[,\"]|$)")


def test_no_event_shows_a_secret_where_the_server_usually_puts_stars():
    """An old version, or another setting, may show it."""
    tried = 0
    for case in CASES:
        lines = [STARS.sub(PLANTED.encode(), line) for line in case.lines]
        if lines != case.lines:
            tried += 1
            found = cases.read(lines, **case.options)
            told = [repr(event).lower() for event in found.events]
            assert not any(PLANTED.lower() in event for event in told), case.place
    assert tried >= 3
