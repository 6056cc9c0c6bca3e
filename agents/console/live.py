"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): that
something has changed, at most once a second. Whoever looks then asks for the page anew."""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from agents.console.problems import ProblemError
from agents.console.requests import HEADERS

MOST = 250  # streams
PAUSE = 1.0  # seconds between two words
BEAT = 15.0  # seconds: a proxy must not take silence for the end


class Live:
    """`version` says what the newest picture is. `changed` may be called by any thread."""

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._loop: asyncio.AbstractEventLoop | None = None
        self._change = asyncio.Event()
        self._streams: set[asyncio.Task[None] | None] = set()
        self._ended = False

    def __len__(self) -> int:
        return len(self._streams)

    def begin(self) -> None:
        """On the loop that the streams are served by."""
        self._loop = asyncio.get_running_loop()

    def changed(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """All streams end."""
        self._ended = True
        self._wake()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        if len(self._streams) >= MOST:
            raise ProblemError(503, f"{MOST} look on already", {"Retry-After": "30"})
        response = web.StreamResponse(headers=request[HEADERS])
        response.content_type = "text/event-stream"
        response.headers["X-Accel-Buffering"] = "no"  # of nginx
        await response.prepare(request)
        task = asyncio.current_task()
        self._streams.add(task)
        try:
            await response.write(b"retry: 3000\n\n")
            known = -1
            while not self._ended:
                change = self._change
                version = self._version()
                if version != known:
                    known = version
                    data = json.dumps({"version": version})
                    await response.write(f"event: change\ndata: {data}\n\n".encode())
                    await asyncio.sleep(PAUSE)
                    continue
                try:
                    async with asyncio.timeout(BEAT):
                        await change.wait()
                except TimeoutError:
                    await response.write(b": still here\n\n")
                else:
                    known = -1  # also what is beside the picture counts
        except ConnectionError:
            pass
        finally:
            self._streams.discard(task)
        return response

    def _wake(self) -> None:
        change, self._change = self._change, asyncio.Event()
        change.set()
