"""The names that logrotate(8) and newsyslog give to a log file's older parts."""

import os
import re
from pathlib import Path
from typing import NamedTuple

PACKED = (".gz", ".bz2", ".xz", ".zst")

LOOKS = 8  # at files that are being renamed, before it is left to the next turn

_SUFFIX = re.compile(
    r"""[.-](?:
        (?P<number>\d{1,3})
      | (?P<date>\d{4}-?\d\d-?\d\d (?:[-_T.]? [\d.:-]+)?)
    )(?P<packed>\.(?:gz|bz2|xz|zst))?""",
    re.VERBOSE | re.ASCII,
)


def rotated(path: Path) -> list[Path]:
    """The older parts of the log file `path` that lie beside it, the oldest first.

    They are known by their names: ``mail.log.1``, ``mail.log.2.gz``, ``mail.log-20260131``,
    ``mail.log-20260131.xz``; with logrotate's ``extension``, ``mail-20260131.log``. A part that
    lies there both as it was and compressed counts once, as it was.
    """
    found: dict[tuple[int, str], Path] = {}
    try:
        siblings = sorted(path.parent.iterdir())
    except OSError:
        return []
    for sibling in siblings:
        age = _age(path, sibling.name)
        if age is not None and (age not in found or sibling.suffix not in PACKED):
            found[age] = sibling
    return [found[age] for age in sorted(found)]


class Part(NamedTuple):
    """A file under the name that it had when it was looked for."""

    path: Path
    device: int
    inode: int


class MovingError(OSError):
    """Rotation is at work, and the files have other names now than a moment ago."""


def lying(path: Path) -> list[Part]:
    """The parts of `rotated`, the oldest first, and last the file of the name itself, if it is
    there: each file once, as all of them lay at one moment.

    Rotation renames one after the other, so one look may see a file under two names, or under
    none: only two looks that agree are believed. Raises MovingError where none do.
    """
    before = _look(path)
    for _ in range(LOOKS):
        now = _look(path)
        if now == before:
            return now
        before = now
    raise MovingError(f"{path}: being rotated")


def _look(path: Path) -> list[Part]:
    parts = []
    for part in [*rotated(path), path]:
        try:
            found = os.stat(part)
        except FileNotFoundError:
            continue
        parts.append(Part(part, found.st_dev, found.st_ino))
    return parts


def is_rotated(path: Path) -> bool:
    """Whether a name is one that rotation gives, so that nothing new is to be expected there."""
    name = path.name
    if path.suffix in PACKED:
        return True
    cut = max(name.rfind("."), name.rfind("-"))
    dated = re.search(r"[.-]\d{4}-?\d\d-?\d\d", name)
    return bool(dated) or (cut > 0 and _SUFFIX.fullmatch(name[cut:]) is not None)


def _age(path: Path, name: str) -> tuple[int, str] | None:
    """What sorts the older parts; None where `name` is none. Dates come before numbers: where
    both lie, the site changed from one to the other."""
    for start, end in ((path.name, ""), (path.stem, path.suffix)):
        bare, packed = name, ""
        if end:
            bare, packed = _without_packing(name)
            if not bare.endswith(end):
                continue
            bare = bare.removesuffix(end)
        if not bare.startswith(start):
            continue
        match = _SUFFIX.fullmatch(bare[len(start) :] + packed)
        if match is None:
            continue
        if match["number"]:
            return -int(match["number"]), ""
        return -1000, match["date"]
    return None


def _without_packing(name: str) -> tuple[str, str]:
    for packed in PACKED:
        if name.endswith(packed):
            return name.removesuffix(packed), packed
    return name, ""
