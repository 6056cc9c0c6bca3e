"""What a running program tells about itself: ``/metrics`` for Prometheus, ``/healthz``.

Health is a value that the program's loop sets from time to time; a loop that has stopped to do
so is itself a reason to be unwell. The server runs in a thread of its own.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.exporting import Exported
from streams.said import said

if TYPE_CHECKING:
    from aiohttp import web

log = logging.getLogger(__name__)

STILL = 30.0  # seconds without a word from the loop until it counts as stuck
START = 10.0  # seconds to wait for the socket


class Health(Struct, frozen=True):
    """How the program does. `failing` is answered with 503, `degraded` is only told."""

    failing: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return "failing" if self.failing else "degraded" if self.degraded else "ok"


class Pulse:
    """The last word of a loop about its health, with when it came."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = (Health(), clock())

    def beat(self, health: Health) -> None:
        self._said = (health, self._clock())

    def health(self) -> Health:
        health, at = self._said
        silent = self._clock() - at
        if silent <= STILL:
            return health
        stuck = f"the main loop has not moved for {silent:.0f} s"
        return Health((stuck, *health.failing), health.degraded)


class Server:
    """Serves the metrics of `program` until `close`. Raises OSError where `listen` (host:port)
    cannot be bound."""

    def __init__(self, listen: str, health: Callable[[], Health], program: str) -> None:
        host, _, port = listen.rpartition(":")
        self._health = health
        self._exported = Exported(program)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        bound: Future[int] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(host.strip("[]"), int(port), bound), name="http", daemon=True
        )
        self._thread.start()
        self.port = bound.result(START)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self, host: str, port: int, bound: "Future[int]") -> None:
        try:
            self._loop.run_until_complete(self._serve(host, port, bound))
        except OSError as error:
            bound.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self, host: str, port: int, bound: "Future[int]") -> None:
        from aiohttp import web  # noqa: PLC0415 - slow to load: after what is urgent at a start

        app = web.Application()
        app.add_routes([web.get("/metrics", self._metrics), web.get("/healthz", self._healthz)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            bound.set_result(runner.addresses[0][1])
            await self._stop.wait()
        finally:
            await runner.cleanup()

    async def _metrics(self, _: "web.Request") -> "web.Response":
        from aiohttp import web  # noqa: PLC0415

        text = generate_latest(self._exported)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _: "web.Request") -> "web.Response":
        from aiohttp import web  # noqa: PLC0415

        health = self._health()
        body = {"status": health.status, "failing": health.failing, "degraded": health.degraded}
        return web.Response(
            body=msgspec.json.encode(body),
            status=503 if health.failing else 200,
            content_type="application/json",
        )


def serve(listen: str, pulse: Pulse, program: str) -> Server | None:
    """Metrics and health of `program` at `listen`, if it is any and its port is free."""
    if not listen:
        return None
    try:
        return Server(listen, pulse.health, program)
    except OSError as error:
        what = said("http failed", listen=listen, reason=error.strerror, meanwhile="no metrics")
        log.error(what)
        return None
