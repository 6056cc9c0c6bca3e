"""The real nft and the real kernel, in network namespaces of the test's own."""

import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from schemas.findings import Decision
from streams.gateways.nftables import LOOK, Nftables, NftablesSettings, ruleset
from streams.metrics import REFUSED_PACKETS
from tests.gateways.decided import decided, pardoned
from tests.gateways.dovecot import PASSWORD, Dovecot, logs_in
from tests.gateways.loop import HONEYPOT, Loop
from tools.namespaces import Namespace, Wire, wire

pytestmark = pytest.mark.servers

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
SOON = 1.0  # seconds; a lease that the kernel ends

Until = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="module")
def between() -> Iterator[Wire]:
    with wire(*WORLD) as made:
        for port in (25, 587, 8025):
            made.listen(port)
        yield made


@pytest.fixture
def gateway(between: Wire, request: Any) -> Iterator[Nftables]:
    made = Nftables(NftablesSettings(nft=(*between.server.command, "nft")), request.node.name)
    yield made
    made.apply([])


def held(value: str, action: Any = "drop", seconds: float = 600.0) -> Decision:
    return decided(value, action, until=time.time() + seconds)


def test_who_is_dropped_who_is_reset_and_who_passes(between: Wire, gateway: Nftables) -> None:
    assert gateway.apply([held(ATTACKER), held("198.51.100.0/24", "reject")])
    assert between.knock(ATTACKER) == "dropped"
    assert between.knock(FAR) == "refused"
    assert between.knock(INNOCENT) == "open"
    assert between.knock(ATTACKER, 8025) == "open"
    assert gateway.apply([])
    assert [between.knock(client) for client in (ATTACKER, FAR)] == ["open", "open"]


def test_an_ipv6_host_is_its_whole_64(between: Wire, gateway: Nftables) -> None:
    assert gateway.apply([held("2001:db8:9::/64", "reject")])
    assert [between.knock(client) for client in (ATTACKER6, SIBLING6, INNOCENT6)] == [
        "refused",
        "refused",
        "open",
    ]
    assert gateway.apply([held("2001:db8:9::2", "reject"), held("2001:db8:a::/48", "reject")])
    assert [between.knock(client) for client in (ATTACKER6, SIBLING6, INNOCENT6)] == [
        "open",
        "refused",
        "refused",
    ]


def test_a_pardoned_host_passes_within_a_network_that_is_refused(
    between: Wire, gateway: Nftables
) -> None:
    pardon = pardoned(INNOCENT)
    assert gateway.apply([pardon, held("203.0.113.0/24", "reject")])
    assert between.knock(INNOCENT) == "open"
    assert between.knock(ATTACKER) == "refused"


def test_a_connection_that_stands_is_cut_too(between: Wire, gateway: Nftables) -> None:
    talk = between.outside.within(
        lambda: socket.create_connection((Wire.here[4], 25), 5, (ATTACKER, 0))
    )
    with talk:
        assert gateway.apply([held(ATTACKER, "reject")])
        talk.sendall(b"AUTH PLAIN\r\n")
        with pytest.raises(ConnectionResetError):
            talk.recv(1)


def test_the_kernel_ends_a_lease_when_nobody_is_there_to_do_it(
    between: Wire, gateway: Nftables, until: Until
) -> None:
    gateway.apply([held(ATTACKER, "reject"), held("198.51.100.0/24", "reject")])
    assert between.knock(ATTACKER) == between.knock(FAR) == "refused"
    gateway.apply([held(ATTACKER, "reject", SOON), held("198.51.100.0/24", "reject", SOON)])
    until(lambda: between.knock(ATTACKER) == between.knock(FAR) == "open")


def in_kernel(between: Wire) -> set[str]:
    """What lies in our sets."""
    said = between.server.run("nft", "-j", "list", "table", "inet", "mailwarden")
    found = set()
    for item in orjson.loads(said)["nftables"]:
        for element in item.get("set", {}).get("elem", ()):
            value = element["elem"]["val"]
            text = value if isinstance(value, str) else "{addr}/{len}".format(**value["prefix"])
            found.add(f"{item['set']['name']} {text}")
    return found


