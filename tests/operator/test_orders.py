from pathlib import Path

import pytest

from agents import configuration
from agents.configuration import Config
from agents.operator import orders
from agents.operator.orders import OrderError
from schemas.findings import ACTIONS, Action, Target


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "mailwarden.toml"
    path.write_text(
        """
        [site]
        domains = ["example.org"]
        [network]
        allow = ["203.0.113.7"]
        own = ["198.51.100.0/25"]
        upstream = ["192.0.2.128/25"]
        """
    )
    return configuration.load(path)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("192.0.2.1", "network", "192.0.2.1"),
        (" 192.0.2.1 ", "network", "192.0.2.1"),
        ("192.0.2.1/32", "network", "192.0.2.1"),
        ("192.0.2.0/24", "network", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "network", "192.0.2.1"),
        ("2001:DB8::5", "network", "2001:db8::/64"),
        ("2001:db8::/48", "network", "2001:db8::/48"),
        ("2001:db8::5/128", "network", "2001:db8::5"),
        ("network:2001:db8::5", "network", "2001:db8::/64"),
        ("network: 192.0.2.1", "network", "192.0.2.1"),
        ("Alice+x@Example.org", "account", "alice@example.org"),
        ("account:alice", "account", "alice@example.org"),
        ("address:Bob+x@Example.net", "address", "bob+x@example.net"),
        ("domain:Example.Net.", "domain", "example.net"),
        ("client_account:192.0.2.1 alice", "client_account", "192.0.2.1 alice@example.org"),
        (
            "client_account:2001:db8::1 bob@example.net",
            "client_account",
            "2001:db8::/64 bob@example.net",
        ),
    ],
)
def test_targets_have_one_spelling(config: Config, text: str, kind: str, value: str) -> None:
    assert orders.target(text, config) == Target(kind, value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bob", "'bob' is no address, network or login; say what it is, as account:bob"),
        ("", "as account:NAME"),
        ("person:bob", "'person:bob' is no address"),
        ("network:bob", "'bob' is neither an address nor a network"),
        ("network:192.0.2.1/33", "'192.0.2.1/33' is neither an address nor a network"),
        ("account:", "account: names nobody"),
        ("domain:.", "domain:. names nobody"),
        ("account:a\x1bb@example.org", "names nobody"),
        ("client_account:192.0.2.1", "client_account:192.0.2.1 names nobody"),
        (
            "203.0.113.0/16",
            "203.0.113.0/16 is no network: do you mean 203.0.0.0/16 (65,536 addresses) or 203.0.",
        ),
        ("203.0.113.0/16", " or 203.0.113.0/24?"),
        ("192.0.2.9/24", "192.0.2.0/24 (256 addresses) or 192.0.2.9?"),
        ("192.0.2.0/16", "192.0.0.0/16 (65,536 addresses) or 192.0.2.0/24?"),
        ("10.1.0.0/8", "10.0.0.0/8 (16,777,216 addresses) or 10.1.0.0/16?"),
        ("2001:db8:7::/32", "do you mean 2001:db8::/32 ("),
        ("2001:db8:7::/32", " or 2001:db8:7::/48?"),
        ("client_account:192.0.2.9/24 alice", "or 192.0.2.9?"),
        ("client_account:bob alice", "'bob' is neither an address nor a network"),
    ],
)
def test_what_names_nobody_is_refused(config: Config, text: str, said: str) -> None:
    with pytest.raises(OrderError) as caught:
        orders.target(text, config)
    assert said in str(caught.value)


def ordered(
    config: Config, text: str, action: Action | None = None, *, force: bool = False
) -> orders.Decision:
    return orders.decision(
        orders.target(text, config),
        config,
        action=action,
        seconds=60.0,
        reason="why",
        now=1000.0,
        force=force,
    )


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("192.0.2.1", "drop"),
        ("alice@example.org", "lock"),
        ("address:bob@example.net", "reject"),
        ("domain:example.net", "reject"),
        ("client_account:192.0.2.1 alice", "reject"),
    ],
)
def test_each_kind_of_target_has_its_usual_action(config: Config, text: str, action: str) -> None:
    assert ordered(config, text).action == action


