"""A detector that raises is wrong about one event: it is counted and said, and all others go on."""

import logging

from agents.detector import Detector
from schemas.events import Fact
from streams import metrics
from streams.said import said

log = logging.getLogger(__name__)


class Broken:
    """Counts each exception of a detector, and logs the first of its kind."""

    def __init__(self) -> None:
        self._told: set[tuple[str, type[Exception]]] = set()

    def __call__(self, detector: Detector, event: Fact, error: Exception) -> None:
        metrics.BROKEN.inc()
        if (detector.name, type(error)) not in self._told:
            self._told.add((detector.name, type(error)))
            what = said(
                "detector failed", detector=detector.name, event=event.type, event_at=event.at
            )
            log.error(what, exc_info=error)
