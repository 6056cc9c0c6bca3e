import pytest

from agents.probing.forms import Form, forms

ASKED = {
    form.name: form
    for form in forms(
        sender="a@example.net", recipient="b@example.com", domain="example.org", address="192.0.2.1"
    )
}


@pytest.mark.parametrize(
    ("name", "sender", "recipient"),
    [
        ("plain", "a@example.net", "b@example.com"),
        ("null sender", "", "b@example.com"),
        ("own sender", "postmaster@example.org", "b@example.com"),
        ("literal sender", "postmaster@[192.0.2.1]", "b@example.com"),
        ("percent route", "a@example.net", "b%example.com@example.org"),
        ("bang path", "a@example.net", "example.com!b"),
        ("local bang path", "a@example.net", "example.com!b@example.org"),
        ("source route", "a@example.net", "@example.org:b@example.com"),
        ("double address", "a@example.net", "b@example.com@example.org"),
        ("quoted", "a@example.net", '"b@example.com"'),
        ("quoted at ours", "a@example.net", '"b@example.com"@example.org'),
        ("address literal", "a@example.net", "b%example.com@[192.0.2.1]"),
        ("bare name", "a@example.net", "b%example.com"),
        ("encapsulated", "a@example.net", "IMCEASMTP-b+40example.com@example.org"),
    ],
)
def test_each_form_is_written_as_it_is_known(name: str, sender: str, recipient: str) -> None:
    assert (ASKED[name].sender, ASKED[name].recipient) == (sender, recipient)  # type: ignore[index]


def test_there_are_no_others() -> None:
    assert len(ASKED) == 14


def test_an_ipv6_address_is_written_with_its_tag() -> None:
    found = forms(sender="a@b.example", recipient="c@d.example", domain="e", address="2001:db8::1")
    assert found[3].sender == "postmaster@[IPv6:2001:db8::1]"


def test_what_ends_in_ours_looks_like_mail_for_us() -> None:
    ending = {name for name, form in ASKED.items() if form.ours("example.org")}
    assert ending == {
        "percent route",
        "bang path",
        "local bang path",
        "double address",
        "quoted at ours",
        "address literal",
        "bare name",
        "encapsulated",
    }
    assert not Form("plain", "", "b@example.com").ours("example.org")


@pytest.mark.parametrize(("sender", "recipient"), [("a", "b@c.d"), ("a@b.c", "d"), ("a@b.c", "@d")])
def test_addresses_need_a_domain(sender: str, recipient: str) -> None:
    with pytest.raises(ValueError, match=r"name@example\.net"):
        forms(sender=sender, recipient=recipient, domain="example.org", address="192.0.2.1")
