"""Alerts whose texts an attacker chose."""

from typing import Any

from schemas.findings import Alert, Evidence, Severity, Subject

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
