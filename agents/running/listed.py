"""Block lists are asked about our gateways in a thread of its own: no event waits for the DNS.

The questions of a round are spread evenly over the interval; those of the first round come
sooner, for a restart must not hide a listing for an hour.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from agents.listed.standing import Standing
from agents.listed.zone import Answer
from schemas.findings import Alert
from schemas.settings import ListedSettings
from streams.metrics import LISTED_ANSWERING
from streams.said import said

log = logging.getLogger(__name__)

FIRST = 2.0  # seconds between two questions of the first round, at most


class ListedWatch:
    """`memory` is what `pack` gave in an earlier process. Without gateways nothing is asked."""

    def __init__(self, settings: ListedSettings, memory: bytes, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._standing = Standing(memory)
        self._alerts = self._standing.keep(settings.gateways, settings.lists, clock())
        self._answers: queue.SimpleQueue[tuple[str, Answer]] = queue.SimpleQueue()
        self._troubles: dict[str, str] = {}  # why a list, or a gateway's name, is unknown
        self._known: set[str] = set()  # the names of lists and gateways that were asked
        self._closing = False
        self._wakes: Callable[[], object] = lambda: None  # its wait for the next question
        if settings.gateways and settings.lists:
            threading.Thread(target=self._run, name="listed", daemon=True).start()

    def take(self) -> list[Alert]:
        """What the answers since the last call have changed."""
        alerts, self._alerts = self._alerts, []
        while True:
            try:
                gateway, answer = self._answers.get_nowait()
            except queue.Empty:
                return alerts
            alerts += self._standing.hear(gateway, answer, self._clock())

    def asked(self, alert: str, by: str, at: float) -> None:
        """A person has asked a list to take off what the alert of that id tells of."""
        self._alerts += self._standing.asked(alert, by, at)

    def pack(self) -> bytes:
        return self._standing.pack()

    def troubles(self) -> dict[str, str]:
        """Why a list or a gateway's name cannot be asked, by its name."""
        return dict(self._troubles)

    def close(self) -> None:
        """Ask no more. A question that is on its way is not waited for."""
        self._closing = True
        for name in self._known:  # they may have left the settings: nobody is to be called
            with suppress(KeyError):
                LISTED_ANSWERING.remove(name)
        with suppress(RuntimeError):  # its loop has ended meanwhile
            self._wakes()

    def _run(self) -> None:
        try:
            asyncio.run(self._ask_forever())
        except Exception:
            # Nobody else depends on it; what it does not say is said by its absence in health.
            log.exception("listed failed")
            self._troubles["listed"] = "the block lists are asked no more"

    async def _ask_forever(self) -> None:
        # Here, for it brings the DNS library, which few need.
        from agents import resolver  # noqa: PLC0415
        from agents.listed.asker import Asker  # noqa: PLC0415

        closed, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wakes = lambda: loop.call_soon_threadsafe(closed.set)
        asker = Asker(resolver.new(self._settings.resolvers))
        first = True
        while not self._closing:
            questions = []
            for gateway in self._settings.gateways:
                try:
                    addresses = await asker.addresses(gateway)
                except resolver.Unanswered as error:
                    self._trouble(gateway, f"its addresses are not known: {error}")
                    continue
                self._trouble(gateway, "" if addresses else "it has no address")
                questions += [
                    (gateway, a, zone) for a in addresses for zone in self._settings.lists
                ]
            pause = self._settings.interval / max(1, len(questions))
            for gateway, address, zone in questions:
                answer = await asker.ask(address, zone)
                name = f"{zone} (IPv6)" if ":" in address else zone
                self._trouble(name, answer.text if answer.state == "unknown" else "")
                self._answers.put((gateway, answer))
                if await _ended(closed, min(FIRST, pause) if first else pause):
                    return
            if (first or not questions) and await _ended(closed, pause):
                return
            first = False

    def _trouble(self, name: str, why: str) -> None:
        if not self._closing:
            self._known.add(name)
            LISTED_ANSWERING.labels(name).set(not why)
        if not why:
            if self._troubles.pop(name, ""):
                log.info(said("listed works again", listed=name))
        elif self._troubles.get(name) != why:
            self._troubles[name] = why
            log.warning(said("listed failed", listed=name, reason=why))


async def _ended(closed: asyncio.Event, seconds: float) -> bool:
    """Wait for the next question; whether there is none."""
    try:
        await asyncio.wait_for(closed.wait(), seconds)
    except TimeoutError:
        return False
    return True
