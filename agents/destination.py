"""Where a message went: out into the world, or to a mailbox of ours."""

from schemas.events import Delivery
from schemas.keys import Site


def leaves(event: Delivery, site: Site) -> bool:
    """Whether the recipient is somebody else's.

    Where our domains are not configured, mail within one domain is ours, and so is what a
    transport of this server took: it has the name of a service (``local``, ``virtual``, that of
    a pipe(8) entry in Postfix's master.cf), not that of a host.
    """
    domain = event.recipient.rpartition("@")[2]
    if site.domains:
        return domain not in site.domains
    if domain == event.sender.rpartition("@")[2]:
        return False
    return not event.relay or ("." in event.relay and not event.relay.startswith("127."))
