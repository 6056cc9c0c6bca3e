"""An incident in one sentence: who did what, to whom, one after the other."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

from agents.incidents.named import Named, named
from agents.incidents.revisions import History
from agents.words import many
from schemas.findings import Alert

NAMES = 2  # that a clause names
CLAUSES = 5
SENT = {"volume", "surge", "daily"}  # signs that count recipients


class Act(Struct, frozen=True):
    """What a detector's alerts say that somebody did. Alerts of one verb are one clause."""

    actor: Literal["client", "subject"]
    verb: str
    whom: Literal["", "accounts", "targets"] = ""
    rest: str = ""


LOGGED_IN, SENT_AS = "logged in as", "sent mail as"
GUESSED = Act("client", "guessed at", "targets")

ACTS: dict[str, Act] = {
    "auth_distributed": GUESSED,
    "auth_campaign": GUESSED,
    "auth_dictionary": GUESSED,
    "auth_breach": Act("client", LOGGED_IN, "accounts"),
    "stale_client": Act("subject", "kept trying an old password at", "targets"),
    "directory_harvest": Act("client", "guessed addresses"),
    "backscatter_received": Act("subject", "got reports about mail that it never sent"),
    "backscatter_made": Act("subject", "answered forged mail with reports"),
    "account_burst": Act("client", SENT_AS, "accounts"),
    "account_cluster": Act("client", SENT_AS, "accounts"),
    "auto_reply_storm": Act("subject", "answered by itself again and again"),
    "directory_fault": Act("subject", "refused addresses that exist"),
    "filter_bypass": Act("client", "came around the filter"),
    "internal_mailer": Act("client", "sent mail that nobody asked for"),
    "open_relay": Act("client", "sent mail to strangers through us"),
    "phish_answered": Act("subject", "wrote to", "targets", "which phishers read"),
    "protocol_abuse": Act("client", "broke the rules of SMTP"),
    "queue_growth": Act("subject", "had its queue grow"),
    "refused_reputation": Act("subject", "was refused for its reputation"),
    "relay_probe": Act("client", "asked whether we relay"),
    "sender_reputation": Act("client", "brought mail of ill repute"),
    "gateway_silent": Act("subject", "fell silent"),
    "gateway_behind": Act("subject", "fell behind with the decisions"),
    "listed": Act("subject", "was put on a block list"),
    "host": Act("subject", "failed its checks"),
}


def story(found: Sequence[History]) -> str:
    """The sentence, of alerts with the oldest first. One alert tells it in its own words; what was
    withdrawn is left out, unless nothing else is there."""
    alerts = [each.newest for each in found if not each.withdrawn]
    alerts = alerts or [each.newest for each in found]
    if len(alerts) == 1:
        return alerts[0].summary.partition(". ")[0]  # what follows is advice
    by_verb: dict[str, list[Alert]] = {}
    for alert in alerts:
        by_verb.setdefault(_act(alert).verb, []).append(alert)
    if LOGGED_IN in by_verb and SENT_AS in by_verb:  # the breach is often known by what followed
        by_verb[SENT_AS] = by_verb.pop(SENT_AS)
    clauses: list[str] = []
    before = ""
    for alike in list(by_verb.values())[:CLAUSES]:
        actor, said = _actor(alike), _clause(alike)
        clauses.append(said if actor == before else f"{actor} {said}")
        before = actor
    more = len(by_verb) - len(clauses)
    rest = f", and {many(more, 'more thing')}" if more else ""
    return ", then ".join(clauses) + rest


def _act(alert: Alert) -> Act:
    return ACTS.get(alert.detector) or Act("subject", f"is told of by {alert.detector}")


def _actor(alike: list[Alert]) -> str:
    if _act(alike[0]).actor == "client":
        clients = accused(alike)
        if clients.count:
            return _named(clients, "client")
    return _named(named(alert.subject.value for alert in alike), "subject")


def _clause(alike: list[Alert]) -> str:
    act = _act(alike[0])
    said = act.verb
    if act.whom:
        whom = hijacked(alike) if act.whom == "accounts" else _targets(alike)
        said += f" {_named(whom, 'account') if whom.count else 'accounts'}"
    sent = max((e.count for a in alike for e in a.evidence if e.sign in SENT), default=0)
    if sent and act.verb == SENT_AS:
        said += f" to {many(sent, 'recipient')}"
    return f"{said}, {act.rest}" if act.rest else said


def _named(who: Named, noun: str) -> str:
    """``a``, ``a and b``, ``a and 7 more clients``."""
    left = who.count - len(who.names[:NAMES])
    if not who.names:
        return many(who.count, noun)
    if left <= 0:
        return " and ".join(who.names[:NAMES])
    return f"{who.names[0]} and {many(who.count - 1, f'more {noun}')}"


# -- who took which part ------------------------------------------------------------------------


def accused(alerts: Iterable[Alert]) -> Named:
    """Clients and networks that accusing alerts name. ``info`` accuses nobody."""
    accusing = [alert for alert in alerts if alert.severity != "info"]
    own = ("client", "network")
    names = (
        name
        for a in accusing
        for name in ([*a.clients] or [a.subject.value] * (a.subject.kind in own))
    )
    return named(names, max((alert.clients_count for alert in accusing), default=0))


def attacked(alerts: Iterable[Alert]) -> Named:
    """Accounts that somebody guessed at."""
    return _targets([alert for alert in alerts if _act(alert) is GUESSED])


def hijacked(alerts: Iterable[Alert]) -> Named:
    """Accounts that somebody else used."""
    used = [alert for alert in alerts if _act(alert).whom == "accounts"]
    stated = max((alert.accounts_count for alert in used), default=0)
    return named((name for alert in used for name in alert.accounts), stated)


def _targets(alerts: Sequence[Alert]) -> Named:
    stated = max((alert.targets_count for alert in alerts), default=0)
    return named((name for alert in alerts for name in alert.targets), stated)
