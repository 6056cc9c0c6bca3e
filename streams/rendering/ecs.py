"""ECS, the Elastic Common Schema: an alert as a document.

https://www.elastic.co/docs/reference/ecs. Each revision is a document of its own in an append-only
data stream, named as Elastic names them (type-dataset-namespace). What ECS has no field for stands
under `mailwarden`, which ECS leaves to us. packaging/elastic/ has the index template for all of it.
"""

from typing import Any

from schemas import net
from schemas.findings import Alert, Severity
from streams.rendering import attack, words

VERSION = "9.3.0"
DATASET = "mailwarden.alert"
STREAM = ("logs", DATASET, "default")  # type, dataset, namespace
# As Elastic's own rules grade them.
SEVERITIES: dict[Severity, int] = {"info": 1, "low": 21, "medium": 47, "high": 73, "critical": 99}
LOGIN = ("auth_", "stale_client")  # names of what rests on logins


def tree(alert: Alert, stream: tuple[str, str, str] = STREAM) -> dict[str, Any]:
    """The alert as one document; fields that say nothing are left out."""
    found: dict[str, Any] = _filled(
        {
            "@timestamp": words.stamp(alert.at),
            "ecs": {"version": VERSION},
            "data_stream": dict(zip(("type", "dataset", "namespace"), stream, strict=True)),
            "message": alert.summary,
            "event": _event(alert),
            "rule": {
                "id": alert.rule or alert.detector,
                "name": alert.detector,
                "version": str(alert.version),
                "ruleset": words.PRODUCT,
            },
            "threat": _threat(alert),
            "source": {"ip": _address(alert)},
            "host": {"name": alert.subject.value if alert.subject.kind == "gateway" else ""},
            "user": _user(alert),
            "related": {
                "ip": [value for value in _clients(alert) if net.address(value)],
                "user": _once([*_subject(alert, "account"), *alert.accounts, *alert.targets]),
                "hosts": _once([*_subject(alert, "gateway", "domain"), *alert.domains]),
            },
            "observer": {
                "vendor": words.PRODUCT,
                "product": words.PRODUCT,
                "type": "ids",
                "version": words.version(),
            },
            "mailwarden": {"alert": _own(alert)},
        }
    )
    return found


def which(tree: dict[str, Any]) -> tuple[str, int]:
    """(id, revision) of the alert."""
    own = tree["mailwarden"]["alert"]
    return own["id"], own["revision"]


def _event(alert: Alert) -> dict[str, Any]:
    login = alert.detector.startswith(LOGIN)
    return {
        "id": f"{alert.id}-{alert.revision}",
        "kind": "alert",
        "category": ["authentication" if login else "email", "intrusion_detection"],
        "type": ["info"],
        "action": alert.detector,
        "module": words.PRODUCT,
        "provider": words.PRODUCT,
        "dataset": DATASET,
        "severity": SEVERITIES[alert.severity],
        "sequence": alert.revision,
        "start": words.stamp(alert.first),
        "end": words.stamp(alert.last),
        "duration": round(max(0.0, alert.last - alert.first) * 1e9),
        "reason": words.evidence(alert),
    }


def _threat(alert: Alert) -> dict[str, Any]:
    known = attack.of(alert.technique)
    if known is None:
        return {}
    found: dict[str, Any] = {"framework": "MITRE ATT&CK", "technique": _named(known.technique)}
    if known.tactic is not None:
        found["tactic"] = _named(known.tactic)
    if known.part is not None:
        found["technique"]["subtechnique"] = _named(known.part)
    return found


def _named(one: attack.Named) -> dict[str, list[str]]:
    return {"id": [one.id], "name": [one.name] if one.name else []}


def _own(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "revision": alert.revision,
        "incident": alert.incident,
        "state": alert.state,
        "severity": alert.severity,
        "shape": alert.shape,
        "subject": {"kind": alert.subject.kind, "value": alert.subject.value},
        "events": alert.events,
        "window": alert.window,
        "decision": alert.decision,
        "undo": alert.undo,
        "domains": alert.domains,
        "origins": alert.origins,
        "clients": alert.clients,
        "clients_count": alert.clients_count,
        "accounts": alert.accounts,
        "accounts_count": alert.accounts_count,
        "targets": alert.targets,
        "targets_count": alert.targets_count,
        "checks": alert.checks,
        "blind_to": alert.blind_to,
        "evidence": [
            {"sign": one.sign, "count": one.count, "threshold": one.threshold, "unit": one.unit}
            for one in alert.evidence
        ],
        "samples": [
            {"at": words.stamp(one.at), "text": one.text, "place": one.place}
            for one in alert.samples
        ],
    }


def _subject(alert: Alert, *kinds: str) -> list[str]:
    return [alert.subject.value] if alert.subject.kind in kinds else []


def _clients(alert: Alert) -> list[str]:
    return _once([*_subject(alert, "client"), *alert.clients])


def _address(alert: Alert) -> str:
    """The one client, where there is one and it is an address: with IPv6 it may be a /64."""
    clients = _clients(alert)
    return clients[0] if len(clients) == 1 and net.address(clients[0]) else ""


def _user(alert: Alert) -> dict[str, str]:
    """The account that the alert is about."""
    [name] = _subject(alert, "account") or [""]
    return {"name": name, "domain": name.rpartition("@")[2] if "@" in name else ""}


def _once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _filled(value: Any) -> Any:
    """Without what is empty: nothing there, and no field, are the same to who searches."""
    if isinstance(value, dict):
        filled = {key: _filled(item) for key, item in value.items()}
        return {key: item for key, item in filled.items() if item not in ("", [], {}, None)}
    if isinstance(value, list):
        return [_filled(item) for item in value]
    return value
