"""The page of a report as PDF, printed by Chromium: it makes of the HTML what people see.

It runs without a window, a profile or the network, on a page of ours in which everything that an
attacker wrote is escaped.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 120.0
MISSING = "no browser to print it with: apt-get install chromium (or use --html and print that)"


class PdfError(Exception):
    """Why there is no PDF."""


def browser() -> str:
    """The program. Raises PdfError where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise PdfError(MISSING)
    return found


def write(page: str, path: Path, mode: int) -> None:
    """Print an HTML page into `path`, which is there as a whole or as it was. Raises PdfError."""
    program = browser()
    with tempfile.TemporaryDirectory(prefix="mailwarden-") as folder:
        source, made = Path(folder, "page.html"), Path(folder, "page.pdf")
        source.write_text(page, encoding="utf-8")
        command = [
            program,
            "--headless",
            "--disable-gpu",
            "--disable-extensions",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--no-first-run",
            "--no-pdf-header-footer",
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={made}",
            source.as_uri(),
        ]
        if os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # it refuses to run as root with one
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise PdfError(f"{program}: did not end within {SECONDS:g} s") from error
        except OSError as error:
            raise PdfError(f"{program}: {error.strerror}") from error
        if not made.is_file() or not made.stat().st_size:
            words = done.stderr.decode("utf-8", "replace").strip().splitlines()
            why = words[-1][:300] if words else f"exit {done.returncode}"
            raise PdfError(f"{program}: {why}")
        _move(made, path, mode)


def _move(made: Path, path: Path, mode: int) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=path.absolute().parent, delete=False) as file:
            file.write(made.read_bytes())
        Path(file.name).chmod(path.stat().st_mode & 0o777 if path.exists() else mode)
        Path(file.name).replace(path)
    except OSError as error:
        raise PdfError(f"{path}: cannot be written: {error.strerror}") from error
