"""Unified audit log: logins, changes of mailboxes and accounts, Defender's verdicts on mail.

Sources: the Office 365 Management Activity API's schema (Defender's: TIMailData), the mailbox
audit's actions, the parameters of New-InboxRule, Set-InboxRule and Set-Mailbox. ``ResultStatus``
of a failed login is ``Success``: the operation tells. Times are UTC without saying so.

Reading mail (MailItemsAccessed) and sending it (Send) are no login and no acceptance, and say
nothing here; the message trace has what was sent.
"""

from typing import Any

import orjson

from schemas.events import Auth, Change, Verdict
from streams.parsers import fields
from streams.parsers.m365 import signin
from streams.parsers.m365.directory import activity
from streams.parsers.moments import moment
from streams.parsers.part import Items, Record

LONGEST_DETAIL = 500

RULES = frozenset({
    "New-InboxRule", "Set-InboxRule", "Enable-InboxRule", "UpdateInboxRules",
    "New-TransportRule", "Set-TransportRule", "Enable-TransportRule", "Set-SweepRule",
    "New-SweepRule", "New-InboundConnector", "Set-InboundConnector", "New-OutboundConnector",
    "Set-OutboundConnector",
})  # fmt: skip
MAILBOX = frozenset({"Set-Mailbox", "Set-MailUser", "Set-RemoteMailbox"})
RIGHTS = frozenset({
    "Add-MailboxPermission", "Add-RecipientPermission", "Add-MailboxFolderPermission",
})  # fmt: skip
SIGNATURE = frozenset({"Set-MailboxMessageConfiguration"})

FORWARDS = (
    "ForwardTo",
    "RedirectTo",
    "ForwardAsAttachmentTo",
    "RedirectMessageTo",
    "BlindCopyTo",
    "CopyTo",
    "ForwardingSmtpAddress",
    "ForwardingAddress",
    "Forward",
    "Redirect",
    "ForwardAsAttachment",
)
IDENTITIES = ("EmailAddresses", "PrimarySmtpAddress", "WindowsEmailAddress", "DisplayName")
TELLING = (
    *FORWARDS,
    *IDENTITIES,
    "DeleteMessage",
    "Delete",
    "MoveToFolder",
    "MarkAsRead",
    "SubjectContainsWords",
    "SubjectOrBodyContainsWords",
    "BodyContainsWords",
    "From",
    "Name",
    "RuleName",
    "Trustee",
    "User",
    "AccessRights",
    "SignatureText",
    "SignatureHtml",
)
"""Parameters that a change's detail shows."""

LOGON_ERRORS = {
    "invalidusernameorpassword": "bad_password",
    "userstrongauthclientauthnrequiredinterrupt": "mfa",
    "userstrongauthclientauthnrequired": "mfa",
    "useraccountnotfound": "unknown_account",
    "idsconnectionerror": "rejected",
    "idslocked": "locked",
    "userdisabled": "disabled",
    "invalidpasswordexpiredpassword": "expired",
    "blockedbyconditionalaccess": "policy",
    "externalsecuritychallenge": "mfa",
}

THREATS = {"spam": "spam", "phish": "spam", "malware": "virus"}
"""Defender's verdicts on a message, which is told only where it is a threat."""

CLIENTS = {"imap4": "imap", "pop3": "pop3", "smtp": "submission"}


def read(record: Record, data: dict[str, Any]) -> Items:
    operation = data["Operation"]
    if not isinstance(operation, str):
        raise ValueError("Operation must be text")
    if operation in ("UserLoggedIn", "UserLoginFailed", "MailboxLogin"):
        return _login(record, data, operation)
    if operation in RULES:
        return _rule(record, data)
    if operation in MAILBOX:
        return _mailbox(record, data)
    if operation in RIGHTS:
        return _change(record, data, "identity", _parameters(data))
    if operation in SIGNATURE:
        given = _parameters(data)
        if not any(name.startswith("Signature") for name in given):
            return ()
        return _change(record, data, "signature", given)
    if operation == "TIMailData":
        return _threat(record, data)
    what = activity(operation)
    return _change(record, data, what, {}) if what else ()


def _client(data: dict[str, Any]) -> str:
    for name in ("ClientIP", "ClientIPAddress", "ActorIpAddress"):
        found = fields.client(data.get(name))
        if found:
            return found
    return ""


def _account(value: Any) -> str:
    """An account; those that only have a number, or nobody's, are none."""
    name = fields.mailbox(value)
    return "" if name in ("not available", "unknown", "anonymous") else name


