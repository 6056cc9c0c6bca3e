"""``[gateways.m365]``"""

from streams.stepping import From, SteppingSettings


class M365Settings(SteppingSettings, frozen=True):
    """An application of the tenant, and what it may do. Without `act` it only says what it would.
    Each step names the mildest action of a decision from which it is taken; "" never."""

    act: bool = False  # the switch
    tenant: str = ""  # directory id
    client: str = ""  # application id
    secret_file: str = ""  # a file with the secret of the application
    domains: tuple[str, ...] = ()  # accounts of these are users of the tenant
    kick: From = ""  # sessions end: users/NAME/revokeSignInSessions
    lock: From = ""  # accountEnabled is false as long as the decision holds
    location: str = ""  # id of a named location that lists refused clients; "" none
    ranges: int = 2000  # that it has room for; the gravest are kept
    interval: float = 60.0  # seconds between two writes of it
    folder: str = "/var/lib/mailwarden/m365"  # what was done is remembered there
    graph: str = "https://graph.microsoft.com/v1.0"
    login: str = "https://login.microsoftonline.com"
    timeout: float = 15.0  # seconds for each call
