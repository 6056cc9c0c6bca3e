"""Lines that a program writes to two logs are counted once.

Exim puts a refusal into its main log and its reject log. Where each log is a source of its own,
the n-th time that one of them has a line is the n-th time that it was said; where both come by
syslog, every second line is the first one again.
"""

import hashlib

from msgspec import Struct, field

from streams.parsers.part import Twin

LIMIT = 20_000  # lines that are remembered


class Line(Struct, array_like=True):
    told: int = 0
    seen: dict[str, int] = field(default_factory=dict)  # by source


class Twins:
    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lines: dict[tuple[str, str], Line] = {}

    def first(self, twin: Twin, source: str) -> bool:
        """Whether a line tells something that its twin has not told yet."""
        digest = hashlib.blake2b(twin.line.encode("utf-8", "backslashreplace"), digest_size=8)
        key = (twin.gateway, digest.hexdigest())
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= self._limit:
                del self._lines[next(iter(self._lines))]
            line = self._lines[key] = Line()
        seen = line.seen[source] = line.seen.get(source, 0) + 1
        times = (seen + 1) // 2 if twin.pairs else seen
        if times <= line.told:
            return False
        line.told = times
        return True

    def pack(self) -> list[tuple[str, str, Line]]:
        return [(*key, line) for key, line in self._lines.items()]

    def restore(self, packed: list[tuple[str, str, Line]]) -> None:
        self._lines = {(gateway, digest): line for gateway, digest, line in packed}
