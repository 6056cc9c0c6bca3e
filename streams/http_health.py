"""``/health`` of our HTTP servers: what it says, and asking it, since `mailwarden check` is another
process than the one that serves."""

import http.client
import json
import socket
import ssl
import time
from typing import Any

import msgspec

from streams import needs
from streams.gateway import Note
from streams.http_serving import HttpServingSettings

PATH = "/health"
PATIENCE = 10.0  # seconds for an answer
QUIET = 600.0  # seconds without a question that are worth a word


class Asked:
    """When somebody with a key asked last."""

    def __init__(self) -> None:
        self._at: float | None = None

    def now(self) -> None:
        self._at = time.monotonic()

    def body(self) -> bytes:
        """What is said to everybody."""
        ago = None if self._at is None else round(time.monotonic() - self._at, 3)
        return json.dumps({"status": "up", "asked": ago}).encode()


class AwayError(Exception):
    """Nobody listens there."""


def look(settings: HttpServingSettings, who: str) -> Note:
    """Whether the server answers, and is asked by those it is there for."""
    try:
        asked = ask(settings, "GET", PATH)["asked"]
        ago = None if asked is None else float(asked)
    except AwayError:
        return needs.vacant(settings.listen)
    except (*UNEXPECTED, KeyError, TypeError) as error:
        return needs.foreign(settings.listen, error)
    if ago is None:
        text = f"answers at {settings.listen}; no {who} has asked since it was started"
        return Note("warning", text)
    text = f"answers at {settings.listen}; a {who} asked last {ago:.0f} s ago"
    return Note("ok" if ago <= QUIET else "warning", text)


UNEXPECTED = (OSError, ValueError, http.client.HTTPException)
"""What `ask` raises where something else answers than a server of ours."""


def ask(
    settings: HttpServingSettings, method: str, path: str, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """The object that a server of ours answers with. Raises AwayError, and UNEXPECTED."""
    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
    try:
        connection.sock = _connected(settings)
    except (OSError, ValueError) as error:
        raise AwayError from error
    try:
        if settings.certificate:
            connection.sock = _secured(connection.sock)
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        body = reply.read(4096)
        if reply.status != 200:
            raise ValueError(f"{reply.status} {reply.reason}")
        return msgspec.json.decode(body, type=dict[str, Any])
    finally:
        connection.close()


def _connected(settings: HttpServingSettings) -> socket.socket:
    place = settings.listen
    if place.startswith("unix:"):
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(PATIENCE)
        try:
            unix.connect(place.removeprefix("unix:"))
        except OSError:
            unix.close()
            raise
        return unix
    host, _, port = place.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    return socket.create_connection((host, int(port)), PATIENCE)


def _secured(made: socket.socket) -> socket.socket:
    context = ssl.create_default_context()
    context.check_hostname = False  # it is ourselves that we ask, under whatever name
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(made)
