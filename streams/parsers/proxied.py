"""The client behind a web server's own proxies.

Anybody can send an ``X-Forwarded-For``. It counts where the web server's peer is one of our own
networks, a proxy: then its last address from outside, for each proxy adds whom it saw at the end.
"""

from schemas import net
from streams.parsers import fields

_OURS = net.Networks(net.PRIVATE)
LONGEST = 500  # characters of a list of addresses


def last(addresses: str) -> str:
    """Of ``client, proxy, proxy`` the last one from outside; of none such the last; ``""`` where
    that is no address."""
    named = addresses[-LONGEST:].rstrip(" ,").split(",")
    found = ""
    for name in reversed(named):
        found = fields.client(name)
        if not found or found not in _OURS:
            break
    return found


def client(peer: str, forwarded: str = "", real: str = "") -> str:
    """Who is behind `peer`, by ``X-Forwarded-For``, else by ``X-Real-IP``; ``""`` where a proxy
    told it and it cannot be read."""
    address = fields.client(peer)
    if address not in _OURS:
        return address
    if forwarded:
        return last(forwarded) or fields.client(real)
    return fields.client(real) or address
