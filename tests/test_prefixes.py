import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import net
from streams.prefixes import Prefix, disjoint, parse, write


def pieces(*rows: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        (write(prefix), value)
        for prefix, value in disjoint((parse(text), value) for text, value in rows)
    ]


def test_networks_that_share_nothing_stay_as_they_are() -> None:
    rows = [("192.0.2.0/24", "a"), ("198.51.100.7", "b"), ("2001:db8::/64", "c")]
    assert pieces(*rows) == rows


def test_a_hole_that_was_named_first_is_cut_out() -> None:
    assert pieces(("192.0.2.1", "pardon"), ("192.0.2.0/30", "drop")) == [
        ("192.0.2.0", "drop"),
        ("192.0.2.1", "pardon"),
        ("192.0.2.2/31", "drop"),
    ]


def test_what_was_named_later_within_a_wider_one_says_nothing() -> None:
    assert pieces(("192.0.2.0/24", "drop"), ("192.0.2.1", "pardon"), ("192.0.2.2", "drop")) == [
        ("192.0.2.0/24", "drop")
    ]


def test_the_same_network_twice_is_as_the_first_says() -> None:
    assert pieces(("192.0.2.1", "a"), ("192.0.2.1", "b")) == [("192.0.2.1", "a")]


def test_all_addresses_with_a_hole_are_no_more_than_a_piece_for_each_bit() -> None:
    found = pieces(("2001:db8::1", "pardon"), ("::/0", "drop"))
    assert len(found) == 129
    assert len(pieces(("0.0.0.0/0", "drop"))) == 1


def test_versions_are_told_apart() -> None:
    assert pieces(("::/0", "six"), ("0.0.0.1", "four")) == [("0.0.0.1", "four"), ("::/0", "six")]


NETWORKS = st.builds(
    lambda first, length: str(ipaddress.ip_network((first << 26, length), strict=False)),
    st.integers(0, 63),
    st.integers(0, 6),
)


@given(st.lists(NETWORKS, max_size=12))
def test_each_address_is_ruled_by_the_first_that_holds_it(texts: list[str]) -> None:
    networks = [ipaddress.ip_network(text) for text in texts]
    found = [
        (ipaddress.ip_network(write(prefix)), at)
        for prefix, at in disjoint((parse(text), at) for at, text in enumerate(texts))
    ]
    for value in range(64):
        address = ipaddress.ip_address(value << 26)
        expected = [at for at, network in enumerate(networks) if address in network][:1]
        assert [at for network, at in found if address in network] == expected


@pytest.mark.parametrize(
    ("text", "found", "written"),
    [
        ("192.0.2.1", (4, 0xC0000201, 32), "192.0.2.1"),
        ("192.0.2.9/24", (4, 0xC0000200, 24), "192.0.2.0/24"),
        ("::ffff:192.0.2.1", (4, 0xC0000201, 32), "192.0.2.1"),
        ("::ffff:192.0.2.1/120", (4, 0xC0000200, 24), "192.0.2.0/24"),
        ("2001:DB8::1/64", (6, 0x20010DB8 << 96, 64), "2001:db8::/64"),
        ("2001:db8::1", (6, (0x20010DB8 << 96) + 1, 128), "2001:db8::1"),
        ("0.0.0.0/0", (4, 0, 0), "0.0.0.0/0"),
    ],
)
def test_a_network_in_numbers_and_back(text: str, found: Prefix, written: str) -> None:
    assert parse(text) == found
    assert write(found) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice",
        "192.0.2.256",
        "192.0.2.1 x",
        "192.0.2.0/33",
        "192.0.2.0/",
        "1.2.3.4/-1",
        "::/129",
        "::/٣",
        "192.0.2.1\0",
        "fe80::1%eth0",
        "192.0.2.0/255.255.255.0",
    ],
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no network"):
        parse(text)


@given(st.one_of(st.ip_addresses(), st.ip_addresses(network="::ffff:0:0/96")), st.integers(0, 128))
def test_networks_are_read_as_everywhere_else(address: object, length: int) -> None:
    bits = 32 if isinstance(address, ipaddress.IPv4Address) else 128
    text = f"{address}/{min(length, bits)}"
    found = net.parse_network(text)
    assert parse(text) == (found.version, int(found.network_address), found.prefixlen)
    assert net.parse_network(write(parse(text))) == found
