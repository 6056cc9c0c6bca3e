"""CEF, the Common Event Format of ArcSight, which most SIEMs read."""

from schemas.findings import Alert, Severity
from streams.rendering import words

LEVELS: dict[Severity, int] = {"critical": 10, "high": 8, "medium": 5, "low": 3, "info": 1}


def payload(alert: Alert, largest: int) -> str:
    """An alert, of `largest` bytes at most: fields that do not fit are left out."""
    name = alert.detector.replace("_", " ")
    begin = [words.PRODUCT, words.PRODUCT, words.version(), alert.detector, name]
    level = LEVELS[alert.severity]
    head = f"CEF:0|{'|'.join(in_header(words.plain(text, 100)) for text in begin)}|{level}|"
    return head + words.joined(_fields(alert), " ", largest - len(head.encode()))


def _fields(alert: Alert) -> list[str]:
    decided = words.plain(alert.decision)
    fields = [
        _pair("rt", str(words.millis(alert.at))),
        _pair("externalId", alert.id),
        _number(1, "revision", alert.revision),
        _pair("start", str(words.millis(alert.first))),
        _pair("end", str(words.millis(alert.last))),
        _pair("cnt", str(alert.events or "")),
        _pair("cat", alert.shape),
        _pair("outcome", alert.state),
        *_who(alert),
        _pair("msg", words.plain(alert.summary, 1023)),
        _text(1, "attackTechnique", alert.technique),
        _text(2, "incident", alert.incident),
        _text(3, "domains", words.listed(alert.domains, 0)),
        _text(4, "decision", decided),
        _text(5, "evidence", words.evidence(alert)),
        _text(6, "accounts", words.listed(alert.accounts, alert.accounts_count)),
        _pair("flexString1Label", "clients" if alert.clients else ""),
        _pair("flexString1", words.listed(alert.clients, alert.clients_count)),
    ]
    return [field for field in fields if field]


def _who(alert: Alert) -> list[str]:
    """The subject, where CEF has a field for its kind. It has one for IPv4 only, and custom ones
    for IPv6."""
    kind, value = alert.subject.kind, words.plain(alert.subject.value)
    if kind == "client" and ":" in value:
        return [f"c6a2Label=Source IPv6 Address {_pair('c6a2', words.address(value))}"]
    if kind == "client":
        return [_pair("src", words.address(value))]
    if kind == "gateway":
        return [_pair("dvchost", value)]
    return [_pair("suser" if kind in ("account", "address") else "sourceServiceName", value)]


def _text(number: int, label: str, value: str) -> str:
    return f"cs{number}Label={label} {_pair(f'cs{number}', value)}" if value else ""


def _number(number: int, label: str, value: int) -> str:
    return f"cn{number}Label={label} cn{number}={value}"


def _pair(key: str, value: str) -> str:
    return f"{key}={in_extension(words.plain(value))}" if value else ""


def in_header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def in_extension(text: str) -> str:
    """Escaped so that no value begins another field. (A pipe is harmless there.)"""
    escaped = text.replace("\\", "\\\\").replace("=", "\\=")
    return escaped.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n")
