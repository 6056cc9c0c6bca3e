"""Entra ID's directory audit: accounts that were changed.

Source: Microsoft Graph's directoryAudit resource; its activities have the names that the unified
audit log has as operations.
"""

from typing import Any

from schemas.events import Change
from streams.parsers import fields
from streams.parsers.moments import moment
from streams.parsers.part import Items, Record

ACTIVITIES = {
    "change user password": "password",
    "reset user password": "password",
    "reset password (self-service)": "password",
    "change password (self-service)": "password",
    "reset password (by admin)": "password",
    "set force change user password": "password",
    "disable account": "disabled",
    "block user from sign-in": "disabled",
    "delete user": "disabled",
    "enable account": "enabled",
    "unblock user from sign-in": "enabled",
    "add user": "enabled",
    "disable strong authentication": "mfa",
    "enable strong authentication": "mfa",
    "user registered security info": "mfa",
    "user registered all required security info": "mfa",
    "user deleted security info": "mfa",
    "user changed default security info": "mfa",
    "admin registered security info": "mfa",
    "admin deleted security info": "mfa",
    "admin updated security info": "mfa",
}


def activity(name: str) -> str:
    """What an activity changes; ``""`` where it is none of these."""
    return ACTIVITIES.get(name.strip(" .").lower(), "")


def read(record: Record, data: dict[str, Any]) -> Items:
    name = fields.text(data.get("activityDisplayName"))
    what = activity(name)
    if not what or fields.text(data.get("result")).lower() == "failure":
        return ()
    by = fields.record(data.get("initiatedBy"))
    user = fields.record(by.get("user"))
    target = next(fields.records(data.get("targetResources")), {})
    actor = user.get("userPrincipalName") or fields.record(by.get("app")).get("displayName")
    return (
        Change(
            at=moment(data.get("activityDateTime")) or record.at,
            gateway=record.host,
            offset=record.offset,
            client=fields.client(user.get("ipAddress")),
            account=fields.mailbox(target.get("userPrincipalName")),
            actor=fields.mailbox(actor),
            what=what,
            detail=name[:200],
        ),
    )
