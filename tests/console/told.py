"""Alerts, decisions and gateways of today."""

import time
from typing import Any

from schemas.findings import (
    Alert,
    Decision,
    Evidence,
    Sample,
    Severity,
    Subject,
    Target,
    decision_id,
)
from schemas.gateways import GatewayState

NOW = time.time()
GUESSER = "203.0.113.7"
ANNA = "anna@example.org"


def alert(name: str, severity: Severity = "high", ago: float = 60.0, **more: Any) -> Alert:
    """A client guesses at anna unless told otherwise."""
    fields: dict[str, Any] = {
        "detector": "auth_dictionary",
        "rule": "auth_dictionary",
        "shape": "dictionary",
        "subject": Subject("client", GUESSER),
        "summary": f"{GUESSER}: 15 wrong passwords at 1 account",
        "clients": [GUESSER],
        "clients_count": 1,
        "targets": [ANNA],
        "targets_count": 1,
        "evidence": [Evidence("passwords at one account", 15, 10)],
        "samples": [Sample(NOW - ago, '{"type":"auth","client":"203.0.113.7"}', "mail.log:17")],
        "events": 15,
        "decision": "nothing: less than a week of logins was seen",
        "incident": name,
        "window": 3600.0,
    } | more
    at = NOW - ago
    return Alert(id=name, severity=severity, first=at - 30, last=at, at=at, **fields)


def client(name: str, address: str, **more: Any) -> Alert:
    own = {
        "subject": Subject("client", address),
        "clients": [address],
        "summary": f"{address}: 15 wrong passwords at 1 account",
    }
    return alert(name, **{**own, **more})


def account(name: str, address: str, **more: Any) -> Alert:
    fields: dict[str, Any] = {
        "detector": "account_burst",
        "rule": "account_burst",
        "shape": "volume",
        "subject": Subject("account", address),
        "accounts": [address],
        "accounts_count": 1,
        "targets": [],
        "targets_count": 0,
        "summary": f"{address} sent to 900 recipients in 5 min",
    } | more
    return alert(name, **fields)


def decision(
    value: str, action: Any = "drop", kind: Any = "network", ago: float = 60.0, **more: Any
) -> Decision:
    target = Target(kind, value)
    fields: dict[str, Any] = {"enforced": True, "reason": f"{value}: it guesses"} | more
    fields.setdefault("since", NOW - ago)
    fields.setdefault("until", NOW + 3600)
    fields.setdefault("id", decision_id(target, action))
    return Decision(target=target, action=action, **fields)


def gateway(name: str = "mx1", **more: Any) -> GatewayState:
    fields: dict[str, Any] = {
        "at": time.time(),
        "complete": True,
        "decisions": 2,
        "enforced": 1,
        "programs": ["postfix"],
        "applied_at": time.time(),
    } | more
    return GatewayState(gateway=name, **fields)
