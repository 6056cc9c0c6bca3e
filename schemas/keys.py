"""Whom an event concerns, and which partition watches over them.

A *key* names a subject: a letter, a colon and the subject.

======  =========================================================================
``c:``  a client: an IPv4 address, or an IPv6 /64
``n:``  the network around it, /24 or /48
``m:``  a mailbox: the login, else the local sender or recipient, in its one spelling
``g:``  a gateway
``d:``  a domain that sends to us; where there is no sender, ours that is sent to
``s:``  the site: ``s:site`` as a whole, and lists of it by number; only signals go there
======  =========================================================================

A client lies in the partition of its network, so that neighbours meet in one worker. Mailbox
names are reduced to one spelling: VERP, SRS, BATV and +tags fall away, ``DOMAIN\\name`` is
``name``, and a name without a domain has the site's.
"""

import re
import zlib
from collections.abc import Callable, Container
from functools import lru_cache

from msgspec import Struct, field

from schemas import net
from schemas.events import (
    Auth,
    Bounce,
    Change,
    Complaint,
    Connection,
    Delivery,
    Fact,
    Message,
    Queue,
    Recipient,
    Signal,
    Verdict,
    offence,
)

Key = str

LONGEST = 160  # characters of a mailbox or domain that count; an attacker chooses the rest

TOLD_OF = 8  # mail that comes in is told to its reader's watcher in every 8th second: so often
# that an address which gets mail is known, and so seldom that it costs nearly nothing

UNWELCOME = frozenset({"listed", "reputation", "policy"})
"""Reasons of a failed delivery that may speak of our gateway, not of the mail."""

KINDS = {"c": "client", "n": "network", "m": "account", "g": "gateway", "d": "domain", "s": "site"}


class Site(Struct, frozen=True):
    """What must be known of a site to say whom an event concerns, and who is no stranger."""

    domains: frozenset[str] = frozenset()  # ours; mail to and from them is local
    default_domain: str = ""  # of logins without one
    own: net.Networks = field(default_factory=lambda: net.Networks(net.PRIVATE))
    # allow list, relays, webmail and filters in front of us: no client detector judges them
    trusted: net.Networks = field(default_factory=lambda: net.Networks(net.LOOPBACK))
    # hosted filters that all mail from outside comes through; trusted as well
    filters: net.Networks = field(default_factory=net.Networks)
    shared: net.Networks = field(default_factory=net.Networks)  # carrier NAT, campus, VPN exits
    honeypots: frozenset[str] = frozenset()  # logins that nobody has
    bulk: frozenset[str] = frozenset()  # mailboxes that may send much: newsletters, lists
    phishing: Container[str] = frozenset()  # addresses that phishers collect answers at
    # whose network a client lies in: its autonomous system where that is known, else its /16
    place: Callable[[str], str] = net.wide

    def local(self, mailbox: str) -> bool:
        """Whether an address is in one of our domains. Without a list, none is known to be."""
        return mailbox.rpartition("@")[2] in self.domains


@lru_cache(maxsize=131072)
def partition(key: Key, partitions: int) -> int:
    """Where the records of `key` live: CRC-32 of its routing key, modulo the partitions."""
    return zlib.crc32(route(key).encode()) % partitions


def route(key: Key) -> Key:
    """The key whose partition this key shares: a client goes with its network."""
    return "n:" + net.network(key[2:]) if key[0] == "c" else key


def subject(key: Key) -> tuple[str, str]:
    """(kind, value) of a key, as findings name it."""
    return KINDS[key[0]], key[2:]


_TAGGED = re.compile(r"(?P<name>[^+@]+)\+[^@]*@(?P<domain>[^@]+)")
_SRS0 = re.compile(r"srs0[=+-][^=@]+=[^=@]+=(?P<domain>[^=@]+)=(?P<name>[^@]+)@[^@]+")
_SRS1 = re.compile(
    r"srs1[=+-][^=@]+=[^=@]+==[^=@]+=[^=@]+=(?P<domain>[^=@]+)=(?P<name>[^@]+)@[^@]+"
)
_BATV = re.compile(r"(?:prvs|btv1)=+[0-9a-z]+=+(?P<name>[^@]+)@(?P<domain>[^@]+)")


@lru_cache(maxsize=65536)
def mailbox(address: str, default_domain: str = "") -> str:
    r"""The one spelling of a login or an address.

    VERP (``list-owner+someone=example.org@ours``) and +tags go at the first ``+``, SRS (Sender
    Rewriting Scheme) yields the address that was rewritten, BATV (draft-levine-smtp-batv) the
    one that was signed.
    """
    text = address.strip().lower()[:LONGEST]
    text = text.rpartition("\\")[2]
    for pattern in (_BATV, _SRS0, _SRS1, _TAGGED):
        found = pattern.fullmatch(text)
        if found:
            text = f"{found['name']}@{found['domain']}"
    if text and "@" not in text and default_domain:
        text = f"{text}@{default_domain}"
    return text


