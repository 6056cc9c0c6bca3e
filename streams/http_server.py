"""aiohttp's server with a bound on connections and on the size of a request, and an answer that
is written in one piece."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

UNREAD = 65536  # bytes of answers that a client may leave unread


class Whole(web.StreamResponse):
    """A 200 whose body is known. aiohttp makes the head of each response anew, which takes half
    of the time of a short one; this head is the same for a second. To POST only: HEAD would want
    the head alone."""

    def __init__(self, body: bytes, kind: str) -> None:
        super().__init__()
        self._whole = body
        self._kind = kind
        self._lasts = False

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays. HTTP/1.0 would want to be told so."""
        return self._lasts

    async def prepare(self, request: web.BaseRequest) -> None:
        self._lasts = request.keep_alive and request.version >= (1, 1)
        transport = request.transport
        if transport is None:
            return  # it is gone
        if transport.get_write_buffer_size() > UNREAD:
            transport.abort()
            return
        second = int(time.monotonic())
        data = _head(second, len(self._whole), self._kind) + self._whole
        if self._lasts:
            # When all who have asked in this turn have their answers: to write in between takes
            # a tenth more, for it drives us out of the processor's caches.
            asyncio.get_running_loop().call_soon(_write, transport, data)
        else:
            transport.write(data)  # aiohttp closes it next

    async def write_eof(self, data: bytes = b"") -> None:
        """All is written already."""


def _write(transport: asyncio.Transport, data: bytes) -> None:
    if not transport.is_closing():
        transport.write(data)


@lru_cache(maxsize=256)
def _head(second: int, length: int, kind: str) -> bytes:
    """The head of an answer in this second of the monotonic clock."""
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n\r\n"
    ).encode()


class Server(web.Server):
    """Closes what comes beyond `connections` at once, and calls `shed` for each."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        connections: int,
        largest: int,
        shed: Callable[[], None],
        **options: Any,
    ) -> None:
        super().__init__(handler, request_factory=self._request, **options)
        self._most = connections
        self._largest = largest
        self._shed = shed

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._connections) > self._most:
            self._shed()
            transport.abort()

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        return web.BaseRequest(
            message,
            payload,
            protocol,
            writer,
            task,
            self._loop,
            client_max_size=self._largest,
        )
