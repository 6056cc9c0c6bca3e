"""The kill switch as an operator works it: on this host, or for all gateways on Kafka; and who has
heard of it."""

import secrets
import time
from collections.abc import Callable, Iterator

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
    ledger: BusLedger, before: Switch | None, *, pulled: bool, reason: str, now: float
) -> Switch:
    """Say it on Kafka. Each word is later than the one before, whatever the clocks say."""
    at = max(now, before.at + 0.001) if before else now
    by = person.login()
    switch = Switch(id=secrets.token_hex(8), pulled=pulled, at=at, by=by, reason=reason)
    ledger.set_switch(switch, said(pulled=pulled, reason=reason, now=now))
    return switch


def said(*, pulled: bool, reason: str, now: float) -> Audit:
    """The entry in the trail of changes."""
    what: What = "panic" if pulled else "resumed"
    return Audit(at=now, what=what, by=person.login(), reason=reason, host=person.host())


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
