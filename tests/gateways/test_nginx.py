import http.client
import re
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from schemas.findings import ACTIONS, Action, Decision
from streams.gateway import GatewayError
from streams.gateways.nginx import Nginx, NginxSettings
from streams.writing import HEADER
from tests.gateways import proxied
from tests.gateways.decided import decided, pardoned
from tools.kafka import free_ports

Until = Callable[[Callable[[], object]], None]


def rows(*decisions: Decision) -> list[str]:
    [text] = Nginx(NginxSettings()).render(decisions).values()
    return text.removeprefix(HEADER).splitlines()


def test_each_network_has_one_value() -> None:
    decisions = [
        pardoned("192.0.2.7"),
        decided("192.0.2.8", "tarpit"),
        decided("192.0.2.0/24"),
        decided("192.0.2.0/24", "reject"),
        decided("2001:db8::/64", "reject"),
        decided("alice", "lock", kind="account"),
    ]
    assert rows(*decisions) == [
        "192.0.2.7 0;",
        "192.0.2.8 0;",
        "192.0.2.0/24 1;",
        "2001:db8::/64 1;",
    ]


@pytest.mark.parametrize(
    ("kind", "value", "action", "reached"),
    [
        ("network", "192.0.2.1", "drop", True),
        ("network", "2001:db8::/64", "reject", True),
        ("network", "192.0.2.1", "tarpit", False),
        ("network", "nonsense", "drop", False),
        ("account", "alice", "lock", False),
    ],
)
def test_what_it_can_carry_out(kind: str, value: str, action: Action, reached: bool) -> None:
    assert Nginx(NginxSettings()).reaches(decided(value, action, kind=kind)) is reached


@given(
    st.lists(
        st.builds(
            decided,
            st.one_of(st.text(), st.ip_addresses().map(str)),
            st.sampled_from(ACTIONS),
            name=st.text(),
        ),
        max_size=5,
    )
)
def test_whatever_is_decided_each_row_is_a_network_and_a_value(decisions: list[Decision]) -> None:
    for row in rows(*decisions):
        assert re.fullmatch(r"[0-9a-f.:/]+ [01];", row)


def test_an_nginx_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = NginxSettings(clients=str(tmp_path / "no" / "x"), nginx=("/none/nginx",))
    [folder, *_], [asked] = Nginx(settings).needs(), Nginx(settings).review()
    assert (folder.grade, asked.grade) == ("failed", "unknown")
    assert "there is no directory" in folder.text
    assert "/none/nginx cannot be asked what is used" in asked.text


# -- with the real nginx ------------------------------------------------------------------------

CONFIG = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ }}
{blocks}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Server:
    """With these blocks of the page; `command` runs it elsewhere."""

    def __init__(self, blocks: str, command: tuple[str, ...] = ()) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailwarden-nginx-"))
        self.folder.chmod(0o755)
        self.list = self.folder / "mailwarden-clients"
        self.list.touch()
        self.config = self.folder / "nginx.conf"
        blocks = blocks.replace("/etc/nginx", str(self.folder))
        self.config.write_text(CONFIG.format(folder=self.folder, blocks=blocks))
        self.command = [*command, "nginx", "-p", str(self.folder), "-c", str(self.config)]
        self.settings = {
            "/etc/nginx": str(self.folder),
            '["nginx"]': "[" + ", ".join(f'"{word}"' for word in self.command) + "]",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, until: Until) -> None:
        assert shutil.which("nginx"), "nginx is missing: run tools/debian-setup"
        self._process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        until((self.folder / "pid").exists)

    def remove(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self.folder)


def site(port: int, documented: Callable[..., str]) -> str:
    """Webmail, which says hello."""
    places = "".join(f"{name}_temp_path /etc/nginx/{name};\n" for name in TEMPORARY)
    return (
        f"http {{\naccess_log off;\n{places}{documented('nginx', 'http')}"
        f"server {{\nlisten 127.0.0.1:{port};\n{documented('nginx', 'server')}"
        'location / { return 200 "hello"; }\n}\n}\n'
    )


def status(port: int, client: str) -> int:
    talk = http.client.HTTPConnection("127.0.0.1", port, 10, source_address=(client, 0))
    talk.request("GET", "/")
    found = talk.getresponse().status
    talk.close()
    return found


@pytest.fixture
def webmail(documented: Callable[..., str]) -> Iterator[tuple[Server, int]]:
    (port,) = free_ports(1)
    server = Server(site(port, documented))
    yield server, port
    server.remove()


def made(server: Server, documented: Callable[..., str]) -> Nginx:
    section = documented("nginx", "mailwarden.toml", server.settings)
    table = tomllib.loads(section)["gateways"]["nginx"]
    return Nginx(convert(table | {"reload_interval": 0.0}, NginxSettings))


@pytest.mark.servers
def test_webmail_refuses_whom_the_file_names(
    webmail: tuple[Server, int], documented: Callable[..., str], until: Until
) -> None:
    server, port = webmail
    server.start(until)
    gateway = made(server, documented)
    decisions = [pardoned("127.0.1.7"), decided("127.0.1.0/24"), decided("2001:db8::/64")]
    assert status(port, "127.0.1.8") == 200
    until(lambda: gateway.apply(decisions))
    until(lambda: status(port, "127.0.1.8") == 403)
    assert status(port, "127.0.1.7") == 200
    assert status(port, "127.0.0.9") == 200
    assert [note.good for note in gateway.review()] == [True]
    until(lambda: gateway.apply([]))
    until(lambda: status(port, "127.0.1.8") == 200)


@pytest.mark.servers
def test_a_configuration_that_is_wrong_is_told_and_harms_nobody(
    webmail: tuple[Server, int], documented: Callable[..., str], until: Until
) -> None:
    server, port = webmail
    server.start(until)
    gateway = made(server, documented)
    good = server.config.read_text()
    server.config.write_text(good + "nonsense\n")
    assert not gateway.apply([decided("127.0.1.8")])
    gateway._reload.wait()
    with pytest.raises(GatewayError, match=r"nginx .*-s reload: .* \[emerg\]"):
        gateway.apply([decided("127.0.1.8")])
    assert status(port, "127.0.1.8") == 200
    server.config.write_text(good)
    until(lambda: gateway.apply([decided("127.0.1.8")]))
    until(lambda: status(port, "127.0.1.8") == 403)


@pytest.mark.servers
def test_a_file_that_no_block_includes_is_said(
    webmail: tuple[Server, int], documented: Callable[..., str]
) -> None:
    server, _ = webmail
    gateway = made(server, documented)
    assert [note.good for note in gateway.review()] == [True]
    text = server.config.read_text()
    server.config.write_text(re.sub(r"include .*/mailwarden-clients;", "", text))
    [note] = gateway.review()
    assert not note.good
    assert "no geo block of nginx includes" in note.text


@pytest.mark.servers
def test_a_guesser_is_refused_until_its_lease_ends_and_nobody_else(
    tmp_path: Path, until: Until, documented: Callable[..., str]
) -> None:
    blocks = f"stream {{\n{documented('nginx', 'stream')}}}\n"
    proxied.a_guesser_is_refused_until_its_lease_ends_and_nobody_else(
        "nginx", lambda command: Server(blocks, command), documented, tmp_path, until
    )
