"""`mailwarden worker` with the tally as its only detector, and a place to die.

``--die STEP:N`` kills the process with -9 before the Nth time that a step of the flush has
something to do: say, keep, free or ack; with ``half`` when half of the slots are kept. With
``fail`` that keep only raises, once, as where a broker refuses: the worker begins anew.
"""

import os
import signal
import sys
from typing import Any

from agents.commands.worker import command
from agents.detectors import DETECTORS
from agents.worker.flush import Flusher
from load.tally import Tally

FAILED = "TALLY_WORKER_FAILED"


def die_before(step: str, at: int) -> None:
    half, fail = step == "half", step == "fail"
    if fail and os.environ.setdefault(FAILED, "") == "yes":
        return
    step = "keep" if half or fail else step
    real = getattr(Flusher, step)
    calls = 0

    async def dying(self: Flusher, given: Any) -> None:
        nonlocal calls
        calls += bool(given)
        if calls >= at:
            if half:
                await real(self, given[: len(given) // 2])
            if fail:
                os.environ[FAILED] = "yes"  # the process that comes after keeps it
                raise ConnectionError("the broker refused")
            os.kill(os.getpid(), signal.SIGKILL)
        await real(self, given)

    setattr(Flusher, step, dying)


if __name__ == "__main__":
    DETECTORS.clear()
    DETECTORS[Tally.name] = Tally
    if sys.argv[1:2] == ["--die"]:
        where, _, number = sys.argv[2].partition(":")
        die_before(where, int(number))
        del sys.argv[1:3]
    command()
