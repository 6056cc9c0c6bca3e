"""Mailboxes that were changed by a cmdlet: rules, forwards, signatures, rights, passwords.

Names and parameters are Exchange's cmdlets' own; where they are logged: the event log's MSExchange
CmdletLogs, the audit log's table (``Logging\\CosmosQueue``), ``Search-AdminAuditLog`` and
``Search-MailboxAuditLog`` as JSON.
"""

import re
from typing import Any

import orjson

from schemas.events import Change
from streams.parsers import fields
from streams.parsers.event import event as made
from streams.parsers.exchange import rows
from streams.parsers.part import Items, Record

LONGEST_DETAIL = 300

_GIVEN = re.compile(
    r"(?:^|[ {;,])-?(?P<name>[A-Za-z]{2,60})(?: |=)(?:\"(?P<quoted>[^\"]{0,512})\"|"
    r"(?P<bare>[^\s\"{}=;,]{1,512}))"
)
_RULES = frozenset({"new-inboxrule", "set-inboxrule", "enable-inboxrule", "updateinboxrules"})
_FORWARDS = (
    "forwardto",
    "redirectto",
    "forwardasattachmentto",
    "forwardingsmtpaddress",
    "forwardingaddress",
)
_MAILBOXES = frozenset({"set-mailbox", "set-mailuser", "set-remotemailbox"})
_IDENTITIES = ("emailaddresses", "primarysmtpaddress", "grantsendonbehalfto", "windowsemailaddress")
_RIGHTS = frozenset({"add-mailboxpermission", "add-recipientpermission", "add-adpermission"})
_TELLING = (
    *_FORWARDS,
    *_IDENTITIES,
    "delivertomailboxandforward",
    "deletemessage",
    "movetofolder",
    "markasread",
    "subjectcontainswords",
    "from",
    "name",
    "user",
    "trustee",
    "accessrights",
)


def given(text: str) -> dict[str, str]:
    """The parameters of a cmdlet as the event log writes them: ``-Identity "x" -Name "y"`` or
    ``{Identity=x, Name=y}``."""
    return {
        found["name"].lower(): found["quoted"] if found["quoted"] is not None else found["bare"]
        for found in _GIVEN.finditer(text[:8192])
    }


def of_cmdlet(
    record: Record, cmdlet: str, parameters: dict[str, str], actor: str, client: str = ""
) -> Items:
    """What a cmdlet changed; nothing where it changed nothing of interest."""
    verb = cmdlet.strip().lower()
    what = _what(verb, parameters)
    if not what:
        return ()
    owner = _name(parameters.get("mailbox", "") or parameters.get("identity", ""))
    if rows.probe(owner):
        return ()
    told = [f"{name}={parameters[name]}" for name in _TELLING if parameters.get(name)]
    change = made(
        Change,
        record,
        client=client,
        account=owner or _name(actor),
        actor=_name(actor),
        what=what,
        detail="; ".join([cmdlet.strip(), *told])[:LONGEST_DETAIL],
    )
    return (change,)


def _what(verb: str, parameters: dict[str, str]) -> str:
    if verb in _RULES:
        return "forward" if any(parameters.get(name) for name in _FORWARDS) else "rule"
    if verb in _MAILBOXES:
        if any(parameters.get(name) for name in _FORWARDS):
            return "forward"
        if parameters.get("password"):
            return "password"
        return "identity" if any(name in parameters for name in _IDENTITIES) else ""
    if verb in _RIGHTS:
        return "identity"
    if verb == "set-mailboxmessageconfiguration":
        return "signature" if any(name.startswith("signature") for name in parameters) else ""
    return {"disable-mailbox": "disabled", "enable-mailbox": "enabled"}.get(verb, "")


def _name(identity: str) -> str:
    """Who ``example.org/Users/Alice``, ``Alice\\rule`` or ``alice@example.org`` is."""
    name = identity.strip("'\" ").rpartition("/")[2]
    return rows.account(name)


def of_json(record: Record, data: dict[str, Any]) -> Items | None:
    """A record of the administrator's or a mailbox's audit log; None where it is neither."""
    name = data.get("CmdletName")
    if isinstance(name, str):
        parameters = _listed(data.get("CmdletParameters"))
        parameters.setdefault("identity", fields.text(data.get("ObjectModified")))
        return of_cmdlet(
            record,
            name,
            parameters,
            fields.text(data.get("Caller")),
            rows.address(fields.text(data.get("ClientIP"))),
        )
    if isinstance(data.get("Operation"), str) and "LogonUserDisplayName" in data:
        parameters = _listed(data.get("OperationProperties"))
        parameters["mailbox"] = fields.text(data.get("MailboxOwnerUPN"))
        return of_cmdlet(
            record,
            data["Operation"],
            parameters,
            fields.text(data["LogonUserDisplayName"]),
            rows.address(fields.text(data.get("ClientIPAddress"))),
        )
    return None


def layout(columns: list[str]) -> rows.Row:
    """The audit log's own table, whose records are JSON in one of its columns."""
    at = columns.index("data")

    def row(record: Record, values: list[str]) -> Items:
        try:
            data = fields.record(orjson.loads(values[at]))
        except orjson.JSONDecodeError as error:
            raise ValueError(f"Data is no JSON: {error}") from error
        parameters = _listed(data.get("Parameters"))
        parameters.setdefault("identity", fields.text(data.get("ObjectId")))
        return of_cmdlet(
            record,
            fields.text(data.get("Operation")),
            parameters,
            fields.text(data.get("UserId")),
            rows.address(fields.text(data.get("ClientIP"))),
        )

    return row


def _listed(value: Any) -> dict[str, str]:
    """Parameters as objects with name and value, or as texts."""
    found = {
        name.lower(): str(said)
        for name, said in fields.named(value, "Name", "Value").items()
        if said not in (None, "")
    }
    if isinstance(value, list):
        for one in value:
            if isinstance(one, str):
                name, _, said = one.partition("=")
                found[name.strip().lower()] = said.strip()
    return found
