"""Decisions on their way to the gateways, in a thread of their own: a slow reload never slows
detection.

Only the newest list counts. Each gateway is asked about twice a second besides, so that the kill
switch, and what it has left undone, are seen to.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from schemas.findings import Decision
from streams.gateway import Gateway, Site
from streams.metrics import GATEWAY_DIRTY, GATEWAY_FAILURES
from streams.said import said

log = logging.getLogger(__name__)

TICK = 0.5  # seconds
LAST = 6.0  # seconds that are given, at the end, to what is left undone: a reload that is not due


class Enforcement:
    """Keeps the gateways like the newest list of decisions in force; like an empty one while
    `lifted` says that the kill switch is pulled."""

    def __init__(
        self,
        gateways: Sequence[Gateway],
        site: Site | None = None,
        tick: float = TICK,
        *,
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        self._gateways = tuple(gateways)
        self._is_lifted = lifted
        self._was_lifted = False  # when they were last asked
        if site is not None:
            for gateway in self._gateways:
                gateway.connect(site)
        self._tick = tick
        self._decisions: Sequence[Decision] | None = None  # None: not known yet
        self._new = False
        self._busy = False  # with the newest list
        self._closing = False
        self._troubles: dict[str, str] = {}
        self._told: dict[str, str] = {}  # the failure that was logged last, until all is well
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="gateways", daemon=True)
        self._thread.start()

    def put(self, decisions: Sequence[Decision]) -> None:
        """All decisions in force, the ruling ones first."""
        with self._changed:
            self._decisions = decisions
            self._new = True
            self._changed.notify()

    def done(self) -> bool:
        """Whether all gateways are like the newest list."""
        with self._changed:
            given = self._decisions is not None
            return given and not (self._new or self._busy or self._troubles)

    def lifted(self) -> bool:
        """Whether they were last told that the kill switch is pulled."""
        return self._was_lifted

    def troubles(self) -> dict[str, str]:
        """Why gateways are not as they should be, by name."""
        return dict(self._troubles)

    def close(self, timeout: float = 35.0) -> None:
        """Stop when the gateways are like the newest list, or have had a while to become so. What
        is enforced stays: a restart must not open the door."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        for gateway in self._gateways:
            gateway.close()

    def _run(self) -> None:
        while not self._closing:
            with self._changed:
                self._changed.wait_for(lambda: self._new or self._closing, self._tick)
            self._apply_all()
        # The kill switch may have been released a moment ago: the last look counts.
        deadline = time.monotonic() + LAST
        while self._apply_all() and time.monotonic() < deadline:
            time.sleep(min(self._tick, 0.1))

    def _apply_all(self) -> bool:
        """Give all gateways the newest list; whether that left something undone."""
        with self._changed:
            decisions, self._new, self._busy = self._decisions, False, True
        undone = False
        lifted = self._is_lifted()
        if lifted or decisions is not None:
            for gateway in self._gateways:
                undone |= not self._apply(gateway, decisions if decisions and not lifted else ())
        with self._changed:
            self._busy, self._was_lifted = False, lifted
        return undone

    def _apply(self, gateway: Gateway, decisions: Sequence[Decision]) -> bool:
        """Whether nothing is left for the next call, or trying it again at once is of no use."""
        failed = False
        try:
            trouble = "" if gateway.apply(decisions) else "waits to be brought up to date"
        except Exception as error:
            # Whatever a gateway raises, it is asked again in a second, and so are the others.
            failed = True
            GATEWAY_FAILURES.labels(gateway.name).inc()
            trouble = str(error) or type(error).__name__
            if trouble != self._told.get(gateway.name):
                self._told[gateway.name] = trouble
                log.error(said("gateway failed", gateway=gateway.name, reason=trouble))
        GATEWAY_DIRTY.labels(gateway.name).set(bool(trouble))
        if trouble:
            self._troubles[gateway.name] = trouble
        else:
            self._troubles.pop(gateway.name, None)
            self._told.pop(gateway.name, None)
        return failed or not trouble
