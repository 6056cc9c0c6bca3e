import asyncio
import base64
import http.client
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from agents import configuration
from schemas.settings import Settings, SettingsError
from streams import http_serving
from streams.gateway import GatewayError
from streams.http_server import UNREAD, Whole
from streams.http_serving import HttpServing, HttpServingSettings, answer, brief


class Echo(HttpServing):
    """Says what was sent to it, and by whom."""

    public = frozenset({"/open"})

    async def handle(self, request: web.BaseRequest, holder: str) -> web.StreamResponse:
        if request.path == "/fault":
            raise KeyError(request.path)
        if request.path == "/brief":
            return brief(b"{}")
        if request.path == "/slow":
            await asyncio.sleep(60)
        return answer(f"{holder}:".encode() + await self.body(request), kind="text/plain")


Make = Callable[..., Echo]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Echo] = []

    def build(**settings: Any) -> Echo:
        gateway = Echo(HttpServingSettings(**{"listen": "127.0.0.1:0", **settings}), "echo")
        made.append(gateway)
        gateway.apply([])
        return gateway

    yield build
    for each in made:
        each.close()


def ask(
    port: int,
    path: str = "/",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    connection = (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
        if tls
        else http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    )
    try:
        connection.request("POST", path, body, headers or {})
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_it_answers_until_it_is_closed(make: Make) -> None:
    gateway = make()
    assert ask(gateway.port, body=b"hello") == (200, b":hello")
    assert ask(gateway.port) == (200, b":")
    gateway.close()
    gateway.close()
    with pytest.raises(ConnectionRefusedError):
        ask(gateway.port)


def test_it_answers_at_a_unix_socket(make: Make, tmp_path: Path) -> None:
    gateway = make(listen=f"unix:{tmp_path / 's'}")
    assert gateway.port == 0
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(tmp_path / "s"))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "shown",
    [
        {"X-API-Key": "Quince-1"},
        {"Authorization": "Bearer Quince-1"},
        {"Authorization": "Basic " + base64.b64encode(b"wforce:Quince-1").decode()},
    ],
)
def test_a_key_may_be_shown_in_three_ways(make: Make, shown: dict[str, str]) -> None:
    assert ask(make(key="Quince-1").port, headers=shown) == (200, b":")


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"X-API-Key": "Quince-2"},
        {"Authorization": "Basic Quince-1"},
        {"Authorization": "Digest Quince-1"},
    ],
)
def test_without_the_key_there_is_no_answer_but_where_all_may_ask(
    make: Make, shown: dict[str, str]
) -> None:
    gateway = make(key="Quince-1")
    before = count("mailwarden_gateway_answers_total", gateway="echo", answer="unauthorized")
    assert ask(gateway.port, headers=shown) == (401, b"")
    after = count("mailwarden_gateway_answers_total", gateway="echo", answer="unauthorized")
    assert after == before + 1
    assert ask(gateway.port, "/open", headers=shown) == (200, b":")


