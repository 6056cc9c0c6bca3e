"""Alerts in TheHive 5, by its API version 1: one for each incident, its `sourceRef`.

https://docs.strangebee.com/thehive/api-docs/ An analyst makes a case of it there. Whether one is
there already is asked by source and reference, which TheHive has only once.
"""

from typing import Any

from schemas import net
from schemas.findings import Severity
from schemas.settings import SettingsError
from streams import tls
from streams.rendering import chat, words
from streams.sink import SinkError
from streams.ticketing import Draft, Ticketing, TicketSettings

SOURCE = "mailwarden"
LEVELS = {"info": 1, "low": 1, "medium": 2, "high": 3, "critical": 4}
OBSERVABLES = 100
TLP = 2  # amber


class TheHiveSettings(TicketSettings, frozen=True):
    """``[sinks.thehive]``"""

    key: str = ""  # the API key of a user who may create alerts
    key_file: str = ""  # a file that holds it instead
    organisation: str = ""  # of it, where it has several
    closed: str = "Ignored"  # the status of an alert that is over
    false_positive: str = "Ignored"  # of one that was none
    again: str = "New"  # of one that goes on


class TheHive(Ticketing):
    Settings = TheHiveSettings
    settings: TheHiveSettings

    def credentials(self) -> dict[str, str]:
        key = tls.held_secret(self.settings.key, self.settings.key_file, "key")
        if not key:
            raise SettingsError("key: must be set, or key_file")
        found = {"authorization": f"Bearer {key}"}
        if self.settings.organisation:
            found["x-organisation"] = self.settings.organisation
        return found

    def find(self, incident: str) -> str | None:
        mine = [
            {"_field": "source", "_value": SOURCE},
            {"_field": "sourceRef", "_value": incident},
        ]
        query = [{"_name": "listAlert"}, {"_name": "filter", "_and": mine}]
        found = self.call("POST", "api/v1/query", {"query": query})
        return str(found[0]["_id"]) if isinstance(found, list) and found else None

    def create(self, draft: Draft) -> str:
        alert = draft.alert
        made = self.call(
            "POST",
            "api/v1/alert",
            {
                "type": "mail",
                "source": SOURCE,
                "sourceRef": draft.incident,
                "title": draft.title,
                "description": _quoted(draft.text),
                "severity": LEVELS[draft.severity],
                "date": words.millis(alert.first),
                "tlp": TLP,
                "tags": [f"detector:{alert.detector}", *filter(None, [alert.technique])],
                "observables": _observables(draft),
            },
        )
        try:
            return str(made["_id"])
        except (TypeError, KeyError) as error:
            raise SinkError(f"{self._server.shown}: not the answer of a new alert") from error

    def comment(self, ticket: str, text: str, severity: Severity | None = None) -> None:
        self.call("POST", f"api/v1/alert/{ticket}/comment", {"message": _quoted(text)})
        if severity:
            self._change(ticket, {"severity": LEVELS[severity]})

    def finish(self, ticket: str, text: str, *, false_positive: bool) -> None:
        chosen = self.settings
        status = chosen.false_positive if false_positive else chosen.closed
        self._change(ticket, {"status": status, "summary": text})

    def reopen(self, ticket: str, text: str) -> None:
        self._change(ticket, {"status": self.settings.again})
        self.comment(ticket, text)

    def _change(self, ticket: str, fields: dict[str, Any]) -> None:
        self.call("PATCH", f"api/v1/alert/{ticket}", fields)


def _observables(draft: Draft) -> list[dict[str, str]]:
    alert = draft.alert
    clients = [net.address(words.address(one)) for one in alert.clients]
    accounts = [chat.harmless(words.plain(one, 300)) for one in alert.accounts]
    found = [{"dataType": "ip", "data": one} for one in dict.fromkeys(clients) if one]
    found += [{"dataType": "mail", "data": one} for one in dict.fromkeys(accounts) if "@" in one]
    return found[:OBSERVABLES]


def _quoted(text: str) -> str:
    """Markdown would make a link of what an attacker wrote."""
    return "```\n" + text.replace("```", "'''") + "\n```"
