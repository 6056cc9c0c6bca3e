"""Dovecot's event exporter (2.3 and later): each event as a JSON object.

``{"event": NAME, "hostname": H, "start_time": T, "end_time": T, "fields": {...}}``, in a log of
its own or behind ``stats:`` in Dovecot's. Names of events and fields from the manual's list of
events; times are RFC 3339 or Unix seconds. ``auth_request_finished`` is one attempt, whose
failure the login process or the SMTP server may report too; the failures that ``login_aborted``
sums up are told there already.
"""

from datetime import datetime
from typing import Any

import orjson

from schemas import net
from schemas.events import Auth, Connection, Delivery
from streams.parsers import reply
from streams.parsers.dovecot import login
from streams.parsers.dovecot.delivery import PATIENCE
from streams.parsers.dovecot.words import account
from streams.parsers.part import Attempt, Items, Part, Record

_SERVICES = {"smtp": "submission", "submission": "submission", "managesieve": "sieve"}
_REASONS = {
    "password_mismatch": "bad_password",
    "user_unknown": "unknown_account",
    "user_disabled": "disabled",
    "pass_expired": "expired",
    "refused": "policy",
}
_FAULTS = frozenset({"internal_failure", "temp_fail", "scheme_not_available"})


def read(record: Record, name: str, rest: str) -> Items:
    """What the statistics process writes into the log."""
    begin = rest.find("{", 0, 40)
    if begin < 0:
        return ()
    try:
        said = orjson.loads(rest[begin:])
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from error
    return _event(record, said) or ()


def document(record: Record) -> Items | None:
    """An object of its own."""
    return _event(record, record.data)


def _event(record: Record, said: dict[str, Any]) -> Items | None:
    fields = said.get("fields")
    read = _READERS.get(said.get("event", "")) if isinstance(said.get("event"), str) else None
    if read is None or not isinstance(fields, dict):
        return None
    host = said.get("hostname")
    at = _time(said.get("end_time")) or _time(said.get("start_time")) or record.at
    gateway = host if isinstance(host, str) and host else record.host
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    return read(Record(at, gateway, record.program, "", "", record.offset), texts, fields)


def _time(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else 0.0
    except ValueError:
        return 0.0


def _attempt(record: Record, texts: dict[str, str], fields: dict[str, Any]) -> Items:
    service = texts.get("protocol") or texts.get("service", "")
    mechanism = texts.get("mechanism") or texts.get("mech", "")
    good = texts.get("success") == "yes"
    result = texts.get("policy_result", "")
    if result != "refused":
        result = texts.get("passdb_result") or texts.get("result", "")
    fault = result in _FAULTS or "internal failure" in texts.get("error", "").lower()
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=net.address(texts.get("remote_ip", "")),
        account=account(texts.get("user", "")),
        outcome="ok" if good else "error" if fault else "failed",
        reason="" if good else "server" if fault else _REASONS.get(result, "rejected"),
        mechanism=mechanism.upper()[:40],
        service=_SERVICES.get(service, service)[:40],
    )
    session = texts.get("session", "")
    if good:
        return (Attempt("summary", auth, session),) if session else (auth,)
    return (Attempt("detail", auth, session),)


def _aborted(record: Record, texts: dict[str, str], fields: dict[str, Any]) -> Items:
    kind, outcome, reason = login.CODES.get(texts.get("reason", ""), (Connection, "closed", ""))
    if kind is Auth:
        return ()
    return (
        Connection(
            at=record.at,
            gateway=record.host,
            offset=record.offset,
            client=net.address(texts.get("remote_ip", "")),
            outcome=outcome,
            reason=reason,
        ),
    )


def _delivered(record: Record, texts: dict[str, str], fields: dict[str, Any]) -> Items:
    message_id = texts.get("message_id", "").strip(" <>")[:255]
    values = {
        "message_id": message_id,
        "recipient": account(texts.get("user", "")),
        "relay": "dovecot",
    }
    sender = texts.get("message_from")
    if sender:
        values["sender"] = account(sender)
    error = texts.get("error")
    if error:
        values["status"], values["reason"] = "deferred", reply.failure("", error)
    return (
        Part(
            record.at,
            record.host,
            "mailbox",
            message_id,
            offset=record.offset,
            event=Delivery,
            values=values,
            wait=PATIENCE,
        ),
    )


_READERS = {
    "auth_request_finished": _attempt,
    "login_aborted": _aborted,
    "mail_delivery_finished": _delivered,
}
