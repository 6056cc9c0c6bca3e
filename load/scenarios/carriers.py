"""How a line travels from the host that it was written on: syslog's own forms, and the envelopes
of shippers, journals and clouds.

The shapes are those that each program writes by default, or that its own manual shows for mail
logs; streams/parsers/carrier/shapes names the sources. A shipper reads a line some seconds after
it was written (`LATER`), and says so; where it only follows a file, that is no time of the event.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

LATER = 2_345_678  # microseconds
SECOND = 1_000_000
MAIL_INFO = "<22>"  # facility mail, severity info (RFC 5424, section 6.2.1)


class Told(Struct, frozen=True):
    """A line on its way. `text` begins with syslog's tag, or, where it stands in a `file` of its
    program, with whatever that writes there."""

    us: int  # Unix time in microseconds
    host: str
    file: str
    text: str

    @property
    def line(self) -> str:
        """As it stands in the file that a shipper follows."""
        return self.text if self.file else f"{_iso(self.us)} {self.host} {self.text}"

    @property
    def path(self) -> str:
        return self.file or "/var/log/mail.log"

    @property
    def later(self) -> str:
        """When a shipper read it."""
        return _z(self.us + LATER, 3)

    @property
    def tag(self) -> str:
        return self.text.partition(": ")[0]

    @property
    def program(self) -> str:
        return self.tag.partition("[")[0]

    @property
    def pid(self) -> str:
        return self.tag.partition("[")[2].rstrip("]")

    @property
    def said(self) -> str:
        return self.text.partition(": ")[2]


class Carrier(Struct, frozen=True):
    """`digits` of a second are told; `follows`: it can also carry lines of a program's file."""

    carry: Callable[[Told], str]
    digits: int = 6
    follows: bool = False


