"""What a mail told of, in a file: a restart mails nothing twice.

It is written after each mail. Where that fails, or on another machine, a mail may be sent again,
under the same Message-ID.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct, field

from schemas.findings import Alert, Severity
from streams import atomic
from streams.said import said

log = logging.getLogger(__name__)

KEPT = 10_000  # alerts of which is remembered that a mail of their own told of them; and digests


class Known(Struct):
    # By alert: the revision and the severity that a mail of its own told.
    single: dict[str, tuple[int, Severity]] = field(default_factory=dict)
    digest: dict[str, int] = field(default_factory=dict)  # the revision that a digest told


_known = msgspec.json.Decoder(Known)


class Mailed:
    """Kept at `path`; None: only as long as the process lives."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._trouble = ""
        self._known = self._read()

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
        self._write()

    def note_digest(self, alerts: Iterable[Alert]) -> None:
        known = self._known.digest
        for alert in alerts:
            known.pop(alert.id, None)
            known[alert.id] = alert.revision
        while len(known) > KEPT:
            del known[next(iter(known))]
        self._write()

    def _read(self) -> Known:
        if self._path is None:
            return Known()
        try:
            return _known.decode(self._path.read_bytes())
        except FileNotFoundError:
            return Known()
        except (OSError, ValueError) as error:
            log.warning(said("state unusable", path=self._path, reason=error))
            return Known()

    def _write(self) -> None:
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._path, msgspec.json.encode(self._known).decode(), 0o600)
        except OSError as error:
            trouble = str(error.strerror)
            if trouble != self._trouble:
                log.warning(said("state unusable", path=self._path, reason=trouble))
            self._trouble = trouble
            return
        self._trouble = ""
