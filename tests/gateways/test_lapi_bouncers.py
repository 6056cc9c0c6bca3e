"""Debian's bouncers, the kernel's packet filter and a real Dovecot, in network namespaces."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.findings import Decision
from streams import http_serving, serving
from streams.gateways.lapi import Lapi, LapiSettings
from tests.gateways.bouncers import Bouncer
from tests.gateways.decided import decided, pardoned
from tests.gateways.dovecot import PASSWORD, Dovecot, logs_in
from tests.gateways.loop import HONEYPOT, Loop
from tools.namespaces import Wire, wire

pytestmark = pytest.mark.servers

KEY = "Quince-4711"
ATTACKER, INNOCENT, FAR = "203.0.113.9", "203.0.113.10", "198.51.100.7"
ATTACKER6, SIBLING6, INNOCENT6 = "2001:db8:9::1", "2001:db8:9::2", "2001:db8:a::1"
WORLD = (
    f"{ATTACKER}/24",
    f"{INNOCENT}/24",
    f"{FAR}/32",
    f"{ATTACKER6}/64",
    f"{SIBLING6}/64",
    f"{INNOCENT6}/64",
)

Until = Callable[[Callable[[], object]], None]
Documented = Callable[..., str]


class Site:
    def ruling(self, *_: Any, **__: Any) -> Decision | None:
        return None

    def publish(self, events: Any) -> None:
        raise NotImplementedError


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A server and the world. Our HTTP servers listen in the server's namespace, while the rest
    of the process stays outside."""
    with wire(*WORLD) as made:
        monkeypatch.setattr(
            http_serving, "bound", lambda settings: made.server.within(lambda: _bound(settings))
        )
        _introduce(made)
        yield made


def _introduce(between: Wire) -> None:
    """The world asks for the server's link address from whatever address it speaks with, and all
    of it shares the answer: one that is dropped must not leave the others without."""
    here, there = (
        next(link for link in json.loads(place.run("ip", "-j", "link")) if link["ifname"] != "lo")
        for place in (between.server, between.outside)
    )
    to = (Wire.here[6], "lladdr", here["address"], "dev", there["ifname"], "nud", "permanent")
    between.outside.ip("neigh", "replace", *to)


_bound = serving.bound


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"firewall {KEY}\n")
    return file


@pytest.fixture
def gateway(between: Wire, keys: Path, request: Any) -> Iterator[Lapi]:
    settings = LapiSettings(key_file=str(keys), memory="", **getattr(request, "param", {}))
    made = Lapi(settings)
    made.connect(Site())
    made.apply([])
    yield made
    made.close()


def held(value: str, action: Any = "drop", seconds: float = 600.0) -> Decision:
    return decided(value, action, until=time.time() + seconds)


def firewall(between: Wire, folder: Path, documented: Documented, **changed: str) -> Bouncer:
    local = documented("lapi", "crowdsec-firewall-bouncer.yaml.local", {"KEY": KEY, **changed})
    return Bouncer("crowdsec-firewall-bouncer", folder, between.server, local)


def test_iptables_drops_hosts_and_networks_until_they_are_lifted(
    between: Wire, gateway: Lapi, tmp_path: Path, until: Until, documented: Documented
) -> None:
    between.listen(25)
    gateway.apply([held(ATTACKER), held("198.51.100.0/24", "reject"), held("2001:db8:9::/64")])
    bouncer = firewall(between, tmp_path, documented)

    def listed(*values: str) -> bool:
        found = between.server.run("ipset", "list")
        return all(f"{value} timeout " in found for value in values)

    try:
        until(lambda: listed(ATTACKER, "198.51.100.0/24", "2001:db8:9::/64"))
        assert f"{ATTACKER} timeout 5" in between.server.run("ipset", "list")
        for client in (ATTACKER, FAR, ATTACKER6, SIBLING6):
            assert between.knock(client) == "dropped"
        for client in (INNOCENT, INNOCENT6):
            assert between.knock(client) == "open"
        gateway.apply([pardoned(FAR), held("198.51.100.0/24", "reject")])
        until(lambda: listed("198.51.100.128/25"))
        assert not listed("198.51.100.0/24")
        for client in (ATTACKER, FAR, ATTACKER6, SIBLING6):
            assert between.knock(client) == "open"
        gateway.apply([held("198.51.100.0/24", "reject")])
        until(lambda: listed("198.51.100.0/24"))
        assert between.knock(FAR) == "dropped"
    finally:
        bouncer.stop()


@pytest.mark.parametrize("gateway", [{"expand_ranges": ["firewall"]}], indirect=True)
def test_nftables_drops_all_addresses_of_a_network_if_it_is_told_them(
    between: Wire, gateway: Lapi, tmp_path: Path, until: Until, documented: Documented
) -> None:
    between.listen(25)
    gateway.apply([held(ATTACKER), held("198.51.100.0/29", "reject")])
    bouncer = firewall(between, tmp_path, documented, iptables="nftables")
    try:
        until(lambda: _in_nft(between, FAR))
        assert between.knock(ATTACKER) == between.knock(FAR) == "dropped"
        assert between.knock(INNOCENT) == "open"
        gateway.apply([])
        until(lambda: not _in_nft(between, FAR))
        assert between.knock(ATTACKER) == between.knock(FAR) == "open"
    finally:
        bouncer.stop()


