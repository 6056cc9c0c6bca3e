"""``[gateways.auth_policy]``"""

from streams.http_serving import HttpServingSettings


class AuthPolicySettings(HttpServingSettings, frozen=True):
    """Where Dovecot asks, and what it is answered."""

    listen: str = "127.0.0.1:4001"
    gateway: str = ""  # whose attempts these are, as its log lines call it; "": as Dovecot says
    tarpit: int = 5  # seconds that Dovecot is told to wait, at most 30
    tarpits: int = 100  # that wait at the same time; more go on at once
    message: str = "Login refused; ask your help desk"  # with the id of the reason behind it
    doveconf: str = "doveconf"  # asked by `check` what Dovecot is told; "": Dovecot is elsewhere
    dovecot_conf: str = ""  # the file that doveconf reads; "" is its default
