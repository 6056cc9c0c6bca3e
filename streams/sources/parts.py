"""The parts of a log, opened, and one of them found again under whatever name it has by now."""

from streams.sources.archived import Archived
from streams.sources.logfile import LogFile, Place
from streams.sources.rotation import PACKED, MovingError, Part

File = LogFile | Archived


def open_part(part: Part) -> File:
    """Raises OSError; MovingError where its name is another file's by now, or nobody's."""
    try:
        file = Archived(part.path) if part.path.suffix in PACKED else LogFile(part.path)
    except FileNotFoundError as error:
        raise MovingError(str(error)) from error
    if not same(file, part):
        file.close()
        raise MovingError(f"{part.path}: being rotated")
    return file


def search(parts: list[Part], place: Place, *, copied: bool = False) -> File | None:
    """The part that is the file of `place`; else one that begins like it, the newest first.
    `copied`: it is another file for sure. Raises MovingError."""
    itself = () if copied else [part for part in parts if same(place, part)]
    for part in itself:
        file = _open_if_like(part, place)
        if file is not None:
            return file
    if not place.head_length:
        return None
    for part in reversed(parts):
        file = None if part in itself else _open_if_like(part, place)
        if file is not None:
            return file
    return None


def same(one: File | Place, other: File | Part) -> bool:
    """Whether both are one file on the disk."""
    return (one.device, one.inode) == (other.device, other.inode)


def _open_if_like(part: Part, place: Place) -> File | None:
    try:
        file = open_part(part)
    except MovingError:
        raise
    except OSError:
        return None
    if file.begins_like(place):
        return file
    file.close()
    return None
