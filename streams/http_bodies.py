"""Large answers of HTTP servers: made in a thread of their own, a part at a time, so that nobody
who asks a mail server's question waits for them."""

import asyncio
import time
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from aiohttp import web

T = TypeVar("T")

SEND = 60.0  # seconds that an answer may take to leave


class Aside:
    """A thread that does one thing after the other."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, name)

    async def do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def close(self) -> None:
        """When it has done what it has begun."""
        self._thread.shutdown(cancel_futures=True)


def joined(parts: Iterable[bytes], *, gzip: bool = False) -> bytes:
    """All parts as one body. After each the other threads have their turn."""
    packed = zlib.compressobj(level=1, wbits=31)  # 31: with header and trailer of gzip
    found = []
    for part in parts:
        found.append(packed.compress(part) if gzip else part)
        time.sleep(0)
    if gzip:
        found.append(packed.flush())
    return b"".join(found)


def takes_gzip(request: "web.BaseRequest") -> bool:
    """RFC 9110, 12.5.3. Whoever takes anything is sent it as it is."""
    for choice in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = choice.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or not weight
    return False


async def send(request: "web.BaseRequest", response: "web.StreamResponse") -> bool:
    """Send an answer now; whether it has left us whole. Else the connection is closed."""
    try:
        async with asyncio.timeout(SEND):
            await response.prepare(request)
            await response.write_eof()
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
        return False
    return True
