"""What gateways need on this machine: files that can be written, programs that can be run, places
to listen at. It is looked at for `check`, by whoever runs that; nothing is changed."""

import grp
import os
import pwd
import shutil
import socket
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from streams.gateway import Note

READERS = stat.S_IRGRP | stat.S_IROTH
PRIVILEGED = 1024  # ports below are for root


def written(paths: Iterable[str]) -> list[Note]:
    """Whether these files can be replaced (streams/atomic.py), and read by others then."""
    notes = []
    good = []
    for path in paths:
        found = _wrong(Path(os.path.realpath(path)), path)
        if found is None:
            good.append(path)
        else:
            notes.append(found)
    if good:
        notes.append(Note("ok", f"{' and '.join(good)}: can be written"))
    return notes


def folder(path: str) -> Note:
    """Whether a folder of ours can be written into, or made."""
    place = Path(path)
    if place.exists() and not place.is_dir():
        return Note("failed", f"{path}: is no directory", (f"mv {path} {path}.old",))
    there = next(each for each in (place, *place.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        remedy = (f"install -d -m 0700 -o {user()} {path}",)
        return Note("failed", f"{path}: {there} may not be written by {user()}", remedy)
    return Note("ok", f"{path}: can be written")


def program(command: Sequence[str], purpose: str, *, privileged: bool = False) -> Note:
    """Whether a program is there and may be run; `privileged`: it does its work for root only."""
    name = command[0]
    if shutil.which(name) is None:
        where = "is not there" if "/" in name else "is not in the PATH"
        return Note("failed", f"{name} ({purpose}) {where}, or may not be run by {user()}")
    if privileged and os.geteuid() != 0:
        return Note("failed", f"{name} ({purpose}) works for root only, not for {user()}")
    return Note("ok", f"{name} ({purpose}) can be run")


def user() -> str:
    """Who looks."""
    return _name(os.geteuid())


def vacant(listen: str) -> Note:
    """What it means that nobody answers there: could a server of ours?"""
    remedy = ("mailwarden run", "or mailwarden gateway")
    try:
        _try(listen)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or str(error)
        return Note("failed", f"{listen} cannot be listened at by {user()}: {why}", _cure(listen))
    return Note("warning", f"nobody answers at {listen}; it is free for us", remedy)


def foreign(listen: str, why: object) -> Note:
    """Somebody answers there, and it is not as we do."""
    port = listen.rpartition(":")[2]
    look = f"fuser -v {port}" if listen.startswith("unix:") else f"ss -ltnp 'sport = :{port}'"
    return Note("failed", f"at {listen} another program answers: {why}", (look,))


# -- files --------------------------------------------------------------------------------------


def _wrong(real: Path, path: str) -> Note | None:
    directory = real.parent
    if not directory.is_dir():
        remedy = (f"install -d -m 0755 {directory}",)
        return Note("failed", f"{path}: there is no directory {directory}", remedy)
    if not os.access(directory, os.W_OK | os.X_OK):
        cure = (f"chgrp {_group()} {directory}", f"chmod g+wx {directory}")
        return Note("failed", f"{path}: {directory} may not be written by {user()}", cure)
    try:
        found = real.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return Note("failed", f"{path}: is no file", (f"mv {path} {path}.old",))
    groups = {os.getegid(), *os.getgroups()}
    if os.geteuid() and (found.st_uid != os.geteuid() or found.st_gid not in groups):
        owner = _name(found.st_uid)
        text = f"{path}: belongs to {owner}, and {user()} cannot give a new one to {owner}"
        return Note("failed", text, (f"chown {user()}:{_group()} {path}",))
    if not found.st_mode & READERS:
        mode = stat.S_IMODE(found.st_mode)
        text = f"{path}: only {_name(found.st_uid)} may read it (mode {mode:04o})"
        return Note("warning", text, (f"chmod 644 {path}",))
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _group() -> str:
    try:
        return grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return str(os.getegid())


# -- places to listen at ------------------------------------------------------------------------


def _try(listen: str) -> None:
    """Raises OSError, or ValueError where nothing can be listened at there."""
    if listen.startswith("unix:"):
        path = Path(listen.removeprefix("unix:"))
        if not path.parent.is_dir():
            raise ValueError(f"there is no directory {path.parent}")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise ValueError(f"{path.parent} may not be written")
        if path.exists() and not path.is_socket():
            raise ValueError("something else lies there")
        return
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("expected host:port or unix:/path")
    family, kind, _, _, address = socket.getaddrinfo(
        host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _cure(listen: str) -> tuple[str, ...]:
    if listen.startswith("unix:"):
        folder = Path(listen.removeprefix("unix:")).parent
        return (f"install -d -m 0750 -o {user()} {folder}",)
    port = listen.rpartition(":")[2]
    if port.isdecimal() and int(port) < PRIVILEGED and os.geteuid():
        return (f"listen at a port from {PRIVILEGED} on", "or give it CAP_NET_BIND_SERVICE")
    return ('listen = "127.0.0.1:PORT" (an address of this machine, a port that is free)',)
