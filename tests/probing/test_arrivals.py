import asyncio
import os
from pathlib import Path

import pytest

from agents.probing import arrivals
from agents.probing.arrivals import Arrivals
from agents.probing.forms import Form
from agents.probing.relay import Try, letter, outcome, proved

FORM = Form("plain", "a@example.net", "b@example.com")
ONE, TWO = "1" * 24, "2" * 24


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def report(token: str) -> bytes:
    head = b'Return-Path: <>\r\nContent-Type: multipart/report; boundary="b"\r\n\r\n--b\r\n'
    return head + b"Content-Type: message/rfc822\r\n\r\n" + letter(FORM, token) + b"\r\n--b--\r\n"


def test_a_letter_proves_relaying_and_a_report_the_opposite(maildir: Path) -> None:
    (maildir / "new" / "1").write_bytes(letter(FORM, ONE))
    (maildir / "cur" / "2").write_bytes(report(TWO))
    assert arrivals.read(maildir, 0) == Arrivals(frozenset({ONE}), frozenset({TWO}))


def test_other_mail_and_old_mail_say_nothing(maildir: Path) -> None:
    (maildir / "new" / "1").write_bytes(b"From: <a@example.org>\r\n\r\nhello\r\n")
    (maildir / "new" / "2").write_bytes(letter(FORM, ONE))
    os.utime(maildir / "new" / "2", (5, 5))
    assert arrivals.read(maildir, 10) == Arrivals()


def test_it_waits_until_all_is_known(maildir: Path) -> None:
    async def later() -> Arrivals:
        waiting = asyncio.create_task(arrivals.wait(maildir, frozenset({ONE}), 0, 30))
        await asyncio.sleep(0)
        (maildir / "new" / "1").write_bytes(letter(FORM, ONE))
        return await waiting

    assert asyncio.run(later()).relayed == {ONE}


def test_it_does_not_wait_forever(maildir: Path) -> None:
    assert asyncio.run(arrivals.wait(maildir, frozenset({ONE}), 0, 0)) == Arrivals()


def sent(token: str = "", verdict: str = "accepted") -> Try:
    return Try("plain", "", "", verdict, "DATA", "250 ok", token=token)  # type: ignore[arg-type]


def test_what_arrived_decides() -> None:
    tries = [sent(ONE), sent(TWO), sent("3" * 24), sent()]
    found = proved(tries, frozenset({ONE}), frozenset({TWO}))
    assert [each.verdict for each in found] == ["relayed", "bounced", "accepted", "accepted"]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("refused", "refused"), "closed"),
        (("refused", "bounced"), "closed"),
        (("refused", "unknown"), "unknown"),
        (("unknown", "accepted"), "open"),
        (("relayed",), "open"),
        ((), "unknown"),
    ],
)
def test_one_form_makes_a_relay(verdicts: tuple[str, ...], expected: str) -> None:
    assert outcome(sent(verdict=each) for each in verdicts) == expected
