"""Postfix, by tables that smtpd(8) and postscreen(8) look clients and logins up in.

Which restriction looks them up is the administrator's to say; `review` tells whether any does.
"""

import time
from collections.abc import Callable, Sequence

from schemas.findings import Decision
from streams import targets
from streams.gateway import GatewaySettings, Note, Site
from streams.gateways.postfix import tables
from streams.gateways.postfix.review import review
from streams.gateways.postfix.settings import (
    LMDB,
    PostfixSettings,
    name_tables,
    network_tables,
    path,
)
from streams.reloading import Reload
from streams.writing import Writing

__all__ = ["Postfix", "PostfixSettings"]


class Postfix(Writing):
    """Writes the tables and has them read.

    Postfix reads most tables when a process starts, so a change needs ``postfix reload``, and
    that ends every idle smtpd: it is done when a text has changed, at a bounded rate. A table of
    LMDB is replaced by postmap in one transaction, and the next look-up sees it.
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
        chosen = self.settings
        self._reload = Reload(chosen.reload_command, chosen.reload_interval, clock, privileged=True)
        self._makes = {
            path(table): Reload(chosen.make_command(path(table)), 0.0, clock)
            for table in (chosen.clients, chosen.postscreen, chosen.accounts, chosen.phishing)
            if table.startswith(LMDB)
        }
        self._site: Site | None = None
        self._phishing: frozenset[str] = frozenset()
        self._recipients = tables.recipients(())

    def connect(self, site: Site) -> None:
        self._site = site

    def apply(self, decisions: Sequence[Decision]) -> bool:
        """The list of phishers' addresses changes by itself, and is lifted like decisions."""
        stop = not self.settings.enabled or self._lifted()
        wanted = frozenset() if stop or self._site is None else self._site.phishing
        if self.settings.phishing and wanted != self._phishing:
            self._phishing, self._recipients = wanted, tables.recipients(wanted)
            self._given = None
        return super().apply(decisions)

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        """The text of each table, by its path."""
        settings = self.settings
        return {
            **_networks(decisions, settings.clients, self._client_action),
            **_networks(decisions, settings.postscreen, tables.postscreen_action),
            **{
                path(table): tables.logins(decisions, settings.login_domain)
                for table in name_tables(settings.accounts)
            },
            **{path(table): self._recipients for table in name_tables(settings.phishing)},
        }

    def reload(self, path: str) -> Reload:
        return self._makes.get(path, self._reload)

    def reaches(self, decision: Decision) -> bool:
        settings = self.settings
        network = targets.prefix(decision) is not None
        return bool(
            (network and settings.clients and self._client_action(decision))
            or (network and settings.postscreen and tables.postscreen_action(decision))
            or (settings.accounts and targets.login(decision) and tables.account_action(decision))
        )

    def review(self) -> list[Note]:
        return review(self.settings)

    def _client_action(self, decision: Decision) -> str:
        return tables.client_action(decision, self.settings.tarpit)


def _networks(decisions: Sequence[Decision], place: str, act: tables.Act) -> dict[str, str]:
    match network_tables(place):
        case [live, other]:
            return {
                path(live): tables.indexed(decisions, act),
                path(other): tables.cidr(decisions, act, versions=(6,)),
            }
        case [only]:
            return {path(only): tables.cidr(decisions, act)}
        case _:
            return {}
