"""Haraka 2.7 to 3.1: its log as plain text, as logfmt and as JSON.

From logger.js (the three forms), connection.js, plugins.js, plugins/auth/auth_base.js and
outbound/hmail.js. A connection has a UUID, its transactions ``UUID.1``, ``UUID.2``, their
deliveries ``UUID.1.1``. That a login failed is only told by the delay that follows; who tried,
and who logged in, is not told at all. What the levels DEBUG and below show (passwords, too) is
passed over.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson

from schemas import net
from schemas.events import Auth, Connection, Delivery, Message, Recipient, Verdict
from streams.parsers import reply
from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Part, Record

LONGEST_REPLY = 300
MOST_FIELDS = 64

_HEAD = re.compile(
    r"\[(?P<level>[A-Z]{4,8})\] \[(?P<uuid>[0-9A-Fa-f.-]{1,60})\] \[(?P<source>[^\]\s]{1,60})\] ?"
)
_PAIR = re.compile(r"(?P<name>[a-z_]{1,24})=(?P<value>\"(?:[^\"\\]|\\.)*\"|\S*)(?: |$)")
_LOGFMT = re.compile(r"level=(?P<level>[A-Z]{4,8}) uuid=(?P<uuid>[0-9A-Fa-f.-]{1,60}) ")
_SCORE = re.compile(
    r"(?:is_spam: (?P<rspamd>true|false)|status=(?P<sa>Yes|No)), .{0,60}?"
    r"score[:=] ?(?P<score>-?\d{1,6}(?:\.\d{1,6})?),"
)
_DELAYING = re.compile(r"delaying for [\d.]{1,12} seconds")
_FAILING = re.compile(r"Temp failing \S{1,300} for \d{1,9} seconds: (?P<why>.*)", re.DOTALL)
_BOUNCED = re.compile(r"(?:bouncing mail|bounced|Bouncing): ?(?P<why>.*)", re.DOTALL)
_REPLY = re.compile(r"(?P<code>[245]\d\d)[ -](?:(?P<enhanced>[245]\.\d{1,3}\.\d{1,3}) )?")

_LEVELS = frozenset({"INFO", "NOTICE", "WARN", "ERROR", "CRIT", "ALERT", "EMERG"})
_DENIED = {"DENY": 550, "DENYDISCONNECT": 550, "DENYSOFT": 450, "DENYSOFTDISCONNECT": 450}
_AT_CONNECT = frozenset({"connect", "lookup_rdns", "connect_init", "helo", "ehlo"})
"""Hooks whose refusal only their own line tells."""


class _Line:
    """What a line says, whatever form it has."""

    __slots__ = ("fields", "record", "source", "text", "uuid")

    def __init__(
        self, record: Record, uuid: str, source: str, text: str, fields: dict[str, str] | None
    ) -> None:
        self.record = record
        self.uuid = uuid
        self.source = source
        self.text = text  # the words, up to the fields where those are known
        self.fields = fields

    @property
    def connection(self) -> str:
        return self.uuid.partition(".")[0]

    @property
    def transaction(self) -> str:
        first, _, rest = self.uuid.partition(".")
        return f"{first}.{rest.partition('.')[0]}" if rest else ""

    def get(self, begin: int, most: int = MOST_FIELDS) -> dict[str, str]:
        """The fields behind the first `begin` characters; at least the first `most` of them."""
        return _pairs(self.text, begin, most) if self.fields is None else self.fields


def _pairs(text: str, at: int, most: int = MOST_FIELDS) -> dict[str, str]:
    """``name=value name="a value"`` up to what is none; the first of a name counts."""
    found: dict[str, str] = {}
    while len(found) < most and (pair := _PAIR.match(text, at)) is not None:
        name, value = pair.groups()
        found.setdefault(name, _unquoted(value) if value[:1] == '"' else value)
        at = pair.end()
    return found


def _unquoted(value: str) -> str:
    return value[1:-1].replace('\\"', '"').replace("\\\\", "\\") if value[-1:] == '"' else value


def read(record: Record) -> Items | None:
    """A line in either form of text; None where it is in none of them."""
    text = record.text
    found = _HEAD.match(text)
    if found:
        level, uuid, source = found.groups()
        said = _Line(record, uuid, source, text[found.end() :].lstrip(), None)
    else:
        if not text.startswith("level="):
            return None
        found = _LOGFMT.match(text)
        if found is None:
            return None
        level, uuid = found.groups()
        fields = _pairs(text, found.end())
        source, words = fields.get("source", ""), fields.get("message", "")
        said = _Line(record, uuid, source, words, fields)
    return _say(said) if level in _LEVELS else ()


def _document(record: Record) -> Items | None:
    """``{"level":"NOTICE","uuid":U,"source":"core","message":"connect","ip":...}``"""
    data = record.data
    if not isinstance(data, dict) or not {"level", "uuid", "source", "message"} <= data.keys():
        return None
    level, uuid, source, words = (data[name] for name in ("level", "uuid", "source", "message"))
    if not all(isinstance(value, str) for value in (level, uuid, source, words)):
        return None
    fields = {name: _plain(value) for name, value in data.items()}
    return _say(_Line(record, uuid, source, words, fields)) if level in _LEVELS else ()


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value, default=str).decode() if value is not None else ""


def _say(line: _Line) -> Items:
    if line.source == "core":
        word = line.text.partition(" ")[0]
        tell = _CORE.get(word)
        if tell is None and word[:5] == "hook=":
            tell, word = _hook, ""
        elif tell is None and not word and line.fields is not None and "hook" in line.fields:
            tell = _hook
        return tell(line, len(word) + 1 if word else 0) if tell is not None else ()
    if line.source.startswith("auth/"):
        return _not_logged_in(line)
    if line.source == "outbound":
        return _outbound(line)
    if line.source in ("rspamd", "spamassassin"):
        return _verdict(line)
    return ()


# -- sessions -----------------------------------------------------------------------------------


def _session(line: _Line, kind: Any, values: dict[str, Any], **more: Any) -> Part:
    record = line.record
    return Part(
        record.at,
        record.host,
        "session",
        line.connection,
        offset=record.offset,
        event=kind,
        values=values,
        **more,
    )


def _connect(line: _Line, begin: int) -> Items:
    client = net.address(line.get(begin, 1).get("ip", ""))
    keeps = {"client": client, "origin": "haraka"}
    return (_session(line, Connection, {"client": client}, keeps=keeps),)


def _disconnect(line: _Line, begin: int) -> Items:
    fields = line.get(begin, 3)
    name = fields.get("rdns", "")
    values = {
        "client": net.address(fields.get("ip", "")),
        "name": name if "." in name else "",
        "helo": fields.get("helo", "")[:255],
        "outcome": "closed",
    }
    return (_session(line, Connection, values, ends=True),)


def _hook(line: _Line, begin: int) -> Items:
    """``hook=connect plugin=dnsbl function=f params="" retval=DENY msg="why"``"""
    fields = line.get(begin)
    if fields.get("hook") not in _AT_CONNECT or _DENIED.get(fields.get("retval", "")) != 550:
        return ()
    _, reason = reply.verdict(550, "", fields.get("msg", ""))
    return (_session(line, Connection, {"outcome": "refused", "reason": reason}),)


def _not_logged_in(line: _Line) -> Items:
    if not _DELAYING.match(line.text):
        return ()
    values = {"outcome": "failed", "reason": "rejected", "service": "smtp"}
    return (_session(line, Auth, values),)


# -- messages -----------------------------------------------------------------------------------


def _queue(
    line: _Line, keeps: dict[str, Any] | None, kind: Any, values: dict[str, Any], **more: Any
) -> Part:
    record = line.record
    return Part(
        record.at,
        record.host,
        "queue",
        line.transaction,
        keeps,
        record.offset,
        kind,
        values,
        session=line.connection,
        **more,
    )


def _answered(line: _Line, begin: int) -> tuple[str, dict[str, str]]:
    """(address, fields) of ``sender <a> code=OK msg=""``. The address is a stranger's text, but
    its line names no client."""
    if line.fields is not None:
        return line.text[begin:].strip("<> ").lower()[:320], line.fields
    at = line.text.rfind("> code=", begin)
    if at < 0:
        return "", {}
    return line.text[begin:at].strip("<> ").lower()[:320], _pairs(line.text, at + 2)


def _refusal(fields: dict[str, str], code: int) -> dict[str, Any]:
    words = fields.get("msg", "")
    said = _REPLY.match(words)
    if said:
        code, words = int(said["code"]), words[said.end() :]
    enhanced = (said["enhanced"] or "") if said else ""
    verdict, reason = reply.verdict(code, enhanced, words)
    return {"verdict": verdict, "code": code, "enhanced": enhanced, "reason": reason}


def _sender(line: _Line, begin: int) -> Items:
    sender, fields = _answered(line, begin)
    code = _DENIED.get(fields.get("code", ""))
    if code is None:
        keeps = {"sender": sender, "origin": "haraka"}
        return (_queue(line, keeps, None, {}),)
    if code == 450:
        return ()
    return (_session(line, Connection, {"outcome": "refused", "reason": "sender"}),)


def _recipient(line: _Line, begin: int) -> Items:
    recipient, fields = _answered(line, begin)
    said = fields.get("code", "")
    if said == "CONT":  # no plugin wants it
        refusal = {"verdict": "relay_denied", "code": 550, "reason": "relay_denied"}
    elif said in _DENIED:
        refusal = _refusal(fields, _DENIED[said])
    elif said == "OK":
        # No line on a delivery names its recipients
        return (_queue(line, {"sole_recipient": recipient, "origin": "haraka"}, None, {}),)
    else:
        return ()
    values = {
        "recipient": recipient,
        "queue_id": line.transaction,
        "sender": fields.get("sender", "").strip("<>").lower()[:320],
        **refusal,
    }
    return (_queue(line, None, Recipient, values),)


def _text(line: _Line, begin: int) -> Items:
    """``message mid="<m>" size=n rcpts=accepted/later/refused delay=s code=CONT msg=""``"""
    fields = line.get(begin)
    size, count = fields.get("size", ""), fields.get("rcpts", "").partition("/")[0]
    keeps = {
        "message_id": fields.get("mid", "").strip(" <>")[:255],
        "size": int(size) if size.isdecimal() else 0,
        "recipients": int(count) if count.isdecimal() else 0,
        "origin": "haraka",
    }
    if fields.get("code") not in _DENIED:
        return (_queue(line, keeps, None, {}),)
    return (_not_taken(line, fields, keeps),)


def _not_taken(line: _Line, fields: dict[str, str], keeps: dict[str, Any] | None) -> Part:
    refusal = _refusal(fields, _DENIED[fields["code"]])
    if refusal["verdict"] == "refused":
        refusal |= {"verdict": "blocked", "reason": "content"}
    return _queue(line, keeps, Recipient, {"queue_id": line.transaction, **refusal})


def _queued(line: _Line, begin: int) -> Items:
    fields = line.get(begin)
    said = fields.get("code", "")
    if said in _DENIED:
        return (_not_taken(line, fields, None),)
    if said == "OK" or (said == "CONT" and fields.get("msg")):
        values = {"queue_id": line.transaction}
        return (_queue(line, None, Message, values, once="message"),)
    return ()


def _outbound(line: _Line) -> Items:
    if line.text.startswith("delivered"):
        fields = line.get(len("delivered "))
        relay = fields.get("host", "").rstrip(".")
        return (_delivery(line, "sent", relay, fields.get("response", "")),)
    failing = _FAILING.match(line.text)
    if failing:
        return (_delivery(line, "deferred", "", failing["why"]),)
    bounced = _BOUNCED.match(line.text)
    return (_delivery(line, "bounced", "", bounced["why"]),) if bounced else ()


def _delivery(line: _Line, status: str, relay: str, words: str) -> Part:
    said = _REPLY.match(words)
    enhanced = (said["enhanced"] or "") if said else ""
    values = {
        "queue_id": line.transaction,
        "status": status,
        "relay": relay,
        "enhanced": enhanced,
        "reason": "" if status == "sent" else reply.failure(enhanced, words[:LONGEST_REPLY]),
    }
    return _queue(line, None, Delivery, values)


def _verdict(line: _Line) -> Items:
    """The filters' own results: ``is_spam: false, is_skipped: false, score: 2.5, ...`` and
    ``status=No, score=-15.0, required=5.0, ...``"""
    found = _SCORE.match(line.text)
    if found is None:
        return ()
    values = {
        "queue_id": line.transaction,
        "kind": "spam" if found["rspamd"] == "true" or found["sa"] == "Yes" else "ham",
        "score": float(found["score"]),
        "scale": "rspamd" if line.source == "rspamd" else "SpamAssassin",
    }
    return (_queue(line, None, Verdict, values),)


_CORE: dict[str, Callable[[_Line, int], Items]] = {
    "connect": _connect,
    "disconnect": _disconnect,
    "sender": _sender,
    "recipient": _recipient,
    "message": _text,
    "queue": _queued,
}


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program in ("", "haraka"):
        return read
    return _document if program == DOCUMENT else None


FORMAT = Format(
    "haraka",
    parser,
    begins=r"\[[A-Z]{4,8}\] \[|level=",
    keys=("uuid",),
)
