"""Whether an action can be carried out by a gateway that is configured here."""

from agents.console.desk import Desk
from agents.operator.effect import reached
from schemas.findings import Action, Decision, Target

EXAMPLES = {
    "network": "192.0.2.1",
    "account": "name@example.org",
    "address": "name@example.org",
    "domain": "example.org",
    "client_account": "192.0.2.1 name@example.org",
}


def can(desk: Desk, kind: str, action: Action | str) -> bool:
    """On Kafka it is for gateways elsewhere, of which these settings need not know."""
    if desk.kafka:
        return True
    target = Target(kind, EXAMPLES[kind])  # type: ignore[arg-type]
    one = Decision(id="", target=target, action=action, enforced=True)  # type: ignore[arg-type]
    return reached(one, desk.config)


def anybody_can(desk: Desk, action: Action | str) -> bool:
    """Whether it can be carried out against anybody."""
    return any(can(desk, kind, action) for kind in EXAMPLES)
