"""Sign-ins of Entra ID (Azure AD), as Graph's ``signIn`` has them.

Sources: Microsoft Graph's signIn resource, the table of AADSTS error codes. ``clientAppUsed``
names legacy protocols; whatever is modern is ``web``. Error codes are numbers or text.
"""

from typing import Any

from schemas.events import Auth
from streams.parsers import fields
from streams.parsers.moments import moment
from streams.parsers.part import Items, Record

SERVICES = {
    "authenticated smtp": "submission",
    "smtp": "submission",
    "imap4": "imap",
    "imap": "imap",
    "pop3": "pop3",
    "pop": "pop3",
    "other clients": "",
    "other clients; older office clients": "",
}

FAILURES = {
    50034: "unknown_account",
    50020: "unknown_account",
    51004: "unknown_account",
    90072: "unknown_account",
    50126: "bad_password",
    50056: "bad_password",
    50064: "bad_password",
    50053: "locked",
    50055: "expired",
    50144: "expired",
    50173: "expired",
    50057: "disabled",
    50105: "not_authorized",
    53000: "policy",
    53001: "policy",
    53003: "policy",
    53004: "policy",
    530032: "policy",
    50005: "policy",
    # The password was right; what else is asked for was not given.
    50072: "mfa",
    50074: "mfa",
    50076: "mfa",
    50079: "mfa",
    50158: "mfa",
    500121: "mfa",
}

QUESTIONS = frozenset({
    16000, 16001, 16003, 50058, 50097, 50125, 50127, 50129, 50132, 50133, 50140, 50143, 50199,
    51006, 65001, 65004, 70043, 70044, 81010, 81012, 700082,
})  # fmt: skip
"""The page asks for something more, or an old session has ended: nobody tried a password."""


def outcome(code: int) -> tuple[str, str] | None:
    """(outcome, reason) of an attempt that ended with this error; None where it was none."""
    if code == 0:
        return "ok", ""
    if code in QUESTIONS:
        return None
    reason = FAILURES.get(code)
    if reason is None and (90000 <= code < 91000 or 700000 <= code < 710000):
        return "error", "server"
    return "failed", reason or "rejected"


def read(record: Record, data: dict[str, Any]) -> Items:
    status = fields.record(data.get("status"))
    said = status.get("errorCode", data.get("resultType"))
    account = fields.mailbox(data.get("userPrincipalName"))
    judged = outcome(fields.number(said))
    if judged is None or not account:
        return ()
    app = fields.text(data.get("clientAppUsed")).lower()
    return (
        Auth(
            at=moment(data.get("createdDateTime")) or record.at,
            gateway=record.host,
            offset=record.offset,
            client=fields.client(data.get("ipAddress")),
            account=account,
            outcome=judged[0],
            reason=judged[1],
            service=SERVICES.get(app, "web"),
        ),
    )
