"""What a mail told of, in a file: a restart mails nothing twice.

It is written after each mail. Where that fails, or on another machine, a mail may be sent again,
under the same Message-ID.
"""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct, field

from schemas.findings import Alert, Severity
from streams.kept import Kept

KEPT = 10_000  # alerts of which is remembered that a mail of their own told of them; and digests


class Known(Struct):
    # By alert: the revision and the severity that a mail of its own told.
    single: dict[str, tuple[int, Severity]] = field(default_factory=dict)
    digest: dict[str, int] = field(default_factory=dict)  # the revision that a digest told


class Mailed:
    """Kept at `path`; None: only as long as the process lives."""

    def __init__(self, path: Path | None) -> None:
        self._kept = Kept(path, Known, Known)
        self._known = self._kept.read()

    def single(self, alert: str) -> tuple[int, Severity] | None:
        """The revision and the severity that a mail of its own told of an alert."""
        return self._known.single.get(alert)

    def told(self, alert: Alert) -> bool:
        """Whether a mail told of this revision."""
        single = self._known.single.get(alert.id, (0, ""))[0]
        return max(single, self._known.digest.get(alert.id, 0)) >= alert.revision

    def note_single(self, alert: Alert) -> None:
        known = self._known.single
        known.pop(alert.id, None)  # the newest stand last, the first fall away
        known[alert.id] = alert.revision, alert.severity
        while len(known) > KEPT:
            del known[next(iter(known))]
        self._kept.write(self._known)

    def note_digest(self, alerts: Iterable[Alert]) -> None:
        known = self._known.digest
        for alert in alerts:
            known.pop(alert.id, None)
            known[alert.id] = alert.revision
        while len(known) > KEPT:
            del known[next(iter(known))]
        self._kept.write(self._known)
