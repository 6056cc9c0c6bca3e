"""Dovecot's auth policy server: weakforced's protocol, as Dovecot 2.2.34 and later speak it.

Dovecot asks before it looks at a password (``command=allow``) and tells what came of each attempt
(``command=report``), also for the SMTP servers whose SASL it is. The answer is ``status``: 0 to
go on, -1 to refuse with ``msg``, a number of seconds to wait. A question is never an attempt:
only reports are events.
"""

import re
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from schemas import net
from schemas.findings import Decision
from schemas.settings import SettingsError
from streams.gateway import GatewaySettings, Note
from streams.gateways.auth_policy import requests
from streams.gateways.auth_policy.passwords import Passwords
from streams.gateways.auth_policy.requests import Request
from streams.gateways.auth_policy.review import review
from streams.gateways.auth_policy.settings import AuthPolicySettings
from streams.http_serving import HttpServing, answer, brief
from streams.metrics import ANSWERS, SHED
from streams.secrets import mask
from streams.tarpits import LONGEST, Tarpits

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["AuthPolicy", "AuthPolicySettings"]

REFUSED = frozenset({"reject", "drop", "kick", "lock"})
TARGETS = frozenset({"network", "account", "client_account"})

GO_ON = b'{"status":0,"msg":""}'
HEARD = b'{"status":"ok"}'
UNKNOWN = b'{"status":"failure","reason":"unknown command"}'

_command = re.compile(r"[?&]command=(\w+)").search
_unprintable = re.compile(r"[^\x20-\x7e]")


class AuthPolicy(HttpServing):
    """Refuses or delays logins before their password is looked at, and hears of all of them."""

    Settings = AuthPolicySettings
    settings: AuthPolicySettings
    blind_to = "logins that Dovecot does not check; mail that needs no login"

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "auth_policy",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings, name, lifted)
        if not 1 <= self.settings.tarpit <= LONGEST:
            raise SettingsError(f"tarpit: expected 1 to {LONGEST} seconds")
        self._clock = clock
        self._mask = mask()
        self._machine = socket.gethostname()
        self._passwords = Passwords()
        self._tarpits = Tarpits(self.settings.tarpits, self.settings.tarpit)
        self._delay = msgspec.json.encode({"status": self.settings.tarpit, "msg": ""})
        self._asked = self._told = float("-inf")  # when last, by the monotonic clock
        self._answers = {
            kind: ANSWERS.labels(self.name, kind)
            for kind in ("allow", "refuse", "tarpit", "report", "unreadable")
        }
        self._shed = SHED.labels(self.name)

    def reaches(self, decision: Decision) -> bool:
        able = decision.action in REFUSED or decision.action == "tarpit"
        return able and decision.target.kind in TARGETS

    def review(self) -> list[Note]:
        return review(self.settings)

    def neutral(self) -> "web.StreamResponse":
        return answer(GO_ON)

    async def handle(self, request: "web.BaseRequest", holder: str) -> "web.StreamResponse":
        found = _command(request.raw_path)
        command = found[1] if found else ""
        if command == "ping":
            return answer(self._ping())
        if command not in ("allow", "report") or request.method != "POST":
            return answer(UNKNOWN, 404)
        try:
            told = requests.decode(await self.body(request))
        except ValueError:
            self._answers["unreadable"].inc()
            return self.neutral()
        if command == "allow":
            return brief(self._allow(told))
        self._report(told)
        return brief(HEARD)

    def _allow(self, asked: Request) -> bytes:
        self._asked = time.monotonic()
        client = asked.client
        found = self.ruling(client, asked.account)
        if found is not None and found.action in REFUSED:
            self._answers["refuse"].inc()
            return self._refusal(found)
        if found is not None and found.action == "tarpit":
            if self._tarpits.enter(net.network(client) if client else "", self._asked):
                self._answers["tarpit"].inc()
                return self._delay
            self._shed.inc()
        self._answers["allow"].inc()
        return GO_ON

    def _refusal(self, decision: Decision) -> bytes:
        """What the client is told names no reason, which may be a stranger's words, but where to
        find it."""
        text = f"{self.settings.message} ({decision.alert or decision.id})"
        return msgspec.json.encode({"status": -1, "msg": _unprintable.sub("?", text)[:200]})

    def _report(self, told: Request) -> None:
        self._told = time.monotonic()
        self._answers["report"].inc()
        if self._site is None or not self.settings.enabled:
            return
        gateway = self.settings.gateway or self._named(told.host or told.attrs.host)
        event = requests.event(told, self._clock(), gateway, self._mask, self._passwords.is_right)
        if event.outcome == "ok" and event.password:
            self._passwords.opened(event.account, event.password)
        self._site.publish((event,))

    def _named(self, host: str) -> str:
        """The gateway by the name that Dovecot has for its machine. What is this machine has the
        name that its log lines are given."""
        if self._site is not None and host in ("", self._machine):
            return self._site.host
        return host[:255]

    def _ping(self) -> bytes:
        """For `check`: when somebody asked and reported last, in seconds before now."""
        now = time.monotonic()
        return msgspec.json.encode(
            {"status": "ok", "asked": _since(self._asked, now), "told": _since(self._told, now)}
        )


def _since(then: float, now: float) -> float | None:
    return None if then == float("-inf") else round(now - then, 1)
