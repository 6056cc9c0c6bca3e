"""Whole mails, as producers and providers write them, become events."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events import Bounce, Complaint, Fact
from streams import reports
from streams.reports import mime

MAILS = Path(__file__).with_name("mails")
NOW = 1_800_000_000.0
STAMP = 1_772_445_600.0  # of our own hop in the mails
ABOUT = "original@example.com"

Row = tuple[str, str, int, str, str]
"""Failed recipient, status, reply code, enhanced status code, reason."""

BOUNCES: dict[str, list[Row]] = {
    "1und1": [("kim@example.org", "bounced", 0, "", "too_big")],
    "amazon": [("kim@example.org", "bounced", 550, "5.1.1", "user_unknown")],
    "base64-crlf": [("kim@example.org", "bounced", 550, "5.7.26", "policy")],
    "biglobe": [("kim@example.org", "bounced", 0, "", "mailbox_full")],
    "courier": [("kim@example.org", "bounced", 550, "5.0.0", "relay")],
    "dragonfly": [("kim@example.org", "bounced", 550, "5.1.1", "user_unknown")],
    "exchange-2003": [("kim@example.org", "bounced", 0, "5.1.1", "user_unknown")],
    "exchange-365": [("kim@example.org", "bounced", 554, "5.2.2", "mailbox_full")],
    "exim": [("kim@example.org", "bounced", 554, "5.7.1", "content")],
    "exim-delayed": [("kim@example.org", "deferred", 451, "4.7.1", "rate")],
    "facebook": [("kim@example.org", "bounced", 550, "5.1.1", "user_unknown")],
    "generic-status": [("kim@example.org", "bounced", 552, "5.2.2", "mailbox_full")],
    "gmail": [("kim@example.org", "bounced", 550, "5.1.1", "user_unknown")],
    "gmx": [("kim@example.org", "bounced", 0, "5.1.1", "user_unknown")],
    "html-only": [("kim@example.org", "bounced", 550, "5.4.1", "user_unknown")],
    "imailserver": [("kim@example.org", "bounced", 0, "", "mailbox_full")],
    "interscan": [("kim@example.org", "bounced", 550, "5.1.1", "user_unknown")],
    "james": [("kim@example.org", "bounced", 550, "", "user_unknown")],
    "japanese": [("kim@example.org", "bounced", 0, "", "user_unknown")],
    "m-filter": [("kim@example.org", "bounced", 550, "5.7.1", "relay")],
    "mailmarshal": [
        ("kim@example.org", "bounced", 554, "5.7.1", "reputation"),
        ("lee@example.org", "bounced", 554, "5.7.1", "reputation"),
    ],
    "no-blank-lines": [
        ("kim@example.org", "bounced", 0, "5.1.1", "user_unknown"),
        ("lee@example.org", "expired", 0, "5.4.7", "expired"),
    ],
    "notes": [("kim@example.org", "bounced", 0, "", "user_unknown")],
    "opensmtpd": [("kim@example.org", "bounced", 550, "5.2.2", "mailbox_full")],
    "postfix": [
        ("kim@example.org", "bounced", 550, "5.1.1", "user_unknown"),
        ("lee@example.org", "deferred", 452, "4.2.2", "mailbox_full"),
    ],
    "qmail": [
        ("kim@example.org", "bounced", 550, "5.1.1", "user_unknown"),
        ("lee@example.org", "bounced", 0, "5.1.2", "host_unknown"),
    ],
    "smtputf8": [("kìm@exámple.org", "bounced", 553, "5.6.7", "policy")],
    "yahoo": [("kim@example.org", "bounced", 554, "5.7.1", "reputation")],
    "zoho": [
        ("kim@example.org", "bounced", 550, "5.2.1", "suspended"),
        ("lee@example.org", "bounced", 550, "5.1.1", "user_unknown"),
    ],
}
Said = tuple[str, str, str, str, str]
"""Kind, client, sender, Message-ID, reporter."""

COMPLAINTS: dict[str, list[Said]] = {
    "amazon-complaint": [
        ("abuse", "198.51.100.7", "sender@example.com", "0101-000000", "kim@example.org")
    ],
    "arf": [
        ("abuse", "198.51.100.7", "sender@example.com", ABOUT, "kim@example.org"),
        ("abuse", "198.51.100.7", "sender@example.com", ABOUT, "lee@example.org"),
    ],
    "arf-auth-failure": [
        ("auth-failure", "2001:db8::7", "sender@example.com", ABOUT, "fbl@example.net")
    ],
    "arf-fraud-old": [("fraud", "", "sender@example.com", ABOUT, "fbl@example.net")],
    "arf-in-text": [("abuse", "198.51.100.7", "sender@example.com", ABOUT, "kim@example.org")],
    "complaint-inline": [("abuse", "", "bank@example.net", "phish@example.net", "kim@example.com")],
    "complaint-phish": [("fraud", "", "bank@example.net", "phish@example.net", "kim@example.com")],
    "complaint-provider": [("abuse", "", "sender@example.com", ABOUT, "staff@hotmail.example")],
    "dmarc-failure-prose": [
        ("auth-failure", "203.0.113.68", "sender@example.com", ABOUT, "no-reply@example.net")
    ],
    "unsubscribe": [("opt-out", "", "", "", "kim@example.org")],
}
SILENT = (
    "abuse-question",
    "delivered",
    "dmarc-aggregate",
    "forwarded",
    "ordinary",
    "postmaster-notice",
    "receipt",
    "tls-report",
    "vacation",
    "vacation-no-subject",
)


def read(name: str) -> list[Fact]:
    return reports.read((MAILS / f"{name}.eml").read_bytes(), now=NOW, gateway="mx1")


@pytest.mark.parametrize(("name", "expected"), BOUNCES.items(), ids=BOUNCES)
def test_a_bounce_for_each_failed_recipient(name: str, expected: list[Row]) -> None:
    events = read(name)
    assert [
        (e.failed_recipient, e.status, e.code, e.enhanced, e.reason)
        for e in events
        if isinstance(e, Bounce)
    ] == expected
    for event in events:
        assert isinstance(event, Bounce)
        assert (event.direction, event.source, event.gateway) == ("received", "intake", "mx1")
        assert (event.at, event.client) == (STAMP, "192.0.2.25")
        assert event.recipient == "sender@example.com"
        assert event.about in (ABOUT, "0101-000000", "")
        assert len(event.reply) <= 300


@pytest.mark.parametrize(("name", "expected"), COMPLAINTS.items(), ids=COMPLAINTS)
def test_complaints(name: str, expected: list[Said]) -> None:
    events = read(name)
    assert [
        (e.kind, e.client, e.sender, e.message_id, e.reporter)
        for e in events
        if isinstance(e, Complaint)
    ] == expected
    assert len(events) == len(expected)


@pytest.mark.parametrize("name", SILENT)
def test_what_is_no_report_says_nothing(name: str) -> None:
    assert read(name) == []


def test_a_reporter_who_is_not_named_is_the_one_who_wrote() -> None:
    raw = (MAILS / "arf.eml").read_bytes().replace(b"<kim@example.org>", b"redacted")
    told = reports.read(raw, now=NOW)
    assert [getattr(event, "reporter", "") for event in told] == [
        "fbl@example.net",
        "lee@example.org",
    ]


def test_reports_that_are_passed_on_are_read_each() -> None:
    assert [event.type for event in read("passed-on")] == ["bounce"] * 2 + ["complaint"] * 2


def test_every_mail_is_expected() -> None:
    names = {path.stem for path in MAILS.iterdir()} - {"passed-on"}
    assert names == {*BOUNCES, *COMPLAINTS, *SILENT}


@pytest.mark.parametrize("name", ["postmaster", "abuse", "support"])
def test_the_names_of_offices_can_fail_too(name: str) -> None:
    raw = (MAILS / "qmail.eml").read_bytes().replace(b"<kim@", f"<{name}@".encode())
    told = reports.read(raw, now=NOW)
    assert [getattr(event, "failed_recipient", "") for event in told] == [
        f"{name}@example.org",
        "lee@example.org",
    ]


def test_the_reply_begins_with_its_code() -> None:
    (event,) = read("exim")
    assert isinstance(event, Bounce)
    assert event.reply == "554 5.7.1 Message rejected as spam"


def test_a_mail_of_bare_returns_is_read_too() -> None:
    raw = (MAILS / "postfix.eml").read_bytes()
    told = reports.read(raw, now=NOW)
    assert reports.read(raw.replace(b"\n", b"\r"), now=NOW) == told
    assert reports.read(raw.replace(b"\n", b"\r\n"), now=NOW) == told
    assert reports.read(b"From x Mon Mar  2 10:00:00 2026\n" + raw, now=NOW) == told


def test_a_stamp_is_never_later_than_now() -> None:
    raw = (MAILS / "qmail.eml").read_bytes()
    assert [event.at for event in reports.read(raw, now=1000.0)] == [1000.0] * 2
    assert [event.at for event in reports.read(raw, now=NOW, at=7.0)] == [7.0] * 2


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        (["from x (x [203.0.113.5]) by mx1"], "203.0.113.5"),
        (["from x (x [IPv6:2001:db8::5]) by mx1"], "2001:db8::5"),
        (["from [203.0.113.6] (helo=[198.51.100.1]) by mx1 with esmtp"], "203.0.113.6"),
        (["from name ([203.0.113.6] helo=[198.51.100.1]) by mx1 with esmtp"], "203.0.113.6"),
        (["from [198.51.100.1] (unknown [203.0.113.6]) by mx1 with ESMTP"], "203.0.113.6"),
        (["from (x[198.51.100.1]) (x [203.0.113.6]) by mx1 with ESMTP"], "203.0.113.6"),
        (["from h (a@x.example [203.0.113.6] (may be forged)) by mx1"], "203.0.113.6"),
        (["from y (HELO [198.51.100.1]) (203.0.113.6) by mx1"], "203.0.113.6"),
        (["from y (HELO z) (198.51.100.1) (203.0.113.6) by mx1"], ""),
        (["from y (203.0.113.6) by mx1"], "203.0.113.6"),
        (
            ["from [127.0.0.1] (x [127.0.0.1]) by mx1", "from y ([203.0.113.5]) by mx1"],
            "203.0.113.5",
        ),
        (["by 2002:a05 with SMTP id x", "from y ([203.0.113.5]) by mx1"], ""),
        ([], ""),
    ],
)
def test_the_client_is_who_came_to_us(hops: list[str], client: str) -> None:
    head = "".join(f"Received: {hop}\n" for hop in hops)
    body = (MAILS / "qmail.eml").read_text().partition("From:")[2]
    events = reports.read(f"Return-Path: <>\n{head}From:{body}".encode(), now=NOW)
    assert {getattr(event, "client", "") for event in events} == {client}


# -- hostile mails ----------------------------------------------------------------------------

HEAD = b"Return-Path: <>\nFrom: MAILER-DAEMON@example.net\nSubject: Undelivered Mail\n"
MULTIPART = HEAD + b"Content-Type: multipart/report; boundary=b\n\n"


def nested(depth: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth)
    )


HOSTILE = {
    "deep": HEAD + nested(20_000),
    "one boundary": MULTIPART + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 50_000,
    "parts": MULTIPART + b"--b\n\nx\n" * 200_000,
    "headers": HEAD + b"X: y\n" * 1_000_000,
    "one header": HEAD + b"X: " + b"a" * 10_000_000,
    "large": HEAD + b"\n" + b"550 5.1.1 <a@example.org> user unknown\n" * 2_600_000,
    "addresses": HEAD + b"\n" + b"".join(b"<a%d@example.org>: 550 no\n" % n for n in range(40_000)),
    "signs": HEAD + b"\n" + b"@" * 1_000_000,
    "words": HEAD + b"\n" + b"a: " * 300_000,
    "marks": HEAD + b"\n" + b"--- original message x\n" * 50_000,
    "fields": HEAD + b"\n" + b"From: a\nTo: b\n\n" * 60_000,
    "groups": MULTIPART
    + b"--b\nContent-Type: message/delivery-status\n\n"
    + b"".join(b"Final-Recipient: rfc822; a%d@b.c\nStatus: 5.0.0\n\n" % n for n in range(20_000)),
    "diagnosis": MULTIPART
    + b"--b\nContent-Type: message/delivery-status\n\nFinal-Recipient: rfc822; a@b.c\n"
    + b"Diagnostic-Code: smtp; 550 "
    + b"user mailbox recipient " * 40_000,
    "styles": HEAD + b"Content-Type: text/html\n\n" + b"<style" * 200_000,
    "base64": HEAD + b"Content-Transfer-Encoding: base64\n\n" + b"QUFB" * 3_000_000,
    "quoted": HEAD + b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=3D=\n" * 2_000_000,
    "punycode": HEAD + b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 500_000,
    "no charset": HEAD
    + b"Content-Type: text/plain; charset=\xff\xfe\n\n"
    + b"\xff\x1b$B" * 300_000,
    "subject": b"Return-Path: <>\nFrom: postmaster@x\nSubject: " + b"=?utf-8?q?a?= " * 100_000,
    "json": HEAD + b'\n{"notificationType":' + b"[" * 500_000,
    "returns": HEAD + b"\n" + b"\r" * 3_000_000,
    "quotes": HEAD + b"\n" + b"> " * 500_000,
    "transcript": HEAD + b"\n" + b">>> RCPT TO:<a@b.c>\n<<< 550 x\n" * 30_000,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_mail_costs_bounded_time_and_memory(raw: bytes) -> None:
    begun = perf_counter()
    events = reports.read(raw, now=NOW)
    assert perf_counter() - begun < 2.0  # tens of milliseconds, on a machine that does nothing else
    assert len(events) <= 500
    tracemalloc.start()
    reports.read(raw, now=NOW)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


def fragments() -> Iterator[bytes]:
    for path in sorted(MAILS.iterdir()):
        yield from path.read_bytes().splitlines(keepends=True)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(sorted(set(fragments()))) | st.binary(max_size=60), max_size=60))
def test_no_mail_is_too_broken(lines: list[bytes]) -> None:
    for event in reports.read(b"".join(lines), now=NOW):
        if isinstance(event, Bounce):
            assert event.reason
            assert event.failed_recipient == event.failed_recipient.lower()
        else:
            assert isinstance(event, Complaint)
            assert event.kind


# -- parts ------------------------------------------------------------------------------------


def test_parts_are_decoded() -> None:
    raw = (
        b'Content-Type: multipart/mixed;\n boundary="x y"\n\npreamble\n--x y\n'
        b"Content-Type: text/plain; charset=iso-8859-1\n"
        b"Content-Transfer-Encoding: quoted-printable\n"
        b"\n=E9t=E9\n--x y\nContent-Type: text/html\n\n<p>a&lt;b</p><script>c</script>\n--x y--\n"
        b"epilogue"
    )
    mail = mime.split(raw)
    assert [(part.kind, part.text().strip()) for part in mail.parts] == [
        ("text/plain", "été"),
        ("text/html", "a<b"),
    ]


def test_a_multipart_without_its_boundary_is_one_part() -> None:
    (part,) = mime.split(b"Content-Type: multipart/mixed; boundary=x\n\nhello").parts
    assert part.body == b"hello"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("=?utf-8?B?w6l0w6k=?= x", "été x"),
        ("=?nonsense?B?!!!?=", "=?nonsense?B?!!!?="),
        ("plain", "plain"),
    ],
)
def test_words_of_a_header(value: str, expected: str) -> None:
    assert mime.words(value) in (expected, "")
