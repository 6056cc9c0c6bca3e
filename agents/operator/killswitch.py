"""The kill switch as an operator works it: on this host, or for all gateways on Kafka; and who has
heard of it."""

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from agents.operator import person
from agents.operator.ledger import BusLedger
from schemas.audit import Audit, What
from schemas.gateways import GatewayState, Switch

POLL = 0.1  # seconds between two looks
ALIVE = 60.0  # seconds: a gateway that has said nothing for longer is not waited for


class Confirmed(Struct, frozen=True):
    """A gateway has done what it was told."""

    gateway: str
    after: float  # seconds


def order(
    ledger: BusLedger,
    before: Switch | None,
    *,
    pulled: bool,
    reason: str,
    now: float,
    by: str | None = None,
) -> Switch:
    """Say it on Kafka. Each word is later than the one before, whatever the clocks say. `by` is who
    says so, where it is not who is logged in here."""
    at = max(now, before.at + 0.001) if before else now
    entry = said(pulled=pulled, reason=reason, now=now, by=by)
    switch = Switch(id=secrets.token_hex(8), pulled=pulled, at=at, by=entry.by, reason=reason)
    ledger.set_switch(switch, entry)
    return switch


def said(*, pulled: bool, reason: str, now: float, by: str | None = None) -> Audit:
    """The entry in the trail of changes."""
    what: What = "panic" if pulled else "resumed"
    by = person.login() if by is None else by
    return Audit(at=now, what=what, by=by, reason=reason, host=person.host())


def pull(switch: Path, words: str) -> None:
    """Pull the one of this host: while the file is there, nothing is enforced. Raises OSError."""
    switch.parent.mkdir(parents=True, exist_ok=True)
    switch.write_text(f"{words}\n", encoding="utf-8")


def alive(states: list[GatewayState], now: float) -> set[str]:
    """The gateways that are to confirm."""
    return {state.gateway for state in states if now - state.at < ALIVE}


def confirmations(
    states: Callable[[], list[GatewayState]],
    done: Callable[[GatewayState], bool],
    awaited: set[str],
    patience: float,
) -> Iterator[Confirmed]:
    """Each gateway that confirms, within `patience` seconds; those awaited that do not are left
    out."""
    begun = time.monotonic()
    missing = set(awaited)
    told: set[str] = set()
    while True:
        for state in states():
            if state.gateway not in told and done(state):
                told.add(state.gateway)
                missing.discard(state.gateway)
                yield Confirmed(state.gateway, time.monotonic() - begun)
        if not missing or time.monotonic() - begun > patience:
            return
        time.sleep(POLL)
