"""The console beside `mailwarden run`: a process of its own, so that nobody who looks slows
detection. One that dies is begun again."""

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

from agents.configuration import Config
from schemas.settings import SettingsError
from streams.said import said

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).resolve().parents[2] / "mailwarden.py"
PAUSES = (1.0, 60.0)  # seconds until one that died is begun again, doubled each time
LOOK = 0.2  # seconds between two looks
LAST = 10.0  # seconds that it has to end


def require(config: Config) -> None:
    """Raises SettingsError where there is to be a console that lets in whom it must not."""
    if config.settings.console is None:
        return
    # Most who run have none: the hashing of passwords is not loaded for nothing.
    from agents.console.access.checked import checked  # noqa: PLC0415

    try:
        checked(config.settings.console)
    except SettingsError as error:
        raise SettingsError(f"{config.where}: {error}") from error


class ConsoleProcess:
    """Runs while `follow` was last told of settings with a console."""

    def __init__(self) -> None:
        self._config: Config | None = None
        self._changed = threading.Event()
        self._closing = False
        self._begun = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def follow(self, config: Config) -> None:
        """Go on by these settings."""
        self._config = config if config.settings.console is not None else None
        self._changed.set()

    def close(self) -> None:
        self._closing = True
        self._changed.set()
        self._thread.join(LAST + 5.0)

    def _run(self) -> None:
        pause = PAUSES[0]
        wait = 0.0
        while not self._closing:
            if self._changed.wait(wait or LOOK):
                self._changed.clear()  # what is said from here on is heard in the next turn
                self._end()
                pause, wait = PAUSES[0], 0.0
                if self._config is not None and not self._closing:
                    self._begin(self._config)
                continue
            if wait:
                wait = 0.0
                if self._config is not None:
                    self._begin(self._config)
            elif self._process is not None and self._process.poll() is not None:
                status = self._process.returncode
                level = logging.ERROR if status else logging.INFO  # 0: told to, by a signal
                log.log(level, said("console ended", status=status, again_in=pause))
                self._end()
                if time.monotonic() - self._begun > PAUSES[1]:
                    pause = PAUSES[0]
                wait, pause = pause, min(2 * pause, PAUSES[1])
        self._end()

    def _begin(self, config: Config) -> None:
        self._begun = time.monotonic()
        named = ["-c", str(config.path)] if config.path else []
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "console", "--child", *named], stdin=subprocess.PIPE
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(LAST)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
