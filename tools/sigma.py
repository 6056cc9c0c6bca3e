"""The Sigma rules of packaging/sigma, from the tables below and the detectors' own thresholds.

`python -m tools.sigma` writes them; a test tells when they are stale, and has pySigma read them.
Each detector has a file of correlation rules over the kinds of events in `events.yml`, or a reason
why Sigma cannot say it (`BEYOND`). https://sigmahq.io/sigma-specification/
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from agents.detectors import DETECTORS
from streams.rendering import attack

FOLDER = Path(__file__).parent.parent / "packaging" / "sigma"
SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:mailwarden:sigma")
HEADER = "# Made by `python -m tools.sigma`; changes here are lost.\n"
DATE = "2026-11-30"
AUTHOR = "mailwarden"
SOURCE = {"product": "mailwarden", "service": "events"}
EVENTS = "events"  # the file of the rules that are correlated

DAY, HOUR, MINUTE = 86400, 3600, 60


class Event(Struct, frozen=True):
    """A kind of events, as streams/parsers makes them of any log format (schemas/events.py)."""

    title: str
    selection: dict[str, Any]
    without: dict[str, Any] = {}  # what such an event must not have


class Rule(Struct, frozen=True):
    """A correlation. `count` is a threshold by the name of the detector's setting."""

    name: str
    title: str
    kind: str  # event_count, value_count, temporal_ordered
    of: tuple[str, ...]  # rules, by name
    by: tuple[str, ...]  # what is alike in all of them
    seconds: float | str  # or the name of the setting
    count: str | int = 0
    field: str = ""  # of which different values are counted
    level: str = "medium"
    falsepositives: tuple[str, ...] = ()


FAILED, OPENED = "auth_failed", "auth_opened"
EVENT_KINDS: dict[str, Event] = {
    FAILED: Event("A login failed", {"type": "auth", "outcome": "failed"}),
    OPENED: Event("A login succeeded", {"type": "auth", "outcome": "ok"}),
    "auth_unknown": Event(
        "A login of nobody", {"type": "auth", "outcome": "failed", "reason": "unknown_account"}
    ),
    "recipient_unknown": Event(  # what has no sender is a report
        "A recipient does not exist",
        {"type": "recipient", "verdict": "unknown", "sender|re": ".+"},
    ),
    "relay_denied": Event("Relaying was refused", {"type": "recipient", "verdict": "relay_denied"}),
    "rules_broken": Event(
        "A client broke the protocol", {"type": "connection", "outcome": "abuse"}
    ),
    "report_received": Event(
        "A delivery report came in", {"type": "bounce", "direction": "received"}
    ),
    "report_made": Event(
        "We made a delivery report", {"type": "bounce", "direction": "made"}, {"account|re": ".+"}
    ),
    "mail_by_account": Event(
        "A logged in account sent a mail", {"type": "message", "account|re": ".+"}
    ),
    "delivered_by_account": Event(
        "A mail of a logged in account went to a recipient",
        {"type": "delivery", "account|re": ".+"},
    ),
    "mailbox_changed": Event(
        "A rule or a forward of a mailbox changed", {"type": "change", "what": ["rule", "forward"]}
    ),
    "replied": Event("An automatic reply was sent", {"type": "message", "auto": True}),
    "judged_spam": Event(
        "A filter judged a mail to be abuse", {"type": "verdict", "kind": ["spam", "virus"]}
    ),
}

NAT = "Many people behind one address: a company, a campus, carrier NAT"
DEVICE = "A device with an old password, whose account is one and the same"

