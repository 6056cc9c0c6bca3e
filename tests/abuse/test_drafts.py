"""ARF is read by our own parser of it, X-ARF by the library of xarf.org and its schema."""

import base64
import email
import json
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import pytest
import xarf

from agents.abuse import drafts
from agents.abuse.attack import KINDS, Attack, Mail, attacks
from schemas import net
from schemas.events import Auth, Complaint, Message
from schemas.settings import AbuseSettings
from streams import reports
from tests.abuse.test_attack import BAD, GUESS, of
from tests.sinks.alerts import EVIL

US = AbuseSettings(sender="abuse@example.org", organisation="Example Org")
THEM = "abuse@example.net"
MAIL = Message(
    at=1_700_000_002.0, gateway="mx1", client=BAD, message_id="<1@x>", sender="a@bad.example"
)


def attack(*events: Any, **more: Any) -> Attack:
    [found] = attacks(of(*(events or (GUESS,)), **more), net.Networks())
    return found


def parsed(raw: bytes) -> EmailMessage:
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    return cast(EmailMessage, email.message_from_bytes(raw, policy=default))


def part(message: EmailMessage, kind: str) -> EmailMessage:
    [found] = [one for one in message.walk() if one.get_content_type() == kind]
    return cast(EmailMessage, found)


def report_of(raw: bytes) -> dict[str, Any]:
    found = part(parsed(raw), "application/json")
    assert found.get_filename() == "xarf.json"
    return cast(dict[str, Any], json.loads(found.get_payload(decode=True)))


def test_arf_says_what_our_own_parser_reads() -> None:
    raw = drafts.arf(attack(MAIL, GUESS, detector="sender_reputation"), US, THEM)
    assert reports.read(raw, now=2e9, at=1.0) == [
        Complaint(
            at=1.0,
            source="intake",
            sender="a@bad.example",
            client=BAD,
            message_id="1@x",
            reporter="abuse@example.org",
            kind="abuse",
        )
    ]
    message = parsed(raw)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "feedback-report"
    kinds = [one.get_content_type() for one in message.iter_parts()]
    assert kinds == ["text/plain", "message/feedback-report", "text/rfc822-headers"]
    assert (message["From"], message["To"]) == ("abuse@example.org", THEM)
    assert message["X-Unsent"] == "1"
    assert message["Date"] is None
    assert b"Reporting-MTA: dns; mx1\r\n" in raw
    assert b"anna" not in raw


@pytest.mark.parametrize("detector", KINDS)
@pytest.mark.parametrize("port", [0, 40_000])
def test_xarf_is_valid_for_every_detector(detector: str, port: int) -> None:
    one = attack(MAIL, GUESS, detector=detector)
    report = report_of(drafts.xarf(one, US, THEM, port=port))
    found = xarf.parse(report)
    assert found.errors == []
    assert found.report is not None
    assert found.report.source_identifier == BAD
    guesses = KINDS[detector].tag == "password-guessing"
    assert report["type"] == ("login_attack" if guesses and port else "infected_host")
    assert report["first_seen"] == "2023-11-14T22:13:20.500Z"


def test_a_wrong_xarf_would_be_seen() -> None:
    report = drafts.xarf_report(attack(), US)
    for wrong in ({"category": "weather"}, {"source_identifier": None}, {"type": "login_attack"}):
        assert xarf.parse({**report, **wrong}).errors


def test_xarf_tells_people_and_programs_the_same() -> None:
    raw = drafts.xarf(attack(), US, THEM)
    message = parsed(raw)
    body = message.get_body(("plain",))
    assert body is not None
    said = body.get_content()
    assert said.startswith("Dear abuse team,")
    assert f"{BAD} guessed passwords of our users." in said
    assert "mx1: login failed from 203.0.113.9 (LOGIN)" in said
    assert "reference   mailwarden a1" in said
    report = report_of(raw)
    told = base64.b64decode(report["evidence"][0]["payload"]).decode()
    assert told == "2023-11-14T22:13:21.000Z mx1: login failed from 203.0.113.9 (LOGIN)"
    assert report["reporter"] == {
        "org": "Example Org",
        "contact": "abuse@example.org",
        "domain": "example.org",
    }
    assert b"anna" not in raw


def test_made_anew_it_is_the_same_report() -> None:
    assert drafts.xarf_report(attack(), US) == drafts.xarf_report(attack(), US)


def test_without_a_contact_nobody_is_written_to() -> None:
    assert parsed(drafts.xarf(attack(), US, ""))["To"] is None


def test_what_an_attacker_wrote_adds_no_field() -> None:
    nasty = Message(at=1.0, gateway="mx1", client=BAD, message_id=EVIL, sender=EVIL)
    one = attack(nasty)
    assert one.mails != [Mail("", "")]
    for raw in (drafts.arf(one, US, THEM), drafts.xarf(one, US, THEM)):
        message = parsed(raw)
        assert set(message.keys()) <= {
            "From",
            "To",
            "Subject",
            "X-Unsent",
            "X-XARF",
            "MIME-Version",
            "Content-Type",
        }
    form = part(parsed(drafts.arf(one, US, THEM)), "message/feedback-report").as_string()
    names = [
        line.partition(":")[0]
        for line in form.split("\n\n", 1)[1].splitlines()
        if line.strip() and line[0] != " "
    ]
    assert names == [
        "Feedback-Type",
        "User-Agent",
        "Version",
        "Original-Mail-From",
        "Arrival-Date",
        "Source-IP",
        "Reporting-MTA",
    ]


def test_a_login_of_an_ipv6_client() -> None:
    six = Auth(at=1.0, gateway="mx1", client="2001:db8:0:7::99")
    found = list(attacks(of(six, clients=["2001:db8:0:7::/64"]), net.Networks([f"{BAD}/32"])))
    report = drafts.xarf_report(found[0], US)
    assert report["source_identifier"] == "2001:db8:0:7::99"
    assert xarf.parse(report).errors == []
