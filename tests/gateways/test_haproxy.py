import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from schemas.findings import ACTIONS, Action, Decision
from streams.gateway import GatewayError
from streams.gateways import haproxy
from streams.gateways.haproxy import Haproxy, HaproxySettings
from streams.writing import HEADER
from tests.gateways import proxied
from tests.gateways.decided import decided, pardoned
from tools.kafka import free_ports

Until = Callable[[Callable[[], object]], None]


def rows(*decisions: Decision) -> list[str]:
    [text] = Haproxy(HaproxySettings()).render(decisions).values()
    return text.removeprefix(HEADER).splitlines()


def test_a_row_says_until_when_a_client_is_refused() -> None:
    decisions = [
        decided("192.0.2.1", until=1000.5),
        decided("198.51.100.0/24", "reject", until=2000.0),
        decided("2001:db8::/64", until=float("inf")),
    ]
    assert rows(*decisions) == [
        "192.0.2.1 1001",
        "198.51.100.0/24 2000",
        f"2001:db8::/64 {1 << 40}",
    ]


def test_pardons_and_milder_decisions_are_holes() -> None:
    decisions = [pardoned("192.0.2.7"), decided("192.0.2.8", "tarpit"), decided("192.0.2.0/24")]
    assert rows(*decisions) == ["192.0.2.7 0", "192.0.2.8 0", "192.0.2.0/24 2000"]


@pytest.mark.parametrize(
    ("kind", "value", "action", "reached"),
    [
        ("network", "192.0.2.1", "drop", True),
        ("network", "192.0.2.0/24", "reject", True),
        ("network", "192.0.2.1", "tarpit", False),
        ("network", "nonsense", "drop", False),
        ("account", "alice", "lock", False),
    ],
)
def test_what_it_can_carry_out(kind: str, value: str, action: Action, reached: bool) -> None:
    assert Haproxy(HaproxySettings()).reaches(decided(value, action, kind=kind)) is reached


@given(
    st.lists(
        st.builds(
            decided,
            st.one_of(st.text(), st.ip_addresses().map(str)),
            st.sampled_from(ACTIONS),
            name=st.text(),
            until=st.floats(allow_nan=False),
        ),
        max_size=5,
    )
)
def test_whatever_is_decided_each_row_is_a_network_and_a_time(decisions: list[Decision]) -> None:
    for row in rows(*decisions):
        assert re.fullmatch(r"[0-9a-f.:/]+ \d{1,13}", row)


class Runtime:
    """A socket that notes commands and answers each as the test says."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "admin.sock"
        self.commands: list[str] = []
        self.answers = {"prepare": "New version created: 7\n\n"}
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                talk, _ = self._listening.accept()
            except OSError:
                return
            with talk:
                command = b"".join(iter(lambda talk=talk: talk.recv(65536), b"")).decode()  # type: ignore[misc]
                self.commands.append(command)
                talk.sendall(self.answers.get(command.split()[0], "\n").encode())


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime(tmp_path)
    yield made
    made.close()


@pytest.fixture
def gateway(runtime: Runtime, tmp_path: Path) -> Haproxy:
    return Haproxy(HaproxySettings(clients=str(tmp_path / "map"), socket=str(runtime.path)))


def test_the_map_is_written_and_replaced_in_one_version(gateway: Haproxy, runtime: Runtime) -> None:
    name = gateway.settings.clients
    assert gateway.apply([decided()])
    assert Path(name).read_text() == f"{HEADER}192.0.2.1 2000\n"
    assert runtime.commands == [
        f"prepare map {name}\n",
        f"add map @7 {name} <<\n192.0.2.1 2000\n\n",
        f"commit map @7 {name}\n",
    ]
    assert gateway.apply([decided()])
    assert gateway.apply([decided(), decided("alice", "lock", kind="account")])
    assert len(runtime.commands) == 3


def test_many_rows_are_sent_in_parts(
    gateway: Haproxy, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "BLOCK", 40)
    decisions = [decided(f"192.0.2.{n}") for n in range(1, 8)]
    assert gateway.apply(decisions)
    parts = [command for command in runtime.commands if command.startswith("add")]
    assert len(parts) == 4
    sent = "".join(part.partition("<<\n")[2][:-1] for part in parts)
    assert sent == "".join(f"192.0.2.{n} 2000\n" for n in range(1, 8))


@pytest.mark.parametrize(
    ("command", "answer", "words"),
    [
        ("prepare", "Unknown map identifier.\n", "prepare map .*: Unknown map identifier"),
        ("add", "", "add map @7 [^ ]*: no answer"),
        ("commit", "Permission denied\n", "commit map .*: Permission denied"),
    ],
)
def test_what_haproxy_refuses_is_told_and_tried_again(
    gateway: Haproxy, runtime: Runtime, command: str, answer: str, words: str
) -> None:
    good = dict(runtime.answers)
    runtime.answers[command] = answer
    with pytest.raises(GatewayError, match=words):
        gateway.apply([decided()])
    runtime.answers = good
    runtime.commands.clear()
    assert gateway.apply([decided()])
    assert runtime.commands[-1].startswith("commit")


def test_without_a_socket_the_map_is_written_all_the_same(tmp_path: Path) -> None:
    settings = HaproxySettings(clients=str(tmp_path / "map"), socket=str(tmp_path / "none"))
    gateway = Haproxy(settings)
    with pytest.raises(GatewayError, match="none: No such file"):
        gateway.apply([decided()])
    assert "192.0.2.1" in (tmp_path / "map").read_text()
    [note] = gateway.review()
    assert not note.good
    assert "level admin" in note.remedy[0]


# -- with the real HAProxy ----------------------------------------------------------------------

CONFIG = """\
global
  stats socket {folder}/admin.sock mode 600 level admin
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend mail
  bind {address}
{rules}
  default_backend servers
