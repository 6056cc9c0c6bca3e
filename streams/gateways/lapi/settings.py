"""``[gateways.lapi]``"""

from msgspec import field

from schemas.findings import Action
from streams.http_serving import HttpServingSettings


class LapiSettings(HttpServingSettings, frozen=True):
    """Each bouncer has a key of its own in `key_file`: one line, NAME KEY."""

    listen: str = "127.0.0.1:8080"  # where bouncers look by default
    largest: int = 1 << 20  # bytes of a request's body
    # what a bouncer is told to do, by action; other actions are not told
    types: dict[Action, str] = field(
        default_factory=lambda: {"reject": "ban", "drop": "ban", "lock": "ban"}
    )
    # names of bouncers that know no networks (crowdsec-firewall-bouncer with nftables): they are
    # told each address of an IPv4 network; "*": all
    expand_ranges: tuple[str, ...] = ()
    # the folder of NAME.json, where it is kept what bouncers were told, so that a restart takes
    # nothing back and tells nothing twice; "" keeps nothing
    memory: str = "/var/lib/mailwarden"
