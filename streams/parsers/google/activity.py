"""Logins and changes of accounts: activities of the Reports API, entries of Cloud Audit Logs.

Sources: the Admin SDK's Reports API (applications ``login``, ``admin``, ``user_accounts``,
``gmail``) and Cloud Logging's audit entries of ``login.googleapis.com``, whose events have the
same names and parameters.
"""

from typing import Any

from schemas.events import Auth, Change
from streams.parsers import fields
from streams.parsers.google import gmail
from streams.parsers.moments import moment
from streams.parsers.part import Item, Items, Record

LOGINS = {
    # event: outcome, reason
    "login_success": ("ok", ""),
    "login_failure": ("failed", "rejected"),
    "loginsuccess": ("ok", ""),
    "loginfailure": ("failed", "rejected"),
}

FAILURES = {
    "login_failure_invalid_password": "bad_password",
    "login_failure_account_disabled": "disabled",
    "login_failure_access_code_disallowed": "mfa",
    "login_failure_invalid_second_factor": "mfa",
    "login_failure_unknown": "rejected",
}

CHANGES = {
    # event: what it changes
    "password_edit": "password",
    "change_password": "password",
    "change_password_on_next_login": "password",
    "recovery_email_edit": "identity",
    "recovery_phone_edit": "identity",
    "2sv_disable": "mfa",
    "2sv_enroll": "mfa",
    "turn_off_2_step_verification": "mfa",
    "email_forwarding_out_of_domain": "forward",
    "account_disabled_password_leak": "disabled",
    "account_disabled_generic": "disabled",
    "account_disabled_spamming": "disabled",
    "account_disabled_spamming_through_relay": "disabled",
    "account_disabled_hijacked": "disabled",
    "suspend_user": "disabled",
    "unsuspend_user": "enabled",
    "create_email_monitor": "forward",
    "add_nickname": "identity",
    "user_enrolled_in_two_step_verification": "mfa",
}


def parameters(value: Any) -> dict[str, Any]:
    """``[{"name": n, "value" | "intValue" | "messageValue" ...: v}]`` as a mapping, whole; some
    collectors have made it one already."""
    if isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for one in fields.records(value):
        name = one.get("name")
        if not isinstance(name, str):
            continue
        if "messageValue" in one:
            found[name] = parameters(fields.record(one["messageValue"]).get("parameter"))
        elif "multiMessageValue" in one:
            members = fields.records(one["multiMessageValue"])
            found[name] = [parameters(member.get("parameter")) for member in members]
        else:
            found[name] = next((one[key] for key in _VALUES if key in one), None)
    return found


_VALUES = ("value", "intValue", "boolValue", "multiValue", "multiStrValue", "multiIntValue")


def report(record: Record, data: dict[str, Any]) -> Items:
    """An activity: one actor's events at one time; some collectors make one of each event."""
    about = fields.record(data["id"])
    at = moment(about.get("time")) or record.at
    actor = fields.mailbox(fields.record(data.get("actor")).get("email"))
    client = fields.client(data.get("ipAddress"))
    items: list[Item] = []
    for event in fields.records(data.get("events", [data])):
        given = parameters(event.get("parameters"))
        if "message_info" in given:
            items += gmail.row(record, given)
        else:
            items += _event(record, at, fields.text(event.get("name")), given, actor, client)
    return items


def audited(record: Record, data: dict[str, Any]) -> Items:
    """An entry of Cloud Audit Logs."""
    payload = fields.record(data["protoPayload"])
    method = fields.text(payload.get("methodName"))
    if not method.startswith(("google.login.", "google.admin.")):
        return ()
    at = moment(data.get("timestamp")) or record.at
    who = fields.record(payload.get("authenticationInfo")).get("principalEmail")
    actor = fields.mailbox(who)
    client = fields.client(fields.record(payload.get("requestMetadata")).get("callerIp"))
    told = next(fields.records(fields.record(payload.get("metadata")).get("event")), {})
    name = fields.text(told.get("eventName")) or method.rpartition(".")[2]
    given = parameters(told.get("parameter"))
    return _event(record, at, name, given, actor, client)


def _event(
    record: Record, at: float, name: str, given: dict[str, Any], actor: str, client: str
) -> Items:
    name = name.lower()
    judged = LOGINS.get(name)
    if judged is not None:
        outcome, reason = judged
        if outcome == "failed":
            reason = FAILURES.get(fields.text(given.get("login_failure_type")), reason)
        return (
            Auth(
                at=at,
                gateway=record.host,
                offset=record.offset,
                client=client,
                account=actor,
                outcome=outcome,
                reason=reason,
                service="web",
            ),
        )
    what = CHANGES.get(name, "")
    if not what:
        return ()
    about = given.get("affected_email_address") or given.get("USER_EMAIL")
    destination = given.get("email_forwarding_destination_address")
    return (
        Change(
            at=at,
            gateway=record.host,
            offset=record.offset,
            client=client,
            account=fields.mailbox(about) or actor,
            actor=actor,
            what=what,
            detail=f"{name} {fields.text(destination)}".strip()[:300],
        ),
    )
