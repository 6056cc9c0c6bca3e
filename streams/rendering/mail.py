"""Alerts as the text of mails: plain, and HTML that says the same.

Whatever an attacker wrote is escaped, and nothing is a link: no reader is led anywhere.
"""

from collections.abc import Iterable, Sequence
from html import escape

from schemas.findings import SEVERITIES, Alert
from streams.rendering import words

QUOTED = 5  # samples of an alert
LINE = 300  # characters of a sample
WIDTH = 11  # of the names of fields


def subject(alert: Alert) -> str:
    state = "withdrawn" if alert.state == "withdrawn" else alert.severity
    name = alert.detector.replace("_", " ")
    return words.plain(f"[mailwarden] {state}: {name}: {alert.subject.value}", 150)


def digest_subject(alerts: Sequence[Alert]) -> str:
    many = f"{len(alerts)} alerts" if len(alerts) > 1 else "1 alert"
    worst = max((one.severity for one in alerts), key=SEVERITIES.index)
    return f"[mailwarden] digest: {many}, {worst} at most"


def text(alert: Alert) -> str:
    rows = "".join(f"{name:<{WIDTH}}{value}\n" for name, value in _rows(alert))
    lines = "".join(f"  {line}\n" for line in _samples(alert))
    return f"{words.plain(alert.summary)}\n\n{rows}" + (f"\nSome lines:\n{lines}" if lines else "")


def html(alert: Alert) -> str:
    rows = _table(_rows(alert))
    lines = escape("\n".join(_samples(alert)))
    return _page(
        f"<p><strong>{escape(words.plain(alert.summary))}</strong></p>{rows}"
        + (f"<p>Some lines:</p><pre>{lines}</pre>" if lines else "")
    )


def digest_text(alerts: Sequence[Alert]) -> str:
    return "".join(f"{head}\n    {summary}\n    {how}\n\n" for head, summary, how in _items(alerts))


def digest_html(alerts: Sequence[Alert]) -> str:
    items = (
        f"<li>{escape(head)}<br>{escape(summary)}<br><code>{escape(how)}</code></li>"
        for head, summary, how in _items(alerts)
    )
    return _page(f"<ul>{''.join(items)}</ul>")


def _items(alerts: Iterable[Alert]) -> Iterable[tuple[str, str, str]]:
    """The worst first, then the newest."""
    order = sorted(alerts, key=lambda one: (-SEVERITIES.index(one.severity), -one.at))
    for one in order:
        state = ", withdrawn" if one.state == "withdrawn" else ""
        head = f"{one.severity}{state}  {words.stamp(one.at)}  {one.detector}"
        yield head, words.plain(one.summary, 500), _show(one)


def _rows(alert: Alert) -> list[tuple[str, str]]:
    rows = {
        "severity": alert.severity,
        "state": alert.state if alert.state != "open" else "",
        "detector": f"{alert.detector} ({alert.shape})",
        "subject": f"{alert.subject.kind} {words.plain(alert.subject.value, 200)}",
        "seen": f"{words.stamp(alert.first)} to {words.stamp(alert.last)}",
        "evidence": words.evidence(alert),
        "clients": words.listed(alert.clients, alert.clients_count),
        "accounts": words.listed(alert.accounts, alert.accounts_count),
        "targets": words.listed(alert.targets, alert.targets_count),
        "domains": words.listed(alert.domains, 0),
        "origins": words.listed(alert.origins, 0),
        "technique": alert.technique,
        "decided": words.plain(alert.decision),
        "undo": words.plain(alert.undo),
        "incident": alert.incident,
        "more": _show(alert),
        "runbook": words.runbook(alert.detector),
    }
    return [(name, value) for name, value in rows.items() if value]


def _show(alert: Alert) -> str:
    return f"mailwarden alerts show {alert.id}"


def _samples(alert: Alert) -> list[str]:
    return [words.plain(one.text, LINE) for one in alert.samples[:QUOTED]]


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f'<table style="text-align: left">{"".join(cells)}</table>'


def _page(body: str) -> str:
    return (
        f"<!DOCTYPE html><html><head><title>mailwarden</title></head><body>{body}</body></html>\n"
    )
