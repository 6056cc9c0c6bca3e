"""What a DNS block list is asked, and what its answers mean (RFC 5782). No IO.

A list answers with addresses of 127.0.0.0/8, each a code of its own. Not every such address is a
listing: 127.255.255.x says that the list does not answer whoever asks (too many questions, a
public resolver), 127.0.0.1 must never be listed, and an address outside means that somebody else
answers in the list's name (a domain that was sold, a resolver that redirects).
"""

import ipaddress
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

State = Literal["listed", "not listed", "unknown"]

_CODES = ipaddress.IPv4Network("127.0.0.0/8")
_ERRORS = ipaddress.IPv4Network("127.255.255.0/24")
_NEVER = ipaddress.IPv4Address("127.0.0.1")

ALWAYS = {4: "127.0.0.2", 6: "::ffff:7f00:2"}
"""What every list lists, by the version of addresses that it knows (RFC 5782, 5)."""
NEVER = {4: "127.0.0.1", 6: "::ffff:7f00:1"}
"""What no list lists."""


class Answer(Struct, frozen=True, kw_only=True):
    """What a list says of an address."""

    address: str
    zone: str
    state: State
    codes: tuple[str, ...] = ()
    text: str = ""  # its own words (TXT), or why it is unknown


def question(address: str, zone: str) -> str:
    """The name that is asked for: the address reversed, by octets or by nibbles."""
    pointer = ipaddress.ip_address(address).reverse_pointer
    return f"{pointer.removesuffix('.in-addr.arpa').removesuffix('.ip6.arpa')}.{zone}"


def version(address: str) -> int:
    """4 or 6."""
    return ipaddress.ip_address(address).version


def misused(codes: Sequence[str]) -> str:
    """Why codes are no listing; "" where they are one."""
    for code in codes:
        address = ipaddress.IPv4Address(code)
        if address in _ERRORS:
            return f"the list does not answer us ({code})"
        if address not in _CODES or address == _NEVER:
            return f"{code} is no answer of a block list"
    return ""
