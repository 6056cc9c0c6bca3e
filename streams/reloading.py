"""A command that makes another program read what was written for it.

It is run without waiting for it, and at a bounded rate: what is written meanwhile is read by the
next run. Until one has come back well the work is unfinished.
"""

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

from streams import needs
from streams.gateway import GatewayError, Note

PATIENCE = 30.0  # seconds that it may take
SAID = 300  # bytes of what it says of its failure


class Reload:
    """`command` is run `interval` seconds after the last time, at the earliest.

    What an earlier life of this process has written and had not read cannot be told, so it is
    due from the start.
    """

    def __init__(
        self,
        command: Sequence[str],
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        privileged: bool = False,
    ) -> None:
        """`privileged`: the command works for root only."""
        self._command = tuple(command)
        self._interval = interval
        self._clock = clock
        self._privileged = privileged
        self._due = True
        self._began = float("-inf")
        self._running: threading.Thread | None = None
        self._trouble = ""  # of the last run

    def runnable(self) -> Note:
        """Whether the command can be run. It is not."""
        return needs.program(self._command, "tells of changes", privileged=self._privileged)

    def demand(self) -> None:
        """Something was written."""
        self._due = True

    def settled(self, *, at_once: bool = False) -> bool:
        """Whether all that was written is read; begins a run where one is due, with `at_once`
        whenever the last one was. Raises GatewayError where it failed; it is due again then."""
        if self._running is None:
            if not self._due:
                return True
            if at_once or self._clock() - self._began >= self._interval:
                self._begin()
            return False
        if self._running.is_alive():
            return False
        self._running = None
        if self._trouble:
            self._due = True
            raise GatewayError(self._trouble)
        return not self._due

    def wait(self) -> None:
        """Until the run that is going on, if any, has ended."""
        if self._running is not None:
            self._running.join(PATIENCE)

    def _begin(self) -> None:
        self._began = self._clock()
        self._due = False
        self._running = threading.Thread(target=self._run, name="reload", daemon=True)
        self._running.start()

    def _run(self) -> None:
        try:
            # What the command leaves running may keep a pipe open for ever; a file, it may.
            with tempfile.TemporaryFile() as said:
                done = subprocess.run(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    timeout=PATIENCE,
                    check=False,
                )
                said.seek(0)
                words = said.read(SAID).decode(errors="replace").strip().partition("\n")[0]
        except OSError as error:
            self._trouble = f"{self._command[0]}: {error.strerror}"
        except subprocess.TimeoutExpired:
            self._trouble = f"{' '.join(self._command)}: no end within {PATIENCE:.0f} s"
        else:
            why = words or f"exit status {done.returncode}"
            self._trouble = f"{' '.join(self._command)}: {why}" if done.returncode else ""