def test_change_by_change_the_kernel_has_what_is_in_force(between: Wire, gateway: Nftables) -> None:
    dice = random.Random(7)
    hosts = [held(f"198.51.100.{n}", dice.choice(["drop", "reject"])) for n in range(40)]
    hosts += [held(f"2001:db8:5:{n:x}::/64") for n in range(10)]
    wide = [held("203.0.113.0/24"), held("2001:db8:6::/48")]
    loads: list[int] = []
    load = gateway._load

    def counted(commands: list[ruleset.Command], *options: str) -> None:
        loads.append(len(commands))
        load(commands, *options)

    gateway._load = counted  # type: ignore[method-assign]
    for turn in range(40):
        wanted = dice.sample(hosts, 30) + (wide if 10 < turn < 20 else [])
        if turn % 3 == 0:  # renewed
            until = time.time() + 900
            wanted = [msgspec.structs.replace(one, until=until) for one in wanted]
        assert gateway.apply(wanted)
        sets = ruleset.content(wanted, time.time())
        assert in_kernel(between) == {f"{name} {key}" for name in sets for key in sets[name]}
    assert len(loads) == 40  # none had to be done again
    # The first is loaded whole, and what changes a network: it comes, goes, is renewed or not.
    assert sum(count > 10 for count in loads) == 1 + 2 + 6


def test_packets_that_were_refused_are_told(between: Wire, gateway: Nftables) -> None:
    gateway.apply([held(ATTACKER, "reject")])
    between.knock(ATTACKER)
    gateway._next_look = 0.0
    gateway.apply([held(ATTACKER, "reject")])
    assert REFUSED_PACKETS.labels(gateway.name, "rejected")._value.get() == 1
    gateway.apply([held(ATTACKER, "reject"), held(FAR)])
    between.knock(ATTACKER)
    gateway._next_look = 0.0
    gateway.apply([held(ATTACKER, "reject"), held(FAR)])
    assert REFUSED_PACKETS.labels(gateway.name, "rejected")._value.get() == 2
    loaded, refused = gateway.review()
    assert "refuses 2 networks" in loaded.text
    assert "0 packets dropped, 2 packets rejected" in refused.text


def test_what_was_flushed_by_others_is_made_again(between: Wire, gateway: Nftables) -> None:
    decisions = [held(ATTACKER, "reject")]
    gateway.apply(decisions)
    for damage in (
        ("flush", "ruleset"),
        ("flush", "table", "inet", "mailwarden"),
        ("add", "rule", "inet", "mailwarden", "input", "accept"),
        ("insert", "rule", "inet", "mailwarden", "input", "accept"),
        ("add", "set", "inet", "mailwarden", "x", "{ type ipv4_addr; }"),
    ):
        between.server.run("nft", *damage)
        gateway._next_look = 0.0
        assert gateway.apply(decisions)
        assert between.knock(ATTACKER) == "refused"
        assert [note.good for note in gateway.review()] == [True, True]
    assert LOOK <= 5  # seconds, as the page says


def test_nothing_else_is_touched(between: Wire, gateway: Nftables) -> None:
    between.server.run("nft", "add table inet filter; add chain inet filter mine { counter; }")
    before = between.server.run("nft", "list", "table", "inet", "filter")
    gateway.apply([held(ATTACKER)])
    gateway.apply([])
    assert between.server.run("nft", "list", "table", "inet", "filter") == before
    assert between.server.run("nft", "list", "tables").splitlines() == [
        "table inet filter",
        "table inet mailwarden",
    ]
    between.server.run("nft", "delete", "table", "inet", "filter")


def test_the_machine_s_rules_can_be_kept_and_read_in_again(
    between: Wire, gateway: Nftables, tmp_path: Path
) -> None:
    """As with ``nft list ruleset > /etc/nftables.conf``."""
    decisions = [held(ATTACKER, "reject"), held("198.51.100.0/24"), held("2001:db8:9::/64")]
    assert gateway.apply(decisions)
    kept = tmp_path / "nftables.conf"
    kept.write_text(between.server.run("nft", "list", "ruleset"))
    between.server.run("nft", "flush", "ruleset")
    assert between.knock(ATTACKER) == "open"
    between.server.run("nft", "-f", str(kept))
    assert between.knock(ATTACKER) == "refused"
    gateway._next_look = 0.0
    assert gateway.apply(decisions)


