"""How Exim names a client: ``H=name (helo) [192.0.2.1]:port I=[192.0.2.9]:25``.

Made by host_build_sender_fullhost() in src/host.c and host_and_ident() in src/smtp_in.c. The
greeting in the parentheses is the client's own words; with ``helo_accept_junk_hosts`` it may say
anything, parentheses and brackets included. "Only the final address in square brackets can be
relied on" (the manual, "Logging message reception"), but what is final? Behind it stand words
that a stranger chose, too: where a line can be read in two ways, nobody is named.
"""

import re
from typing import NamedTuple

from schemas import net

LONGEST_HELO = 255

_PEER = re.compile(
    r"(?:H=)?(?:(?P<name>[^\s()\[\]=]{1,255}) )?(?:\((?P<helo>.*?)\) )?"
    r"\[(?P<address>[^\]\s]{1,64})\](?::(?P<port>\d{1,5}))?(?=[ :]|$)"
)
_ANOTHER = re.compile(r"\) \[(?P<address>[0-9A-Fa-f.:]{2,45})\](?::(?P<port>\d{1,5}))?(?=[ :]|$)")
_INTERFACE = re.compile(r" I=\[[^\]\s]{1,64}\]:(?P<port>\d{1,5})")
_SUBMISSION = frozenset({"465", "587"})


class Peer(NamedTuple):
    client: str  # "" where the line can be read in two ways, or the address is none
    name: str
    helo: str
    port: str
    service: str  # smtp, submission
    end: int  # in the text


def peer(text: str, begin: int, mark: str = "") -> Peer | None:
    """The client that is named at `begin`; None where there is none.

    `mark` stands behind the client in every line of this kind, and what a stranger said may follow
    it; without one nothing of a stranger's follows.
    """
    found = _PEER.match(text, begin)
    if found is None:
        return None
    name, helo, address, port = found.groups()
    client = net.address(address)
    end = found.end()
    if helo is not None and client and text.find(") [", end) >= 0:
        last = text.rfind(mark) if mark else len(text)
        others = [one for one in _ANOTHER.finditer(text, end) if one.end() <= last]
        if others and (not mark or text.find(mark, begin) == last):
            # The mark stands there once: the last address before it is the server's.
            found = others[-1]
            client, port, end = net.address(found["address"]), found["port"], found.end()
        elif any(net.address(one["address"]) not in ("", client) for one in others):
            client = ""
    service = "smtp"
    if text.startswith(" I=", end):
        interface = _INTERFACE.match(text, end)
        if interface:
            end = interface.end()
            service = "submission" if interface["port"] in _SUBMISSION else "smtp"
    return Peer(client, name or "", (helo or "")[:LONGEST_HELO], port or "", service, end)


def session(pid: str, who: Peer) -> str:
    """What tells this connection from others of its client, where the log tells any."""
    return f"exim {who.client} {who.port or pid}"


def mailbox(text: str) -> str:
    """An address as events have it: lower case, without ``<>``, bounded."""
    return text.strip("<>")[:320].lower()
