"""Envelopes of what came through syslog or the journal: the program is named.

- The journal (``journalctl -o json``, systemd's JOURNAL_EXPORT_FORMATS.md): all values are text;
  one that is no valid UTF-8 is an array of bytes, one that is too long is null, one that a
  program set twice is an array of values. Vector's journald source and Fluent Bit's systemd
  input keep most names and say the time their own way.
- rsyslog: ``%jsonmesg%`` (all properties), and templates of ``omkafka`` with the names of the
  properties. ``programname`` is cut at the first slash: ``syslogtag`` comes first.
- syslog-ng: ``$(format-json)``, its macros as names (scopes rfc3164, rfc5424, everything).
- NXLog (xm_syslog's fields, through to_json()): ``SourceName`` is the program.
- GELF (https://go2docs.graylog.org/current/getting_in_log_data/gelf.html): ``short_message``, with
  further fields after an underscore. The time may be missing.
"""

from streams.parsers.carrier.letter import Found, Letter, Opened, first, tag, text, when

JOURNAL_TEXTS = ("MESSAGE", "message")
JOURNAL_HOSTS = ("_HOSTNAME", "_hostname", "HOSTNAME", "hostname", "host")
JOURNAL_PROGRAMS = ("SYSLOG_IDENTIFIER", "syslog_identifier", "_COMM", "_comm")
JOURNAL_PIDS = ("SYSLOG_PID", "syslog_pid", "_PID", "_pid", "PID")
JOURNAL_TIMES = (
    "__REALTIME_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
    "timestamp",
    "@timestamp",
    "date",
    "time",
)


def journal(found: Found) -> Opened:
    said = next((text(found[name]) for name in JOURNAL_TEXTS if name in found), "")
    if not said:
        return None
    at, stamp = when(found, JOURNAL_TIMES)
    if "__REALTIME_TIMESTAMP" in found and at is None:
        raise ValueError("__REALTIME_TIMESTAMP must be microseconds")
    return Letter(
        said,
        at=at,
        stamp=stamp,
        host=first(found, JOURNAL_HOSTS),
        program=first(found, JOURNAL_PROGRAMS),
        pid=first(found, JOURNAL_PIDS),
    )


RSYSLOG_TEXTS = ("msg", "message")
RSYSLOG_HOSTS = ("hostname", "host", "source", "fromhost")
RSYSLOG_PROGRAMS = ("app-name", "programname", "program", "appname")
RSYSLOG_TIMES = ("timereported", "@timestamp", "timestamp", "time", "timegenerated")


def rsyslog(found: Found) -> Opened:
    program, pid = tag(text(found.get("syslogtag")))
    said = next((text(found[name]) for name in RSYSLOG_TEXTS if name in found), "")
    if not said:
        said = text(found.get("rawmsg"))
        return Letter(said) if said else None
    at, stamp = when(found, RSYSLOG_TIMES)
    return Letter(
        said.lstrip(" "),
        at=at,
        stamp=stamp,
        host=first(found, RSYSLOG_HOSTS),
        program=program or first(found, RSYSLOG_PROGRAMS),
        pid=pid or first(found, ("procid", "pid")),
    )


NG_TIMES = (
    "S_ISODATE",
    "ISODATE",
    "S_UNIXTIME",
    "UNIXTIME",
    "DATE",
    "R_ISODATE",
    "R_UNIXTIME",
    "C_ISODATE",
)


def syslog_ng(found: Found) -> Opened:
    said = first(found, ("MESSAGE", "MSG", "MSGONLY"))
    if not said:
        return None
    at, stamp = when(found, NG_TIMES)
    program, pid = tag(first(found, ("LEGACY_MSGHDR", "MSGHDR")))
    return Letter(
        said,
        at=at,
        stamp=stamp,
        host=first(found, ("HOST", "FULLHOST", "LOGHOST", "HOST_FROM")),
        program=first(found, ("PROGRAM",)) or program,
        pid=first(found, ("PID",)) or pid,
    )


def nxlog(found: Found) -> Opened:
    said = text(found.get("Message"))
    if not said:
        return None
    at, stamp = when(found, ("EventTime", "EventReceivedTime"))
    return Letter(
        said,
        at=at,
        stamp=stamp,
        host=first(found, ("Hostname", "MessageSourceAddress")),
        program=first(found, ("SourceName",)),
        pid=first(found, ("ProcessID",)),
    )


GELF_PROGRAMS = (
    "_application_name",
    "_app_name",
    "_appname",
    "_program",
    "_ident",
    "_syslog_identifier",
    "_SYSLOG_IDENTIFIER",
    "_process_name",
)
GELF_PIDS = ("_process_id", "_pid", "_procid", "_proc_id", "_PID", "__PID")
GELF_FILES = ("_file", "_path", "_container_id", "_container_name")


def gelf(found: Found) -> Opened:
    said = text(found["short_message"])
    whole = text(found.get("full_message"))
    program = first(found, GELF_PROGRAMS)
    if (said and len(whole) > len(said) and whole.startswith(said)) or (
        not program and whole.startswith("<")
    ):
        said = whole
    if not said:
        return None
    at, stamp = when(found, ("timestamp", "_timestamp"))
    return Letter(
        said,
        at=at,
        stamp=stamp,
        host=first(found, ("host", "_hostname", "source")),
        program=program,
        pid=first(found, GELF_PIDS),
        file=first(found, GELF_FILES),
        read=not program,
    )
