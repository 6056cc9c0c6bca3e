"""What an address sent in the last week, in a few hundred bytes: to tell whose mail a report is
about.

Message-IDs and recipients go into Bloom filters (Bloom 1970), a larger one when one is full
(Almeida et al. 2007, scalable Bloom filters). What is found was sent, but for one false match in
250; what is not found was not sent, unless even the largest filter was full: then it is
unknown.
"""

from msgspec import Struct, field

from agents.windows import DAY, fingerprint

WEEK = 7 * DAY
SIZES = (32, 128, 512, 2048)  # bytes
PER_VALUE = 14  # bits
HASHES = 4  # with which one in 250 matches wrongly


class Ledger(Struct, array_like=True):
    week: int = -1  # since 1970
    filters: list[bytes] = field(default_factory=list)
    values: int = 0  # in the newest of them
    before: list[bytes] = field(default_factory=list)  # those of the week before
    begun: float = 0.0  # when the first value came: what was before is unknown
    full: float = 0.0  # when there was no room left

    def note(self, value: str, at: float) -> None:
        """`value` was sent at `at`."""
        week = int(at) // WEEK
        if week > self.week:
            self.before = self.filters if week == self.week + 1 else []
            self.week, self.filters, self.values = week, [], 0
        self.begun = min(self.begun or at, at)
        mark = fingerprint(value)
        if not self.filters:
            self.filters.append(bytes(SIZES[0]))
        newest = self.filters[-1]
        if self.values >= 8 * len(newest) // PER_VALUE:
            if len(self.filters) == len(SIZES):
                self.full = max(self.full, at)
                return
            newest = bytes(SIZES[len(self.filters)])
            self.filters.append(newest)
            self.values = 0
        grown = bytearray(newest)
        for place in _places(mark, len(newest)):
            grown[place >> 3] |= 1 << (place & 7)
        self.filters[-1] = bytes(grown)
        self.values += 1

    def holds(self, value: str) -> bool:
        """Whether `value` was sent this week or the week before."""
        mark = fingerprint(value)
        return any(
            all(bits[place >> 3] & 1 << (place & 7) for place in _places(mark, len(bits)))
            for bits in (*self.filters, *self.before)
        )

    def complete(self, at: float) -> bool:
        """Whether everything that was sent in the week before `at` is in it."""
        return 0 < self.begun <= at - WEEK and self.full < at - 2 * WEEK


def _places(mark: int, size: int) -> list[int]:
    """The bits that stand for a value (Kirsch and Mitzenmacher 2006: two hashes make many)."""
    bits = 8 * size
    first, second = mark & 0xFFFFFFFF, mark >> 32 | 1
    return [(first + number * second) % bits for number in range(HASHES)]
