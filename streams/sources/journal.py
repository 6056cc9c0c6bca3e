"""The systemd journal, read through journalctl(1).

``journalctl -o json -f`` writes one JSON object a line; ``__CURSOR`` is the place to go on from.
What is asked for: the syslog facility ``mail`` (2, RFC 5424), which Postfix and Dovecot log to,
and whatever Dovecot's unit says beside it.
"""

import logging
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from streams.said import said
from streams.sources.logfile import CHUNK
from streams.sources.source import LIMIT

log = logging.getLogger(__name__)

MATCHES = ("SYSLOG_FACILITY=2", "+", "_SYSTEMD_UNIT=dovecot.service")
OPTIONS = ("--output=json", "--follow", "--no-tail", "--quiet", "--all")
LONGEST = 1 << 20  # bytes of an entry; a longer one is passed over
PATIENCE = (1.0, 60.0)  # seconds before the first new start, and at most

_CURSOR = re.compile(rb'"__CURSOR"\s*:\s*"([^"\\]{1,1024})"')


class Position(Struct, frozen=True, array_like=True):
    """The last entry that was passed on; as long as there is none, when we began (Unix
    seconds; 0: with the oldest entry)."""

    cursor: str = ""
    since: int = 0


class Journal:
    """Follows the journal; journalctl is started anew, ever more slowly, when it ends.

    `begin`: start with the oldest entry, not with those to come.
    """

    name = "journal"
    behind = 0  # journalctl does not tell

    def __init__(
        self,
        position: bytes = b"",
        *,
        begin: bool = False,
        program: Sequence[str] = ("journalctl",),
    ) -> None:
        self.trouble = ""
        self._program = tuple(program)
        if position:
            self._at = msgspec.msgpack.decode(position, type=Position)
        else:
            self._at = Position(since=0 if begin else int(time.time()))
        self._running: subprocess.Popen[bytes] | None = None
        self._pipe = -1  # what it writes
        self._rest = b""
        self._overlong = False
        self._said = ""  # the last line that was no entry: journalctl's own words
        self._patience = PATIENCE[0]
        self._again = 0.0  # monotonic time of the next start
        self._start()

    def position(self) -> bytes:
        return msgspec.msgpack.encode(self._at)

    def close(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None
            os.close(self._pipe)

    def lines(self, limit: int = LIMIT) -> Iterator[tuple[int, bytes]]:
        """As in `Source`; an entry has no offset: -1."""
        if self._running is None and time.monotonic() >= self._again:
            self._start()
        while self._running is not None and limit > 0:
            try:
                chunk = os.read(self._pipe, CHUNK)
            except BlockingIOError:
                return
            if not chunk:
                self._ended(self._running)
                return
            limit -= len(chunk)
            yield from self._entries(chunk)

    def _entries(self, chunk: bytes) -> Iterator[tuple[int, bytes]]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            found = _CURSOR.search(line)
            if self._overlong or len(line) > LONGEST:
                self._overlong = False
            elif found:
                yield -1, line
                self._at = Position(found[1].decode(errors="replace"))
                self._patience = PATIENCE[0]
                self.trouble = ""
            else:
                self._said = line[:200].decode(errors="replace")
        if len(self._rest) > LONGEST:
            self._rest, self._overlong = b"", True

    def _start(self) -> None:
        where = (
            f"--after-cursor={self._at.cursor}" if self._at.cursor else f"--since=@{self._at.since}"
        )
        self._pipe, end = os.pipe()
        os.set_blocking(self._pipe, False)
        try:
            self._running = subprocess.Popen(
                [*self._program, *OPTIONS, where, *MATCHES],
                stdin=subprocess.DEVNULL,
                stdout=end,
                stderr=end,
            )
        except OSError as error:
            os.close(self._pipe)
            self._troubled(f"{self._program[0]}: {error.strerror}")
        finally:
            os.close(end)

    def _ended(self, running: "subprocess.Popen[bytes]") -> None:
        self._running = None
        os.close(self._pipe)
        code = running.wait()
        self._troubled(self._said or f"journalctl ended with {code}")
        self._rest, self._overlong, self._said = b"", False, ""

    def _troubled(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            log.warning(said("source unreadable", source="journal", reason=trouble))
        self._again = time.monotonic() + self._patience
        self._patience = min(self._patience * 2, PATIENCE[1])
