"""A file that others read while we replace it: they see the old text or the new, never a part."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path


def replace(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    """Make `content` the content of `path`, safe on disk when this returns.

    Mode and owner of an existing file are kept, `mode` is for a new one; a symbolic link is
    followed. Raises OSError, and then the file is as it was.
    """
    real = Path(os.path.realpath(path))
    descriptor, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            _dress(file.fileno(), real, mode)
            os.fsync(file.fileno())
        os.replace(name, real)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    directory = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # the rename itself
    finally:
        os.close(directory)


def _dress(descriptor: int, like: Path, mode: int) -> None:
    """Give a new file the mode and owner of the one that it replaces."""
    try:
        before = like.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
