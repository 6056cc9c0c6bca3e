"""Who is somebody else's, with and without a list of our domains."""

import pytest

from agents.destination import leaves
from schemas.events import Delivery
from schemas.keys import Site

SITE = Site(domains=frozenset({"example.org"}))


def to(recipient: str, relay: str = "", sender: str = "anna@example.org") -> Delivery:
    return Delivery(at=0.0, sender=sender, recipient=recipient, relay=relay)


@pytest.mark.parametrize("relay", ["", "local", "mx.example.net"])
def test_our_domains_decide_where_they_are_known(relay: str) -> None:
    assert leaves(to("bob@example.net", relay), SITE)
    assert not leaves(to("carl@example.org", relay), SITE)


@pytest.mark.parametrize(
    ("relay", "outside"),
    [
        ("mx.example.net", True),
        ("192.0.2.25", True),
        ("", True),
        ("local", False),
        ("dovecot", False),
        ("127.0.0.1", False),
    ],
)
def test_else_the_relay_tells(relay: str, outside: bool) -> None:
    assert leaves(to("bob@example.net", relay), Site()) is outside


def test_mail_within_one_domain_stays() -> None:
    assert not leaves(to("carl@example.org", "mx.example.org"), Site())
    assert leaves(to("carl@example.org", "mx.example.org", sender=""), Site())
