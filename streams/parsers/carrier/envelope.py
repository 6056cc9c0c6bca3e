"""Log lines inside JSON: what shippers put around them. Other objects are what they say.

Which shipper it was is told by a name that only its objects have; shapes/ knows the rest of each.
An envelope may hold others (a Filebeat line that Docker wrote, a batch of OpenTelemetry), up to
`DEEPEST`. An object that no shipper made is a document: an event as it is.
"""

import json
from collections.abc import Callable
from typing import Any

import orjson
from msgspec import structs

from streams.parsers.carrier.letter import Found, Letter, Opened, clock, first, inside, when
from streams.parsers.carrier.shapes import clouds, files, syslog

LONGEST_LINE = 65_536  # characters of a line that Docker has split
DEEPEST = 4  # envelopes around a line
MOST = 20_000  # lines of one batch
SPLIT = 64  # files whose line goes on in the next

TIMES = (
    "CreationTime", "createdDateTime", "time", "Received", "@timestamp", "timestamp", "ts",
    "EventTime", "TimeCreated", "TimeGenerated", "activityDateTime", "receivedDateTime",
    "time_unix", "unix_time", "time_usec",
)  # fmt: skip
"""Where documents tell their time: ISO 8601, or Unix time. Parsers may know better."""

HOSTS = ("Hostname", "hostname", "host", "computer_name")

Shape = Callable[[Found], Opened]
Nest = Callable[[Found, clouds.Open], Opened]

# A field, and whose it is: the first that an object has decides.
SHAPES: tuple[tuple[str, Shape], ...] = (
    ("__REALTIME_TIMESTAMP", syslog.journal),
    ("SYSLOG_IDENTIFIER", syslog.journal),
    ("syslog_identifier", syslog.journal),
    ("syslogtag", syslog.rsyslog),
    ("rawmsg", syslog.rsyslog),
    ("short_message", syslog.gelf),
    ("source_type", files.vector),
    ("MESSAGE", syslog.syslog_ng),
    ("SyslogFacility", syslog.nxlog),
    ("SyslogFacilityValue", syslog.nxlog),
)
NESTS: tuple[tuple[str, type, Nest], ...] = (
    ("resourceLogs", list, clouds.otlp),
    ("specversion", str, clouds.cloud_event),
    ("logEvents", list, clouds.cloudwatch),
    ("textPayload", str, clouds.google),
    ("jsonPayload", dict, clouds.google),
    ("streams", list, clouds.loki),
    ("records", list, clouds.held("records")),
    ("logs", list, clouds.held("logs")),
    ("record", dict, clouds.held("record")),
    ("_source", dict, clouds.held("_source")),
)
NESTING = frozenset(name for name, _, _ in NESTS)
EVENTS = ("winlog", "EventID", "EventData", "reqId", "severity_level")
"""In what is a document with a message: events of Windows, Nextcloud's, rspamd's."""
CONNECT = frozenset({"schema", "payload"})  # of Kafka Connect's JsonConverter
SPLUNK = frozenset({"time", "host", "source", "sourcetype", "index", "event", "fields"})
ELASTIC = ("@version", "@metadata", "agent", "ecs", "beat", "input")


class Splits:
    """Remembers the first parts of the split lines of one source."""

    def __init__(self) -> None:
        self.begun: dict[str, str] = {}  # by file

    def whole(self, letter: Letter) -> Letter | None:
        """The letter with all of its line; None where that goes on in the next."""
        begun = self.begun
        if not begun and not letter.split:
            return letter
        line = (begun.pop(letter.file, "") + letter.text)[:LONGEST_LINE]
        if not letter.split:
            return structs.replace(letter, text=line)
        if len(begun) < SPLIT:
            begun[letter.file] = line
        return None


def opened(text: str | bytes) -> list[Letter]:
    """The letters in JSON: an object, an array, or several of them one after the other."""
    letters: list[Letter] = []
    for value in _values(text):
        letters += _open(value, 0)
        if len(letters) > MOST:
            raise ValueError(f"more than {MOST} lines in one message")
    return letters


def _values(text: str | bytes) -> list[Any]:
    try:
        return [orjson.loads(text)]
    except orjson.JSONDecodeError as error:
        found = _one_after_the_other(text)
        if not found:
            raise ValueError(f"no JSON: {error}") from error
        return found


