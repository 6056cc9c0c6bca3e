"""Alerts, decisions and entries of the trail for the tests of incidents."""

from typing import Any

from schemas.audit import Audit
from schemas.findings import Alert, Decision, Severity, Subject, Target

START = 1_700_000_000.0
HOUR = 3600.0
DAY = 86400.0
GUESSER, OTHER, FAR = "203.0.113.7", "203.0.113.99", "198.51.100.1"
ANNA, BERT = "anna@example.org", "bert@example.org"


def alert(
    name: str,
    first: float = 0.0,
    last: float | None = None,
    severity: Severity = "medium",
    **more: Any,
) -> Alert:
    """`first` and `last` in seconds since START. A client guesses at anna unless told otherwise."""
    fields: dict[str, Any] = {
        "detector": "auth_dictionary",
        "shape": "dictionary",
        "subject": Subject("client", GUESSER),
        "summary": f"{GUESSER}: 15 wrong passwords at 1 account",
        "clients": [GUESSER],
        "clients_count": 1,
        "targets": [ANNA],
        "targets_count": 1,
    } | more
    end = START + (first if last is None else last)
    fields.setdefault("at", end)
    return Alert(id=name, severity=severity, first=START + first, last=end, **fields)


def client(name: str, address: str, first: float = 0.0, **more: Any) -> Alert:
    own = {"subject": Subject("client", address), "clients": [address]}
    return alert(name, first, **(own | more))


def account(name: str, address: str, first: float = 0.0, **more: Any) -> Alert:
    own: dict[str, Any] = {
        "detector": "account_burst",
        "shape": "volume",
        "subject": Subject("account", address),
        "accounts": [address],
        "accounts_count": 1,
        "targets": [],
        "targets_count": 0,
    }
    return alert(name, first, **(own | more))


def decision(target: str, at: float, alert_id: str = "", **more: Any) -> Decision:
    fields: dict[str, Any] = {"origin": "automatic" if alert_id else "manual"} | more
    return Decision(
        id=f"network:{target}:drop",
        target=Target("network", target),
        action="drop",
        alert=alert_id,
        since=START + at,
        until=START + at + DAY,
        **fields,
    )


def entry(
    what: Any, target: str, at: float, alert_id: str = "", by: str = "mailwarden", **more: Any
) -> Audit:
    return Audit(
        at=START + at,
        what=what,
        by=by,
        reason="why",
        decision=f"network:{target}:drop",
        target=f"network:{target}",
        action="drop",
        alert=alert_id,
        **more,
    )
