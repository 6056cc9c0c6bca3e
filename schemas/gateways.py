"""What a gateway process tells of itself on mail.gateways, and what all of them are told on
mail.switch."""

from msgspec import Struct, field, structs


class GatewayState(Struct, frozen=True, kw_only=True):
    """The newest one of a gateway says how far it is; one that is minutes old, that it is gone.

    ``at`` and the other times are Unix seconds by the gateway's own clock.
    """

    gateway: str  # host that it runs on, or the configured name
    at: float
    complete: bool  # it has read all decisions there were when it connected
    decisions: int  # in force here, those only observed included
    enforced: int  # of them, those that its programs carry out
    applied_at: float = 0.0  # when all its programs were last like that; 0: never yet
    lag: float = 0.0  # seconds from a decision's publication until it was applied, the last one
    troubles: dict[str, str] = field(default_factory=dict)  # by program, why it is not
    programs: list[str] = field(default_factory=list)  # that it enforces by, by name
    generation: int = 0  # messages of mail.decisions up to which it has applied all: grows
    refused: dict[str, int] = field(default_factory=dict)  # decisions in the last hour, by reason
    canary: bool = False  # it enforces new decisions before the others
    lifted: bool = False  # the kill switch is pulled: nothing is enforced
    switch: str = ""  # id of the newest word on mail.switch that it has carried out


def reported(state: GatewayState) -> GatewayState:
    """The state as it is told: while the kill switch is pulled, nothing is enforced."""
    return structs.replace(state, enforced=0) if state.lifted else state


class Switch(Struct, frozen=True, kw_only=True):
    """The kill switch of a whole site; the newest word counts."""

    id: str
    pulled: bool  # nothing is to be enforced; False: all that is in force is again
    at: float  # Unix seconds; each word is later than the one before
    by: str
    reason: str = ""


SWITCH = b"panic"
"""Its key on mail.switch."""
