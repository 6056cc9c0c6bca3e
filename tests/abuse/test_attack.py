from typing import Any

import pytest

from agents.abuse.attack import KINDS, Mail, NothingToReportError, attacks
from agents.detectors import DETECTORS
from schemas import net, wire
from schemas.events import Auth, Fact, Message, Recipient
from schemas.findings import Alert, Sample, Subject
from tests.sinks.alerts import EVIL, alert, evil

OURS = net.Networks(["192.0.2.0/24"])
BAD = "203.0.113.9"


def of(*events: Fact, **more: Any) -> Alert:
    samples = [Sample(event.at, wire.encode(event).decode()) for event in events]
    fields: dict[str, Any] = {
        "subject": Subject("client", BAD),
        "clients": [BAD],
        "samples": samples,
    }
    return alert("a1", **{**fields, **more})


GUESS = Auth(
    at=1_700_000_001.0, gateway="mx1", client=BAD, account="anna@example.org", mechanism="LOGIN"
)


def test_a_report_names_the_client_and_none_of_our_mailboxes() -> None:
    [one] = attacks(of(GUESS, accounts=["anna@example.org"], targets=["bob@example.org"]), OURS)
    assert one.client == BAD
    assert one.kind.did == "guessed passwords of our users"
    assert one.servers == ["mx1"]
    assert one.lines == ["2023-11-14T22:13:21.000Z mx1: login failed from 203.0.113.9 (LOGIN)"]
    assert one.evidence == "accounts 15"
    assert "example.org" not in repr(one)


def test_mails_are_told_of_by_their_ids() -> None:
    mail = Message(at=1.0, gateway="mx1", client=BAD, message_id="<1@x>", sender="a@bad.example")
    rcpt = Recipient(
        at=2.0, gateway="mx1", client=BAD, recipient="bob@example.org", verdict="unknown"
    )
    [one] = attacks(of(mail, rcpt, detector="sender_reputation"), OURS)
    assert one.mails == [Mail("<1@x>", "a@bad.example")]
    assert [line.partition(" ")[2] for line in one.lines] == [
        "mx1: mail accepted from 203.0.113.9 (Message-ID <1@x>)",
        "mx1: recipient unknown from 203.0.113.9",
    ]


def test_each_client_has_its_own_events() -> None:
    other = Auth(at=3.0, gateway="mx2", client="2001:db8:0:7::99")
    found = list(attacks(of(GUESS, other, clients=[BAD, "2001:db8:0:7::/64"]), OURS))
    assert [(one.client, one.servers) for one in found] == [
        (BAD, ["mx1"]),
        ("2001:db8:0:7::99", ["mx2"]),  # the address that an event has, of its /64
    ]
    assert {one.evidence for one in found} == {""}  # the counts are of all together


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"severity": "info"}, "accuses nobody outside"),
        ({"detector": "directory_fault"}, "accuses nobody outside"),
        ({"state": "withdrawn"}, "it is withdrawn"),
        ({"subject": Subject("client", "192.0.2.1"), "clients": []}, "all of its clients are ours"),
        (
            {"subject": Subject("client", "10.0.0.7"), "clients": ["127.0.0.1"]},
            "are ours, or trusted",
        ),
        ({"subject": Subject("account", "anna"), "clients": []}, "no client"),
        ({"subject": Subject("client", "unknown"), "clients": []}, "no client|are ours"),
    ],
)
def test_who_is_not_reported(more: dict[str, Any], why: str) -> None:
    with pytest.raises(NothingToReportError, match=why):
        list(attacks(of(GUESS, **more), OURS))


def test_detectors_that_accuse_are_detectors() -> None:
    assert set(KINDS) <= set(DETECTORS)


def test_what_an_attacker_wrote_stays_in_its_line() -> None:
    nasty = Message(at=1.0, gateway="mx1", client=BAD, message_id=EVIL, sender=EVIL, account=EVIL)
    [one] = attacks(of(nasty), OURS)
    assert all(line.isprintable() for line in one.lines)
    with pytest.raises(NothingToReportError):
        list(attacks(evil(), OURS))