def test_an_order_holds_for_as_long_as_was_said_and_is_enforced(config: Config) -> None:
    decision = ordered(config, "192.0.2.1", "tarpit")
    assert decision.id == "network:192.0.2.1:tarpit:manual"
    assert (decision.origin, decision.enforced) == ("manual", True)
    assert (decision.since, decision.until) == (1000.0, 1060.0)
    assert decision.reason == "why"


def test_orders_have_ids_of_their_own(config: Config) -> None:
    on = orders.target("192.0.2.1", config)
    spared = orders.pardon(on, seconds=60.0, reason="why", now=1000.0)
    ids = {spared.id, *(ordered(config, "192.0.2.1", action).id for action in ACTIONS)}
    assert len(ids) == len(ACTIONS) + 1
    assert all(name.count(":") == 3 for name in ids)  # those of the machine have two


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10.0.0.1", "10.0.0.1 is one of our own networks: no decision may be made against it"),
        ("198.51.100.9", "198.51.100.9 is one of our own networks"),
        ("127.0.0.1", "127.0.0.1 is one of our own networks"),
        ("203.0.113.7", "203.0.113.7 is on the allow list"),
        ("203.0.113.0/24", "203.0.113.0/24 holds an address that is on the allow list"),
        ("192.0.2.200", "192.0.2.200 is a trusted relay"),
        ("client_account:10.0.0.1 bob", "10.0.0.1 is one of our own networks"),
        ("10.0.0.0/7", "holds an address that is one of our own networks"),
        ("64.0.0.0/7", "64.0.0.0/7 is too wide: at least a /8"),
        ("2000::/15", "2000::/15 is too wide: at least a /16"),
        ("domain:example.org", "example.org is a domain of ours"),
    ],
)
def test_whom_nobody_may_block(config: Config, text: str, said: str) -> None:
    with pytest.raises(OrderError) as caught:
        ordered(config, text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("64.0.0.0/8", "16,777,216 addresses, and wider than response.widest_v4 (a /24): --force"),
        ("64.0.0.0/23", "512 addresses"),
        ("2000::/16", "wider than response.widest_v6 (a /48)"),
        ("client_account:64.0.0.0/23 bob@example.org", "wider than response.widest_v4"),
        ("bob@example", "bob@example: 'example' is no whole domain: --force if it is meant"),
        ("bob@", "bob@: '' is no domain"),
        ("bob@exa mple.org", "'exa mple.org' is no domain"),
        ("domain:example..net", "'example..net' is no domain"),
        ("domain:example", "'example' is no whole domain"),
        ("domain:bob@example.net", "is no domain"),
        (f"domain:{'a' * 64}.net", "is no domain"),
        (f"domain:{'a.' * 130}net", "is no domain"),
        ("address:@example.net", "'' is no mailbox"),
        ("address:a b@example.net", "'a b' is no mailbox"),
        ("account:a,b@example.org", "'a,b' is no mailbox"),
        ("account:a@b@example.org", "'a@b' is no mailbox"),
    ],
)
def test_what_looks_like_a_slip_must_be_meant(config: Config, text: str, said: str) -> None:
    with pytest.raises(OrderError) as caught:
        ordered(config, text)
    assert said in str(caught.value)
    assert ordered(config, text, force=True).target == orders.target(text, config)


def test_an_address_without_a_domain_is_none(config: Config) -> None:
    with pytest.raises(OrderError, match=r"bob is no mail address, such as name@example\.org"):
        ordered(config, "address:bob")


@pytest.mark.parametrize(
    "text",
    [
        "64.0.0.0/24",
        "2000::/48",
        "account:alice",
        "account:corp\\alice@example.net",
        'address:"a b"@example.net',
        "domain:münchen.example",
        "domain:_spf.example.net",
        "client_account:64.0.0.0/24 bob@example.org",
    ],
)
def test_what_can_be_is_not_doubted(config: Config, text: str) -> None:
    assert ordered(config, text).target == orders.target(text, config)


def test_a_pardon_may_be_for_anybody(config: Config) -> None:
    decision = orders.pardon(
        orders.target("10.0.0.1", config), seconds=60.0, reason="why", now=1000.0
    )
    assert (decision.origin, decision.action, decision.until) == ("pardon", "observe", 1060.0)
    assert decision.enforced