RULES: dict[str, tuple[Rule, ...]] = {
    "auth_dictionary": (
        Rule(
            "dictionary",
            "One client fails at several accounts",
            "value_count",
            (FAILED,),
            ("client",),
            "window",
            "accounts",
            "account",
            "high",
            (NAT,),
        ),
        Rule(
            "guessing",
            "One client fails again and again at one account",
            "event_count",
            (FAILED,),
            ("client", "account"),
            "window",
            "passwords",
            falsepositives=(DEVICE,),
        ),
        Rule(
            "unknown_names",
            "One client tries accounts that do not exist",
            "value_count",
            ("auth_unknown",),
            ("client",),
            "window",
            "unknown",
            "account",
            "high",
            (NAT,),
        ),
    ),
    "auth_distributed": (
        Rule(
            "one_account",
            "Many clients fail at one account",
            "value_count",
            (FAILED,),
            ("account",),
            "window",
            "clients",
            "client",
            "medium",
            ("An account that is used on many devices after its password changed",),
        ),
    ),
    "auth_campaign": (
        Rule(
            "site_campaign",
            "Many clients fail in the same hour",
            "value_count",
            (FAILED,),
            ("gateway",),
            "hour",
            "hourly",
            "client",
            "high",
            ("A password change for everybody", "An authentication server that is down"),
        ),
    ),
    "auth_breach": (
        Rule(
            "guessed",
            "An account is opened by a client that guessed at several",
            "temporal_ordered",
            ("auth_dictionary_dictionary", OPENED),
            ("client",),
            HOUR,
            level="critical",
            falsepositives=(NAT,),
        ),
    ),
    "directory_harvest": (
        Rule(
            "quick",
            "One client tries addresses that do not exist",
            "value_count",
            ("recipient_unknown",),
            ("client",),
            "quick_seconds",
            "quick",
            "recipient",
            "medium",
            ("Mailing lists with dead members",),
        ),
        Rule(
            "hourly",
            "One client tries addresses that do not exist for an hour",
            "value_count",
            ("recipient_unknown",),
            ("client",),
            "hour_seconds",
            "hourly",
            "recipient",
            "medium",
            ("Mailing lists with dead members",),
        ),
    ),
    "backscatter_received": (
        Rule(
            "joe_job",
            "Many delivery reports to one address",
            "event_count",
            ("report_received",),
            ("recipient",),
            HOUR,
            "reports",
            level="medium",
            falsepositives=("Bounces of a mailing of our own",),
        ),
    ),
    "backscatter_made": (
        Rule(
            "reports",
            "A server of ours makes many delivery reports",
            "event_count",
            ("report_made",),
            ("gateway",),
            HOUR,
            "reports",
            level="high",
            falsepositives=("A receiver of much of our mail that is down",),
        ),
    ),
    "account_burst": (
        Rule(
            "volume",
            "An account writes to very many recipients",
            "value_count",
            ("delivered_by_account",),
            ("account",),
            HOUR,
            "hourly",
            "recipient",
            "high",
            ("Newsletters: leave these accounts out",),
        ),
        Rule(
            "clients",
            "An account is used from many addresses",
            "value_count",
            (OPENED,),
            ("account",),
            HOUR,
            "clients",
            "client",
            "medium",
            ("A shared mailbox", "A fetching service"),
        ),
        Rule(
            "changed",
            "A mailbox's rules change, then the account sends",
            "temporal_ordered",
            ("mailbox_changed", "mail_by_account"),
            ("account",),
            HOUR,
            level="medium",
            falsepositives=("Somebody tidies up their mailbox",),
        ),
    ),
    "account_cluster": (
        Rule(
            "one_client",
            "One client sends for several accounts",
            "value_count",
            ("mail_by_account",),
            ("client",),
            HOUR,
            "accounts",
            "account",
            "medium",
            (NAT, "Webmail"),
        ),
    ),
    "auto_reply_storm": (
        Rule(
            "rate",
            "An address sends automatic replies in masses",
            "event_count",
            ("replied",),
            ("sender",),
            HOUR,
            "rate",
            level="medium",
            falsepositives=("Ticket systems",),
        ),
    ),
    "protocol_abuse": (
        Rule(
            "rules",
            "A client breaks the rules of SMTP again",
            "event_count",
            ("rules_broken",),
            ("client",),
            DAY,
            "times",
            level="low",
            falsepositives=("Old appliances",),
        ),
    ),
    "relay_probe": (
        Rule(
            "insistent",
            "A client asks again and again to relay",
            "event_count",
            ("relay_denied",),
            ("client",),
            "seconds",
            "insistent",
            level="medium",
            falsepositives=("A server of ours that is not in the list of our networks",),
        ),
    ),
    "sender_reputation": (
        Rule(
            "reputation",
            "A client sends much mail that filters judge to be abuse",
            "event_count",
            ("judged_spam",),
            ("client",),
            "seconds",
            "messages",
            level="medium",
            falsepositives=("A large provider, most of whose mail is good",),
        ),
    ),
}