def test_keys_of_a_file_have_names(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("edge Medlar-7\n")
    gateway = make(key_file=str(file), key="Quince-1")
    assert ask(gateway.port, headers={"X-API-Key": "Medlar-7"}) == (200, b"edge:")
    assert ask(gateway.port, headers={"X-API-Key": "Quince-1"}) == (200, b":")


def test_what_is_too_much_is_refused(make: Make) -> None:
    assert ask(make(largest=10).port, body=b"x" * 11)[0] == 413


def test_a_body_that_does_not_come_is_not_waited_for(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_serving, "BODY", 0.01)
    with socket.create_connection(("127.0.0.1", make().port), timeout=10) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_fault_is_answered_neutrally_and_told_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = make()
    before = count("mailwarden_gateway_failures_total", gateway="echo")
    assert [ask(gateway.port, "/fault")[0] for _ in range(2)] == [503, 503]
    assert count("mailwarden_gateway_failures_total", gateway="echo") == before + 2
    assert [record.message for record in caplog.records] == ["gateway=echo cannot answer"]


def test_connections_beyond_the_limit_are_closed_and_counted(make: Make) -> None:
    gateway = make(connections=1)
    before = count("mailwarden_gateway_shed_total", gateway="echo")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as first:
        first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert first.recv(100).startswith(b"HTTP/1.1 200 ")
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            ask(gateway.port)
    assert count("mailwarden_gateway_shed_total", gateway="echo") == before + 1


def test_its_end_waits_for_nobody(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_serving, "SHUTDOWN", 0.01)
    gateway = make()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        gateway.close()
        assert client.recv(100) == b""


# -- answers in one piece ---------------------------------------------------------------------


def test_a_brief_answer_is_one_like_any_other(make: Make) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", make().port, timeout=10)
    for _ in range(3):  # over one connection
        connection.request("POST", "/brief", b"{}")
        reply = connection.getresponse()
        assert (reply.status, reply.read()) == (200, b"{}")
        assert reply.headers["Content-Type"] == "application/json"
        assert parsedate_to_datetime(reply.headers["Date"]).tzinfo is not None
    connection.close()


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_connection_that_is_not_to_last_ends_after_a_brief_answer(
    make: Make, version: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", make().port), timeout=10) as client:
        client.sendall(
            b"POST /brief HTTP/" + version + b"\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        said = b""
        while more := client.recv(1000):
            said += more
        assert said.endswith(b"\r\n\r\n{}")


def test_answers_of_one_connection_keep_their_order(make: Make) -> None:
    with socket.create_connection(("127.0.0.1", make().port), timeout=10) as client:
        head = b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        client.sendall(
            2 * (b"POST /brief" + head + b"\r\n" + b"POST /" + head + b"\r\n")
            + b"POST /brief"
            + head
            + b"Connection: close\r\n\r\n"
        )
        said = b""
        while more := client.recv(1000):
            said += more
    kinds = re.findall(rb"Content-Type: (\S+)", said)
    brief, other = b"application/json", b"text/plain"
    assert kinds == [brief, other, brief, other, brief]


class Asked:
    """A request whose connection is in some state."""

    keep_alive = True
    version = (1, 1)

    def __init__(self, unread: int) -> None:
        self.transport: Any = self
        self.unread = unread
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return True  # by the time at which it is to be written to

    def write(self, data: bytes) -> None:
        raise RuntimeError("the transport is closed")


def test_who_goes_before_the_answer_is_written_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def answered() -> None:
        asked: Any = Asked(0)
        await Whole(b"{}", "text/plain").prepare(asked)
        await asyncio.sleep(0)

    asyncio.run(answered())
    assert caplog.records == []


def test_who_reads_no_answers_is_let_go(make: Make) -> None:
    asked: Any = Asked(UNREAD + 1)
    asyncio.run(Whole(b"{}", "text/plain").prepare(asked))
    assert asked.aborted


def test_who_is_gone_gets_no_answer() -> None:
    asked: Any = Asked(0)
    asked.transport = None
    asyncio.run(Whole(b"{}", "text/plain").prepare(asked))
    assert not asked.aborted


# -- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return folder


def test_with_a_certificate_it_speaks_tls(make: Make, certificate: Path) -> None:
    gateway = make(
        certificate=str(certificate / "cert.pem"), certificate_key=str(certificate / "key.pem")
    )
    trusted = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    assert ask(gateway.port, body=b"secret", tls=trusted) == (200, b":secret")


def test_a_certificate_that_cannot_be_used_is_tried_again(tmp_path: Path, make: Make) -> None:
    for path in (tmp_path / "missing", tmp_path / "empty"):
        with pytest.raises(GatewayError, match=f"certificate: {path}: .+"):
            make(certificate=str(path))
        (tmp_path / "empty").touch()


def test_whether_the_certificate_can_be_used_is_said(tmp_path: Path, certificate: Path) -> None:
    def needed(path: Path) -> list[tuple[bool, str]]:
        named = {"certificate": str(path), "certificate_key": str(certificate / "key.pem")}
        echo = Echo(HttpServingSettings(listen="127.0.0.1:0", **named), "echo")
        return [(note.good, note.text) for note in echo.needs()]

    good = certificate / "cert.pem"
    assert needed(good) == [(True, f"{good} can be used")]
    [(fine, why)] = needed(tmp_path / "none")
    assert not fine
    assert why.startswith(f"certificate: {tmp_path}/none: ")
    assert Echo(HttpServingSettings(listen="127.0.0.1:0"), "echo").needs() == []


def test_a_server_that_cannot_begin_lets_go_of_its_port(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Any) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(web.SockSite, "start", broken)
        with pytest.raises(GatewayError, match="Too many open files"):
            make()
    assert ask(make().port) == (200, b":")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"listen": "0.0.0.0:1"}, "listen: off loopback, key or key_file is needed"),
        ({"listen": "[::]:1", "key": "x"}, r"listen: off loopback, certificate \(or plain\)"),
        ({"key": "a b c"}, "key: expected KEY or NAME KEY"),
        ({"key_file": "/nowhere"}, "key_file: /nowhere: No such file"),
        ({"key_file": "/dev/null"}, "key_file: /dev/null holds no key"),
    ],
)
def test_what_is_not_safe_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Echo(HttpServingSettings(**settings))


@pytest.mark.parametrize(
    "settings",
    [
        {"listen": "localhost:1"},
        {"listen": "[::1]:1"},
        {"listen": "unix:/run/s"},
        {"listen": "0.0.0.0:1", "key": "x", "plain": True},
        {"listen": "mx.example.org:1", "key": "x", "certificate": "/etc/ssl/mx.pem"},
    ],
)
def test_what_is_safe_is_taken(settings: dict[str, Any]) -> None:
    Echo(HttpServingSettings(**settings))


def test_the_error_names_the_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(configuration.GATEWAYS, "echo", Echo)
    with pytest.raises(SettingsError, match=r"settings: gateways\.echo\.listen: off loopback"):
        configuration.build(Settings(gateways={"echo": {"listen": "192.0.2.1:80"}}))
