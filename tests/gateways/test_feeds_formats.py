import json
import re
from typing import Any

import msgspec
import pytest

from schemas.findings import Decision
from streams.gateways.feeds.format import HEADER
from streams.gateways.feeds.formats import FORMATS, lists
from streams.gateways.feeds.item import items
from streams.gateways.feeds.settings import FormatName, ListSettings
from tests.gateways.decided import decided

HOST = decided("192.0.2.1")
NETWORK = decided("198.51.100.248/29", "reject")
IPV6 = decided("2001:db8::/64")
HOST6 = decided("2001:db8:1::1")
ALL = (HOST, NETWORK, IPV6, HOST6)


def written(name: str, *decisions: Decision, **chosen: Any) -> str:
    return "".join(FORMATS[name].write(items(decisions or ALL, ListSettings(**chosen))))


def test_every_format_has_a_name_that_settings_know_and_a_file_of_its_own() -> None:
    assert set(FORMATS) == set(FormatName.__args__)  # type: ignore[attr-defined]
    assert len({form.file for form in FORMATS.values()}) == len(FORMATS)
    assert all(form.header in ("", HEADER) for form in FORMATS.values())


@pytest.mark.parametrize("name", ["cidr", "haproxy", "rspamd"])
def test_networks_in_cidr_notation(name: str) -> None:
    assert written(name) == ("192.0.2.1/32\n198.51.100.248/29\n2001:db8::/64\n2001:db8:1::1/128\n")


def test_addresses_of_ipv4() -> None:
    assert written("ip").splitlines() == [
        "192.0.2.1",
        *(f"198.51.100.{n}" for n in range(248, 256)),
    ]


def test_networks_that_are_too_wide_to_be_spelled_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = decided("198.18.0.0/23")
    assert written("ip", HOST, wide) == "192.0.2.1\n"
    monkeypatch.setattr(lists, "SPELLED", 5)
    two = [decided("198.51.100.0/30"), decided("198.51.100.8/31")]
    assert written("ip", *two).splitlines() == [f"198.51.100.{n}" for n in range(4)]


def test_addresses_and_networks_of_ipv6() -> None:
    assert written("ip6") == "2001:db8::/64\n2001:db8:1::1\n"


def test_values_as_they_are() -> None:
    assert written("plain") == "192.0.2.1\n198.51.100.248/29\n2001:db8::/64\n2001:db8:1::1\n"
    names = (
        "b@example.org",
        "a b",
        "#x",
        ";x",
        "!x",
        "a\nb",
        "a\tb",
        "",
        "a\u2028b",
        "é@example.org",
    )
    decisions = [decided(name, kind="address") for name in names]
    assert written("plain", *decisions, kind="address") == "b@example.org\né@example.org\n"


def test_a_table_of_postfix() -> None:
    assert written("postfix", HOST, NETWORK, IPV6) == (
        "192.0.2.1 521 5.7.1 Refused [network:192.0.2.1:drop]\n"
        "198.51.100.248/29 REJECT 5.7.1 Refused [network:198.51.100.248/29:reject]\n"
        "2001:db8::/64 521 5.7.1 Refused [network:2001:db8::/64:drop]\n"
    )
    later = "DEFER_IF_PERMIT 4.7.1 Try again later"
    actions: tuple[Any, ...] = ("hold", "greylist", "tarpit", "limit")
    decisions = [decided(f"192.0.2.{n}", action, name="x") for n, action in enumerate(actions)]
    assert written("postfix", *decisions, actions=actions) == (
        f"192.0.2.0 HOLD [x]\n192.0.2.1 {later} [x]\n192.0.2.2 {later} [x]\n"
    )


def test_a_file_of_exim() -> None:
    assert written("exim", HOST, IPV6) == (
        '192.0.2.1: drop network:192.0.2.1:drop\n"2001:db8::/64": drop network:2001:db8::/64:drop\n'
    )


def test_a_geo_block_of_nginx() -> None:
    assert written("nginx", HOST, IPV6) == "192.0.2.1 1;\n2001:db8::/64 1;\n"


