"""Tickets in ServiceNow, by its Table API: records of the table ``incident``.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html A record is found again by
its ``correlation_id``, which is ours.
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

TITLE = 160  # characters of a short description
LEVELS = {"critical": "1", "high": "2", "medium": "3", "low": "3", "info": "3"}
"""Impact and urgency, from which ServiceNow makes the priority."""
RESOLVED, WORKED_ON = "6", "2"  # values of the field `state`


class ServiceNowSettings(TicketSettings, frozen=True):
    """``[sinks.servicenow]``"""

    table: str = "incident"
    fields: dict[str, str] = field(
        default_factory=dict
    )  # of a new record, as { assignment_group = "SOC" }
    close_code: str = "Resolved by caller"  # what a record that is resolved must have
    username: str = ""  # basic authentication
    password: str = ""
    password_file: str = ""  # a file that holds it instead
    token: str = ""  # OAuth, in its place
    token_file: str = ""


class ServiceNow(Ticketing):
    Settings = ServiceNowSettings
    settings: ServiceNowSettings

    def credentials(self) -> dict[str, str]:
        chosen = self.settings
        needed(chosen, "table")
        token = tls.held_secret(chosen.token, chosen.token_file, "token")
        if token:
            return {"authorization": f"Bearer {token}"}
        found = basic(chosen.username, chosen.password, chosen.password_file)
        if not found:
            raise SettingsError("username: expected a name and its password, or a token")
        return found

    def find(self, incident: str) -> str | None:
        query = urlencode(
            {
                "sysparm_query": f"correlation_id={_ours(incident)}",
                "sysparm_fields": "sys_id",
                "sysparm_limit": "1",
            }
        )
        found = self._result(self.call("GET", f"{self._table}?{query}"), list)
        return str(found[0]["sys_id"]) if found else None

    def create(self, draft: Draft) -> str:
        level = LEVELS[draft.severity]
        record = {
            "short_description": draft.title[:TITLE],
            "description": draft.text,
            "impact": level,
            "urgency": level,
            "category": "security",
            "correlation_id": _ours(draft.incident),
            "correlation_display": "mailwarden",
            **self.settings.fields,
        }
        return str(self._result(self.call("POST", self._table, record), dict)["sys_id"])

    def comment(self, ticket: str, text: str, severity: Severity | None = None) -> None:
        changed = {"work_notes": text}
        if severity:
            changed |= {"impact": LEVELS[severity], "urgency": LEVELS[severity]}
        self._change(ticket, changed)

    def finish(self, ticket: str, text: str, *, false_positive: bool) -> None:
        code = self.settings.close_code
        self._change(ticket, {"state": RESOLVED, "close_code": code, "close_notes": text})

    def reopen(self, ticket: str, text: str) -> None:
        self._change(ticket, {"state": WORKED_ON, "work_notes": text})

    @property
    def _table(self) -> str:
        return f"api/now/table/{self.settings.table}"

    def _change(self, ticket: str, changed: dict[str, str]) -> None:
        self.call("PATCH", f"{self._table}/{ticket}", changed)

    def _result(self, found: Any, kind: type[Any]) -> Any:
        result = found.get("result") if isinstance(found, dict) else None
        if not isinstance(result, kind):
            raise SinkError(f"{self._server.shown}: not an answer of the Table API")
        return result


def _ours(incident: str) -> str:
    """In a query ``^`` would begin another condition."""
    return f"mailwarden-{incident.replace('^', '_')}"
