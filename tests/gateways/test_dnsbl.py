import calendar
import shlex
import shutil
import smtplib
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.resolver
import dns.reversename
import pytest
from msgspec import ValidationError, convert

from schemas.findings import Action, Decision
from streams.gateway import GatewayError
from streams.gateways.dnsbl import Dnsbl, DnsblSettings
from tests.gateways.conftest import Server as Postfix
from tests.gateways.decided import decided, pardoned
from tests.gateways.dovecot import Dovecot, logs_in
from tests.gateways.loop import HONEYPOT, Loop
from tools.kafka import free_ports
from tools.namespaces import Wire, wire

ATTACKER, INNOCENT = "203.0.113.9", "203.0.113.10"

Until = Callable[[Callable[[], object]], None]


class Clock:
    now = 1_796_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(folder: Path, clock: Clock, **more: Any) -> Dnsbl:
    paths = {name: str(folder / name) for name in ("ip4", "ip6", "names", "rpz")}
    return Dnsbl(DnsblSettings(**(paths | more)), clock=clock, ticks=clock)


def test_only_zones_that_are_named_are_written(tmp_path: Path, clock: Clock) -> None:
    assert made(tmp_path, clock, names="", rpz="").apply([decided()])
    assert {path.name for path in tmp_path.iterdir()} == {"ip4", "ip6"}


def test_a_zone_is_written_again_in_time(tmp_path: Path, clock: Clock) -> None:
    gateway = made(tmp_path, clock, expire=3600)

    def left() -> float:
        line = (tmp_path / "ip4").read_text().splitlines()[1]
        stamp = time.strptime(f"{line.split()[2]} UTC", "%Y-%m-%d-%H-%M-%S %Z")
        return calendar.timegm(stamp) - clock.now

    written = set()
    for _ in range(100):
        assert gateway.apply([decided()])
        written.add((tmp_path / "ip4").read_text())
        assert 1800 < left() <= 3600
        clock.now += 90
    assert 5 <= len(written) <= 6


def test_a_zone_that_never_expires(tmp_path: Path, clock: Clock) -> None:
    gateway = made(tmp_path, clock, expire=0)
    assert gateway.apply([])
    assert "$TIMESTAMP" not in (tmp_path / "ip4").read_text()
    before = (tmp_path / "ip4").stat().st_ino
    clock.now += 1e6
    assert gateway.apply([])
    assert (tmp_path / "ip4").stat().st_ino == before


def test_a_policy_zone_that_has_changed_has_a_higher_serial(tmp_path: Path, clock: Clock) -> None:
    gateway = made(tmp_path, clock)

    def serial() -> int:
        return int((tmp_path / "rpz").read_text().split("SOA")[1].split()[2])

    gateway.apply([])
    assert serial() == int(clock.now)
    gateway.apply([decided()])
    assert serial() == int(clock.now)
    gateway.apply([decided("phish.example", "reject", kind="domain")])
    assert serial() == int(clock.now) + 1
    clock.now += 100
    gateway.apply([])
    assert serial() == int(clock.now)


def test_the_resolver_is_told_of_the_policy_zone_only(tmp_path: Path, clock: Clock) -> None:
    calls = tmp_path / "calls"
    command = ("sh", "-c", f"echo x >> {calls}")
    gateway = made(tmp_path, clock, rpz_command=command)

    def settle(decisions: list[Decision]) -> None:
        gateway.apply(decisions)
        gateway._reload.wait()

    settle([])
    assert gateway.apply([])
    settle([decided()])
    assert gateway.apply([decided()])
    assert calls.read_text() == "x\n"
    clock.now += 5
    settle([decided("phish.example", "reject", kind="domain")])
    assert calls.read_text() == "x\nx\n"


@pytest.mark.parametrize(
    ("named", "kind", "value", "action", "reached"),
    [
        ("ip4", "network", "192.0.2.1", "drop", True),
        ("ip4", "network", "192.0.2.1", "tarpit", False),
        ("ip4", "network", "2001:db8::/64", "drop", False),
        ("ip6", "network", "2001:db8::/64", "drop", True),
        ("names", "domain", "phish.example", "reject", True),
        ("rpz", "domain", "phish.example", "reject", True),
        ("ip4", "domain", "phish.example", "reject", False),
        ("names", "address", "a@phish.example", "reject", False),
    ],
)
def test_what_it_can_carry_out(
    named: str, kind: str, value: str, action: Action, reached: bool
) -> None:
    settings = DnsblSettings(**({"ip4": "", "ip6": ""} | {named: "zone"}))
    assert Dnsbl(settings).reaches(decided(value, action, kind=kind)) is reached