def test_an_id_with_an_attackers_text_in_it_is_made_harmless() -> None:
    bad = decided("192.0.2.1", name="a b\n; } $x\\ \"'é" + "x" * 200)
    for name in ("postfix", "exim", "nginx", "haproxy"):
        text = written(name, bad)
        assert text.count("\n") == 1
        assert "a b" not in text


REASON = 'guesses "passwords"\n</script> \u2028'


def known() -> Decision:
    return msgspec.structs.replace(
        decided("192.0.2.1", reason=REASON, alert="a1"),
        since=1000.25,
        detector="auth_dictionary",
        severity="high",
    )


def test_records() -> None:
    expected = {
        "value": "192.0.2.1",
        "kind": "network",
        "action": "drop",
        "since": 1000.25,
        "until": 2000.0,
        "reason": REASON,
        "detector": "auth_dictionary",
        "severity": "high",
        "origin": "automatic",
        "domain": "",
        "id": "network:192.0.2.1:drop",
        "alert": "a1",
    }
    assert json.loads(written("json", known())) == [expected]
    assert [json.loads(line) for line in written("jsonl", known()).split("\n")[:-1]] == [expected]
    assert len(json.loads(written("json"))) == len(written("jsonl").splitlines()) == 4
    assert json.loads("".join(FORMATS["json"].write([]))) == []
    assert "".join(FORMATS["jsonl"].write([])) == ""


STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"[a-z-]+--[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_a_bundle_of_indicators() -> None:
    bundle = json.loads(written("stix", known()))
    assert (bundle["type"], set(bundle)) == ("bundle", {"type", "id", "objects"})
    author, indicator = bundle["objects"]
    assert author["type"] == "identity"
    assert all(ID.fullmatch(one["id"]) for one in (bundle, author, indicator))
    assert indicator["id"].startswith("indicator--")
    assert indicator.pop("created_by_ref") == author["id"]
    assert indicator.pop("id")
    assert indicator == {
        "type": "indicator",
        "spec_version": "2.1",
        "created": "1970-01-01T00:16:40.250Z",
        "modified": "1970-01-01T00:16:40.250Z",
        "name": "drop 192.0.2.1",
        "description": REASON,
        "indicator_types": ["malicious-activity"],
        "pattern": "[ipv4-addr:value = '192.0.2.1']",
        "pattern_type": "stix",
        "valid_from": "1970-01-01T00:16:40.250Z",
        "valid_until": "1970-01-01T00:33:20.000Z",
        "labels": ["auth_dictionary"],
        "confidence": 75,
    }


def indicators(*decisions: Decision, **chosen: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(written("stix", *decisions, **chosen))["objects"]
    return found[1:]


def test_patterns_say_what_is_looked_for() -> None:
    assert [one["pattern"] for one in indicators()] == [
        "[ipv4-addr:value = '192.0.2.1']",
        "[ipv4-addr:value ISSUBSET '198.51.100.248/29']",
        "[ipv6-addr:value ISSUBSET '2001:db8::/64']",
        "[ipv6-addr:value = '2001:db8:1::1']",
    ]
    for kind, path in (
        ("domain", "domain-name:value"),
        ("address", "email-addr:value"),
        ("account", "user-account:account_login"),
    ):
        [found] = indicators(decided("x'] OR [a\\", kind=kind), kind=kind)
        assert found["pattern"] == f"[{path} = 'x\\'] OR [a\\\\']"
    assert found["indicator_types"] == ["compromised"]


def test_ids_are_the_same_as_long_as_the_decision_is() -> None:
    again = msgspec.structs.replace(HOST, generation=2)
    one, two, three = (indicators(each)[0]["id"] for each in (HOST, HOST, again))
    assert one == two != three
    assert written("stix", HOST) == written("stix", HOST)


def test_times_that_mean_nothing_are_left_out() -> None:
    [over] = indicators(msgspec.structs.replace(HOST, since=2000.0))
    assert "valid_until" not in over
    assert "description" not in over
    [endless] = indicators(msgspec.structs.replace(HOST, until=1e18))
    assert endless["valid_until"] == "9999-12-31T23:59:59.000Z"


def test_every_time_is_a_timestamp_of_the_standard() -> None:
    for one in indicators(known(), NETWORK):
        for field in ("created", "modified", "valid_from", "valid_until"):
            assert STAMP.fullmatch(one[field])