def _login(record: Record, data: dict[str, Any], operation: str) -> Items:
    account = _account(data.get("MailboxOwnerUPN") or data.get("UserId"))
    code = fields.number(data.get("ErrorNumber"))
    judged: tuple[str, str] | None = ("ok", "")
    if operation == "UserLoginFailed":
        error = fields.text(data.get("LogonError")).replace(" ", "").lower()
        reason = LOGON_ERRORS.get(error, "")
        judged = signin.outcome(code) if code else ("failed", reason or "rejected")
        if judged == ("failed", "rejected") and reason:
            judged = ("failed", reason)
    if judged is None:
        return ()
    return (
        Auth(
            at=moment(data.get("CreationTime")) or record.at,
            gateway=record.host,
            offset=record.offset,
            client=_client(data),
            account=account,
            outcome=judged[0],
            reason=judged[1],
            service=_service(data),
        ),
    )


def _threat(record: Record, data: dict[str, Any]) -> Items:
    said = fields.text(data.get("Verdict"))
    kind = THREATS.get(said.lower())
    if kind is None:
        return ()
    return (
        Verdict(
            at=moment(data.get("CreationTime")) or record.at,
            gateway=record.host,
            offset=record.offset,
            client=fields.client(data.get("SenderIp")),
            sender=fields.mailbox(data.get("P1Sender")),
            kind=kind,
            scale=said.lower(),
        ),
    )


def _service(data: dict[str, Any]) -> str:
    """The protocol of a login: ``Client=POP3/IMAP4;Protocol=IMAP4``, or a user agent that only
    basic authentication has."""
    said = fields.text(data.get("ClientInfoString")).lower()
    for name, service in CLIENTS.items():
        if f"protocol={name}" in said or f"client={name}" in said:
            return service
    agent = fields.named(data.get("ExtendedProperties"), "Name", "Value").get("UserAgent")
    return "" if fields.text(agent) in ("BAV2ROPC", "CBAInPROD", "CBAInTAR") else "web"


def _parameters(data: dict[str, Any]) -> dict[str, Any]:
    """What a command was given; of a rule that Outlook made, what it does."""
    given = fields.named(data.get("Parameters"), "Name", "Value")
    given |= fields.named(data.get("OperationProperties"), "Name", "Value")
    actions = given.get("RuleActions")
    if isinstance(actions, str):
        try:
            told = orjson.loads(actions)
        except orjson.JSONDecodeError:
            told = []  # cut: what it does is unknown
        for action in fields.records(told):
            kind = fields.text(action.get("ActionType"))
            targets = action.get("Recipients") or action.get("DestinationFolder") or ""
            given[kind] = ", ".join(map(str, targets)) if isinstance(targets, list) else targets
    return given


def _rule(record: Record, data: dict[str, Any]) -> Items:
    given = _parameters(data)
    if given.get("RuleOperation") == "RemoveMailboxRule":
        return ()
    forwards = any(given.get(name) is not None for name in FORWARDS)
    return _change(record, data, "forward" if forwards else "rule", given)


def _mailbox(record: Record, data: dict[str, Any]) -> Items:
    given = _parameters(data)
    if any(given.get(name) for name in ("ForwardingSmtpAddress", "ForwardingAddress")):
        return _change(record, data, "forward", given)
    if any(name in given for name in IDENTITIES):
        return _change(record, data, "identity", given)
    return ()


def _change(record: Record, data: dict[str, Any], what: str, given: dict[str, Any]) -> Items:
    actor = _account(data.get("UserId"))
    told = [f"{name}={given[name]}" for name in TELLING if given.get(name) not in (None, "")]
    return (
        Change(
            at=moment(data.get("CreationTime")) or record.at,
            gateway=record.host,
            offset=record.offset,
            client=_client(data),
            account=_owner(data, given) or actor,
            actor=actor,
            what=what,
            detail="; ".join([data["Operation"], *told])[:LONGEST_DETAIL],
        ),
    )


def _owner(data: dict[str, Any], given: dict[str, Any]) -> str:
    """Whose mailbox or account it is: an address, where one is told."""
    target = next(fields.records(data.get("Target")), {}).get("ID")
    for value in (data.get("MailboxOwnerUPN"), given.get("Mailbox"), given.get("Identity"), target,
                  data.get("ObjectId")):  # fmt: skip
        name = _account(value)
        if name.partition("@")[2] and "\\" not in name and " " not in name:
            return name
    return ""
