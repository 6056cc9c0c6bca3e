"""Keeps the read model like its source, in a thread of its own, and draws a picture of it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from agents.console.picture import ALERTS, Drawing, Picture, nothing
from agents.console.shelf import Batch, Shelf
from agents.console.source import DeadLetter, Source
from schemas.audit import Audit
from schemas.gateways import GatewayState
from schemas.settings import StorageSettings
from streams.said import said

log = logging.getLogger(__name__)

SHARE = 4.0  # to draw may take a fifth of the time
PAUSES = (0.5, 5.0)  # seconds between two attempts to reach the source, doubled each time
LOOK = 1.0  # seconds between two looks at gateways and dead letters
HOUR = 3600.0
HEARD = 2000  # entries of the trail that are remembered, for those who wait for theirs


class Around(Struct, frozen=True):
    """What is known beside the read model."""

    gateways: tuple[GatewayState, ...] = ()
    lifted: bool = False  # at the source
    dead: tuple[DeadLetter, ...] = ()
    trouble: str = ""  # why nothing is followed
    complete: bool = False  # all there was at the start is known
    at: float = 0.0  # Unix seconds of the last look at the source that succeeded


class Follower:
    """`begin` opens the source in this thread; `changed` is called, from it, after each change of
    the picture or of what is around it."""

    def __init__(
        self,
        path: Path,
        begin: Callable[[Shelf, threading.Event], Source],
        *,
        window: float,
        storage: StorageSettings,
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.picture: Picture = nothing(window)
        self.around = Around()
        self._path = path
        self._begin = begin
        self._window = window
        self._storage = storage
        self._changed = changed
        self._clock = clock
        self._closing = threading.Event()
        self._news = threading.Condition()
        self._heard: deque[Audit] = deque(maxlen=HEARD)
        self._drawing = Drawing(window)
        self._taken = self._drawn = 0  # batches: known, and in the picture
        self._next_draw = self._next_look = self._next_hour = 0.0
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(10.0)

    def wait_for(self, entry: Audit, seconds: float) -> bool:
        """Wait until the read model has this entry of the trail, and the picture what changed
        with it."""
        deadline = time.monotonic() + seconds
        wanted = 0  # batches; the entry is in one of them
        with self._news:
            while not wanted or self._drawn < wanted:
                if not wanted and entry in self._heard:
                    wanted = self._taken
                    continue
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._next_draw = 0.0  # somebody waits for it
                self._news.wait(min(left, 0.1))
        return True

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = PAUSES[0]
        while not self._closing.is_set():
            try:
                shelf = Shelf(self._path)
                try:
                    source = self._begin(shelf, self._closing)
                    try:
                        self._follow(shelf, source)
                    finally:
                        source.close()
                finally:
                    shelf.close()
                pause = PAUSES[0]
            except Exception as error:
                # Whatever the source does, it is asked again.
                pause = PAUSES[0] if not self.around.trouble else min(2 * pause, PAUSES[1])
                self._failed(str(error) or type(error).__name__)
                self._closing.wait(pause)

    def _follow(self, shelf: Shelf, source: Source) -> None:
        self._drawing = Drawing(self._window, self.picture)
        self._drawing.take(shelf.newest_alerts(ALERTS), shelf.cases())
        self._taken += 1
        while not self._closing.is_set():
            batch = source.take()
            if batch:
                shelf.put(batch)
                self._drawing.take(batch.alerts, batch.cases)
                self._hear(batch)
            source.safe()
            now = time.monotonic()
            if now >= self._next_look or source.complete() != self.around.complete:
                self._next_look = now + LOOK
                self._look(source)
            if self._drawn < self._taken and source.complete() and now >= self._next_draw:
                self._draw()
            if now >= self._next_hour:
                self._next_hour = now + HOUR
                shelf.forget(self._clock(), self._storage.keep_days, self._storage.audit_days)

    def _hear(self, batch: Batch) -> None:
        with self._news:
            self._taken += 1
            self._heard.extend(entry for _, entry in batch.audit)

    def _draw(self) -> None:
        begun, taken = time.monotonic(), self._taken
        self.picture = self._drawing.draw()
        took = time.monotonic() - begun
        with self._news:
            self._drawn = taken
            self._next_draw = time.monotonic() + SHARE * took
            self._news.notify_all()
        self._changed()

    def _look(self, source: Source) -> None:
        before = self.around
        self.around = Around(
            tuple(source.gateways()),
            source.lifted(),
            tuple(source.dead()),
            complete=source.complete(),
            at=self._clock(),
        )
        if before.trouble:
            log.info(said("console follows again", source=source.name))
            self._told = ""
        if (before.gateways, before.lifted, before.trouble) != (
            self.around.gateways,
            self.around.lifted,
            "",
        ):
            self._changed()

    def _failed(self, trouble: str) -> None:
        if trouble != self._told:
            log.error(said("console follows nothing", reason=trouble, meanwhile="tried again"))
        self._told = trouble
        before = self.around
        self.around = Around(
            before.gateways, before.lifted, before.dead, trouble, before.complete, before.at
        )
        self._changed()
