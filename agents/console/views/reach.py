"""Whether an action can be carried out by a gateway that is configured here."""

from agents.console.desk import Desk
from agents.operator.effect import reached
from schemas.findings import Action, Decision, Target, TargetKind

EXAMPLES: dict[TargetKind, str] = {
    "network": "192.0.2.1",
    "account": "name@example.org",
    "address": "name@example.org",
    "domain": "example.org",
    "client_account": "192.0.2.1 name@example.org",
}


def can(desk: Desk, kind: TargetKind, action: Action) -> bool:
    """On Kafka it is for gateways elsewhere, of which these settings need not know."""
    if desk.kafka:
        return True
    target = Target(kind, EXAMPLES[kind])
    one = Decision(id="", target=target, action=action, enforced=True)
    return reached(one, desk.config)


def anybody_can(desk: Desk, action: Action) -> bool:
    """Whether it can be carried out against anybody."""
    return any(can(desk, kind, action) for kind in EXAMPLES)
