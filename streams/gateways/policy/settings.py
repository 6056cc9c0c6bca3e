"""``[gateways.policy]``"""

from streams.serving import ServingSettings


class PolicySettings(ServingSettings, frozen=True):
    """Where Postfix and Exim ask, and how much an answer may hold up."""

    listen: str = "127.0.0.1:10031"  # host:port, or unix: and a path
    connections: int = 1000  # at the same time; one more is answered neutrally, and closed
    timeout: float = 0.2  # seconds; what could only be answered later is answered neutrally
    tarpit: int = 5  # seconds that a tarpit sleeps, 30 at most; 0: never
    processes: int = 100  # of the mail server: a twentieth of them may sleep at the same time
    greylist: int = 300  # seconds until a client, sender and recipient may come again
    limit: int = 20  # recipients that a limited account may have in an hour
    login_domain: str = ""  # that of logins without one
    # messages are told to the detectors: only where nobody reads the log of the server that asks,
    # which tells them already
    report: bool = False
    host: str = ""  # gateway name of what is reported; "" is this machine's
    postconf: str = "postconf"  # asked by `check` who asks us; "": no Postfix does
    config_directory: str = ""  # of the Postfix instance
