"""The forms of address by which servers have been talked into relaying. No IO.

Each asks one thing: does this server take mail for somebody who is elsewhere? Sources: RFC 5321
(4.1.1.3, and appendix C: source routes), RFC 1123 (5.2.16: the percent hack), RFC 976 (bang
paths), and Exchange's encapsulation of foreign addresses (IMCEA).
"""

from typing import Literal

from msgspec import Struct

Name = Literal[
    "plain",
    "null sender",
    "own sender",
    "literal sender",
    "percent route",
    "bang path",
    "local bang path",
    "source route",
    "double address",
    "quoted",
    "quoted at ours",
    "address literal",
    "bare name",
    "encapsulated",
]


class Form(Struct, frozen=True):
    """One way to ask. Addresses are as they stand between the angle brackets."""

    name: Name
    sender: str
    recipient: str

    def ours(self, domain: str) -> bool:
        """Whether a server that looks only at the last domain takes it for mail to ours."""
        name, _, last = self.recipient.rpartition("@")
        return not name or last == domain or last.startswith("[")


def forms(*, sender: str, recipient: str, domain: str, address: str) -> list[Form]:
    """All of them: from a foreign `sender` to a foreign `recipient`; `domain` is one of the
    server's own, `address` its IP address. Raises ValueError where an address has no domain."""
    user, _, elsewhere = recipient.rpartition("@")
    if not user or not elsewhere or "@" not in sender:
        raise ValueError("sender and recipient must be addresses such as name@example.net")
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    asked: tuple[tuple[Name, str, str], ...] = (
        ("plain", sender, recipient),
        ("null sender", "", recipient),
        ("own sender", f"postmaster@{domain}", recipient),
        ("literal sender", f"postmaster@{literal}", recipient),
        ("percent route", sender, f"{user}%{elsewhere}@{domain}"),
        ("bang path", sender, f"{elsewhere}!{user}"),
        ("local bang path", sender, f"{elsewhere}!{user}@{domain}"),
        ("source route", sender, f"@{domain}:{recipient}"),
        ("double address", sender, f"{recipient}@{domain}"),
        ("quoted", sender, f'"{recipient}"'),
        ("quoted at ours", sender, f'"{recipient}"@{domain}'),
        ("address literal", sender, f"{user}%{elsewhere}@{literal}"),
        ("bare name", sender, f"{user}%{elsewhere}"),
        ("encapsulated", sender, f"IMCEASMTP-{user}+40{elsewhere}@{domain}"),
    )
    return [Form(*each) for each in asked]
