"""What a gateway process tells of itself on mail.gateways."""

from msgspec import Struct, field


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
