"""Other people's programs, run with a time limit."""

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from streams.gateway import GatewayError

SHOWN = 200  # characters of what a program said that an error repeats


def run(
    command: Sequence[str], timeout: float, *, given: bytes = b"", well: tuple[int, ...] = (0,)
) -> bytes:
    """What the program wrote. Raises GatewayError where it cannot be run, takes too long, or ends
    with another status than `well`."""
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise GatewayError(f"{command[0]}: no end within {timeout:g} s") from error
    except OSError as error:
        raise GatewayError(f"{command[0]}: {error.strerror}") from error
    if done.returncode not in well:
        said = done.stderr.decode(errors="replace").strip()[-SHOWN:]
        raise GatewayError(f"{command[0]}: exit status {done.returncode}: {said}")
    return done.stdout


@contextmanager
def lines(command: Sequence[str], timeout: float) -> Iterator[Iterator[bytes]]:
    """What the program writes, line by line: there may be more of it than memory. Raises
    GatewayError as `run` does."""
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise GatewayError(f"{command[0]}: {error.strerror}") from error
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        with process:
            yield iter(process.stdout or ())
    finally:
        timer.cancel()
    if process.returncode < 0:
        raise GatewayError(f"{command[0]}: no end within {timeout:g} s")
    if process.returncode:
        raise GatewayError(f"{command[0]}: exit status {process.returncode}")
