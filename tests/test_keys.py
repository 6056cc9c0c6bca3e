"""Whom an event concerns, in one spelling, and where that lives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import (
    EVENTS,
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
)
from schemas.keys import KINDS, LONGEST, Site, keys, mailbox, partition, route, subject
from schemas.net import PRIVATE, Networks

SITE = Site(domains=frozenset({"example.org"}), default_domain="example.org")
AT = 1767268800.0
ANNA = "anna@example.org"
HERE = ("c:192.0.2.7", "n:192.0.2.0/24")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("anna@example.org", ANNA),
        ("Anna@Example.ORG ", ANNA),
        ("anna", ANNA),
        ("EXAMPLE\\anna", ANNA),
        ("EXAMPLE\\anna@example.org", ANNA),
        ("anna+shop@example.org", ANNA),
        ("list+bob=example.net@example.org", "list@example.org"),
        ("prvs=0123abcdef=anna@example.org", ANNA),
        ("btv1==0123abcdef==anna@example.org", ANNA),
        ("SRS0=HHH=TT=example.net=bob@example.org", "bob@example.net"),
        ("srs0+hhh=tt=example.net=bob@example.org", "bob@example.net"),
        ("SRS1=GGG=example.com==HHH=TT=example.net=bob@example.org", "bob@example.net"),
        ("prvs=0123abcdef=anna+shop@example.org", ANNA),
        ("+@example.org", "+@example.org"),
        ("prvs=@example.org", "prvs=@example.org"),
        ("", ""),
    ],
)
def test_many_spellings_are_one_mailbox(written: str, meant: str) -> None:
    assert mailbox(written, "example.org") == meant


def test_a_name_without_a_domain_stays_one_where_the_site_has_none() -> None:
    assert mailbox("anna") == "anna"


@given(st.text(max_size=400))
def test_any_text_is_some_mailbox_of_bounded_length(text: str) -> None:
    found = mailbox(text, "example.org")
    assert len(found) <= LONGEST + len("@example.org")
    assert "\\" not in found


CASES: list[tuple[Fact, tuple[str, ...]]] = [
    (Connection(at=AT, client="192.0.2.7"), ()),
    (Connection(at=AT, client="192.0.2.7", outcome="abuse"), HERE),
    (Connection(at=AT, client="192.0.2.7", outcome="refused"), HERE),
    (Connection(at=AT, client="192.0.2.7", helo="mail.example.com"), HERE),
    (Auth(at=AT, client="192.0.2.7", account="anna"), (*HERE, f"m:{ANNA}")),
    (Auth(at=AT, client="192.0.2.7"), HERE),
    (Auth(at=AT, account="anna"), (f"m:{ANNA}",)),
    (
        Auth(at=AT, client="2001:db8:1:2::3"),
        ("c:2001:db8:1:2::/64", "n:2001:db8:1::/48"),
    ),
    (Recipient(at=AT, gateway="mx", client="192.0.2.7", sender="x@example.com"), HERE),
    (
        Recipient(
            at=AT, gateway="mx", client="192.0.2.7", sender="x@example.com", verdict="unknown"
        ),
        (*HERE, "d:example.com", "g:mx"),
    ),
    (
        Recipient(at=AT, client="192.0.2.7", recipient="nobody@example.org", verdict="unknown"),
        (*HERE, "d:example.org"),
    ),
    (
        Recipient(at=AT, client="192.0.2.7", sender="root", verdict="refused"),
        HERE,
    ),
    (
        Recipient(at=AT, client="192.0.2.7", account="anna", sender=ANNA),
        (*HERE, f"m:{ANNA}"),
    ),
    # mail of strangers concerns no mailbox
    (
        Message(at=AT, gateway="mx", client="192.0.2.7", sender="x@example.com"),
        (*HERE, "g:mx"),
    ),
    (Message(at=AT, client="192.0.2.7"), HERE),
    # mail of a login, of our own hosts, and under one of our names
    (Message(at=AT, client="192.0.2.7", account="anna", sender=ANNA), (*HERE, f"m:{ANNA}")),
    (
        Message(at=AT, client="10.0.0.3", sender=ANNA),
        ("c:10.0.0.3", "n:10.0.0.0/24", f"m:{ANNA}"),
    ),
    (Message(at=AT, sender="x@example.com"), ("m:x@example.com",)),
    (Message(at=AT, client="192.0.2.7", sender=ANNA), (*HERE, f"m:{ANNA}")),
    # a login that sends under another name
    (
        Message(at=AT, account="crm", sender="office@example.org"),
        ("m:crm@example.org", "m:office@example.org"),
    ),
    (Message(at=AT, account="crm", sender="x@example.com"), ("m:crm@example.org",)),
    (Message(at=AT, account="crm", sender="crm+a=b@example.org"), ("m:crm@example.org",)),
    (Message(at=AT, account="crm"), ("m:crm@example.org",)),
    (Delivery(at=AT, account="anna", sender=ANNA, recipient="x@example.com"), (f"m:{ANNA}",)),
    (
        Delivery(at=AT, account="crm", sender=ANNA, recipient="x@example.com"),
        ("m:crm@example.org", f"m:{ANNA}"),
    ),
    # a stranger's mail concerns its reader, of whom it is told in every eighth second
    (Delivery(at=AT, client="192.0.2.7", sender="x@example.com", recipient=ANNA), (f"m:{ANNA}",)),
    (Delivery(at=AT + 1, client="192.0.2.7", sender="x@example.com", recipient=ANNA), ()),
    (
        Delivery(at=AT, client="192.0.2.7", sender="x@a.com", recipient="a@b.c", original=ANNA),
        (f"m:{ANNA}",),
    ),
    (
        Delivery(at=AT, client="192.0.2.7", sender="x@a.com", recipient=ANNA, status="bounced"),
        (),
    ),
    (Delivery(at=AT, client="192.0.2.7", sender="x@example.com", recipient="root"), ()),
    # a report concerns the one who gets it
    (Delivery(at=AT, client="192.0.2.7", recipient=ANNA), (f"m:{ANNA}",)),
    (Bounce(at=AT, recipient=ANNA), (f"m:{ANNA}",)),
    (Bounce(at=AT, direction="made", gateway="mx", recipient=ANNA), ("g:mx", f"m:{ANNA}")),
    (Bounce(at=AT, direction="made", gateway="mx"), ("g:mx",)),
    # a refusal that may speak of the gateway
    (
        Delivery(at=AT, gateway="mx", sender=ANNA, recipient="x@example.com", reason="listed"),
        (f"m:{ANNA}", "g:mx"),
    ),
    (
        Bounce(at=AT, gateway="mx", recipient=ANNA, reason="reputation"),
        ("g:mx", f"m:{ANNA}"),
    ),
    (Bounce(at=AT, gateway="mx", recipient=ANNA, reason="user_unknown"), (f"m:{ANNA}",)),
    (Complaint(at=AT, client="192.0.2.7", sender=ANNA), (*HERE, f"m:{ANNA}")),
    (Complaint(at=AT, client="192.0.2.7", sender="x@example.com"), HERE),
    (Verdict(at=AT, account="anna", kind="spam"), (f"m:{ANNA}",)),
    (Queue(at=AT, gateway="mx"), ("g:mx",)),
    (Queue(at=AT), ()),
    (Change(at=AT, account="anna", client="192.0.2.7"), (f"m:{ANNA}",)),
    (Signal(at=AT, about="m:anna@example.org"), (f"m:{ANNA}",)),
]


@pytest.mark.parametrize(("event", "expected"), CASES)
def test_an_event_concerns(event: Fact, expected: tuple[str, ...]) -> None:
    assert keys(event, SITE) == expected


def test_every_kind_of_event_has_its_cases() -> None:
    assert {type(event) for event, _ in CASES} == set(EVENTS)


def test_where_domains_are_not_known_any_name_of_a_login_is_ours() -> None:
    event = Message(at=AT, account="crm@example.org", sender="x@example.com")
    assert keys(event, Site()) == ("m:crm@example.org", "m:x@example.com")


def test_our_own_networks_are_as_configured() -> None:
    site = Site(own=Networks([*PRIVATE, "192.0.2.0/24"]))
    event = Message(at=AT, client="192.0.2.7", sender="x@example.com")
    assert keys(event, site) == (*HERE, "m:x@example.com")


def test_a_domain_that_a_stranger_chose_is_cut() -> None:
    event = Recipient(at=AT, sender="x@" + "a" * 900, verdict="unknown")
    assert keys(event, SITE) == ("d:" + "a" * LONGEST,)


def test_local_is_what_lies_in_our_domains() -> None:
    assert SITE.local(ANNA)
    assert not SITE.local("anna@mail.example.org")
    assert not Site().local(ANNA)


def test_neighbours_live_in_one_partition() -> None:
    for count in (1, 7, 32):
        places = {partition(key, count) for key in ("c:192.0.2.1", "c:192.0.2.9", HERE[1])}
        assert len(places) == 1
        assert 0 <= places.pop() < count
    assert route("c:2001:db8:1:2::/64") == "n:2001:db8:1::/48"
    assert route(f"m:{ANNA}") == f"m:{ANNA}"


def test_a_partition_is_the_crc_32_of_the_key() -> None:
    """Publishers in other languages compute it too: 0xcbf43926 is the check value of CRC-32."""
    assert partition("123456789", 1 << 32) == 0xCBF43926


@pytest.mark.parametrize(("letter", "kind"), KINDS.items())
def test_a_key_names_a_subject(letter: str, kind: str) -> None:
    assert subject(f"{letter}:a:b") == (kind, "a:b")
