"""Gateways that write files: mail servers look clients, logins and addresses up in them.

A file is rendered whole and replaced at once, so that who reads it sees the old list or the new
one. Where its reader must be told, that is done at a bounded rate (streams/reloading.py), and
until it was, the work is unfinished. A file that somebody else has changed is written again.
"""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from schemas.findings import Decision
from streams import atomic, needs
from streams.gateway import Gateway, GatewayError, GatewaySettings, Note
from streams.reloading import Reload

HEADER = "# Written by mailwarden from the decisions in force. Changes made here are lost.\n"
"""The first line of a file where # begins a comment."""

PATIENCE = 20.0  # seconds that a program may take to say what its configuration is

Stamp = tuple[int, int, int]
"""Which file, when it was written and how long it is."""


class Writing(Gateway):
    """A subclass defines `render`, and `reload` where a change must be told."""

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "",
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(settings, name, lifted)
        self._written: dict[str, str] = {}
        self._stamps: dict[str, Stamp | None] = {}

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        """The text of each file, by its path."""
        raise NotImplementedError

    def reload(self, path: str) -> Reload | None:
        """How the reader of that file is told of a change; None: it looks by itself."""
        return None

    def needs(self) -> list[Note]:
        """The files, and the programs that make others read them."""
        paths = list(self.render([]))
        reloads = dict.fromkeys(filter(None, map(self.reload, paths)))
        return [*needs.written(paths), *(reload.runnable() for reload in reloads)]

    def apply(self, decisions: Sequence[Decision]) -> bool:
        for path, stamp in list(self._stamps.items()):
            if _stamp(path) != stamp:
                del self._stamps[path]
                self._written.pop(path, None)
                self._given = None
        return super().apply(decisions)

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        """One file that cannot be written keeps no other back. To lift everything waits for no
        rate: whoever pulls the kill switch waits for it."""
        troubles: list[str] = []
        reloads: list[Reload] = []
        for path, text in self.render(decisions).items():
            reload = self.reload(path)
            if self._written.get(path) != text:
                try:
                    atomic.replace(Path(path), text)
                except OSError as error:
                    troubles.append(f"{path}: {error.strerror}")
                    continue
                self._written[path] = text
                self._stamps[path] = _stamp(path)
                if reload is not None:
                    reload.demand()
            if reload is not None and reload not in reloads:
                reloads.append(reload)
        settled = True
        for reload in reloads:
            try:
                settled &= reload.settled(at_once=not decisions)
            except GatewayError as error:
                troubles.append(str(error))
        if troubles:
            raise GatewayError("; ".join(troubles))
        return settled


def asked(command: Sequence[str]) -> str:
    """What a program says of its configuration. Raises GatewayError."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise GatewayError(f"{command[0]} cannot be asked what is used: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        why = said or f"exit status {done.returncode}"
        raise GatewayError(f"{command[0]} cannot be asked what is used: {why}")
    return done.stdout.decode(errors="replace")


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
