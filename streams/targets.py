"""What a decision is about, as text that may be written into another program's file.

What others wrote never reaches a file as it is: networks are written anew from their numbers;
logins, addresses and domains are taken only where they are plain; ids and reasons keep only
characters that mean nothing anywhere. A decision for the mail of one domain is for none of these
files, which do not know for whose mail they are asked.
"""

import re
from collections.abc import Iterator

from schemas.findings import Decision
from streams import prefixes
from streams.prefixes import Prefix

# Without white space, quotes, colons, comment signs and backslashes: one word in any table.
_PLAIN_LOGIN = re.compile(r"[\w!$%&'*+/=?^`{|}~.@-]{1,160}")
_PLAIN_ADDRESS = re.compile(r"[a-z0-9!$%&'*+/=?^_`{|}~.-]{1,64}@([a-z0-9._-]{1,253})")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?")
_HARMFUL = re.compile(r"[^A-Za-z0-9:./@_-]")
_HARMFUL_TEXT = re.compile(r"[^A-Za-z0-9:./@_ ,-]+")


def prefix(decision: Decision) -> Prefix | None:
    """The network that a decision is about, if it is about one."""
    if decision.target.kind != "network" or decision.domain:
        return None
    try:
        return prefixes.parse(decision.target.value)
    except ValueError:
        return None


def login(decision: Decision) -> str:
    """The login; "" where it is about none that can be written down."""
    if decision.target.kind != "account" or decision.domain:
        return ""
    return decision.target.value if _PLAIN_LOGIN.fullmatch(decision.target.value) else ""


def logins(decision: Decision, login_domain: str) -> Iterator[str]:
    """The login, in all its spellings."""
    name = login(decision)
    if name:
        yield from spellings(name, login_domain)


def spellings(name: str, login_domain: str) -> Iterator[str]:
    """How people may write a login of `login_domain`: with the domain, and without it."""
    yield name
    bare, _, domain = name.rpartition("@")
    if bare and domain == login_domain:
        yield bare


def pair(decision: Decision) -> tuple[Prefix, str] | None:
    """The client and the login of a decision about the two together, if it is about that."""
    if decision.target.kind != "client_account" or decision.domain:
        return None
    client, _, name = decision.target.value.partition(" ")
    if not _PLAIN_LOGIN.fullmatch(name):
        return None
    try:
        return prefixes.parse(client), name
    except ValueError:
        return None


def mailbox(decision: Decision) -> str:
    """The mail address; "" where it is about none that can be written down."""
    if decision.target.kind != "address" or decision.domain:
        return ""
    return address(decision.target.value)


def address(text: str) -> str:
    """A mail address in its one spelling; "" where it is none that can be written down."""
    found = _PLAIN_ADDRESS.fullmatch(text)
    return found[0] if found and _is_domain(found[1]) else ""


def domain(decision: Decision) -> str:
    """The domain; "" where it is about none that can be written down."""
    if decision.target.kind != "domain" or decision.domain:
        return ""
    return decision.target.value if _is_domain(decision.target.value) else ""


def pardoned(decision: Decision) -> bool:
    return decision.origin == "pardon"


def word(text: str) -> str:
    """An id, as one word."""
    return _HARMFUL.sub("_", text)[:120]


def reference(decision: Decision) -> str:
    """The id of a decision, as one word."""
    return word(decision.id)


def reason(decision: Decision, most: int) -> str:
    """Why, in so many characters at most; may be ""."""
    return _HARMFUL_TEXT.sub("_", decision.reason)[:most].strip()


def _is_domain(text: str) -> bool:
    return len(text) <= 253 and all(map(_LABEL.fullmatch, text.split(".")))
