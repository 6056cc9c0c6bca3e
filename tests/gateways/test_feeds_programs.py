"""The lists, read by the programs that they are for."""

import http.client
import json
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.gateways.feeds import Feeds, FeedsSettings
from tests.gateways.asking import ask
from tests.gateways.decided import decided
from tests.gateways.exim_server import Exim
from tools.kafka import free_ports

pytestmark = pytest.mark.servers

KEY = "Quince-4711"
DECISIONS = [
    decided("192.0.2.1"),
    decided("198.51.100.0/24", "reject"),
    decided("2001:db8::/64"),
]
LISTED = ("192.0.2.1", "198.51.100.77", "2001:db8::9")
ATTACKER, INNOCENT = "127.0.0.9", "127.0.0.8"  # who can speak to a server of this machine
UNLISTED = ("192.0.2.2", "198.51.101.1", "2001:db8:0:1::9")

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def gateway() -> Iterator[Feeds]:
    made = Feeds(FeedsSettings(listen="127.0.0.1:0", key=KEY, max_age=1))
    made.apply(DECISIONS)
    yield made
    made.close()


def fetched(gateway: Feeds, name: str, folder: Path) -> Path:
    reply = ask(gateway.port, f"/feeds/{name}", {"Authorization": f"Bearer {KEY}"})
    assert reply.status == 200
    file = folder / name
    file.write_bytes(reply.body)
    return file


def said(*command: str) -> str:
    assert shutil.which(command[0]), f"{command[0]} is missing: run tools/debian-setup"
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def test_curl_fetches_a_list_once(
    gateway: Feeds, tmp_path: Path, documented: Callable[..., str]
) -> None:
    replaced = {"KEY": KEY, "127.0.0.1:4002": f"127.0.0.1:{gateway.port}"}
    command = shlex.split(documented("feeds", "fetch", replaced).replace("\\\n", ""))
    command += ["-w", "%{http_code}"]

    def run() -> str:
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True
        ).stdout

    assert run() == "200"
    assert (tmp_path / "list").read_text().splitlines()[1:] == [
        "192.0.2.1/32",
        "198.51.100.0/24",
        "2001:db8::/64",
    ]
    assert run() == "304"
    gateway.apply([])
    assert run() == "200"
    assert (tmp_path / "list").read_text().count("\n") == 1


def test_postfix_reads_its_table(gateway: Feeds, tmp_path: Path) -> None:
    table = fetched(gateway, "postfix.cidr", tmp_path)
    answers = {one: said("postmap", "-q", one, f"cidr:{table}").strip() for one in LISTED}
    assert answers == {
        "192.0.2.1": "521 5.7.1 Refused [network:192.0.2.1:drop]",
        "198.51.100.77": "REJECT 5.7.1 Refused [network:198.51.100.0/24:reject]",
        "2001:db8::9": "521 5.7.1 Refused [network:2001:db8::/64:drop]",
    }
    assert [said("postmap", "-q", one, f"cidr:{table}") for one in UNLISTED] == ["", "", ""]


def test_exim_reads_its_file(gateway: Feeds) -> None:
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-exim-"))
    try:
        folder.chmod(0o755)
        file = fetched(gateway, "exim.txt", folder)
        exim = Exim(folder, 25, "", "")

        def looked_up(address: str) -> str:
            lookup = f"${{lookup{{{address}}}iplsearch{{{file}}}{{$value}}{{none}}}}"
            return subprocess.run(
                exim.command("-be", lookup),
                env=exim.environment,
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            ).stdout.strip()

        assert [looked_up(one) for one in LISTED] == [
            "drop network:192.0.2.1:drop",
            "reject network:198.51.100.0/24:reject",
            "drop network:2001:db8::/64:drop",
        ]
        assert [looked_up(one) for one in UNLISTED] == ["none"] * 3
    finally:
        shutil.rmtree(folder)