@pytest.mark.parametrize("name", ["", "ns example", "ns.example.org\n$INCLUDE x", "-x"])
def test_a_name_server_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        convert({"nameserver": name}, DnsblSettings)


# -- with the real rbldnsd, unbound and Postfix -------------------------------------------------

NAMES = """\
$SOA 60 localhost. hostmaster.localhost. 0 60 30 86400 5
$TTL 60
phish A 192.0.2.80
www.phish A 192.0.2.81
good.phish A 192.0.2.82
honest A 192.0.2.83
"""
UNBOUND = """\
server:
    interface: 127.0.0.1@{resolver}
    port: {resolver}
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: "{folder}/unbound.pid"
    use-syslog: no
    logfile: "{folder}/unbound.log"
    domain-insecure: "example"
    root-hints: ""
{documented}
stub-zone:
    name: "example"
    stub-addr: {rbldnsd}
remote-control:
    control-enable: yes
    control-interface: "{folder}/control"
"""


class List:
    """rbldnsd and unbound as the page shows them, on loopback; with `command`, elsewhere."""

    def __init__(self, documented: Callable[..., str], command: tuple[str, ...] = ()) -> None:
        for program in ("rbldnsd", "unbound", "unbound-control"):
            assert shutil.which(program), f"{program} is missing: run tools/debian-setup"
        self.folder = Path(tempfile.mkdtemp(prefix="mailwarden-dnsbl-"))
        self.folder.chmod(0o755)  # for rbldnsd's own user
        self.command = command
        self.port, self.resolver = (53, 53) if command else free_ports(2)
        address = "127.0.0.2" if command else f"127.0.0.2@{self.port}"
        places = {"/var/lib/rbldns": str(self.folder), "/var/lib/unbound": str(self.folder)}
        config = self.folder / "unbound.conf"
        config.write_text(
            UNBOUND.format(
                folder=self.folder,
                resolver=self.resolver,
                rbldnsd=address,
                documented=documented(
                    "dnsbl",
                    "unbound.conf",
                    {"/var/lib/unbound": str(self.folder), "127.0.0.2": address},
                ),
            )
        )
        control = shlex.join([*command, "unbound-control", "-c", str(config)])
        shown = documented(
            "dnsbl",
            "mailwarden.toml",
            {**places, '"unbound-control"': ", ".join(f'"{w}"' for w in shlex.split(control))},
        )
        self.section = shown
        (self.folder / "example").write_text(NAMES)
        setting = documented(
            "dnsbl",
            "rbldnsd",
            {"/var/lib/rbldns": str(self.folder), "127.0.0.2/53": f"127.0.0.2/{self.port}"},
        )
        _, *options = shlex.split(setting.partition('"')[2].rpartition('"')[0])
        options[options.index("5s")] = "1s"
        self._commands = [
            [*command, "rbldnsd", "-n", "-q", "-u", "nobody", *options, "example:generic:example"],
            [*command, "unbound", "-d", "-c", str(config)],
        ]
        self._processes: list[subprocess.Popen[bytes]] = []
        (self.folder / "mailwarden-rpz").write_text("@ 60 SOA a. b. 1 60 60 60 5\n@ 60 NS a.\n")

    def gateway(self, **more: Any) -> Dnsbl:
        table = tomllib.loads(self.section)["gateways"]["dnsbl"]
        return Dnsbl(convert(table | {"reload_interval": 0.0} | more, DnsblSettings))

    def start(self) -> None:
        self._processes = [
            subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for each in self._commands
        ]

    def remove(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(30)
        shutil.rmtree(self.folder)

    def ask(self, name: str, kind: str = "A", *, resolve: bool = False) -> list[str]:
        """What rbldnsd, or the resolver, says; its error where it says nothing else."""
        server, port = ("127.0.0.1", self.resolver) if resolve else ("127.0.0.2", self.port)
        question = dns.message.make_query(name, kind)
        found = dns.query.udp(question, server, timeout=5, port=port)
        rows = [row.to_text() for answer in found.answer for row in answer]
        return rows or [dns.rcode.to_text(found.rcode())]

    def client(self, address: str, kind: str = "A") -> list[str]:
        zone = dns.name.from_text("bl.example.org")
        return self.ask(
            dns.reversename.from_address(address, v4_origin=zone, v6_origin=zone).to_text(), kind
        )

    def serves(self) -> bool:
        with suppress(OSError, dns.exception.DNSException):
            return self.client("127.0.0.2") == ["127.0.0.2"] and bool(
                self.ask("honest.example", resolve=True)
            )
        return False


@pytest.fixture
def blocklist(documented: Callable[..., str]) -> Iterator[List]:
    listed = List(documented)
    yield listed
    listed.remove()


@pytest.mark.servers
def test_the_list_says_who_is_blocked_and_why(blocklist: List, until: Until) -> None:
    gateway = blocklist.gateway(rpz="")
    assert gateway.apply([])
    blocklist.start()
    until(blocklist.serves)
    assert blocklist.client("127.0.0.1") == ["NXDOMAIN"]
    assert blocklist.client("::ffff:7f00:1") == ["NXDOMAIN"]
    assert blocklist.client("::ffff:7f00:2") == ["127.0.0.2"]
    assert blocklist.ask("test.dbl.example.org") == ["127.0.0.2"]
    assert blocklist.ask("invalid.dbl.example.org") == ["NXDOMAIN"]
    decisions = [
        pardoned("192.0.2.7"),
        decided("192.0.2.0/24", name="x", reason='a "quoted" $TTL; reason'),
        decided("2001:db8::/64", name="y"),
        pardoned("good.phish.example", kind="domain"),
        decided("phish.example", "reject", kind="domain", name="z"),
    ]
    gateway.apply(decisions)
    until(lambda: blocklist.client("192.0.2.9") == ["127.0.0.2"])
    assert blocklist.client("192.0.2.9", "TXT") == ['"blocked [x]"']
    assert blocklist.client("192.0.2.7") == ["NXDOMAIN"]
    assert blocklist.client("2001:db8::99") == ["127.0.0.2"]
    assert blocklist.client("2001:db8:1::99") == ["NXDOMAIN"]
    for name, answer in (
        ("phish.example", "127.0.0.2"),
        ("www.phish.example", "127.0.0.2"),
        ("good.phish.example", "NXDOMAIN"),
        ("www.good.phish.example", "NXDOMAIN"),
        ("honest.example", "NXDOMAIN"),
    ):
        assert blocklist.ask(f"{name}.dbl.example.org") == [answer], name
    talkative = blocklist.gateway(rpz="", reasons=True)
    talkative.apply(decisions)
    until(lambda: "reason" in blocklist.client("192.0.2.9", "TXT")[0])
    assert blocklist.client("192.0.2.9", "TXT") == ['"a _quoted_ _TTL_ reason [x]"']
    talkative.apply([])
    until(lambda: blocklist.client("192.0.2.9") == ["NXDOMAIN"])


@pytest.mark.servers
def test_a_list_that_nobody_renews_is_answered_no_more(blocklist: List, until: Until) -> None:
    gateway = blocklist.gateway(rpz="", expire=2)
    blocklist.gateway(rpz="").apply([])
    blocklist.start()
    until(blocklist.serves)
    gateway.apply([decided("192.0.2.9")])
    until(lambda: blocklist.client("192.0.2.9") == ["SERVFAIL"])
    blocklist.gateway(rpz="").apply([decided("192.0.2.9")])
    until(lambda: blocklist.client("192.0.2.9") == ["127.0.0.2"])


@pytest.mark.servers
def test_a_resolver_hides_the_domains_of_the_policy_zone(blocklist: List, until: Until) -> None:
    gateway = blocklist.gateway()
    gateway.apply([])  # unbound does not run yet
    gateway._reload.wait()
    blocklist.start()
    until(blocklist.serves)

    def seen(name: str) -> str:
        return blocklist.ask(name, resolve=True)[0]

    assert seen("phish.example") == "192.0.2.80"
    decisions = [
        pardoned("good.phish.example", kind="domain"),
        decided("phish.example", "reject", kind="domain"),
    ]
    until(lambda: applied(gateway, decisions))
    assert seen("phish.example") == "NXDOMAIN"
    assert seen("www.phish.example") == "NXDOMAIN"
    assert seen("good.phish.example") == "192.0.2.82"
    assert seen("honest.example") == "192.0.2.83"
    checked = subprocess.run(
        ["named-checkzone", "rpz.example.org", gateway.settings.rpz],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    until(lambda: applied(gateway, []))
    assert seen("phish.example") == "192.0.2.80"


def applied(gateway: Dnsbl, decisions: list[Decision]) -> bool:
    with suppress(GatewayError):  # that unbound did not run
        return gateway.apply(decisions)
    return False


@pytest.mark.servers
def test_whether_the_list_answers_is_said(
    blocklist: List, until: Until, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], blocklist.resolver
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    monkeypatch.setattr("streams.gateways.dnsbl.PATIENCE", 0.5)
    gateway = blocklist.gateway()
    away = gateway.review()[0]
    assert not away.good
    assert "2.0.0.127.bl.example.org. is asked for in vain" in away.text
    gateway.apply([])
    gateway._reload.wait()
    blocklist.start()
    until(blocklist.serves)
    until(lambda: gateway.review()[0].good)
    assert gateway.review()[0].text == "2.0.0.127.bl.example.org. is 127.0.0.2"
    assert {note.grade for note in made(tmp_path, Clock()).review()} == {"unknown"}


class Asking(Postfix):
    """Postfix in a network namespace, with a resolver of its own (resolv.conf(5))."""

    def __init__(self, folder: Path, command: tuple[str, ...]) -> None:
        super().__init__(folder)
        resolv = folder / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\n")
        own = f"mount --bind {shlex.quote(str(resolv))} /etc/resolv.conf"
        self._command = [*command, "unshare", "--mount", "sh", "-c", f'{own} && exec "$@"', "sh"]
        self.set("-e", "inet_interfaces=all")
        master = self.config / "master.cf"
        master.write_text(master.read_text().replace(f"127.0.0.1:{self.port} ", "25 "))

    def run(self, program: str, *arguments: str) -> str:
        self.age()
        done = subprocess.run(
            [*getattr(self, "_command", []), program, "-c", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.servers
def test_who_guesses_at_imap_is_refused_at_smtp_until_the_lease_ends(
    tmp_path: Path, until: Until, documented: Callable[..., str]
) -> None:
    """The closed loop: Dovecot logs, Mailwarden sees and lists, Postfix asks and refuses."""
    with wire(f"{ATTACKER}/24", f"{INNOCENT}/24") as between:
        command = between.server.command
        listed = List(documented, command)
        dovecot = Dovecot(143, command)
        home = Path(tempfile.mkdtemp(prefix="mailwarden-postfix-"))
        home.chmod(0o755)
        postfix = Asking(home, command)

        def greeting(client: str) -> str:
            def talk() -> str:
                try:
                    with smtplib.SMTP(Wire.here[4], 25, "x", 30, (client, 0)) as smtp:
                        return str(smtp.noop()[0])
                except smtplib.SMTPConnectError as error:
                    return f"{error.smtp_code} {error.smtp_error!r}"

            return between.outside.within(talk)

        try:
            with (postfix.config / "main.cf").open("a") as file:
                file.write(documented("dnsbl", "main.cf"))
            postfix.set("-e", "smtpd_delay_reject=no")
            listed.gateway(rpz="").apply([])
            listed.start()
            dovecot.start()
            until(dovecot.ready)
            until(lambda: between.server.within(listed.serves))
            postfix.start()
            loop = Loop(tmp_path, dovecot.log, f"{listed.section}ttl = 1\n")
            try:
                until(lambda: greeting(INNOCENT) == "250")
                assert greeting(ATTACKER) == "250"
                between.outside.within(
                    lambda: logs_in(
                        HONEYPOT, "guess", server=Wire.here[4], port=143, client=ATTACKER
                    )
                )
                # Until, not once: Postfix lets in whom it could not ask about in time.
                refusal = "blocked using bl.example.org; guessing passwords ["
                until(lambda: refusal in greeting(ATTACKER))
                assert greeting(INNOCENT) == "250"
                loop.end_leases()
                until(lambda: greeting(ATTACKER) == "250")
            finally:
                loop.close()
        finally:
            postfix.stop()
            dovecot.stop()
            listed.remove()
            shutil.rmtree(home)
