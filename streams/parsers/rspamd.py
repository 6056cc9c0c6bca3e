"""rspamd 1.x to 4.x: its verdict on each message.

Sources: rspamd's conf/logging.inc (``log_format``), src/libserver/task.c (rspamd_task_write_log,
how a message is told), src/libutil/logger (prefixes of files, syslog and ``log_json``),
lualib and plugins/lua/metadata_exporter.lua (JSON), plugins/lua/history_redis.lua (rows of the
history). A message is told once, in whichever of these shapes.

The Message-ID, the login and the sender stand around the client's address and may say anything:
an address counts only where no other ``ip:`` stands in the line. Says nothing of what became of
the message: the mail server does.
"""

import re
from typing import Any

from schemas import net
from streams.parsers import fields
from streams.parsers.moments import moment
from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Record
from streams.parsers.verdicts import verdict

SCALE = "rspamd"

KINDS = {
    "reject": "spam",
    "add header": "spam",
    "rewrite subject": "spam",
    "quarantine": "spam",
    "discard": "spam",
    "greylist": "grey",
    "soft reject": "grey",
    "no action": "ham",
    "accept": "ham",
}

_WRITTEN = "; rspamd_task_write_log: "
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? )?"
    r"(?:#\d{1,10}\([\w-]{1,40}\) )?<[^<>;]{0,40}>; [\w-]{1,40}"
)
_METRIC = re.compile(
    r"\((?P<metric>[\w-]{1,40}): (?P<flag>[TFS]) \((?P<action>[a-z ]{1,40})\): "
    r"\[(?P<score>-?\d{1,9}(?:\.\d{1,9})?|nan)/(?P<most>[^\]\s]{1,20})\]"
)
_LEAD = re.compile(
    r"id: <(?P<id>[^>]{0,998})>(?:, qid: <(?P<qid>[^>]{0,64})>)?(?:, ip: (?P<ip>[^,\s]{1,64}))?"
    r"(?:, user: (?P<user>[^,]{1,320}))?(?:, (?:smtp_)?from: <(?P<from>[^>]{0,320})>)?, "
)
_VIRUS = re.compile(r"\b[A-Z0-9_]{0,30}VIRUS(?:_[A-Z]{1,20})?\(")


def _log(record: Record) -> Items | None:
    """A line of rspamd's log."""
    before, found, said = record.text.partition(_WRITTEN)
    if not found:
        return ()
    if not _PREFIX.fullmatch(before):
        return None
    return _told(record, said)


def _told(record: Record, said: str) -> Items:
    lead = _LEAD.match(said)
    metric = _METRIC.search(said, lead.end() if lead else 0)
    if metric is None:
        return ()
    kind = KINDS.get(metric["action"], "")
    if kind == "spam" and _VIRUS.search(said, metric.end()):
        kind = "virus"
    score = 0.0 if metric["score"] == "nan" else float(metric["score"])
    if lead is None:
        return verdict(record, kind, scale=SCALE, score=score)
    alone = said.count(" ip: ") == 1
    return verdict(
        record,
        kind,
        lead["qid"] or "",
        client=net.address(lead["ip"]) if lead["ip"] and alone else "",
        account=fields.mailbox(lead["user"] or ""),
        sender=fields.mailbox(lead["from"] or ""),
        scale=SCALE,
        score=score,
    )


def _document(record: Record) -> Items | None:
    """A line as ``log_json`` has it, a message as the metadata exporter posts it, or a row of the
    history."""
    data = record.data
    if "action" in data and "symbols" in data:
        return _scanned(record, data)
    if data.get("function") == "rspamd_task_write_log":
        return _told(record, fields.text(data.get("message")))
    if "severity_level" in data and "worker_type" in data and "module" in data:
        return ()
    return None


def _scanned(record: Record, data: dict[str, Any]) -> Items | None:
    action = fields.text(data["action"])
    score = data.get("score")
    if action not in KINDS or not isinstance(score, int | float):
        return None
    symbols = data["symbols"]
    names = symbols if isinstance(symbols, dict) else (s.get("name") for s in _symbols(symbols))
    kind = KINDS[action]
    if kind == "spam" and any("VIRUS" in name for name in names if isinstance(name, str)):
        kind = "virus"
    sender = data.get("from", data.get("sender_smtp"))
    return verdict(
        record,
        kind,
        _known(fields.text(data.get("qid")))[:64],
        at=moment(data.get("unix_time")),
        client=fields.client(data.get("ip")),
        account=_known(fields.mailbox(data.get("user"))),
        sender=_known(fields.mailbox(sender)),
        scale=SCALE,
        score=float(score),
    )


def _known(value: str) -> str:
    return "" if value == "unknown" else value


def _symbols(value: Any) -> list[dict[str, Any]]:
    return list(fields.records(value))


def _text(record: Record) -> Items | None:
    """A line without a tag: rspamd's own file begins ``#pid(worker)``."""
    text = record.text
    if text[:1] not in ("#", "<") or _WRITTEN not in text[:200]:
        return None
    return _log(record)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if not program:
        return _text
    if program == DOCUMENT:
        return _document
    return _log if program in ("rspamd", "rspamd_proxy") else None


FORMAT = Format(
    "rspamd",
    parser,
    holds=(_WRITTEN,),
    keys=("symbols", "function", "worker_type"),
)