def _in_nft(between: Wire, words: str) -> bool:
    return words in between.server.run("nft", "list", "ruleset")


def test_nftables_takes_up_the_new_end_of_a_lease(
    between: Wire, gateway: Lapi, tmp_path: Path, until: Until, documented: Documented
) -> None:
    """It passes over what it holds already: it must be told that it is gone first."""
    gateway.apply([held(ATTACKER)])
    bouncer = firewall(between, tmp_path, documented, iptables="nftables")
    try:
        until(lambda: _in_nft(between, f"{ATTACKER} timeout 9m"))
        gateway.apply([held(ATTACKER, seconds=7200)])
        until(lambda: _in_nft(between, f"{ATTACKER} timeout 1h59m"))
    finally:
        bouncer.stop()


def test_the_kernel_ends_a_lease_when_nobody_is_there_to_do_it(
    between: Wire, gateway: Lapi, tmp_path: Path, until: Until, documented: Documented
) -> None:
    between.listen(25)
    gateway.apply([held(ATTACKER, seconds=4), held(FAR)])
    bouncer = firewall(between, tmp_path, documented, iptables="nftables")
    try:
        until(lambda: _in_nft(between, f"{ATTACKER} timeout "))
        gateway.close()
        until(lambda: not _in_nft(between, f"{ATTACKER} timeout "))
        assert between.knock(ATTACKER) == "open"
        assert between.knock(FAR) == "dropped"
    finally:
        bouncer.stop()


def test_nftables_blocks_the_first_address_of_a_network_only(
    between: Wire, gateway: Lapi, tmp_path: Path, until: Until, documented: Documented
) -> None:
    """Why the page advises against it."""
    between.listen(25)
    gateway.apply([held("198.51.100.0/24"), held("2001:db8:9::/64")])
    bouncer = firewall(between, tmp_path, documented, iptables="nftables")
    try:
        until(lambda: _in_nft(between, "2001:db8:9:: timeout"))
        assert _in_nft(between, "198.51.100.0 timeout")
        assert between.knock(FAR) == between.knock(ATTACKER6) == "open"
    finally:
        bouncer.stop()


def test_a_script_is_called_for_each_decision(
    between: Wire, gateway: Lapi, tmp_path: Path, until: Until, documented: Documented
) -> None:
    calls, script = tmp_path / "calls", tmp_path / "block"
    calls.touch()
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {calls}\n')
    script.chmod(0o755)
    local = documented(
        "lapi",
        "crowdsec-custom-bouncer.yaml.local",
        {"KEY": KEY, "/usr/local/sbin/block": str(script)},
    )

    def called() -> list[list[str]]:
        return [line.split(" ", 4) for line in calls.read_text().splitlines()]

    gateway.apply([held(ATTACKER), held("198.51.100.0/24", "reject", 60)])
    bouncer = Bouncer("crowdsec-custom-bouncer", tmp_path, between.server, local)
    try:
        until(lambda: len(called()) == 2)
        assert [call[:2] for call in called()] == [["add", ATTACKER], ["add", "198.51.100.0/24"]]
        _, _, seconds, scenario, row = called()[0]
        assert 500 < int(seconds) <= 600
        assert scenario == "mailwarden/automatic"
        assert json.loads(row)["type"] == "ban"
        gateway.apply([held("198.51.100.0/24", "reject", 60)])
        until(lambda: len(called()) == 3)
        assert called()[2][:2] == ["del", ATTACKER]
    finally:
        bouncer.stop()


def test_a_guesser_is_dropped_until_its_lease_ends_and_nobody_else(
    between: Wire, keys: Path, tmp_path: Path, until: Until, documented: Documented
) -> None:
    """The closed loop: Dovecot logs, Mailwarden sees and decides, the bouncer asks, the kernel
    drops; and all the way back."""
    dovecot = Dovecot(143, between.server.command)
    section = documented("lapi", "mailwarden.toml", {"/etc/mailwarden/lapi.keys": str(keys)})
    section += f'memory = "{tmp_path}"\n'

    def login(client: str, account: str = "alice@example.org", word: str = PASSWORD) -> bool:
        return between.outside.within(
            lambda: logs_in(account, word, server=Wire.here[4], port=143, client=client)
        )

    try:
        dovecot.start()
        until(dovecot.ready)
        loop = Loop(tmp_path, dovecot.log, section)
        try:
            until(lambda: _listens(between))  # a bouncer that finds nobody ends
            bouncer = firewall(between, tmp_path, documented)
            try:
                assert login(INNOCENT)
                assert not login(ATTACKER, HONEYPOT, "guess")
                until(lambda: between.knock(ATTACKER, 143) == "dropped")
                assert login(INNOCENT)
                loop.panic.touch()
                until(lambda: between.knock(ATTACKER, 143) == "open")
                loop.panic.unlink()
                until(lambda: between.knock(ATTACKER, 143) == "dropped")
                loop.end_leases()
                until(lambda: between.knock(ATTACKER, 143) == "open")
                assert login(ATTACKER)
            finally:
                bouncer.stop()
        finally:
            loop.close()
    finally:
        dovecot.stop()


def _listens(between: Wire) -> bool:
    def knock() -> bool:
        try:
            socket.create_connection(("127.0.0.1", 8080), 30).close()
        except ConnectionRefusedError:
            return False
        return True

    return between.server.within(knock)
