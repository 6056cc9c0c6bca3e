"""Gateways that are servers: mail servers ask them, and are answered from the block list.

All of a process share one event loop in a thread of its own, so that neither a slow reload of
another gateway nor the detectors' work delays an answer. A server that cannot take its port is
tried again with every `apply`. A question is answered neutrally where nothing rules, where the
kill switch is pulled, and where answering fails: the mail server must go on (fail open).
"""

import asyncio
import contextlib
import os
import socket
import stat
import threading
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from schemas.findings import Decision
from streams.gateway import Gateway, GatewayError, GatewaySettings, Note, Site
from streams.packed import enforced

T = TypeVar("T")

START = 10.0  # seconds that a server may take to begin or to end


class ServingSettings(GatewaySettings, frozen=True):
    """What all servers have. `listen` is host:port, or ``unix:`` and the path of a socket."""

    listen: str = ""
    mode: str = "0660"  # of a unix socket
    group: str = ""  # that owns a unix socket; "" is ours


class Serving(Gateway):
    """A gateway that answers. A subclass defines `begin` and `end`, which run on the loop, and
    asks `ruling`; `take` hears of all decisions in force where it needs them as a list."""

    Settings = ServingSettings
    settings: ServingSettings
    _site: Site | None = None
    _open = False  # decisions are enforced: neither switched off nor lifted
    _begun = False

    def connect(self, site: Site) -> None:
        self._site = site

    def needs(self) -> list[Note]:
        """Who is to own the socket."""
        if not self.settings.listen.startswith("unix:") or not self.settings.group:
            return []
        try:
            _group(self.settings.group)
        except ValueError as error:
            return [Note("failed", str(error), (f"groupadd --system {self.settings.group}",))]
        return [Note("ok", f"the socket is for the group {self.settings.group}")]

    def apply(self, decisions: Sequence[Decision]) -> bool:
        self._open = self.settings.enabled and not self._lifted()
        if not self._begun:
            try:
                _loop().run(self.begin())
            except (OSError, ValueError) as error:
                raise GatewayError(f"{self.settings.listen}: {_words(error)}") from error
            self._begun = True
        wanted = enforced(decisions) if self._open else []
        if wanted != self._given:
            self.take(wanted)
            self._given = wanted
        return True

    def close(self) -> None:
        if self._begun:
            self._begun = False
            _loop().run(self.end())

    def take(self, decisions: Sequence[Decision]) -> None:
        """All decisions that are enforced, the ruling ones first; only when they have changed."""

    async def begin(self) -> None:
        """Listen. Raises OSError."""
        raise NotImplementedError

    async def end(self) -> None:
        """Stop listening and let go of all connections."""
        raise NotImplementedError

    def ruling(
        self,
        address: str = "",
        account: str = "",
        *,
        mailboxes: Iterable[str] = (),
        domains: Iterable[str] = (),
        ours: str = "",
    ) -> Decision | None:
        """The decision that is to be carried out now, if any. Raises ValueError where `address`
        is none."""
        if not self._open or self._site is None:
            return None
        found = self._site.ruling(address, account, mailboxes=mailboxes, domains=domains, ours=ours)
        return found if found is not None and found.enforced else None


class _Loop:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="servers", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = START) -> T:
        """Do this on the loop, and wait for it. Raises what it raises."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()


_made: list[_Loop] = []
_making = threading.Lock()


def _loop() -> _Loop:
    """The loop of this process, made when the first server begins."""
    with _making:
        if not _made:
            _made.append(_Loop())
        return _made[0]


def bound(settings: ServingSettings) -> socket.socket:
    """A socket that is bound to where the settings say. Raises OSError, or ValueError where they
    say nothing that can be listened at. What an earlier process left of a unix socket is removed
    if nobody answers there."""
    place = settings.listen
    if place.startswith("unix:"):
        return _bound_unix(Path(place.removeprefix("unix:")), settings)
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("expected host:port or unix:/path")
    host = host.strip("[]")
    family, kind, _, _, address = socket.getaddrinfo(
        host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    made.setblocking(False)
    return made


def _bound_unix(path: Path, settings: ServingSettings) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode) and not _answers(path):
            path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # nobody may connect before the mode is set
    try:
        made.bind(str(path))
        if settings.group:
            os.chown(path, -1, _group(settings.group))
        path.chmod(int(settings.mode, 8))
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(before)
    made.setblocking(False)
    return made


def _group(name: str) -> int:
    import grp  # noqa: PLC0415 - not everywhere

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise ValueError(f"group: there is no {name}") from error


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _words(error: BaseException) -> str:
    return (getattr(error, "strerror", "") or str(error)).strip()
