"""The real rsyslog receives what the sink sends."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from agents.single.delivery import Delivery
from schemas.settings import SettingsError
from streams.sink import SinkError
from streams.sinks.syslog import Syslog, SyslogSettings
from tests.programs import LIBRARIES, running, unpacked
from tests.sinks.alerts import alert, evil
from tests.waiting import wait_for
from tools.kafka import free_ports

CONFIG = """\
global(workDirectory="{folder}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="on"
  defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/server.pem"
  defaultNetstreamDriverKeyFile="{folder}/server.key")
module(load="{modules}/imudp")
module(load="{modules}/imptcp")
module(load="{modules}/imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1"
  StreamDriver.AuthMode="anon")
module(load="{modules}/mmpstrucdata")
template(name="all" type="list" option.jsonf="on") {{
  property(outname="msg" name="msg" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="program" name="programname" format="jsonf")
  property(outname="kind" name="msgid" format="jsonf")
  property(outname="priority" name="pri" format="jsonf")
  property(outname="at" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="data" name="$!rfc5424-sd" format="jsonf") }}
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imptcp" address="127.0.0.1" port="{tcp}")
input(type="imtcp" address="127.0.0.1" port="{tls}")
action(type="mmpstrucdata")
action(type="omfile" file="{folder}/received" template="all")
"""


class Rsyslog:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = unpacked("rsyslog-gnutls")
        self.modules = self.prefix / LIBRARIES / "rsyslog"
        udp, tcp, tls = free_ports(3)
        self.ports = {"udp": udp, "tcp": tcp, "tls": tls}
        certify(folder)
        (folder / "rsyslog.conf").write_text(
            CONFIG.format(folder=folder, modules=self.modules, **self.ports)
        )

    def run(self) -> AbstractContextManager[None]:
        arguments = ["-n", "-f", "rsyslog.conf", "-i", f"{self.folder}/pid"]
        modules = ["-M", str(self.modules)]
        return running(self.prefix, "usr/sbin/rsyslogd", self.folder, *arguments, *modules)

    def sink(self, transport: str, **more: Any) -> Syslog:
        ca = str(self.folder / "ca.pem") if transport == "tls" else ""
        where = f"localhost:{self.ports[transport]}"
        settings: dict[str, Any] = {"server": where, "transport": transport, "ca": ca, **more}
        return Syslog(SyslogSettings(host="watch.example.org", **settings))

    def up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ports["tls"])) == 0

    def received(self) -> list[dict[str, Any]]:
        path = self.folder / "received"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait(self, count: int) -> list[dict[str, Any]]:
        wait_for(lambda: len(self.received()) >= count)
        return self.received()


def certify(folder: Path) -> None:
    """An authority, and a certificate of localhost that it signed."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes", "-keyout")
    openssl(*new, "ca.key", "-x509", "-days", "2", "-subj", "/CN=test CA", "-out", "ca.pem")
    openssl(*new, "server.key", "-subj", "/CN=localhost", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signed = ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days")
    openssl(*signed, "2", "-CAcreateserial", "-extfile", "names", "-out", "server.pem")


@pytest.fixture(scope="module")
def rsyslog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    server = Rsyslog(tmp_path_factory.mktemp("rsyslog"))
    with server.run():
        wait_for(server.up)
        yield server


@pytest.fixture(autouse=True)
def _forget(request: pytest.FixtureRequest) -> None:
    if "rsyslog" in request.fixturenames:
        found: Rsyslog = request.getfixturevalue("rsyslog")
        if (found.folder / "received").exists():
            os.truncate(found.folder / "received", 0)


@pytest.mark.servers
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_rsyslog_reads_structured_data(rsyslog: Rsyslog, transport: str) -> None:
    rsyslog.sink(transport).send([alert("a1", revision=3), alert("a2", "critical"), evil()])
    one, two, three = rsyslog.wait(3)
    assert (one["host"], one["program"], one["kind"]) == (
        "watch.example.org",
        "mailwarden",
        "auth_dictionary",
    )
    assert (one["priority"], two["priority"]) == ("83", "82")
    assert one["at"].startswith("2023-11-14T22:14:20.250")
    assert one["msg"].strip() == "192.0.2.1: 15 wrong passwords at 15 accounts"
    data = json.loads(one["data"])["mailwarden@32473"]
    assert data["id"] == "a1"
    assert data["revision"] == "3"
    assert data["subject"] == "192.0.2.1"
    assert data["evidence"] == "accounts 15 ≥ 5"
    assert three["kind"] == "auth_dictionary"
    assert '"y z' not in three["data"]


@pytest.mark.servers
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("form", ["cef", "leef"])
def test_rsyslog_passes_cef_and_leef_on(rsyslog: Rsyslog, transport: str, form: str) -> None:
    sink = rsyslog.sink(transport, format=form)
    sink.send([alert(), evil()])
    one, two = rsyslog.wait(2)
    for got, sent in ((one, alert()), (two, evil())):
        text = sink.message(sent).decode().partition(" - ")[2].partition(" - ")[2]
        assert got["msg"].strip() == text.strip()
        assert got["msg"].strip().startswith(f"{form.upper()}:")


@pytest.mark.servers
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_what_was_owed_while_the_receiver_was_down_arrives_once_and_whole(
    tmp_path: Path, transport: str
) -> None:
    server = Rsyslog(tmp_path)
    sink = server.sink(transport)
    delivery = Delivery(sink, patience=(0.05, 0.1))
    delivery.put(alert(f"a{number}") for number in range(250))
    wait_for(lambda: delivery.trouble)
    assert "Connection refused" in delivery.trouble
    assert not delivery.idle()
    with server.run():
        wait_for(delivery.idle)
        found = server.wait(250)
    delivery.close()
    names = [json.loads(each["data"])["mailwarden@32473"]["id"] for each in found]
    assert sorted(names) == sorted(f"a{number}" for number in range(250))


@pytest.mark.servers
def test_a_certificate_of_nobody_that_we_trust_gets_nothing(rsyslog: Rsyslog) -> None:
    with pytest.raises(SinkError, match=r"localhost:\d+: .*certificate verify failed"):
        rsyslog.sink("tls", ca="").send([alert()])


def test_a_receiver_that_resets_has_not_got_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.listen()
        where = f"127.0.0.1:{server.getsockname()[1]}"
        sink = Syslog(SyslogSettings(server=where, transport="tcp", timeout=5.0))

        def refuse() -> None:
            taken, _ = server.accept()
            taken.recv(1)
            taken.close()  # with the rest unread: a reset

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(SinkError, match=r"reset|Broken pipe|not connected"):
            sink.send([alert()])
        thread.join()


def test_a_receiver_that_takes_all_and_never_closes_has_got_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        where = f"127.0.0.1:{server.getsockname()[1]}"
        Syslog(SyslogSettings(server=where, transport="tcp", timeout=0.2)).send([alert()])


def test_by_udp_nobody_there_is_seen_where_the_machine_says_so() -> None:
    [port] = free_ports(1)
    sink = Syslog(SyslogSettings(server=f"127.0.0.1:{port}", transport="udp"))
    with pytest.raises(SinkError, match=r"refused|nobody"):
        sink.send([alert(f"a{number}") for number in range(20)])


@pytest.mark.parametrize("form", ["rfc5424", "cef", "leef"])
@pytest.mark.parametrize("largest", [480, 1000, 8192])
def test_no_message_is_larger_than_was_said(form: str, largest: int) -> None:
    settings: dict[str, Any] = {"format": form, "largest": largest}
    sink = Syslog(SyslogSettings(server="siem.example.org", host="h" * 300, **settings))
    assert len(sink.message(evil(length=50))) <= largest
    assert b"\n" not in sink.message(evil(length=50))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "server: expected HOST or HOST:PORT"),
        ({"server": "siem:http"}, "server: expected HOST or HOST:PORT"),
        ({"server": "tls://siem"}, "server: expected HOST or HOST:PORT"),
        ({"server": "siem", "facility": 24}, "facility: expected a number from 0 to 23"),
        ({"server": "siem", "timeout": 0.0}, "timeout: expected a number of seconds above 0"),
        ({"server": "siem", "largest": 100}, "largest: expected 0, or 480 to"),
        ({"server": "siem", "transport": "udp", "largest": 70000}, "largest: expected 0, or 480"),
        ({"server": "siem", "ca": "/none"}, "ca: /none cannot be read"),
        ({"server": "siem", "key": "/k"}, "certificate: expected the file"),
        ({"server": "siem", "certificate": "/c"}, "certificate: /c cannot be used"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Syslog(SyslogSettings(**settings))
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("server", "shown"),
    [("siem", "siem:6514"), ("siem:99", "siem:99"), ("[2001:db8::1]", "[2001:db8::1]:6514")],
)
def test_check_says_where_it_goes(server: str, shown: str) -> None:
    assert Syslog(SyslogSettings(server=server)).about() == f"rfc5424 by tls to {shown}"
