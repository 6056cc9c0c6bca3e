"""Where a process keeps its state: one directory, the same for every command."""

import os
import tempfile
from pathlib import Path

from schemas.settings import Settings

SYSTEM = Path("/var/lib/mailwarden")


def directory() -> Path:
    """systemd's ``$STATE_DIRECTORY`` (systemd.exec(5)), else ``$XDG_STATE_HOME/mailwarden``, else
    the service's directory where it is there for us, else ``~/.local/state/mailwarden``."""
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.partition(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    if home:
        return Path(home) / "mailwarden"
    if os.access(SYSTEM, os.R_OK | os.W_OK | os.X_OK):
        return SYSTEM
    return Path.home() / ".local" / "state" / "mailwarden"


def store(settings: Settings) -> Path:
    """The SQLite file."""
    return Path(settings.storage.path) if settings.storage.path else directory() / "mailwarden.db"


def worker(settings: Settings) -> Path:
    """Where Faust makes its folders. They stay empty: a worker's memory is in Kafka."""
    return store(settings).with_name("worker")


def dead_letters(settings: Settings) -> Path:
    """Dead letters, as JSON lines."""
    named = settings.storage.dead
    return Path(named) if named else store(settings).with_name("dead.jsonl")


def alerts(settings: Settings) -> Path:
    """Alerts as JSON lines, where no sink is configured."""
    return store(settings).with_name("alerts.jsonl")


def sinks(settings: Settings) -> Path:
    """Where sinks keep what they told, and `mailwarden sinks` what of that is not committed."""
    return store(settings).with_name("sinks")


def phishing(settings: Settings) -> Path:
    """The list of phishers' addresses that was fetched last."""
    return store(settings).with_name("phishing.txt")


def panic(settings: Settings) -> Path:
    """The kill switch: while it is there, nothing is enforced. It outlives a restart."""
    named = settings.response.panic
    return Path(named) if named else store(settings).with_name("panic")


def unwritable(path: Path) -> str:
    """Why this process could not keep a file there; "" where it could. Leaves nothing behind."""
    if path.is_dir():
        return "is a directory"
    if path.exists():
        return "" if os.access(path, os.R_OK | os.W_OK) else "may not be written by this user"
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):  # what permissions say is not all: read-only disks
            return ""
    except OSError as error:
        return f"nothing can be written to {folder}: {error.strerror}"
