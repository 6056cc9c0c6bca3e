"""Envelopes that hold other envelopes, or many lines: collectors and clouds.

- OpenTelemetry logs as OTLP/JSON (opentelemetry-proto, logs/v1/logs.proto): resources, scopes,
  records; times in nanoseconds as text. The syslog receiver's attributes name the program.
  Also one record alone with its attributes as plain JSON.
- CloudEvents 1.0 in JSON: ``data`` or ``data_base64``.
- Amazon CloudWatch Logs subscriptions (``logEvents``), Google Cloud Logging (``textPayload``,
  ``jsonPayload``), Azure diagnostic settings and Event Hubs (``records``).
- Splunk's HTTP Event Collector (``event``), Grafana Loki's push API (``streams``).
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from streams.parsers.carrier.letter import (
    Found,
    Letter,
    Opened,
    clock,
    first,
    inside,
    text,
    when,
    word,
)

DEEPEST = 16  # of the values of an OTLP body

Open = Callable[[Any, Letter], list[Letter]]
"""Opens what lies inside (an object, an array, a text); the letter says what is known already."""


def otlp(found: Found, open_value: Open) -> Opened:
    out: list[Letter] = []
    for resource in _objects(found.get("resourceLogs")):
        about = _attributes(inside(resource, "resource"))
        scopes = resource.get("scopeLogs") or resource.get("instrumentationLibraryLogs")
        for scope in _objects(scopes):
            for record in _objects(scope.get("logRecords")):
                out += _record(record, about, open_value)
    return out


OTLP_HOSTS = ("hostname", "host.name", "net.host.name", "syslog.hostname", "host")
OTLP_PROGRAMS = ("appname", "app_name", "syslog.appname", "SYSLOG_IDENTIFIER", "program")
OTLP_PIDS = ("proc_id", "procid", "process.pid", "syslog.procid", "_PID", "pid")
OTLP_FILES = ("log.file.path", "log.file.name", "k8s.container.name", "container.id")


def plain_record(found: Found, open_value: Open) -> Opened:
    body = found["body"]
    said = body.get("text", body) if isinstance(body, dict) else body
    about = inside(inside(found, "resource"), "attributes")
    return _of_record(found, inside(found, "attributes"), about, said, open_value)


def _record(record: Found, about: Found, open_value: Open) -> list[Letter]:
    body = _value(record.get("body"), 0)
    return _of_record(record, _attributes(record), about, body, open_value)


def _of_record(
    record: Found, own: Found, about: Found, body: Any, open_value: Open
) -> list[Letter]:
    everything = {**about, **own}
    program = first(own, OTLP_PROGRAMS)
    said = text(own.get("message")) if program else ""
    at, stamp = when(record, ("timeUnixNano", "timestamp", "@timestamp"))
    read = at is None and not stamp
    if read:
        at, stamp = when(record, ("observedTimeUnixNano", "observed_timestamp"))
    letter = Letter(
        said or text(body),
        at=at,
        stamp=stamp,
        host=first(own, OTLP_HOSTS)
        or first(about, ("k8s.pod.name",))
        or first(everything, OTLP_HOSTS),
        program=program,
        pid=first(own, OTLP_PIDS) if program else "",
        file=first(everything, OTLP_FILES),
        read=read or not program,
    )
    if letter.text:
        return [letter]
    return open_value(body, letter) if isinstance(body, dict | list) else []


def _attributes(found: Found) -> dict[str, Any]:
    return {
        one["key"]: _value(one.get("value"), 0)
        for one in _objects(found.get("attributes"))
        if isinstance(one.get("key"), str)
    }


def _value(value: Any, depth: int) -> Any:
    """An AnyValue as plain JSON."""
    if not isinstance(value, dict) or depth > DEEPEST:
        return value if isinstance(value, str) else None
    for name in ("stringValue", "intValue", "doubleValue", "boolValue"):
        if name in value:
            return value[name]
    if "bytesValue" in value:
        return _decoded(value["bytesValue"])
    if "kvlistValue" in value:
        return {
            one["key"]: _value(one.get("value"), depth + 1)
            for one in _objects(inside(value, "kvlistValue").get("values"))
            if isinstance(one.get("key"), str)
        }
    many = inside(value, "arrayValue").get("values")
    return [_value(one, depth + 1) for one in many] if isinstance(many, list) else None


def cloud_event(found: Found, open_value: Open) -> Opened:
    """``time`` is that of the occurrence, else of whoever made the envelope."""
    data = found.get("data")
    if data is None and "data_base64" in found:
        data = _decoded(found["data_base64"])
    at, stamp = when(found, ("time",))
    return open_value(data, Letter("", at=at, stamp=stamp, read=True))


def cloudwatch(found: Found, open_value: Open) -> Opened:
    group, stream = first(found, ("logGroup",)), first(found, ("logStream",))
    out: list[Letter] = []
    for event in _objects(found["logEvents"]):
        at, stamp = when(event, ("timestamp",))
        known = Letter("", at=at, stamp=stamp, host=stream, file=f"{group}/{stream}", read=True)
        out += open_value(text(event.get("message")), known)
    return out


def google(found: Found, open_value: Open) -> Opened:
    resource = inside(inside(found, "resource"), "labels")
    labels = inside(found, "labels")
    at, stamp = when(found, ("timestamp", "receiveTimestamp"))
    known = Letter(
        "",
        at=at,
        stamp=stamp,
        host=first(labels, ("compute.googleapis.com/resource_name", "k8s-pod/app"))
        or first(resource, ("pod_name", "instance_name", "instance_id")),
        file=first(found, ("logName",)),
        read=True,
    )
    payload = found.get("textPayload") or found.get("jsonPayload")
    return open_value(payload, known)


def held(name: str) -> Callable[[Found, Open], Opened]:
    """What lies in a field of that name."""

    def opened(found: Found, open_value: Open) -> Opened:
        at, stamp = when(found, ("time", "timestamp", "@timestamp"))
        return open_value(found[name], Letter("", at=at, stamp=stamp))

    return opened


def splunk(found: Found, open_value: Open) -> Opened:
    at, stamp = when(found, ("time",))
    known = Letter(
        "",
        at=at,
        stamp=stamp,
        host=first(found, ("host",)),
        file=first(found, ("source",)),
        read=True,
    )
    return open_value(found["event"], known)


def loki(found: Found, open_value: Open) -> Opened:
    out: list[Letter] = []
    for one in _objects(found["streams"]):
        labels = inside(one, "stream")
        host = first(labels, ("host", "hostname", "pod", "instance", "nodename"))
        file = first(labels, ("filename", "container", "job"))
        values = one.get("values")
        for pair in values if isinstance(values, list) else ():
            if isinstance(pair, list) and len(pair) >= 2:
                at, stamp = clock(word(pair[0]))
                known = Letter("", at=at, stamp=stamp, host=host, file=file, read=True)
                out += open_value(text(pair[1]), known)
    return out


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _decoded(value: Any) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "backslashreplace")
    except (TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"no base64: {error}") from error