@lru_cache(maxsize=4)
def _iso_second(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


@lru_cache(maxsize=4)
def _bsd_second(second: int) -> str:
    when = datetime.fromtimestamp(second, UTC)
    return f"{when:%b} {when.day:2d} {when:%H:%M:%S}"


def _iso(us: int) -> str:
    """As rsyslog's RSYSLOG_FileFormat template writes it (RFC 3339)."""
    return f"{_iso_second(us // SECOND)}.{us % SECOND:06d}+00:00"


def _z(us: int, digits: int = 6) -> str:
    return f"{_iso_second(us // SECOND)}.{f'{us % SECOND:06d}'[:digits].ljust(digits, '0')}Z"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def stamp(at: float) -> str:
    """Unix seconds as programs write them in UTC, to a millisecond."""
    second = int(at)
    return _z(second * SECOND + int((at - second) * 1e6), 3)


def _filled(value: dict[str, Any]) -> dict[str, Any]:
    """Without the fields that say nothing, as shippers leave them out."""
    return {name: one for name, one in value.items() if one != ""}


# -- syslog and the journal ---------------------------------------------------------------------


def iso(told: Told) -> str:
    return f"{_iso(told.us)} {told.host} {told.text}"


def rfc3164(told: Told) -> str:
    return f"{_bsd_second(told.us // SECOND)} {told.host} {told.text}"


def rfc3164_wire(told: Told) -> str:
    return MAIL_INFO + rfc3164(told)


def rfc5424(told: Told) -> str:
    head = f"{MAIL_INFO}1 {_z(told.us)} {told.host} {told.program} {told.pid or '-'} - -"
    return f"{head} {told.said}"


def journal(told: Told) -> str:
    """``journalctl -o json``."""
    return _json(_filled({
        "__REALTIME_TIMESTAMP": str(told.us), "_TRANSPORT": "syslog", "PRIORITY": "6",
        "SYSLOG_FACILITY": "2", "_HOSTNAME": told.host, "SYSLOG_IDENTIFIER": told.program,
        "SYSLOG_PID": told.pid, "MESSAGE": told.said,
    }))  # fmt: skip


def rsyslog_json(told: Told) -> str:
    """``%jsonmesg%``."""
    return _json({
        "msg": f" {told.said}", "rawmsg": MAIL_INFO + rfc3164(told), "timereported": _iso(told.us),
        "hostname": told.host, "syslogtag": f"{told.tag}:", "inputname": "imuxsock",
        "fromhost": told.host, "fromhost-ip": "127.0.0.1", "pri": "22", "syslogfacility": "2",
        "syslogseverity": "6", "timegenerated": _iso(told.us + LATER),
        "programname": told.program.partition("/")[0], "protocol-version": "0",
        "structured-data": "-", "app-name": told.program.partition("/")[0],
        "procid": told.pid or "-", "msgid": "-", "uuid": None, "$!": None,
    })  # fmt: skip


def rsyslog_template(told: Told) -> str:
    """A template for omkafka or omelasticsearch, as rsyslog's manual shows it."""
    return _json({
        "@timestamp": _iso(told.us), "host": told.host, "severity": "info", "facility": "mail",
        "syslogtag": f"{told.tag}:", "message": f" {told.said}",
    })  # fmt: skip


def syslog_ng(told: Told) -> str:
    """``$(format-json --scope rfc3164 --key ISODATE)`` with microseconds."""
    return _json(_filled({
        "PROGRAM": told.program, "PRIORITY": "info", "PID": told.pid, "MESSAGE": told.said,
        "ISODATE": _iso(told.us), "HOST": told.host, "FACILITY": "mail",
        "DATE": _bsd_second(told.us // SECOND),
    }))  # fmt: skip


def nxlog(told: Told) -> str:
    """xm_syslog's fields by ``to_json()``."""
    return _json(_filled({
        "SyslogFacilityValue": 2, "SyslogFacility": "MAIL", "SyslogSeverity": "INFO",
        "Hostname": told.host, "EventReceivedTime": _z(told.us + LATER),
        "EventTime": _z(told.us), "SourceName": told.program,
        "ProcessID": int(told.pid) if told.pid else "", "Message": told.said,
    }))  # fmt: skip


def gelf(told: Told) -> str:
    """GELF 1.1 as syslog-ng's ``$(format-gelf)`` names the further fields."""
    return _json(_filled({
        "version": "1.1", "host": told.host, "short_message": told.said,
        "timestamp": told.us / SECOND, "level": 6, "_program": told.program, "_pid": told.pid,
    }))  # fmt: skip


# -- what follows files -------------------------------------------------------------------------


def filebeat(told: Told) -> str:
    return _json({
        "@timestamp": told.later, "@metadata": {"beat": "filebeat", "version": "8.17.0"},
        "message": told.line, "log": {"offset": 0, "file": {"path": told.path}},
        "input": {"type": "filestream"}, "ecs": {"version": "8.0.0"},
        "host": {"name": told.host}, "agent": {"type": "filebeat", "name": told.host},
    })  # fmt: skip


def filebeat_syslog(told: Told) -> str:
    """Filebeat's syslog processor."""
    return _json({
        "@timestamp": _z(told.us), "message": told.said,
        "event": {"original": rfc3164(told)},
        "log": {"syslog": _filled({
            "appname": told.program, "procid": told.pid, "hostname": told.host,
        })},
        "agent": {"type": "filebeat", "name": "relay"}, "host": {"name": "relay"},
    })  # fmt: skip


def logstash(told: Told) -> str:
    return _json({
        "@timestamp": told.later, "@version": "1", "path": told.path, "host": told.host,
        "message": told.line,
    })  # fmt: skip


def vector(told: Told) -> str:
    return _json({
        "file": told.path, "host": told.host, "message": told.line, "source_type": "file",
        "timestamp": told.later,
    })  # fmt: skip


def vector_syslog(told: Told) -> str:
    return _json(_filled({
        "appname": told.program, "facility": "mail", "host": "relay", "hostname": told.host,
        "message": told.said, "procid": int(told.pid) if told.pid else "", "severity": "info",
        "source_ip": "127.0.0.1", "source_type": "syslog", "timestamp": _z(told.us),
    }))  # fmt: skip


def vector_journald(told: Told) -> str:
    return _json(_filled({
        "PRIORITY": "6", "SYSLOG_IDENTIFIER": told.program, "SYSLOG_PID": told.pid,
        "__REALTIME_TIMESTAMP": str(told.us), "host": told.host, "message": told.said,
        "source_type": "journald", "timestamp": _z(told.us),
    }))  # fmt: skip


def fluent_bit(told: Told) -> str:
    """Its tail input, with the record_modifier filter that its manual shows for the host."""
    return _json({
        "@timestamp": (told.us + LATER) / SECOND, "log": told.line, "filename": told.path,
        "hostname": told.host,
    })  # fmt: skip


def fluent_bit_syslog(told: Told) -> str:
    return _json(_filled({
        "@timestamp": told.us / SECOND, "pri": "22", "host": told.host, "ident": told.program,
        "pid": told.pid, "message": told.said,
    }))  # fmt: skip


def fluent_bit_systemd(told: Told) -> str:
    return _json(_filled({
        "@timestamp": _z(told.us), "_HOSTNAME": told.host, "SYSLOG_IDENTIFIER": told.program,
        "SYSLOG_PID": told.pid, "MESSAGE": told.said,
    }))  # fmt: skip


def fluentd(told: Told) -> str:
    """Its syslog input, as tag, time and record."""
    record = {"host": told.host, "ident": told.program, "pid": told.pid, "message": told.said}
    return _json(["mail.info", told.us / SECOND, _filled(record)])


def docker(told: Told) -> str:
    """The json-file driver; what is inside wrote its own head, as Postfix's postlogd does."""
    return _json({
        "log": f"{rfc3164(told)}\n", "stream": "stdout", "time": f"{_z(told.us)[:-1]}000Z",
    })  # fmt: skip


def kubernetes(told: Told) -> str:
    """The container runtime's own files (CRI)."""
    return f"{_z(told.us)[:-1]}000Z stdout F {rfc3164(told)}"


# -- collectors and clouds ----------------------------------------------------------------------


def otlp(told: Told) -> str:
    """OpenTelemetry's file receiver, as OTLP/JSON."""
    record = {
        "observedTimeUnixNano": f"{told.us + LATER}000", "body": {"stringValue": told.line},
        "attributes": [_attribute("log.file.path", told.path)],
    }  # fmt: skip
    return _otlp([_attribute("host.name", told.host)], record)


def otlp_syslog(told: Told) -> str:
    """OpenTelemetry's syslog receiver."""
    names = {"appname": told.program, "proc_id": told.pid, "hostname": told.host}
    attributes = [_attribute(name, value) for name, value in _filled(names).items()]
    record = {
        "timeUnixNano": f"{told.us}000", "body": {"stringValue": MAIL_INFO + rfc3164(told)},
        "attributes": [*attributes, _attribute("message", told.said)],
    }  # fmt: skip
    return _otlp([], record)


def _attribute(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def _otlp(about: list[dict[str, Any]], record: dict[str, Any]) -> str:
    scopes = [{"scope": {}, "logRecords": [record]}]
    return _json({"resourceLogs": [{"resource": {"attributes": about}, "scopeLogs": scopes}]})


def cloud_event(told: Told) -> str:
    return _json({
        "specversion": "1.0", "id": str(told.us), "source": f"/{told.host}", "type": "log",
        "time": told.later, "data": iso(told),
    })  # fmt: skip


def cloudwatch(told: Told) -> str:
    event = {"id": "0", "timestamp": (told.us + LATER) // 1000, "message": told.line}
    return _json({
        "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": told.path, "logStream": told.host,
        "subscriptionFilters": ["all"], "logEvents": [event],
    })  # fmt: skip


def google(told: Told) -> str:
    return _json({
        "insertId": "x", "logName": f"projects/p/logs/{told.path.rpartition('/')[2]}",
        "resource": {"type": "gce_instance", "labels": {"instance_id": "4711"}},
        "labels": {"compute.googleapis.com/resource_name": told.host},
        "timestamp": told.later, "textPayload": told.line,
    })  # fmt: skip


def azure(told: Told) -> str:
    """Records as Event Hubs have them."""
    return _json({"records": [{"time": told.later, "host": told.host, "message": iso(told)}]})


def splunk(told: Told) -> str:
    """To the HTTP Event Collector."""
    return _json({
        "time": (told.us + LATER) / SECOND, "host": told.host, "source": told.path,
        "sourcetype": "syslog", "event": told.line,
    })  # fmt: skip


def loki(told: Told) -> str:
    stream = {"host": told.host, "filename": told.path}
    values = [[f"{told.us + LATER}000", told.line]]
    return _json({"streams": [{"stream": stream, "values": values}]})


def datadog(told: Told) -> str:
    return _json({
        "ddsource": "syslog", "hostname": told.host, "message": told.said,
        "timestamp": told.us // 1000,
        "syslog": _filled({"appname": told.program, "procid": told.pid}),
    })  # fmt: skip


def kafka_connect(told: Told) -> str:
    """JsonConverter with its schema."""
    return _json({"schema": {"type": "string", "optional": False}, "payload": iso(told)})


CARRIERS: dict[str, Carrier] = {
    "iso": Carrier(iso),
    "rfc3164": Carrier(rfc3164, 0),
    "rfc3164-wire": Carrier(rfc3164_wire, 0),
    "rfc5424": Carrier(rfc5424),
    "journal": Carrier(journal),
    "rsyslog-json": Carrier(rsyslog_json),
    "rsyslog-template": Carrier(rsyslog_template),
    "syslog-ng": Carrier(syslog_ng),
    "nxlog": Carrier(nxlog),
    "gelf": Carrier(gelf),
    "filebeat": Carrier(filebeat, follows=True),
    "filebeat-syslog": Carrier(filebeat_syslog),
    "logstash": Carrier(logstash, follows=True),
    "vector": Carrier(vector, follows=True),
    "vector-syslog": Carrier(vector_syslog),
    "vector-journald": Carrier(vector_journald),
    "fluent-bit": Carrier(fluent_bit, follows=True),
    "fluent-bit-syslog": Carrier(fluent_bit_syslog),
    "fluent-bit-systemd": Carrier(fluent_bit_systemd),
    "fluentd": Carrier(fluentd),
    "docker": Carrier(docker),
    "kubernetes": Carrier(kubernetes),
    "otlp": Carrier(otlp, follows=True),
    "otlp-syslog": Carrier(otlp_syslog),
    "cloudevents": Carrier(cloud_event),
    "cloudwatch": Carrier(cloudwatch, follows=True),
    "google": Carrier(google, follows=True),
    "azure": Carrier(azure),
    "splunk": Carrier(splunk, follows=True),
    "loki": Carrier(loki, follows=True),
    "datadog": Carrier(datadog, 3),
    "kafka-connect": Carrier(kafka_connect),
}
"""By the name that ``--carrier`` takes."""
