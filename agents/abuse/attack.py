"""An alert as strangers are told of it: what one client did, without the names of our mailboxes.

A report goes to people whom we do not know, and may be passed on to whoever attacked us. So it
names the client, our servers, times, counts and the Message-IDs of mail, and no account, recipient
or text that an event quotes.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from schemas import net
from schemas.findings import Alert
from streams.rendering import samples, words

LINES = 20  # events that a report quotes


class Kind(Struct, frozen=True):
    did: str  # what the client did, in words
    tag: str  # attack:TAG of X-ARF


GUESSED = Kind("guessed passwords of our users", "password-guessing")
KINDS: dict[str, Kind] = {
    "auth_dictionary": GUESSED,
    "auth_distributed": GUESSED,
    "auth_campaign": GUESSED,
    "auth_breach": Kind("logged in with a password that is not theirs", "stolen-password"),
    "account_burst": Kind("sent mail through an account that was taken over", "spam"),
    "account_cluster": Kind("sent mail through accounts that were taken over", "spam"),
    "directory_harvest": Kind("tried addresses to find those that exist", "address-harvesting"),
    "relay_probe": Kind("asked our servers to relay mail to strangers", "relay-probing"),
    "open_relay": Kind("sent mail to strangers through our servers", "relay-abuse"),
    "protocol_abuse": Kind("broke the rules of SMTP as attacking programs do", "protocol-abuse"),
    "sender_reputation": Kind("sent mail that our filters judged to be abuse", "spam"),
    "filter_bypass": Kind("sent mail around our mail filter", "spam"),
}
"""Detectors that accuse somebody outside."""


class Mail(Struct, frozen=True):
    """A mail that the client brought, as far as the events tell of it."""

    message_id: str
    sender: str


class Attack(Struct, frozen=True):
    """What one client did."""

    alert: str  # id
    kind: Kind
    client: str  # an address
    first: float  # Unix seconds
    last: float
    evidence: str
    servers: list[str]
    lines: list[str]  # events, as strangers may read them
    mails: list[Mail] = field(default_factory=list)


class NothingToReportError(Exception):
    """Why an alert is none that a network could be told of."""


def attacks(alert: Alert, spared: net.Networks) -> Iterator[Attack]:
    """One for each client that the alert accuses and names; `spared` networks are left out, ours
    above all. Raises NothingToReportError."""
    kind = KINDS.get(alert.detector)
    if alert.severity == "info" or kind is None:
        raise NothingToReportError(f"{alert.detector} ({alert.severity}) accuses nobody outside")
    if alert.state == "withdrawn":
        raise NothingToReportError("it is withdrawn")
    every = [(sample.at, event) for sample, event in samples.facts(alert)]
    names = list(dict.fromkeys(_clients(alert)))
    found = [(name, [one for one in every if _is(name, one[1])]) for name in names]
    clients = [(address, own) for name, own in found if (address := _address(name, own))]
    strangers = [one for one in clients if one[0] not in spared and _public(one[0])]
    if not strangers:
        raise NothingToReportError(
            "all of its clients are ours, or trusted" if clients else "no client"
        )
    for client, own in strangers:
        yield Attack(
            alert=alert.id,
            kind=kind,
            client=client,
            first=alert.first,
            last=alert.last,
            evidence=_counts(alert) if len(strangers) == 1 else "",
            servers=list(
                dict.fromkeys(
                    words.plain(str(e["gateway"]), 100) for _, e in own if e.get("gateway")
                )
            ),
            lines=[f"{words.stamp(at)} {_said(event)}" for at, event in own[:LINES]],
            mails=_mails(event for _, event in own),
        )


def _counts(alert: Alert) -> str:
    """What was found too much, without our thresholds."""
    found = [one for one in alert.evidence[: words.NAMED] if one.count >= one.threshold > 0]
    return ", ".join(words.plain(f"{one.sign} {one.count:g}", 100) for one in found)


def _clients(alert: Alert) -> Iterator[str]:
    if alert.subject.kind == "client":
        yield alert.subject.value
    yield from alert.clients


def _is(name: str, event: dict[str, Any]) -> bool:
    """Whether an event is of this client, which is an address or an IPv6 /64."""
    try:
        return net.client(samples.text(event, "client")) == net.client(name)
    except ValueError:
        return False


def _address(name: str, own: list[tuple[float, dict[str, Any]]]) -> str:
    """One address of a client; of a /64, the one that an event has, else its first. "" for what is
    none."""
    for _, event in own:
        if found := net.address(samples.text(event, "client")):
            return found
    return net.address(words.address(name))


def _public(address: str) -> bool:
    return address not in _PRIVATE


_PRIVATE = net.Networks([*net.PRIVATE, *net.LOOPBACK])


def _said(event: dict[str, Any]) -> str:
    what = {
        "auth": f"login {samples.text(event, 'outcome') or 'failed'}",
        "recipient": f"recipient {samples.text(event, 'verdict') or 'accepted'}",
        "message": "mail accepted",
        "delivery": f"mail {samples.text(event, 'status') or 'sent'}",
        "verdict": f"mail judged {samples.text(event, 'kind')}",
        "connection": f"connection {samples.text(event, 'outcome') or 'opened'}",
    }.get(str(event["type"]), str(event["type"]))
    rest = [samples.text(event, name) for name in ("service", "mechanism", "enhanced")]
    rest += [f"Message-ID {name}"] if (name := samples.text(event, "message_id")) else []
    count = event.get("count", 1)
    rest += [f"{count} times"] if isinstance(count, int) and count > 1 else []
    server = samples.text(event, "gateway")
    said = f"{server}: {what} from {samples.text(event, 'client')}"
    return words.plain(f"{said} ({', '.join(filter(None, rest))})" if any(rest) else said, 300)


def _mails(events: Iterator[dict[str, Any]]) -> list[Mail]:
    found = {
        Mail(
            words.plain(samples.text(event, "message_id"), 200),
            words.plain(samples.text(event, "sender"), 200),
        ): None
        for event in events
        if event["type"] in ("message", "delivery", "verdict")
    }
    return [mail for mail in found if mail.message_id or mail.sender][:LINES]