backend servers
  server one 127.0.0.1:{behind} {how}
"""


class Server:
    """In front of a server at the port `behind`."""

    def __init__(
        self, address: str, behind: int, rules: str, command: Any = (), how: str = ""
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailwarden-haproxy-"))
        self.map = self.folder / "mailwarden.map"
        self.map.touch()
        config = self.folder / "haproxy.cfg"
        config.write_text(
            CONFIG.format(
                folder=self.folder,
                address=address,
                behind=behind,
                how=how,
                rules=rules.replace("/etc/haproxy", str(self.folder)),
            )
        )
        self._command = [*command, "haproxy", "-db", "-f", str(config)]
        self.settings = {"/etc/haproxy": str(self.folder), "/run/haproxy": str(self.folder)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, until: Until) -> None:
        assert shutil.which("haproxy"), "haproxy is missing: run tools/debian-setup"
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._ready)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "haproxy has ended"
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder / "admin.sock")) == 0


@pytest.fixture
def greeter() -> Iterator[int]:
    """The port of a server that says hello."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                talk, _ = listening.accept()
            except OSError:
                return
            with talk:
                talk.sendall(b"hello")

    threading.Thread(target=serve, daemon=True).start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def served(port: int, client: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 10, (client, 0)) as talk:
            return talk.recv(10) == b"hello"
    except ConnectionResetError:
        return False


@pytest.mark.servers
def test_haproxy_refuses_whom_the_map_names_until_the_lease_ends(
    greeter: int, documented: Callable[..., str], until: Until
) -> None:
    (port,) = free_ports(1)
    server = Server(f"127.0.0.1:{port}", greeter, documented("haproxy", "frontend"))
    try:
        server.start(until)
        section = documented("haproxy", "mailwarden.toml", server.settings)
        settings = convert(tomllib.loads(section)["gateways"]["haproxy"], HaproxySettings)
        gateway = Haproxy(settings)
        hour = time.time() + 3600
        many = [decided(f"10.0.{n >> 8}.{n & 255}", until=hour) for n in range(2000)]
        decisions = [
            pardoned("127.0.1.7"),
            decided("127.0.0.9", until=hour),
            decided("127.0.1.0/24", until=hour),
            decided("2001:db8::/64", until=hour),
            *many,
        ]
        assert served(port, "127.0.0.9")
        assert gateway.apply(decisions)
        for client, passes in (
            ("127.0.0.9", False),
            ("127.0.0.10", True),
            ("127.0.1.8", False),
            ("127.0.1.7", True),
        ):
            assert served(port, client) is passes, client
        [note] = gateway.review()
        assert note.good
        assert note.text.endswith("2004 rows")
        assert gateway.apply(
            [decided("127.0.1.8", until=hour), decided("127.0.0.9", until=time.time() + 1)]
        )
        until(lambda: served(port, "127.0.0.9"))  # nobody told HAProxy

        server.stop()
        server.start(until)  # reads the file
        assert not served(port, "127.0.1.8")
        assert gateway.apply([])
        assert served(port, "127.0.1.8")
    finally:
        server.remove()


@pytest.mark.servers
def test_a_map_that_no_frontend_names_is_said(greeter: int, until: Until) -> None:
    server = Server(f"127.0.0.1:{free_ports(1)[0]}", greeter, "")
    try:
        server.start(until)
        settings = HaproxySettings(
            clients=str(server.map), socket=str(server.folder / "admin.sock")
        )
        [note] = Haproxy(settings).review()
        assert not note.good
        assert "does not look into" in note.text
        with pytest.raises(GatewayError, match="prepare map"):
            Haproxy(settings).apply([])
    finally:
        server.remove()


@pytest.mark.servers
def test_a_guesser_is_refused_until_its_lease_ends_and_nobody_else(
    tmp_path: Path, until: Until, documented: Callable[..., str]
) -> None:
    rules = documented("haproxy", "frontend")
    proxied.a_guesser_is_refused_until_its_lease_ends_and_nobody_else(
        "haproxy",
        lambda command: Server("0.0.0.0:143", proxied.BEHIND, rules, command, "send-proxy-v2"),
        documented,
        tmp_path,
        until,
    )
