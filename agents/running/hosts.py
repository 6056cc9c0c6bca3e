"""Our own servers are asked what a stranger may ask, again and again, in a thread of its own."""

import asyncio
import logging
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

from agents.probing.grades import Graded
from agents.probing.standing import Standing
from schemas.findings import Alert
from schemas.settings import Settings

log = logging.getLogger(__name__)

PAUSE = 0.5  # seconds between two questions


class HostWatch:
    """`memory` is what `pack` gave in an earlier process. Without hosts nobody is asked; `domain`
    is the one of ours that they are asked about, where the settings name no other."""

    def __init__(
        self, settings: Settings, domain: str, memory: bytes, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._domain = settings.hosts.domain or domain
        self._clock = clock
        self._standing = Standing(memory)
        self._alerts = self._standing.keep(settings.hosts.names, clock())
        self._found: queue.SimpleQueue[tuple[str, list[Graded]]] = queue.SimpleQueue()
        self._closing = threading.Event()
        if settings.hosts.names:
            threading.Thread(target=self._run, name="hosts", daemon=True).start()

    def take(self) -> list[Alert]:
        """What has changed since the last call."""
        alerts, self._alerts = self._alerts, []
        with suppress(queue.Empty):
            while True:
                host, found = self._found.get_nowait()
                alerts += self._standing.hear(host, found, self._clock())
        return alerts

    def pack(self) -> bytes:
        return self._standing.pack()

    def close(self) -> None:
        """Ask no more. A session that goes on is not waited for."""
        self._closing.set()

    def _run(self) -> None:
        while not self._closing.is_set():
            for name in self._settings.hosts.names:
                try:
                    self._found.put((name, asyncio.run(self._check(name))))
                except Exception:
                    # Whatever a server answers, the next one is asked.
                    log.exception("a host cannot be checked")
                if self._closing.is_set():
                    return
            self._closing.wait(self._settings.hosts.interval)

    async def _check(self, name: str) -> list[Graded]:
        # Here, for it brings SMTP and DNS, which few need.
        from agents import resolver  # noqa: PLC0415
        from agents.probing import host as hosts  # noqa: PLC0415
        from agents.probing.session import Target, place  # noqa: PLC0415

        listed = self._settings.listed
        host, port = place(name)
        asked = hosts.Asked(
            Target(host, port, socket.getfqdn()),
            self._domain or host,
            resolver.new(listed.resolvers),
            ssl.create_default_context(),
            self._clock(),
            PAUSE,
            lists=listed.lists if listed.gateways else (),
        )
        return await hosts.check(asked)
