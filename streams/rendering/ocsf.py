"""OCSF 1.8.0, the Open Cybersecurity Schema Framework: an alert as a Detection Finding (2004).

https://schema.ocsf.io/1.8.0/classes/detection_finding. Guessing, breaches and whatever else rests
on logins name these as related events of the class Authentication (3002), other mail events as
Email Activity (4009), each with its user and endpoints among the evidence.
"""

import re
from collections.abc import Iterator
from typing import Any

from schemas import net
from schemas.findings import Alert, Severity
from streams.rendering import attack, samples, words

VERSION = "1.8.0"
FINDING = 2004
LOGON = (300201, "Authentication: Logon")
MAIL: dict[str, tuple[int, str]] = {  # by type of the event
    "recipient": (400902, "Email Activity: Receive"),
    "message": (400902, "Email Activity: Receive"),
    "delivery": (400901, "Email Activity: Send"),
    "bounce": (400901, "Email Activity: Send"),
    "verdict": (400903, "Email Activity: Scan"),
}
SEVERITIES: dict[Severity, tuple[int, str]] = {
    "info": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
ACTIVITIES = {1: "Create", 2: "Update", 3: "Close"}
STATUS = {1: "New", 2: "In Progress", 4: "Resolved"}
RULE = 1  # analytic type
# The pattern of the schema's type email_t: what strangers wrote need not be an address.
MAILBOX = re.compile(r"[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+")
OBSERVED = {  # type of observable by kind of subject
    "client": (2, "IP Address"),
    "network": (12, "Subnet"),
    "account": (4, "User Name"),
    "address": (5, "Email Address"),
    "domain": (1, "Hostname"),
    "gateway": (1, "Hostname"),
}


def tree(alert: Alert) -> dict[str, Any]:
    """The alert as one JSON object."""
    severity, called = SEVERITIES[alert.severity]
    activity = 3 if alert.state == "withdrawn" else min(alert.revision, 2)
    status = {1: 1, 2: 2, 3: 4}[activity]
    found: dict[str, Any] = {
        "class_uid": FINDING,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": activity,
        "activity_name": ACTIVITIES[activity],
        "type_uid": FINDING * 100 + activity,
        "type_name": f"Detection Finding: {ACTIVITIES[activity]}",
        "severity_id": severity,
        "severity": called,
        "status_id": status,
        "status": STATUS[status],
        "time": words.millis(alert.at),
        "start_time": words.millis(alert.first),
        "end_time": words.millis(alert.last),
        "is_alert": alert.severity != "info",
        "message": alert.summary,
        "metadata": _metadata(alert),
        "finding_info": _finding(alert),
        "evidences": [_counts(alert), *map(_evidence, _events(alert))],
        "observables": list(_observables(alert)),
        "unmapped": _unmapped(alert),
    }
    if alert.events:
        found["count"] = alert.events
    return found


def _metadata(alert: Alert) -> dict[str, Any]:
    return {
        "version": VERSION,
        "uid": f"{alert.id}-{alert.revision}",
        "sequence": alert.revision,
        "event_code": alert.detector,
        "correlation_uid": alert.incident or alert.id,
        "log_name": "mail.alerts",
        "product": {
            "name": words.PRODUCT,
            "vendor_name": words.PRODUCT,
            "version": words.version(),
        },
    }


def _finding(alert: Alert) -> dict[str, Any]:
    rule = alert.rule or alert.detector
    info: dict[str, Any] = {
        "uid": alert.id,
        "title": f"{alert.detector.replace('_', ' ')}: {alert.subject.value}",
        "desc": alert.summary,
        "types": [alert.shape],
        "first_seen_time": words.millis(alert.first),
        "last_seen_time": words.millis(alert.last),
        "modified_time": words.millis(alert.at),
        "analytic": {
            "type_id": RULE,
            "type": "Rule",
            "uid": rule,
            "name": rule.replace("_", " "),
            "version": str(alert.version),
        },
    }
    attacked = _attack(alert)
    if attacked:
        info["attacks"] = [attacked]
    related = list(_related(alert))
    if related:
        info["related_events"] = related
        info["related_events_count"] = max(alert.events, len(related))
    return info


def _attack(alert: Alert) -> dict[str, Any]:
    known = attack.of(alert.technique)
    if known is None:
        return {}
    named = {
        "tactic": known.tactic,
        "technique": known.technique,
        "sub_technique": known.part,
    }
    found: dict[str, Any] = {
        key: {"uid": one.id, "name": one.name} if one.name else {"uid": one.id}
        for key, one in named.items()
        if one is not None
    }
    return {"version": attack.VERSION, **found}


def _related(alert: Alert) -> Iterator[dict[str, Any]]:
    for number, (sample, event) in enumerate(samples.facts(alert), start=1):
        kind = LOGON if event["type"] == "auth" else MAIL.get(event["type"])
        if kind is None:
            continue
        yield {
            "uid": sample.place or f"{alert.id}-{number}",
            "type_uid": kind[0],
            "type_name": kind[1],
            "first_seen_time": words.millis(sample.at),
        }


def _counts(alert: Alert) -> dict[str, Any]:
    """What was counted, beside what it is measured by."""
    counts = [
        {"sign": one.sign, "count": one.count, "threshold": one.threshold, "unit": one.unit}
        for one in alert.evidence
    ]
    found: dict[str, Any] = {"name": "counts", "data": {"counts": counts, "window": alert.window}}
    if alert.subject.kind == "client" and net.address(alert.subject.value):
        found["src_endpoint"] = {"ip": alert.subject.value}
    if alert.subject.kind == "account":
        found["user"] = _user(alert.subject.value)
    return found


def _events(alert: Alert) -> Iterator[dict[str, Any]]:
    return (event for _, event in samples.facts(alert))


def _evidence(event: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": event["type"], "data": event}
    client, account = samples.text(event, "client"), samples.text(event, "account")
    gateway, service = samples.text(event, "gateway"), samples.text(event, "service")
    sender, recipient = samples.text(event, "sender"), samples.text(event, "recipient")
    if net.address(client):
        found["src_endpoint"] = {"ip": client}
    if account:
        found["user"] = _user(account)
    if gateway:
        found["dst_endpoint"] = {"hostname": gateway}
        if service:
            found["dst_endpoint"]["svc_name"] = service
    mail: dict[str, Any] = {}
    if MAILBOX.fullmatch(sender):
        mail |= {"from": sender, "smtp_from": sender}
    if MAILBOX.fullmatch(recipient):
        mail |= {"to": [recipient], "smtp_to": [recipient]}
    if mail:
        found["email"] = mail
    return found


def _user(account: str) -> dict[str, Any]:
    return {"name": account, **({"email_addr": account} if MAILBOX.fullmatch(account) else {})}


def _observables(alert: Alert) -> Iterator[dict[str, Any]]:
    """Whom the alert is about, and all whom it names; each once."""
    named = [(alert.subject.kind, alert.subject.value, "finding_info.title")]
    named += [("client", value, "evidences[].src_endpoint.ip") for value in alert.clients]
    named += [("account", value, "evidences[].user.name") for value in alert.accounts]
    named += [("account", value, "unmapped.targets") for value in alert.targets]
    seen = set()
    for kind, value, where in named:
        # A client is a network where it has one of its own: with IPv6 a /64.
        known = OBSERVED.get("network" if kind == "client" and "/" in value else kind)
        if known is not None and (kind, value) not in seen:
            seen.add((kind, value))
            yield {"name": where, "type_id": known[0], "type": known[1], "value": value}


def _unmapped(alert: Alert) -> dict[str, Any]:
    """What OCSF has no place for."""
    values = {
        "subject": {"kind": alert.subject.kind, "value": alert.subject.value},
        "decision": alert.decision,
        "undo": alert.undo,
        "domains": alert.domains,
        "origins": alert.origins,
        "clients_count": alert.clients_count,
        "accounts": alert.accounts,
        "accounts_count": alert.accounts_count,
        "targets": alert.targets,
        "targets_count": alert.targets_count,
        "checks": alert.checks,
        "blind_to": alert.blind_to,
    }
    return {name: value for name, value in values.items() if value}
