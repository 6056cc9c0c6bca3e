"""Decisions for tests of gateways."""

from schemas.findings import Action, Decision, Target, decision_id


def decided(
    value: str = "192.0.2.1",
    action: Action = "drop",
    *,
    kind: str = "network",
    until: float = 2000.0,
    origin: str = "automatic",
    domain: str = "",
    enforced: bool = True,
    name: str = "",
    alert: str = "",
    reason: str = "",
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    return Decision(
        id=name or decision_id(target, action),
        target=target,
        action=action,
        until=until,
        origin=origin,  # type: ignore[arg-type]
        domain=domain,
        enforced=enforced,
        alert=alert,
        reason=reason,
    )


def pardoned(value: str, *, kind: str = "network") -> Decision:
    return decided(value, "observe", kind=kind, origin="pardon")
