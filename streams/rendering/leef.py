"""LEEF 2.0, the Log Event Extended Format of QRadar."""

from schemas.findings import Alert, Severity
from streams.rendering import words

DELIMITER = "^"  # the tab that is usual does not survive every relay
LEVELS: dict[Severity, int] = {"critical": 10, "high": 8, "medium": 5, "low": 3, "info": 1}


def payload(alert: Alert, largest: int) -> str:
    """An alert, of `largest` bytes at most: fields that do not fit are left out."""
    begin = (words.PRODUCT, words.PRODUCT, words.version(), alert.detector)
    head = f"LEEF:2.0|{'|'.join(in_header(text) for text in begin)}|{DELIMITER}|"
    return head + words.joined(_fields(alert), DELIMITER, largest - len(head.encode()))


def _fields(alert: Alert) -> list[str]:
    kind, who = alert.subject.kind, alert.subject.value
    values = {
        "devTime": str(words.millis(alert.at)),
        "sev": str(LEVELS[alert.severity]),
        "cat": alert.shape,
        "id": alert.id,
        "revision": str(alert.revision),
        "state": alert.state,
        "src": words.address(who) if kind == "client" else "",
        "usrName": who if kind in ("account", "address") else "",
        "subjectKind": kind,
        "subject": who,
        "incident": alert.incident,
        "msg": alert.summary,
        "startTime": str(words.millis(alert.first)),
        "endTime": str(words.millis(alert.last)),
        "eventCount": str(alert.events or ""),
        "technique": alert.technique,
        "decision": alert.decision,
        "evidence": words.evidence(alert),
        "domains": words.listed(alert.domains, 0),
        "accounts": words.listed(alert.accounts, alert.accounts_count),
        "clients": words.listed(alert.clients, alert.clients_count),
        "targets": words.listed(alert.targets, alert.targets_count),
    }
    return [f"{key}={in_value(value)}" for key, value in values.items() if value]


def in_header(text: str) -> str:
    return words.plain(text, 100).replace("|", "_")


def in_value(text: str) -> str:
    """LEEF knows no escapes: the delimiter is replaced."""
    return words.plain(text).replace(DELIMITER, "_")