def _one_after_the_other(text: str | bytes) -> list[Any]:
    """Objects on lines of their own, or, as Splunk's collector takes them, with nothing in
    between; none where there are not two, or anything else is among them."""
    plain = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes) else text
    lines = [line for line in plain.split("\n") if line and not line.isspace()]
    if len(lines) > 1:
        try:
            return list(map(orjson.loads, lines))
        except orjson.JSONDecodeError:
            pass
    decode, at = json.JSONDecoder().raw_decode, 0
    found: list[Any] = []
    if plain.count("{") < 2 or plain.rstrip()[-1:] != "}":
        return []
    try:
        while at < len(plain) and len(found) <= MOST:
            value, at = decode(plain, at)
            found.append(value)
            while plain[at : at + 1].isspace():
                at += 1
    except (ValueError, RecursionError):
        return []
    return found if len(found) > 1 else []


def _open(value: Any, depth: int) -> list[Letter]:
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, list):
        if len(value) > MOST:
            raise ValueError(f"more than {MOST} lines in one message")
        if 2 <= len(value) <= 3 and isinstance(value[-1], dict):
            at, _ = clock(value[-2])
            if at is not None:  # Fluentd's: tag, time, record
                return _inside(value[-1], Letter("", at=at), depth)
        return [letter for one in value for letter in _open(one, depth + 1)]
    if isinstance(value, str):
        return _text(value, depth)
    return []


def _text(said: str, depth: int) -> list[Letter]:
    """Lines of text; one may be an envelope again."""
    if said[:1] == "{" and depth <= DEEPEST:
        return _open(orjson.loads(said), depth + 1)
    # Strangers may write U+2028 and others that str.splitlines takes for an end.
    return [Letter(line) for line in said.split("\n") if line.strip()]


def _object(found: dict[str, Any], depth: int) -> list[Letter]:
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} envelopes, one in the other")
    if found.keys().isdisjoint(EVENTS):
        for name, shape in SHAPES:
            if name in found:
                return _listed(shape(found))
        for name, kind, nest in () if found.keys().isdisjoint(NESTING) else NESTS:
            if isinstance(found.get(name), kind):
                return _listed(nest(found, lambda value, known: _inside(value, known, depth)))
        if "payload" in found and found.keys() <= CONNECT:
            return _inside(found["payload"], Letter(""), depth)
        if "body" in found and isinstance(found.get("attributes"), dict):
            return _listed(
                clouds.plain_record(found, lambda value, known: _inside(value, known, depth))
            )
        if "event" in found and found.keys() <= SPLUNK and len(found) > 1:
            return _listed(clouds.splunk(found, lambda value, known: _inside(value, known, depth)))
        letter = _line(found)
        if letter is not None:
            return _listed(letter)
    return [_document(found)]


def _line(found: dict[str, Any]) -> Opened:
    if isinstance(found.get("log"), str) or found.keys() == files.DOCKER:
        return files.docker(found)
    if not found.keys().isdisjoint(ELASTIC) or isinstance(found.get("host"), dict):
        return files.ecs(found)
    return files.fluent(found)


def _inside(value: Any, known: Letter, depth: int) -> list[Letter]:
    """The letters in `value`, with what the envelope around it knows where they are silent."""
    return [_completed(letter, known) for letter in _open(value, depth + 1)]


def _completed(letter: Letter, known: Letter) -> Letter:
    untold = letter.at is None and not letter.stamp
    return structs.replace(
        letter,
        at=known.at if untold else letter.at,
        stamp=known.stamp if untold else letter.stamp,
        read=known.read if untold else letter.read,
        host=letter.host or known.host,
        file=letter.file or known.file,
    )


def _document(found: dict[str, Any]) -> Letter:
    at, stamp = when(found, TIMES)
    host = first(inside(found, "host"), ("name", "hostname"))
    host = host or first(inside(found, "winlog"), ("computer_name",)) or first(found, HOSTS)
    return Letter("", at=at, stamp=stamp, host=host, data=found)


def _listed(found: Opened) -> list[Letter]:
    if isinstance(found, list):
        return found
    return [] if found is None else [found]
