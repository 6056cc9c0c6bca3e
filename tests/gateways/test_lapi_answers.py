import json

import pytest

from streams.gateways.lapi.answers import PART, Filters, decisions, duration, filters, stream
from streams.gateways.lapi.book import Changes, Gone
from streams.gateways.lapi.entries import Entry
from streams.http_bodies import joined

NOW = 1000.0
ADDRESS = Entry("Ip", "192.0.2.5", "ban", NOW + 14399.25, "mailwarden/auth_dictionary")
NETWORK = Entry("Range", "198.51.100.0/24", "ban", NOW + 4.5, "mailwarden/manual")
IPV6 = Entry("Range", "2001:db8::/64", "captcha", NOW + 60, "mailwarden/Auth_Spray")
LOGIN = Entry("username", 'a"b', "ban", NOW + 60, "mailwarden/auth_breach")
ALL = [ADDRESS, NETWORK, IPV6, LOGIN]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (14399, "3h59m59.0s"),
        (3600, "1h0m0.0s"),
        (60, "1m0.0s"),
        (59, "59.0s"),
        (0, "0.0s"),
        (-6, "-6.0s"),
        (-3725, "-1h2m5.0s"),
        (31536000, "8760h0m0.0s"),
    ],
)
def test_durations_are_written_as_go_does(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_a_decision_has_the_fields_of_the_real_one_in_their_order() -> None:
    assert (
        joined(decisions([NETWORK], NOW))
        == (
            b'[{"duration":"4.0s","id":%d,"origin":"mailwarden","scenario":"mailwarden/manual",'
            b'"scope":"Range","type":"ban","value":"198.51.100.0/24"}]'
        )
        % NETWORK.id
    )


def test_where_there_is_none_it_is_null() -> None:
    assert joined(decisions([], NOW)) == b"null"
    assert joined(decisions([NETWORK], NOW + 4.5)) == b"null"
    nothing = Changes([], [], [])
    assert joined(stream(nothing, Filters(), NOW, again=False)) == b'{"deleted":null,"new":null}'


def told(changes: Changes, *, again: bool = False, chosen: Filters | None = None) -> dict:  # type: ignore[type-arg]
    found = json.loads(joined(stream(changes, chosen or Filters(), NOW, again=again)))
    return {
        name: [(row["value"], row["duration"]) for row in rows or ()]
        for name, rows in found.items()
    }


def test_what_is_new_and_what_is_gone_are_told_with_their_time() -> None:
    gone = [Gone(NETWORK, NOW - 2.5), Gone(IPV6, NOW + 9)]
    assert told(Changes([ADDRESS], gone, [])) == {
        "deleted": [("198.51.100.0/24", "-2.0s"), ("2001:db8::/64", "0.0s")],
        "new": [("192.0.2.5", "3h59m59.0s")],
    }


def test_what_is_renewed_is_deleted_first_for_those_who_need_it() -> None:
    before = Entry("Ip", "192.0.2.5", "ban", NOW + 60, "mailwarden/auth_dictionary")
    changes = Changes([ADDRESS], [], [before])
    assert told(changes)["deleted"] == []
    assert told(changes, again=True)["deleted"] == [("192.0.2.5", "0.0s")]


def test_what_ends_within_a_second_is_not_told_anew() -> None:
    """ipset would hold it for ever: a timeout of 0 is none."""
    ends = [Entry("Ip", f"192.0.2.{n}", "ban", NOW + n / 10, "x") for n in (9, 10, 11)]
    assert told(Changes(ends, [], []))["new"] == [
        ("192.0.2.10", "1.0s"),
        ("192.0.2.11", "1.0s"),
    ]


def test_many_are_written_as_one_list() -> None:
    many = [Entry("Ip", f"192.0.{n >> 8}.{n & 255}", "ban", NOW + 60, "x") for n in range(2 * PART)]
    for count in (PART - 1, PART, PART + 1, 2 * PART):
        found = json.loads(joined(decisions(many[:count], NOW)))
        assert [row["value"] for row in found] == [one.value for one in many[:count]]


def chosen(**query: str) -> list[str]:
    return [entry.value for entry in filters(query).choose(ALL)]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ({}, ["192.0.2.5", "198.51.100.0/24", "2001:db8::/64"]),
        ({"scopes": "ip"}, ["192.0.2.5"]),
        ({"scopes": "Ip,RANGE , username"}, [entry.value for entry in ALL]),
        ({"scope": "username"}, ['a"b']),
        ({"scopes": "country"}, []),
        ({"origins": "mailwarden,cscli"}, ["192.0.2.5", "198.51.100.0/24", "2001:db8::/64"]),
        ({"origins": "crowdsec"}, []),
        ({"scenarios_containing": "spray,MANUAL"}, ["198.51.100.0/24", "2001:db8::/64"]),
        ({"scenarios_not_containing": "spray,manual"}, ["192.0.2.5"]),
        ({"type": "captcha"}, ["2001:db8::/64"]),
        ({"value": "192.0.2.5"}, ["192.0.2.5"]),
        ({"ip": "198.51.100.7"}, ["198.51.100.0/24"]),
        ({"ip": "2001:db8::7", "type": "ban"}, []),
        ({"range": "198.51.100.0/25"}, ["198.51.100.0/24"]),
        ({"range": "198.51.0.0/16"}, []),
        ({"range": "198.51.0.0/16", "contains": "false"}, ["198.51.100.0/24"]),
        ({"ip": "198.51.100.0", "contains": "false"}, []),
        ({"ip": "192.0.2.5", "scopes": "username"}, []),
        ({"ip": "::1", "scopes": "ip,username"}, []),
    ],
)
def test_a_bouncer_is_told_what_it_asks_for(query: dict[str, str], values: list[str]) -> None:
    assert chosen(**query) == values


@pytest.mark.parametrize("query", [{"ip": "x"}, {"ip": ""}, {"range": "192.0.2.0/33"}])
def test_what_is_no_network_is_an_error(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="is no network"):
        filters(query)