def test_nginx_refuses_whom_its_file_lists(gateway: Feeds, tmp_path: Path, until: Until) -> None:
    gateway.apply([*DECISIONS, decided(ATTACKER)])
    [port] = free_ports(1)
    file = fetched(gateway, "nginx.conf", tmp_path)
    config = tmp_path / "main.conf"
    config.write_text(
        f"""
        daemon off; user root; pid {tmp_path}/pid; error_log stderr;
        events {{ }}
        http {{
            access_log off;
            geo $refused {{ default 0; include {file}; }}
            server {{ listen 127.0.0.1:{port}; if ($refused) {{ return 403; }} return 200; }}
        }}
        """
    )
    assert "test is successful" in said("nginx", "-t", "-c", str(config))
    nginx = subprocess.Popen(["nginx", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: status(port, INNOCENT))
        assert [status(port, client) for client in (ATTACKER, INNOCENT)] == [403, 200]
    finally:
        nginx.terminate()
        nginx.wait(30)


def test_haproxy_refuses_whom_its_file_lists(gateway: Feeds, tmp_path: Path, until: Until) -> None:
    gateway.apply([*DECISIONS, decided(ATTACKER)])
    [port] = free_ports(1)
    file = fetched(gateway, "haproxy.acl", tmp_path)
    config = tmp_path / "haproxy.cfg"
    config.write_text(
        f"""
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{port}
    acl refused src -f {file}
    http-request return status 403 if refused
    http-request return status 200
"""
    )
    haproxy = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: status(port, INNOCENT))
        assert [status(port, client) for client in (ATTACKER, INNOCENT)] == [403, 200]
    finally:
        haproxy.terminate()
        haproxy.wait(30)


def status(port: int, client: str) -> int:
    """What an HTTP server says to a client of that address; 0 where there is none yet."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=30, source_address=(client, 0)
    )
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except ConnectionRefusedError:
        return 0
    finally:
        connection.close()


RSPAMD = """
options {{
  filters = [];
  url_tld = "{folder}/tld";
  pidfile = "{folder}/pid";
  rundir = "{folder}";
  dbdir = "{folder}";
  hs_cache_dir = "{folder}";
  control_socket = "{folder}/control mode=0600";
  map_watch_interval = 1s;
}}
logging {{ type = "console"; level = "error"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
lang_detection {{ languages = ["en"]; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
worker "controller" {{ bind_socket = "127.0.0.1:{controller}"; count = 1; }}
modules {{ path = "/usr/share/rspamd/plugins/multimap.lua"; }}
multimap {{
  {rule}
}}
"""


def test_rspamd_fetches_its_map_and_rejects_whom_it_lists(
    gateway: Feeds, until: Until, documented: Callable[..., str]
) -> None:
    replaced = {"KEY": KEY, "127.0.0.1:4002": f"127.0.0.1:{gateway.port}"}
    port, controller = free_ports(2)
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-rspamd-"))
    shutil.chown(folder, "nobody", "nogroup")
    (folder / "tld").write_text("net\norg\n")
    config = folder / "rspamd.conf"
    rule = documented("feeds", "multimap.conf", replaced)
    config.write_text(RSPAMD.format(folder=folder, port=port, controller=controller, rule=rule))
    assert shutil.which("rspamd"), "rspamd is missing: run tools/debian-setup"
    rspamd = subprocess.Popen(
        ["rspamd", "-f", "-u", "nobody", "-g", "nogroup", "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def action(client: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        mail = b"From: a@example.net\r\nSubject: x\r\n\r\nhello\r\n"
        try:
            connection.request("POST", "/checkv2", mail, {"IP": client})
            found: str = json.loads(connection.getresponse().read())["action"]
            return found
        except ConnectionRefusedError:
            return ""
        finally:
            connection.close()

    try:
        until(lambda: action("192.0.2.1") == "reject")
        assert [action(one) for one in LISTED] == ["reject"] * 3
        assert [action(one) for one in UNLISTED] == ["no action"] * 3
        gateway.apply([])
        until(lambda: action("192.0.2.1") == "no action")
    finally:
        rspamd.terminate()
        rspamd.wait(30)
        shutil.rmtree(folder)
