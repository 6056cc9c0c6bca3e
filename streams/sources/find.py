"""What to follow where nothing is configured: the mail log, Dovecot's own, or the journal."""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from schemas.settings import LogSettings

MAIL_LOGS = (Path("/var/log/mail.log"), Path("/var/log/maillog"), Path("/var/log/mail"))
"""Debian and Ubuntu; Red Hat, FreeBSD and macOS; openSUSE."""

STALE = 86400.0  # seconds without a line until a file is taken for a relic beside a journal


class Found(Struct, frozen=True):
    """What is to be followed, and why, in a sentence for people."""

    patterns: tuple[str, ...] = ()
    journal: bool = False
    why: str = ""


class NothingFoundError(Exception):
    """There is nothing to follow; says what was tried."""


def find(
    settings: LogSettings,
    mail_logs: Sequence[Path] = MAIL_LOGS,
    journalctl: str = "journalctl",
    doveconf: str = "doveconf",
) -> Found:
    """The sources that `settings` name, else those that this machine has.

    Raises NothingFoundError.
    """
    journal = settings.journal != "no" and shutil.which(journalctl) is not None
    if settings.files:
        wanted = settings.journal == "yes"
        return Found(settings.files, wanted, "as configured")
    if settings.journal == "yes":
        return Found((), True, "as configured")
    log = next((path for path in mail_logs if path.is_file()), None)
    own = _dovecot_log(doveconf)
    if log is not None and not (journal and _stale(log)):
        also = f", and {own}, where Dovecot's log_path points" if own else ""
        return Found((str(log), *([own] if own else [])), False, f"{log} is there{also}")
    if journal:
        because = f"{log} has had no line for a day" if log else f"there is no {_either(mail_logs)}"
        also = f"; and {own}, where Dovecot's log_path points" if own else ""
        return Found((own,) if own else (), True, f"because {because}{also}")
    if own:
        return Found((own,), False, f"{own}, where Dovecot's log_path points")
    raise NothingFoundError(
        f"nothing to follow: there is no {_either(mail_logs)}, no journalctl, and no log_path of"
        " Dovecot that names a file. Name the log: mailwarden run FILE, or logs.files in the"
        " settings."
    )


def _stale(path: Path) -> bool:
    return time.time() - path.stat().st_mtime > STALE


def _either(paths: Sequence[Path]) -> str:
    return " or ".join(map(str, paths))


def _dovecot_log(doveconf: str) -> str:
    """The file that Dovecot logs to, ``""`` where that is syslog or unknown (doveconf(1))."""
    program = shutil.which(doveconf)
    if program is None:
        return ""
    try:
        said = subprocess.run(
            [program, "-h", "log_path", "info_log_path"],
            capture_output=True,
            timeout=5,
            check=False,
            text=True,
            errors="replace",
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # Logins are told at level info: a path of its own for these counts more.
    paths = [line.strip() for line in said.splitlines() if os.path.isabs(line.strip())]
    return paths[-1] if paths and not paths[-1].startswith("/dev/") else ""
