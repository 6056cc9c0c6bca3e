"""Whom a gateway in a benchmark asks and tells: what it tells is dropped."""

from collections.abc import Sequence

from schemas.audit import Audit
from schemas.events import Fact


class Site:
    """The rest of a `streams.gateway.Site`. A subclass has `ruling`."""

    host = "bench"
    phishing: frozenset[str] = frozenset()

    def record(self, entries: Sequence[Audit]) -> None:
        pass

    def publish(self, events: Sequence[Fact]) -> None:
        pass
