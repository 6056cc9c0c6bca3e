"""What a gateway in a benchmark may ask and tell: nothing but who is ruled."""

from collections.abc import Sequence

from schemas.audit import Audit
from schemas.events import Fact


class Site:
    """The rest of a `streams.gateway.Site`. A subclass has `ruling`."""

    host = "bench"
    phishing: frozenset[str] = frozenset()

    def record(self, entries: Sequence[Audit]) -> None:
        raise NotImplementedError

    def publish(self, events: Sequence[Fact]) -> None:
        raise NotImplementedError
