"""HAProxy: a map of clients, replaced as a whole by its runtime socket (HAProxy management guide,
"prepare map").

The value of a network is when its lease ends, in Unix seconds, and HAProxy compares that with its
own clock: leases end there, also when we are gone. 0 lets a client pass; the narrowest network
that holds it counts. The file is what HAProxy reads at its next start.
"""

import math
import re
import socket
from collections.abc import Callable, Iterator, Sequence

from schemas.findings import Decision
from streams import prefixes, targets
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.writing import HEADER, Writing

PATIENCE = 5.0  # seconds for one command
BLOCK = 8000  # bytes of rows in one command; HAProxy's buffers have 16384 (tune.bufsize)
LATEST = 1 << 40  # Unix seconds that the value of a row may be
REFUSED = ("drop", "reject")

_VERSION = re.compile(r"New version created: (\d+)")


class HaproxySettings(GatewaySettings, frozen=True):
    """The map is named as in HAProxy's configuration."""

    clients: str = "/etc/haproxy/mailwarden.map"  # a map file
    socket: str = "/run/haproxy/admin.sock"  # stats socket, level admin


class Haproxy(Writing):
    """Writes the map, and tells the running HAProxy."""

    Settings = HaproxySettings
    blind_to = "what does not come through HAProxy, and all about accounts"
    settings: HaproxySettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "haproxy",
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(settings, name, lifted)
        self._told: str | None = None  # the text that the running HAProxy knows

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        return {self.settings.clients: HEADER + "".join(_rows(decisions))}

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        super().enforce(decisions)
        text = self._written[self.settings.clients]
        if text != self._told:
            self._told = None
            self._tell(text.removeprefix(HEADER))
            self._told = text
        return True

    def reaches(self, decision: Decision) -> bool:
        return decision.action in REFUSED and targets.prefix(decision) is not None

    def review(self) -> list[Note]:
        try:
            maps = self._ask("show map")
        except GatewayError as error:
            remedy = (f"stats socket {self.settings.socket} mode 660 level admin",)
            return [Note("failed", str(error), remedy)]
        found = re.search(rf"\({re.escape(self.settings.clients)}\).*entry_cnt=(\d+)", maps)
        if found is None:
            text = f"HAProxy does not look into {self.settings.clients}: it refuses nobody"
            rule = f"src,map_ip_int({self.settings.clients},0),sub(sess.now) gt 0"
            rules = ("set-var(sess.now) date", f"reject if {{ {rule} }}")
            lines = tuple(f"tcp-request connection {each}" for each in rules)
            return [Note("failed", text, lines)]
        return [Note("ok", f"HAProxy looks into {self.settings.clients}: {found[1]} rows")]

    def _tell(self, text: str) -> None:
        """One version of the map takes the place of the other. One that was begun and not
        committed goes with the next commit."""
        name = self.settings.clients
        said = self._ask(f"prepare map {name}")
        version = _VERSION.match(said)
        if version is None:
            raise GatewayError(f"HAProxy: prepare map {name}: {_words(said)}")
        for block in _blocks(text):
            self._do(f"add map @{version[1]} {name} <<\n{block}")
        self._do(f"commit map @{version[1]} {name}")

    def _do(self, command: str) -> None:
        """A command that says nothing but an empty line where it succeeds."""
        said = self._ask(command)
        if said != "\n":
            raise GatewayError(f"HAProxy: {command.partition(' <<')[0]}: {_words(said)}")

    def _ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as talk:
                talk.settimeout(PATIENCE)
                talk.connect(self.settings.socket)
                talk.sendall(f"{command}\n".encode())
                talk.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: talk.recv(65536), b"")).decode(errors="replace")
        except OSError as error:
            raise GatewayError(f"{self.settings.socket}: {error.strerror or error}") from error


def _rows(decisions: Sequence[Decision]) -> Iterator[str]:
    """Milder decisions and pardons are holes in a wider network."""
    for decision in decisions:
        found = targets.prefix(decision)
        if found is not None:
            refused = decision.action in REFUSED and not targets.pardoned(decision)
            until = math.ceil(min(max(decision.until, 0.0), LATEST)) if refused else 0
            yield f"{prefixes.write(found)} {until}\n"


def _blocks(text: str) -> Iterator[str]:
    """Whole rows, in parts that a command can carry."""
    begin = 0
    while begin < len(text):
        end = text.rfind("\n", begin, begin + BLOCK) + 1
        yield text[begin:end]
        begin = end


def _words(said: str) -> str:
    return said.strip()[:200] or "no answer"