BEYOND: dict[str, str] = {
    "stale_client": "it is the absence of anything worse: nothing to alert on",
    "directory_fault": "it compares with which addresses were accepted in the weeks before",
    "filter_bypass": "it compares with the share of mail that comes by the filter",
    "internal_mailer": "it needs to know which addresses are ours",
    "open_relay": "it needs to know which domains are ours",
    "phish_answered": "it needs the list of collectors; as a lookup of the SIEM it is one line",
    "queue_growth": "a gauge that grows: Prometheus' part (packaging/prometheus)",
    "refused_reputation": "it reads what receivers say, in their many words",
}


def rules() -> Iterator[tuple[str, str]]:
    """(file, text) of all of them."""
    yield f"{EVENTS}.yml", _documents(_event(name, kind) for name, kind in EVENT_KINDS.items())
    for detector, every in RULES.items():
        yield f"{detector}.yml", _documents(_correlation(detector, rule) for rule in every)


def _event(name: str, kind: Event) -> dict[str, Any]:
    detection: dict[str, Any] = {"selection": kind.selection, "condition": "selection"}
    if kind.without:
        detection = {
            "selection": kind.selection,
            "filter": kind.without,
            "condition": "selection and not filter",
        }
    return {
        "title": f"{kind.title} at a mail server",
        "id": str(uuid.uuid5(SPACE, name)),
        "name": name,
        "status": "experimental",
        "description": f"{kind.title}. Correlated by other rules; by itself it is no alarm.",
        "author": AUTHOR,
        "date": DATE,
        "logsource": SOURCE,
        "detection": detection,
        "falsepositives": ["Everyday mail; only correlations of it mean something"],
        "level": "informational",
    }


def _correlation(detector: str, rule: Rule) -> dict[str, Any]:
    kind = DETECTORS[detector]
    usual = kind()
    seconds = getattr(usual, rule.seconds) if isinstance(rule.seconds, str) else rule.seconds
    found: dict[str, Any] = {
        "type": rule.kind,
        "rules": list(rule.of),
        "group-by": list(rule.by),
        "timespan": _span(seconds),
    }
    if not set(rule.of) <= set(EVENT_KINDS):
        found["generate"] = True  # the correlation that it is made of is an alarm by itself
    if rule.count:
        least = getattr(usual, rule.count) if isinstance(rule.count, str) else rule.count
        found["condition"] = {"gte": least}
    if rule.field:
        found["condition"]["field"] = rule.field
    return {
        "title": rule.title,
        "id": str(uuid.uuid5(SPACE, f"{detector} {rule.name}")),
        "name": f"{detector}_{rule.name}",
        "status": "experimental",
        "description": f"{rule.title}. What mailwarden's {detector} begins with; it knows more that"
        " speaks for or against a client (docs/runbooks).",
        "references": [f"https://attack.mitre.org/techniques/{kind.technique.replace('.', '/')}/"],
        "author": AUTHOR,
        "date": DATE,
        "tags": _tags(kind.technique),
        "correlation": found,
        "falsepositives": list(rule.falsepositives) or ["Unknown"],
        "level": rule.level,
    }


def _tags(technique: str) -> list[str]:
    known = attack.of(technique)
    if known is None or known.tactic is None:
        return []
    return [f"attack.{known.tactic.name.lower().replace(' ', '-')}", f"attack.{technique.lower()}"]


def _span(seconds: float) -> str:
    whole = int(seconds)
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def _documents(every: Iterator[dict[str, Any]]) -> str:
    texts = (yaml.safe_dump(one, sort_keys=False, width=100, allow_unicode=True) for one in every)
    return HEADER + "---\n".join(texts)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in rules():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
