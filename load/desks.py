"""Receivers of alerts for load.bench_sinks, in a process of their own: they take everything, at
once, and count it. Not the programs themselves: what is measured is us."""

import asyncio
import json
import random
import socket
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Counted:
    """What came, in order: the ids of webhook messages, the count of all others."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.count = 0

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.count += 1
        return "250 2.0.0 Ok"


def application(counted: Counted) -> web.Application:
    app = web.Application(client_max_size=1 << 28)
    answers: dict[tuple[str, str], Callable[[int], tuple[int, Any]]] = {
        ("POST", "/api/v2/alerts"): lambda n: (200, None),
        ("POST", "/chat"): lambda n: (200, None),
        ("GET", "/rest/api/2/search/jql"): lambda n: (200, {"issues": []}),
        ("POST", "/rest/api/2/issue"): lambda n: (201, {"key": f"SOC-{n}"}),
        ("GET", "/api/now/table/incident"): lambda n: (200, {"result": []}),
        ("POST", "/api/now/table/incident"): lambda n: (201, {"result": {"sys_id": str(n)}}),
        ("POST", "/api/v1/query"): lambda n: (200, []),
        ("POST", "/api/v1/alert"): lambda n: (201, {"_id": f"~{n}"}),
    }

    async def answer(request: web.Request) -> web.Response:
        body = await request.read()
        if request.path == "/hook":
            counted.ids.append(request.headers["webhook-id"])
            return web.Response(status=204)
        if request.path.endswith("/_bulk"):
            count = body.count(b"\n") // 2
            counted.count += count
            items = [{"create": {"status": 201}}] * count
            return web.json_response({"errors": False, "items": items})
        if request.path == "/api/v2/alerts" and request.method == "GET":
            return web.json_response([])
        if request.path == "/api/v2/alerts":
            counted.count += len(json.loads(body))
        elif request.method == "POST" and request.path != "/api/v1/query":
            counted.count += 1
        status, found = answers[request.method, request.path](counted.count)
        return web.json_response(found, status=status) if found is not None else web.Response()

    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def _take(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: Counted
) -> None:
    """Syslog with octet counting, until the sender closes; then we do."""
    while size := await reader.readuntil(b" ") if not reader.at_eof() else b"":
        await reader.readexactly(int(size))
        counted.count += 1
        if reader.at_eof():
            break
    writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, counted: Counted) -> None:
        self._counted = counted

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._counted.count += 1


async def _serve(http: int, parent: Connection) -> None:
    counted = Counted()
    runner = web.AppRunner(application(counted), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", http)
    await site.start()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _take(reader, writer, counted)
        except asyncio.IncompleteReadError:
            writer.close()

    tcp = await asyncio.start_server(take, "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    datagrams, _ = await loop.create_datagram_endpoint(
        lambda: _Datagrams(counted), local_addr=("127.0.0.1", 0)
    )
    smtp = Controller(counted, hostname="127.0.0.1", port=0, server_hostname="bench")
    smtp.port = free_port()
    smtp.start()
    assert site._server is not None
    ports = {
        "http": site._server.sockets[0].getsockname()[1],  # type: ignore[attr-defined]
        "tcp": tcp.sockets[0].getsockname()[1],
        "udp": datagrams.get_extra_info("sockname")[1],
        "smtp": smtp.port,
    }
    parent.send(ports)
    while True:
        asked = await loop.run_in_executor(None, parent.recv)
        if asked == "end":
            break
        parent.send((counted.count, counted.ids))
    smtp.stop()
    await runner.cleanup()


def free_port() -> int:
    """One that no outgoing connection is given: whoever connects again and again to a closed port
    of that range is at last connected to itself."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as taken:
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")


def serve(http: int, parent: Connection) -> None:
    """All of them; HTTP at the port `http`, 0 for any."""
    asyncio.run(_serve(http, parent))
