"""Tickets in Jira, Cloud and Data Center, by its REST API version 2.

https://developer.atlassian.com/cloud/jira/platform/rest/v2/ An issue bears the label
``mailwarden-INCIDENT``, by which it is found again.
"""

from typing import Any
from urllib.parse import urlencode

from msgspec import field

from schemas.findings import Severity
from schemas.settings import SettingsError
from streams import tls
from streams.posting import basic
from streams.sink import SinkError
from streams.ticketing import Draft, Ticketing, TicketSettings, needed

API = "rest/api/2"
TITLE = 255  # characters of a summary


class JiraSettings(TicketSettings, frozen=True):
    """``[sinks.jira]``"""

    project: str = ""  # its key, as SOC; must be set
    issue_type: str = "Task"
    priorities: dict[str, str] = field(default_factory=dict)  # by severity, as
    # { critical = "Highest" }; none: the project's
    done: str = "Done"  # the transition that closes an issue
    again: str = "To Do"  # the one that opens it again
    username: str = ""  # Cloud: an account's address; Data Center: none, with a personal token
    token: str = ""
    token_file: str = ""  # a file that holds it instead


class Jira(Ticketing):
    Settings = JiraSettings
    settings: JiraSettings

    def credentials(self) -> dict[str, str]:
        chosen = self.settings
        needed(chosen, "project")
        token = tls.held_secret(chosen.token, chosen.token_file, "token")
        if not token:
            raise SettingsError("token: must be set, or token_file")
        if chosen.username:
            return basic(chosen.username, token, "")
        return {"authorization": f"Bearer {token}"}

    def find(self, incident: str) -> str | None:
        asked = urlencode({"jql": f'labels = "{_label(incident)}"', "fields": "key"})
        # Cloud has given up `search`; Data Center does not know its successor.
        found = self.call("GET", f"{API}/search/jql?{asked}", missing=True)
        if found is None:
            found = self.call("GET", f"{API}/search?{asked}")
        issues = found.get("issues", []) if isinstance(found, dict) else []
        return str(issues[0]["key"]) if issues else None

    def create(self, draft: Draft) -> str:
        fields: dict[str, Any] = {
            "project": {"key": self.settings.project},
            "issuetype": {"name": self.settings.issue_type},
            "summary": draft.title[:TITLE],
            "description": _quoted(draft.text),
            "labels": ["mailwarden", _label(draft.incident)],
            **self._priority(draft.severity),
        }
        made = self.call("POST", f"{API}/issue", {"fields": fields})
        try:
            return str(made["key"])
        except (TypeError, KeyError) as error:
            raise SinkError(f"{self._server.shown}: not the answer of a new issue") from error

    def comment(self, ticket: str, text: str, severity: Severity | None = None) -> None:
        self.call("POST", f"{API}/issue/{ticket}/comment", {"body": _quoted(text)})
        changed = self._priority(severity) if severity else {}
        if changed:
            self.call("PUT", f"{API}/issue/{ticket}", {"fields": changed})

    def finish(self, ticket: str, text: str, *, false_positive: bool) -> None:
        self._move(ticket, self.settings.done)
        self.comment(ticket, text)

    def reopen(self, ticket: str, text: str) -> None:
        self._move(ticket, self.settings.again)
        self.comment(ticket, text)

    def _move(self, ticket: str, to: str) -> None:
        """By the transition, or to the status, of this name. None of them: it is there already, or
        people changed the workflow; the comment says the rest."""
        path = f"{API}/issue/{ticket}/transitions"
        found = self.call("GET", path)
        for one in found.get("transitions", []) if isinstance(found, dict) else []:
            if to in (one.get("name"), one.get("to", {}).get("name")):
                self.call("POST", path, {"transition": {"id": one["id"]}})
                return

    def _priority(self, severity: Severity) -> dict[str, Any]:
        name = self.settings.priorities.get(severity)
        return {"priority": {"name": name}} if name else {}


def _label(incident: str) -> str:
    """Labels have no spaces; ids of incidents have none of us."""
    return f"mailwarden-{''.join(c if c.isalnum() or c in '._-' else '_' for c in incident)}"


def _quoted(text: str) -> str:
    """Wiki markup would make a link, a macro or a mention of what an attacker wrote."""
    return f"{{noformat}}\n{text.replace('{noformat}', '(noformat)')}\n{{noformat}}"
