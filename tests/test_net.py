"""Addresses and networks in one spelling."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import net
from schemas.net import LOOPBACK, PRIVATE, Networks


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("[192.0.2.1]", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("IPv6:2001:db8::1", "2001:db8::1"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("unknown", ""),
        ("192.0.2.256", ""),
        ("192.0.2.1:25", ""),
        ("192.0.2.0/24", ""),
        ("", ""),
    ],
)
def test_an_address_has_one_spelling(written: str, meant: str) -> None:
    assert net.address(written) == meant


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_none(text: str) -> None:
    found = net.address(text)
    assert not found or net.address(found) == found


@given(st.ip_addresses())
def test_a_client_lies_in_its_network(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    text = net.address(str(ip))
    for around in (net.client, net.network, net.wide):
        assert text in Networks([around(text)])
    assert net.network(net.client(text)) == net.network(text)


@pytest.mark.parametrize(
    ("address", "client", "network", "wide"),
    [
        ("192.0.2.200", "192.0.2.200", "192.0.2.0/24", "192.0.0.0/16"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48", "2001:db8::/32"),
    ],
)
def test_what_lies_around_an_address(address: str, client: str, network: str, wide: str) -> None:
    assert net.client(address) == client
    assert net.network(address) == network
    assert net.wide(address) == wide
    assert net.client(client) == client


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("192.0.2.1/24", "192.0.2.0/24"),
        (" 2001:db8::1/32 ", "2001:db8::/32"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_is_read_from_text(written: str, meant: str) -> None:
    assert str(net.parse_network(written)) == meant


@pytest.mark.parametrize("written", ["", "example.org", "192.0.2.0/33", "192.0.2"])
def test_what_is_no_network_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        net.parse_network(written)


@given(st.ip_addresses())
def test_an_address_is_a_number(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    canonical = ipaddress.ip_address(net.address(str(ip)))
    expected = (canonical.version, canonical.max_prefixlen, int(canonical))
    assert net.number(str(ip)) == expected
    with pytest.raises(ValueError, match="nobody"):
        net.number("nobody")


def test_a_set_of_networks_knows_what_lies_in_it() -> None:
    networks = Networks(["192.0.2.0/25", "203.0.113.7", "2001:db8::/32"])
    assert "192.0.2.5" in networks
    assert "192.0.2.64/26" in networks
    assert "192.0.2.0/25" in networks
    assert "192.0.2.0/24" not in networks
    assert "192.0.2.200" not in networks
    assert "203.0.113.7" in networks
    assert "203.0.113.8" not in networks
    assert "2001:db8:ffff::1" in networks
    assert "2001:db9::1" not in networks
    assert "::ffff:192.0.2.5" in networks
    assert "unknown" not in networks


def test_what_was_asked_before_a_network_was_added_is_asked_again() -> None:
    networks = Networks()
    assert "192.0.2.5" not in networks
    networks.add("192.0.2.0/24")
    assert "192.0.2.5" in networks


def test_many_questions_are_answered_in_bounded_memory() -> None:
    networks = Networks(["10.0.0.0/9"])
    for number in range(70_000):
        ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        assert ip in networks
    assert "10.0.0.5" in networks


def test_networks_overlap_in_either_direction() -> None:
    networks = Networks(["192.0.2.0/25"])
    assert networks.overlapping("192.0.2.0/24")
    assert networks.overlapping("192.0.2.1")
    assert not networks.overlapping("192.0.2.128/25")
    assert not networks.overlapping("2001:db8::/32")


def test_an_empty_set_is_false_and_a_set_lists_what_is_in_it() -> None:
    assert not Networks()
    assert Networks(["192.0.2.1/24"])
    assert list(Networks(["192.0.2.1/24"])) == ["192.0.2.0/24"]


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.9.9"])
def test_private_addresses_are_nobody_s_on_the_internet(ip: str) -> None:
    assert ip in Networks(PRIVATE)


def test_loopback_is_this_host() -> None:
    assert "127.8.8.8" in Networks(LOOPBACK)
    assert "10.0.0.1" not in Networks(LOOPBACK)


_nets = st.builds(
    lambda ip, bits: str(ipaddress.ip_network((ip, min(bits, ip.max_prefixlen)), strict=False)),
    st.one_of(
        st.integers(0, 255).map(lambda n: ipaddress.ip_address(0xC0000200 + n)),
        st.integers(0, 255).map(lambda n: ipaddress.ip_address((0x20010DB8 << 96) + n)),
    ),
    st.integers(20, 128),
)


@given(st.lists(_nets, max_size=6), _nets)
def test_overlaps_are_those_that_ipaddress_finds(ours: list[str], asked: str) -> None:
    other = ipaddress.ip_network(asked)
    expected = any(ipaddress.ip_network(text).overlaps(other) for text in ours)
    assert net.Networks(ours).overlapping(asked) is expected