def keys(event: Fact, site: Site) -> tuple[Key, ...]:
    """All subjects that an event concerns, each once; none where nobody needs to hear of it."""
    return _KEYS[type(event)](event, site)


@lru_cache(maxsize=65536)
def _of_client(client: str) -> tuple[Key, ...]:
    return (f"c:{net.client(client)}", f"n:{net.network(client)}") if client else ()


def _of_mailbox(name: str, site: Site) -> tuple[Key, ...]:
    return _mailbox_key(name, site.default_domain) if name else ()


@lru_cache(maxsize=65536)
def _mailbox_key(name: str, default_domain: str) -> tuple[Key, ...]:
    return (f"m:{mailbox(name, default_domain)}",)


def _of_gateway(event: Fact) -> tuple[Key, ...]:
    return (f"g:{event.gateway}",) if event.gateway else ()


@lru_cache(maxsize=65536)
def _of_domain(sender: str) -> tuple[Key, ...]:
    domain = sender.rpartition("@")[2][:LONGEST]
    return (f"d:{domain}",) if "@" in sender and domain else ()


def _owner(event: Message | Delivery | Verdict | Complaint, site: Site) -> str:
    """Whose mail it is: the login's, else that of a local or internal sender, else nobody's."""
    if event.account:
        return event.account
    ours = not event.client or event.client in site.own or site.local(event.sender)
    return event.sender if ours else ""


def _connection(event: Connection, site: Site) -> tuple[Key, ...]:
    # Who greets by which name tells of a stranger as much as what it does wrong.
    told = offence(event) or event.helo or event.reason == "port_25"
    return _of_client(event.client) if told else ()


def _auth(event: Auth, site: Site) -> tuple[Key, ...]:
    return _of_client(event.client) + _of_mailbox(event.account, site)


def _recipient(event: Recipient, site: Site) -> tuple[Key, ...]:
    found = _of_client(event.client) + _of_mailbox(event.account, site)
    if offence(event):
        found += _of_domain(event.sender or event.recipient) + _of_gateway(event)
    return found


def _of_senders(event: Message | Delivery, site: Site) -> tuple[Key, ...]:
    """Whose mail it is, and the address in whose name a login sends: reports go there."""
    found = _of_mailbox(_owner(event, site), site)
    sender = event.sender
    if not event.account or sender in ("", event.account):
        return found
    if site.domains and not site.local(sender):
        return found
    return tuple(dict.fromkeys(found + _of_mailbox(sender, site)))


def _message(event: Message, site: Site) -> tuple[Key, ...]:
    return _of_client(event.client) + _of_senders(event, site) + _of_gateway(event)


def _delivery(event: Delivery, site: Site) -> tuple[Key, ...]:
    if relayed(event, site):
        found = _of_client(event.client) + _of_senders(event, site)
    elif event.sender:
        found = _of_senders(event, site) or _of_reader(event, site)
    else:
        # The null sender: a report, which concerns the one who gets it.
        found = _of_mailbox(event.account or event.recipient, site)
    return found + _of_gateway(event) if event.reason in UNWELCOME else found


def _of_reader(event: Delivery, site: Site) -> tuple[Key, ...]:
    """Who of ours got a stranger's mail: an address that exists."""
    if int(event.at) % TOLD_OF or event.status != "sent":
        return ()
    asked = event.original or event.recipient
    return _of_mailbox(asked, site) if site.local(asked) else ()


def relayed(event: Delivery, site: Site) -> bool:
    """Whether mail of a stranger without a login went on to another stranger. Judged by the
    address that was given at RCPT: what an alias or a forward made of it is no relaying."""
    client = event.client
    if not site.domains or event.account or not client:
        return False
    asked = event.original or event.recipient
    domain = asked.rpartition("@")[2]
    if domain in site.domains or "@" not in asked:
        return False
    return client not in site.own and client not in site.trusted


def _bounce(event: Bounce, site: Site) -> tuple[Key, ...]:
    if event.direction == "made" or event.reason in UNWELCOME:
        return _of_gateway(event) + _of_mailbox(event.recipient, site)
    return _of_mailbox(event.recipient, site)


def _owned(event: Verdict | Complaint, site: Site) -> tuple[Key, ...]:
    return _of_client(event.client) + _of_mailbox(_owner(event, site), site)


def _change(event: Change, site: Site) -> tuple[Key, ...]:
    return _of_mailbox(event.account, site)


def _queue(event: Queue, site: Site) -> tuple[Key, ...]:
    return _of_gateway(event)


def _signal(event: Signal, site: Site) -> tuple[Key, ...]:
    return (event.about,)


_KEYS: dict[type[Fact], Callable[..., tuple[Key, ...]]] = {
    Connection: _connection,
    Auth: _auth,
    Recipient: _recipient,
    Message: _message,
    Delivery: _delivery,
    Bounce: _bounce,
    Complaint: _owned,
    Verdict: _owned,
    Queue: _queue,
    Change: _change,
    Signal: _signal,
}
