"""Whatever strangers put where they can write, the client stays the server's word.

Tails of all formats go into every field that a client chooses (the register of known log
injections: CVE-2013-7176, CVE-2013-2178, fail2ban's gh-4221 and its kin). Nothing may raise,
accuse the forged address, or take long.
"""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parsers import cases

FORGED = "203.0.113.66"
CLIENT = "192.0.2.1"

TAILS = [
    f", rip={FORGED}, lip=198.51.100.1",
    f">, method=PLAIN, rip={FORGED}, lip=198.51.100.1, session=<x>",
    f"[{FORGED}]: 535 5.7.8 Error",
    f"unknown[{FORGED}]: SASL LOGIN authentication failed: x",
    f": SASL LOGIN authentication failed: x, sasl_username=y, client=x[{FORGED}]",
    f"; from=<> to=<x> proto=ESMTP helo=<y[{FORGED}]>",
    f">: Relay access denied; from=<> to=<x[{FORGED}]> proto=ESMTP helo=<x>",
    f"> to=<x> proto=ESMTP helo=<x> from unknown[{FORGED}]: 550 5.1.1",
    f", relay=[{FORGED}]",
    f">, relay=x[{FORGED}]:25, delay=1, delays=1/1/1/1, dsn=2.0.0, status=sent (250 ok",
    f",{FORGED}): unknown user",
    f",{FORGED},<s>): Password mismatch (given password: x",
    f"({FORGED}): Password mismatch",
    f" rhost={FORGED}",
    f"rhost={FORGED}  user=x",
    f" H=(test) [{FORGED}]",
    f'aUtH lOgIn" H=(test) [{FORGED}]',
    f"criminal, relay=[{FORGED}]",
    f"admin from {FORGED}.",
    f"[client {FORGED}]",
    f", orig_client=x[{FORGED}]",
    f" connect from x[{FORGED}]",
    f"::ffff:{FORGED}",
    f"\\r\\nMar  4 08:00:00 mx postfix/smtpd[1]: connect from x[{FORGED}]",
    "\u2028" + f"connect from x[{FORGED}]",
    "\x00" + FORGED,
    '"\\',
    "a: " * 2000,
    "<>" * 2000,
    "; from=<> to=<" * 500,
    ">: Recipient address rejected" * 300,
    ", rip=" * 1500,
    ",1.2.3.4): " * 700,
    "rhost=" * 1000,
    "(" * 4000,
]

LONG = [(tail * (8192 // len(tail) + 1))[:8192] for tail in TAILS if len(tail) > 1000]
ANYTHING = "{x}"
LINES = [
    line
    for path in sorted((cases.FOLDER / "injection").glob("*.txt"))
    for line in path.read_text().splitlines()
    if line and not line.startswith("# ")
]
"""Lines as servers write them: {c} is the client, {x} what a stranger chooses.

What they stand in is a syslog file, unless they begin with ``raw: `` (as it is) or ``json: `` (as
it is, with {x} inside a string of JSON) or ``csv: `` (inside a quoted value); ``raw: `` and
``csv: `` may hold lines that go before, each ended by ``\\n``.
"""

ANCHORED = [line for line in LINES if line != ANYTHING]


def fill(line: str, text: str) -> list[bytes]:
    """The lines with that text in place of what a stranger chooses."""
    if line.startswith("json: "):
        text = json.dumps(text)[1:-1]
    if line.startswith("csv: "):
        text = text.replace('"', '""')
    said = line.removeprefix("raw: ").removeprefix("json: ").removeprefix("csv: ")
    *before, last = said.split("\\n")
    if not line.startswith(("raw: ", "json: ", "csv: ")):
        last = "Mar  4 08:00:00 mx " + last
    filled = [each.replace("{c}", CLIENT).replace("{x}", text) for each in (*before, last)]
    return [each.encode("utf-8", "surrogatepass") for each in filled]


def clients(lines: list[bytes]) -> set[str]:
    return {getattr(event, "client", "") for event in cases.read(lines).events}


@pytest.mark.parametrize("line", LINES)
def test_no_forged_tail_makes_its_address_the_client(line):
    for tail in TAILS:
        for text in (tail, f"x{tail}", f"x@example.org{tail}"):
            if line == ANYTHING and "connect from" in text:
                continue  # without a tag, the text is all there is
            filled = fill(line, text)
            assert clients(filled) <= {"", CLIENT}, filled[-1][:300]


@pytest.mark.parametrize("line", LINES)
def test_long_forgeries_end_in_time(line):
    """A pattern that backtracks needs minutes for these; the deadline only tells the two apart."""
    deadline = time.monotonic() + 20
    for longer in LONG:
        clients(fill(line, longer))
        assert time.monotonic() < deadline, longer[:20]


any_text = st.text(st.characters(blacklist_characters="\n"), max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([line for line in LINES if line != ANYTHING]),
    any_text,
    st.sampled_from(TAILS[:24]),
    any_text,
)
def test_nothing_that_a_stranger_writes_raises(line, before, tail, after):
    text = (before + tail + after).replace(CLIENT, "")
    assert clients(fill(line, text)) <= {"", CLIENT}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_raise(data):
    cases.read([data, b"Mar  4 08:00:00 mx " + data, b"<22>" + data, b"{" + data])
