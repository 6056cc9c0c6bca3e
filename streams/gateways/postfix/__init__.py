"""Postfix, by tables that smtpd(8) and postscreen(8) look clients and logins up in.

Which restriction looks them up is the administrator's to say; `review` tells whether any does.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from schemas.findings import Decision
from streams import atomic
from streams.gateway import Gateway, GatewayError, GatewaySettings, Note
from streams.gateways.postfix import tables
from streams.gateways.postfix.review import review
from streams.gateways.postfix.settings import PostfixSettings

__all__ = ["Postfix", "PostfixSettings"]

PATIENCE = 30.0  # seconds that a reload may take


class Postfix(Gateway):
    """Writes the tables and has them read.

    Postfix reads these tables when a process starts, so a change needs ``postfix reload``, and
    that ends every idle smtpd: it is done when a text has changed, at a bounded rate, without
    waiting for it; to lift everything waits for no rate. Until it has come back well the work is
    unfinished. What an earlier life of this process has written but not reloaded cannot be told,
    so the first call always reloads.
    """

    Settings = PostfixSettings
    blind_to = "logins by IMAP and POP3, which never come to Postfix"
    settings: PostfixSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "postfix",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(settings, name, lifted)
        self._clock = clock
        self._written: dict[str, str] = {}
        self._stale = True  # Postfix may not have read what the tables say
        self._reloading: subprocess.Popen[bytes] | None = None
        self._reloaded = float("-inf")  # when the last reload began
        self._lifts = False  # everything

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        """The text of each table, by its path."""
        settings = self.settings
        texts = {}
        if settings.clients:
            texts[settings.clients] = tables.clients(decisions, settings.tarpit)
        if settings.postscreen:
            texts[settings.postscreen] = tables.postscreen(decisions)
        if settings.accounts:
            texts[settings.accounts] = tables.accounts(decisions, settings.login_domain)
        return texts

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        self._lifts = not decisions
        for path, text in self.render(decisions).items():
            if self._written.get(path) != text:
                self._stale = True
                try:
                    atomic.replace(Path(path), text)
                except OSError as error:
                    raise GatewayError(f"{path}: {error.strerror}") from error
                self._written[path] = text
        return self._settled()

    def reaches(self, decision: Decision) -> bool:
        settings = self.settings
        return bool(
            (
                settings.clients
                and tables.network(decision)
                and tables.client_action(decision, settings.tarpit)
            )
            or (
                settings.postscreen
                and tables.network(decision)
                and tables.postscreen_action(decision)
            )
            or (settings.accounts and tables.login(decision) and tables.account_action(decision))
        )

    def review(self) -> list[Note]:
        return review(self.settings)

    def _settled(self) -> bool:
        """Whether Postfix has read what is written; begins a reload where one is due."""
        if self._reloading is None:
            if not self._stale:
                return True
            early = self._clock() - self._reloaded < self.settings.reload_interval
            if early and not self._lifts:
                return False
            self._reload()
            return False
        status = self._reloading.poll()
        if status is None:
            if self._clock() - self._reloaded < PATIENCE:
                return False
            self._reloading.kill()
            self._reloading.wait()
        self._reloading = None
        if status == 0:
            return not self._stale
        self._stale = True
        raise GatewayError(
            f"{' '.join(self.settings.reload_command)}: "
            + ("no end within 30 s" if status is None else f"exit status {status}")
        )

    def _reload(self) -> None:
        self._reloaded = self._clock()
        self._stale = False
        try:
            self._reloading = subprocess.Popen(
                self.settings.reload_command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            self._stale = True
            raise GatewayError(f"{self.settings.postfix}: {error.strerror}") from error