def test_what_another_version_left_gives_way(between: Wire, gateway: Nftables) -> None:
    between.server.run("nft", "delete", "table", "inet", "mailwarden")
    between.server.run(
        "nft",
        "add table inet mailwarden;"
        " add set inet mailwarden drop_host4 { type inet_service; };"
        " add chain inet mailwarden old { type filter hook input priority 0; policy drop; }",
    )
    assert gateway.apply([held(ATTACKER)])
    assert between.knock(INNOCENT) == "open"


def test_servers_behind_this_machine_are_served_too(between: Wire) -> None:
    with behind(between) as server:
        gateway = Nftables(
            NftablesSettings(nft=(*between.server.command, "nft"), table="behind", forward=True)
        )
        assert between.knock(ATTACKER, to=server) == "open"
        gateway.apply([held(ATTACKER, "reject")])
        assert between.knock(ATTACKER, to=server) == "refused"
        assert between.knock(ATTACKER) == "refused"
        assert between.knock(INNOCENT, to=server) == "open"
        between.server.run("nft", "delete", "table", "inet", "behind")


@contextmanager
def behind(between: Wire) -> Iterator[str]:
    """The address of a mail server behind the machine."""
    place = Namespace()
    listening = None
    try:
        between.server.ip("link", "add", "mwb", "type", "veth", "peer", "mwb", "netns", place.name)
        for namespace, address in ((between.server, "192.0.2.1/24"), (place, "192.0.2.25/24")):
            namespace.ip("link", "set", "mwb", "up")
            namespace.ip("addr", "add", address, "dev", "mwb")
        place.ip("route", "add", "default", "via", "192.0.2.1")
        between.outside.ip("route", "add", "192.0.2.0/24", "via", Wire.here[4])
        between.server.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        listening = place.within(lambda: socket.create_server(("192.0.2.25", 25)))
        yield "192.0.2.25"
    finally:
        if listening is not None:
            listening.close()
        place.remove()


def test_one_capability_is_enough(between: Wire, documented: Callable[..., str]) -> None:
    unit = documented("nftables", "mailwarden.service.d/nftables.conf")
    assert "CapabilityBoundingSet=CAP_NET_ADMIN\n" in unit

    def limited(bounds: str) -> Nftables:
        command = (*between.server.command, "setpriv", f"--bounding-set={bounds}", "nft")
        return Nftables(NftablesSettings(nft=command))

    able, unable = limited("-all,+net_admin"), limited("-all")
    assert able.apply([held(ATTACKER)])
    assert between.knock(ATTACKER) == "dropped"
    able.apply([])
    [note] = unable.review()
    assert not note.good
    assert "Operation not permitted" in note.text


def test_a_guesser_is_dropped_until_its_lease_ends_and_nobody_else(
    tmp_path: Path, until: Until, documented: Callable[..., str]
) -> None:
    """The closed loop: Dovecot logs, Mailwarden sees and decides, the kernel drops."""
    with wire(*WORLD) as between:
        dovecot = Dovecot(143, between.server.command)

        def login(client: str, account: str = "alice@example.org", word: str = PASSWORD) -> bool:
            return between.outside.within(
                lambda: logs_in(account, word, server=Wire.here[4], port=143, client=client)
            )

        command = ", ".join(f'"{word}"' for word in (*between.server.command, "nft"))
        section = documented("nftables", "mailwarden.toml", {'["nft"]': f"[{command}]"})
        try:
            dovecot.start()
            until(dovecot.ready)
            loop = Loop(tmp_path, dovecot.log, section)
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
                loop.close()
        finally:
            dovecot.stop()


def test_no_namespace_is_left_behind() -> None:
    with wire() as made:
        names = {made.server.name, made.outside.name}
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    assert names.isdisjoint(listed.stdout.split())
