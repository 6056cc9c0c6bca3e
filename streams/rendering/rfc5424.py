"""RFC 5424: the header of every syslog message, and an alert as structured data."""

from schemas.findings import Alert, Severity
from streams.rendering import words

# Private enterprise numbers are given out by IANA; this is the one reserved for examples.
ELEMENT = "mailwarden@32473"
LEVELS: dict[Severity, int] = {"critical": 2, "high": 3, "medium": 4, "low": 5, "info": 6}


def header(alert: Alert, facility: int, host: str) -> str:
    """Everything before the structured data."""
    priority = facility * 8 + LEVELS[alert.severity]
    at = words.stamp(alert.at)
    return f"<{priority}>1 {at} {_name(host, 255)} {words.PRODUCT} - {_name(alert.detector, 32)}"


def message(alert: Alert, facility: int, host: str, largest: int) -> bytes:
    """The whole message, of `largest` bytes at most: parameters that do not fit are left out, and
    the text is cut."""
    begin = f"{header(alert, facility, host)} "
    text = words.plain(alert.summary)
    room = largest - len(begin) - 1
    about = room - min(len(text.encode("utf-8", "replace")), room // 3) - len(ELEMENT) - 3
    data = f"[{ELEMENT} {words.joined(_parameters(alert), ' ', about)}]"
    rest = room - len(data.encode("utf-8", "replace"))
    return f"{begin}{data} {words.clipped(text, rest)}".encode("utf-8", "replace")


def _parameters(alert: Alert) -> list[str]:
    values = {
        "id": alert.id,
        "revision": str(alert.revision),
        "detector": alert.detector,
        "severity": alert.severity,
        "state": alert.state,
        "subjectKind": alert.subject.kind,
        "subject": alert.subject.value,
        "incident": alert.incident,
        "shape": alert.shape,
        "technique": alert.technique,
        "first": words.stamp(alert.first),
        "last": words.stamp(alert.last),
        "events": str(alert.events or ""),
        "decision": alert.decision,
        "domains": words.listed(alert.domains, 0),
        "evidence": words.evidence(alert),
        "clients": words.listed(alert.clients, alert.clients_count),
        "accounts": words.listed(alert.accounts, alert.accounts_count),
        "targets": words.listed(alert.targets, alert.targets_count),
        "origins": words.listed(alert.origins, 0),
        "undo": alert.undo,
    }
    return [f'{name}="{escaped(words.plain(value))}"' for name, value in values.items() if value]


def escaped(value: str) -> str:
    """A PARAM-VALUE."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _name(text: str, longest: int) -> str:
    """A name of the header: printable ASCII without a space."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text[:longest]) or "-"
