"""``/health`` of our HTTP servers: what it says, and asking it, since `mailwarden check` is another
process than the one that serves."""

import http.client
import json
import socket
import ssl
import time

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


def look(settings: HttpServingSettings, who: str) -> Note:
    """Whether the server answers, and is asked by those it is there for."""
    try:
        ago = _ask(settings)
    except (OSError, ValueError, TypeError, KeyError, http.client.HTTPException) as error:
        return Note(False, f"nobody answers at {settings.listen}: {error}")
    if ago is None:
        return Note(False, f"answers at {settings.listen}; no {who} has asked since it was started")
    text = f"answers at {settings.listen}; a {who} asked last {ago:.0f} s ago"
    return Note(ago <= QUIET, text)


def _ask(settings: HttpServingSettings) -> float | None:
    connection = http.client.HTTPConnection("localhost", timeout=PATIENCE)
    connection.sock = _connected(settings)
    try:
        connection.request("GET", PATH)
        reply = connection.getresponse()
        body = reply.read(4096)
        if reply.status != 200:
            raise ValueError(f"it answers {reply.status} {reply.reason}")
        asked = json.loads(body)["asked"]
        return None if asked is None else float(asked)
    finally:
        connection.close()


def _connected(settings: HttpServingSettings) -> socket.socket:
    place = settings.listen
    if place.startswith("unix:"):
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(PATIENCE)
        unix.connect(place.removeprefix("unix:"))
        return unix
    host, _, port = place.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    made = socket.create_connection((host, int(port)), PATIENCE)
    if not settings.certificate:
        return made
    context = ssl.create_default_context()
    context.check_hostname = False  # it is ourselves that we ask, under whatever name
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(made)
