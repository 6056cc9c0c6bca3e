"""How Postfix names a client, and how a queue file: ``host[192.0.2.1]:port``, ``4F1A2B3C4D``."""

from schemas import net

KEPT = 65_536  # names that are remembered

_known: dict[str, tuple[str, str]] = {}


def peer(text: str) -> tuple[str, str]:
    """(verified name or "", address or "") of ``name[address]`` or ``name[address]:port``.

    Raises ValueError where it is nothing of the kind: the line was cut or forged.
    """
    found = _known.get(text)
    if found is None:
        name, bracket, rest = text.partition("[")
        ip, end, port = rest.partition("]")
        if not bracket or not end or " " in name or (port and not port[1:].isdigit()):
            raise ValueError(f"no client: {text[:200]!r}")
        client = net.address(ip)
        if not client and ip != "unknown":
            raise ValueError(f"no address: {ip[:200]!r}")
        if len(_known) >= KEPT:
            _known.clear()
        found = _known[text] = ("" if name == "unknown" else name, client)
    return found


def is_queue_id(text: str) -> bool:
    """Short ids are hexadecimal digits, long ones letters and digits (Postfix 2.9,
    ``enable_long_queue_ids``); at least six of them."""
    return len(text) >= 6 and text.isalnum() and text.isascii()


def mailbox(text: str) -> str:
    """An address as events have it: lower case, without ``<>``, bounded."""
    return text.strip("<>")[:320].lower()
