"""Alerts: usual ones, one of each kind, and those whose texts an attacker chose."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from agents.detectors import DETECTORS
from agents.naming import NAMES
from schemas import wire
from schemas.events import (
    Auth,
    Bounce,
    Change,
    Connection,
    Delivery,
    Message,
    Queue,
    Recipient,
    Verdict,
)
from schemas.findings import Alert, Evidence, Sample, Severity, Subject

# What would end a field, an element or a line of any of the formats, if it were not escaped.
EVIL = 'x"] [y z="1"] | a=b \\ ^cat=c \r\n<34>1 - \x00\x1b[31m \u2028\u202e é 😀 \\" end'


def alert(name: str = "a1", severity: Severity = "high", **more: Any) -> Alert:
    fields: dict[str, Any] = {
        "id": name,
        "detector": "auth_dictionary",
        "shape": "dictionary",
        "severity": severity,
        "subject": Subject("client", "192.0.2.1"),
        "first": 1_700_000_000.5,
        "last": 1_700_000_060.0,
        "at": 1_700_000_060.25,
        "summary": "192.0.2.1: 15 wrong passwords at 15 accounts",
        "technique": "T1110.001",
        "clients": ["192.0.2.1"],
        "clients_count": 1,
        "domains": ["example.org"],
        "evidence": [Evidence("accounts", 15, 5)],
        "events": 15,
        "incident": name,
    }
    return Alert(**{**fields, **more})


def evil(name: str = "e1", length: int = 1) -> Alert:
    return alert(
        name,
        summary=EVIL * length,
        subject=Subject("account", EVIL * length),
        shape="stuffing",
        accounts=[EVIL * length] * 100,
        accounts_count=5000,
        targets=[EVIL * length] * 100,
        domains=[EVIL],
        decision=EVIL * length,
        undo=EVIL,
        origins=[EVIL],
        incident="other",
        evidence=[Evidence(EVIL, 3, 2.5)] * 40,
    )


SAMPLES = [
    Auth(at=1_700_000_001.0, gateway="mx1", client="192.0.2.1", account="anna@example.org"),
    Auth(at=1_700_000_002.0, gateway="mx1", client="2001:db8::1", service="submission"),
    Recipient(at=1_700_000_003.0, gateway="mx1", client="192.0.2.1", recipient="bob@example.org"),
    Message(at=1_700_000_004.0, gateway="mx1", sender="anna@example.org", account="anna"),
    Delivery(at=1_700_000_005.0, gateway="mx1", sender="a@example.org", recipient="b@example.net"),
    Bounce(at=1_700_000_006.0, gateway="mx1", recipient="b@example.net"),
    Verdict(at=1_700_000_007.0, gateway="mx1", client="192.0.2.1", kind="spam"),
    Connection(at=1_700_000_008.0, gateway="mx1", client="192.0.2.1", outcome="abuse"),
    Queue(at=1_700_000_009.0, gateway="mx1", active=7),
    Change(at=1_700_000_010.0, gateway="mx1", account="anna@example.org", what="forward"),
]

SUBJECTS = [
    Subject("client", "192.0.2.1"),
    Subject("client", "2001:db8::1"),
    Subject("client", "2001:db8:1:2::/64"),
    Subject("network", "192.0.2.0/24"),
    Subject("account", "anna@example.org"),
    Subject("account", "anna"),
    Subject("address", "anna@example.org"),
    Subject("domain", "example.org"),
    Subject("gateway", "mx1.example.org"),
    Subject("site", "site"),
]


def every_kind() -> Iterator[Alert]:
    """An alert of each name that there is, about each kind of subject."""
    samples = [
        Sample(event.at, wire.encode(event).decode(), f"mail.log:{number}" if number % 2 else "")
        for number, event in enumerate(SAMPLES)
    ]
    samples.append(Sample(1_700_000_011.0, "no event"))
    for name, subject in product(NAMES, SUBJECTS):
        detector = DETECTORS.get(name)
        yield alert(
            detector=name,
            rule=name,
            technique=detector.technique if detector else "",
            subject=subject,
            samples=samples,
            accounts=["anna@example.org", "bob"],
            accounts_count=2,
            targets=["carl@example.org"],
            targets_count=1,
            origins=["AS64496 Example, DE"],
            window=3600.0,
            decision="reject 192.0.2.1 until noon",
            undo="mailwarden decisions remove network:192.0.2.1/32",
            checks=["never a login"],
            blind_to="what is not seen",
        )
