"""How sendmail names a client, and how a queue file.

``host [192.0.2.1]``, ``[IPv6:2001:db8::1]``, ``ident@host [192.0.2.1] (may be forged)``; a local
user has no address: ``root@localhost``. A queue id is the time in base 60 and the process's id.
"""

import re

from schemas import net

KEPT = 65_536  # names that are remembered
FORGED = " (may be forged)"

_PEER = re.compile(
    r"(?:[^\s\[\]\"<>@,]{1,80}@)?(?P<name>[\w.-]{0,255}|\[[\w.:]{2,50}\]) ?\[(?P<ip>[\w.:]{2,50})\]"
)

_known: dict[str, tuple[str, str]] = {}


def peer(text: str) -> tuple[str, str]:
    """(name or "", address or "") of a client; ("", "") where `text` names none."""
    found = _known.get(text)
    if found is None:
        match = _PEER.fullmatch(text.removesuffix(FORGED))
        name = match["name"] if match and text[-1:] == "]" and match["name"][:1] != "[" else ""
        found = (name, net.address(match["ip"])) if match else ("", "")
        if len(_known) >= KEPT:
            _known.clear()
        _known[text] = found
    return found


def is_queue_id(text: str) -> bool:
    """``AA12345`` (8.6) to ``s1REiHdq087838`` and longer."""
    return 7 <= len(text) <= 24 and text[-4:].isdecimal() and text.isalnum() and text.isascii()


def mailbox(text: str) -> str:
    """An address as events have it: lower case, without ``<>``, bounded."""
    return text.strip("<> ")[:320].lower()
