"""Envelopes of shippers that follow files and containers: mostly a line with its own header.

- Elastic Common Schema: Filebeat, Elastic Agent, Logstash (which may have changed ``message`` and
  keeps ``event.original``; before ECS its ``host`` is a word and its grok examples name
  ``syslog_program``), journald and syslog inputs of these.
- Vector: ``source_type`` says how it was read.
- Docker's json-file driver: ``log`` ends with a newline, except where a line was longer than
  16 KiB and goes on in the next object. Its time is the program's.
- Fluent Bit and Fluentd: the record of the input or parser, with the time as ``@timestamp``,
  ``date`` or ``time``; ``kubernetes`` within. ``logtag`` P: the line goes on.
"""

from typing import Any

from streams.parsers.carrier.letter import Found, Letter, Opened, first, inside, tag, text, when
from streams.parsers.carrier.shapes import syslog

TEXTS = ("message", "log", "msg", "line", "raw", "_raw", "raw_event", "Message")
TIMES = ("@timestamp", "timestamp", "time", "date", "ts", "_time")
HOSTS = (
    "hostname",
    "host",
    "HOST",
    "_HOSTNAME",
    "logsource",
    "syslog_hostname",
    "source_host",
    "Hostname",
)
PROGRAMS = (
    "ident",
    "appname",
    "app_name",
    "app-name",
    "application_name",
    "program",
    "programname",
    "syslog_program",
)
PIDS = ("pid", "procid", "proc_id", "process_id", "syslog_pid")
FILES = ("file", "path", "filename", "filepath", "tailed_path", "container_id", "source")


def ecs(found: Found) -> Opened:
    """Whatever has ``@timestamp`` as text, or is Logstash's."""
    event = inside(found, "event")
    said, original = text(found.get("message")), text(event.get("original"))
    log, host = inside(found, "log"), inside(found, "host")
    header = inside(log, "syslog")
    program = (
        first(header, ("appname",))
        or first(inside(found, "syslog"), ("identifier", "appname"))
        or first(inside(found, "process"), ("name",))
        or first(found, PROGRAMS)
    )
    if original and not (program and said):
        said = original
    if not said:
        return None
    at, stamp = when(found, TIMES)
    origin = (
        first(header, ("hostname",))
        or first(inside(found, "kubernetes"), ("pod_name",))
        or first(inside(inside(found, "kubernetes"), "pod"), ("name",))
        or first(host, ("name", "hostname"))
        or first(found, HOSTS)
        or first(inside(found, "agent"), ("hostname", "name"))
        or first(inside(found, "beat"), ("hostname", "name"))
    )
    return Letter(
        said,
        at=at,
        stamp=stamp,
        host=origin,
        program=program,
        pid=first(header, ("procid",))
        or first(inside(found, "process"), ("pid",))
        or first(found, PIDS),
        file=first(inside(log, "file"), ("path",)) or first(found, FILES),
        read=not program,
    )


def vector(found: Found) -> Opened:
    kind = found["source_type"]
    if kind == "journald":
        return syslog.journal(found)
    said = text(found.get("message"))
    if not said:
        return None
    at, stamp = when(found, TIMES)
    program = first(found, ("appname",))
    return Letter(
        said,
        at=at,
        stamp=stamp,
        host=first(inside(found, "kubernetes"), ("pod_name",)) or first(found, HOSTS),
        program=program,
        pid=first(found, ("procid",)),
        file=first(found, ("file", "container_id")) + first(found, ("stream",)),
        read=not program and kind not in {"docker_logs", "kubernetes_logs"},
    )


DOCKER = frozenset({"log", "stream", "time"})


def docker(found: Found) -> Opened:
    """Docker's own object; others that have a ``log`` are `fluent`'s or nobody's."""
    if "stream" not in found or not found.keys() - {"attrs"} <= DOCKER:
        return fluent(found)
    log, stream, stamp = (found.get(name, "") for name in ("log", "stream", "time"))
    if not (isinstance(log, str) and isinstance(stream, str) and isinstance(stamp, str)):
        raise ValueError("Docker's log, stream and time must be text")
    if not stamp:
        raise ValueError("no time: Docker's tells when it was said")
    whole = log.endswith("\n")
    if not log.strip() and whole:
        return []
    return Letter(log.rstrip("\r\n"), stamp=stamp, file=stream, split=not whole)


def fluent(found: Found) -> Opened:
    """A record of Fluent Bit, Fluentd, or anyone: it may also be something else as a whole."""
    kubernetes, docked = inside(found, "kubernetes"), inside(found, "docker")
    said = next((said for name in TEXTS if name in found and (said := text(found[name]))), "")
    if not said or "winlog" in found:
        return None
    stream, tagged = first(found, ("stream",)), first(found, ("logtag", "_p"))
    spoken = stream and "time" in found  # the moment when a container wrote it
    at, stamp = when(found, ("time",) if spoken else TIMES)
    program, pid = first(found, PROGRAMS), first(found, PIDS)
    program = program or first(inside(found, "syslog"), ("appname", "identifier"))
    if not program:
        named = first(found, ("tag", "syslogtag"))
        program, pid = tag(named) if named[-1:] in ("]", ":") else ("", pid)
    file = (
        first(kubernetes, ("container_name", "docker_id"))
        + first(docked, ("container_id",))
        + (first(found, FILES) + stream)
    )
    sure = program or kubernetes or docked or (stream and "log" in found)
    return Letter(
        said.lstrip(" ") if program else said.rstrip("\r\n"),
        at=at,
        stamp=stamp,
        host=first(kubernetes, ("pod_name",))
        or first(inside(found, "host"), ("name", "hostname"))
        or first(found, HOSTS)
        or first(kubernetes, ("host",)),
        program=program,
        pid=pid,
        file=file,
        read=not program and not spoken,
        split=tagged == "P",
        data=None if sure else _whole(found),
    )


def _whole(found: Found) -> dict[str, Any]:
    return found if isinstance(found, dict) else dict(found)
