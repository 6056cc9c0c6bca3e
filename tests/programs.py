"""Real programs of Debian, unpacked beside what is installed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = "usr/lib/x86_64-linux-gnu"
SEARCHED = (LIBRARIES, "usr/lib/syslog-ng", "lib/x86_64-linux-gnu")


def unpacked(package: str) -> Path:
    """Where a package lies."""
    found = subprocess.run(
        [ROOT / "tools/debian-unpack", package], check=True, capture_output=True, text=True
    )
    return Path(found.stdout.strip())


@contextmanager
def running(prefix: Path, program: str, folder: Path, *arguments: str) -> Iterator[None]:
    """A program of a package, or of the machine where the package has none of that name, in the
    foreground; what it says is in `program.log`."""
    there = prefix / program
    with (folder / "program.log").open("ab") as log:
        process = subprocess.Popen(
            [str(there if there.exists() else shutil.which(there.name)), *arguments],
            cwd=folder,
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "LD_LIBRARY_PATH": ":".join(str(prefix / one) for one in SEARCHED),
            },
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()
