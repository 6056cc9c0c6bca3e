"""Real receivers of Debian, unpacked beside what is installed, for the tests of sinks."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def unpacked(package: str) -> Path:
    found = subprocess.run(
        [ROOT / "tools/debian-unpack", package], check=True, capture_output=True, text=True
    )
    return Path(found.stdout.strip())


@contextmanager
def running(prefix: Path, program: str, folder: Path, *arguments: str) -> Iterator[None]:
    libraries = [prefix / LIBRARIES, prefix / "lib/x86_64-linux-gnu"]
    with (folder / "program.log").open("ab") as log:
        process = subprocess.Popen(
            [str(prefix / program), *arguments],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))},
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


def wait_for(happened: Callable[[], object], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)
