"""OpenTelemetry traces of an alert's way, where they are switched on: from its newest event to the
alert, and from there to each sink. https://opentelemetry.io/docs/specs/otlp/

A trace is one revision of an alert. Its id follows from the alert's, so that the processes on its
way write one trace without telling each other. A span names ids, kinds and counts, and nothing that
a log said. They leave by a thread of their own, and are dropped where nobody takes them.
"""

import hashlib
import logging
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from schemas.findings import Alert
from schemas.settings import SettingsError, TracesSettings
from streams.said import said

if TYPE_CHECKING:
    from opentelemetry.context import Context

log = logging.getLogger(__name__)

WAITING = 2048  # spans that have not left yet
MISSING = "OpenTelemetry is not installed: pip install 'mailwarden[traces]'"
NANO = 1_000_000_000

_lock = threading.Lock()
_running: "Tracing | None" = None


def begin(settings: TracesSettings, service: str, host: str) -> None:
    """Trace from now on, where the settings say so. Raises SettingsError."""
    global _running  # noqa: PLW0603 - a process has one
    end()
    with _lock:
        _running = Tracing(settings, service, host) if settings.url else None


def end() -> None:
    """Send what is left, and stop."""
    global _running
    with _lock:
        before, _running = _running, None
    if before is not None:
        before.close()


def made(alerts: Iterable[Alert], now: float) -> None:
    """These alerts were made just now (Unix seconds)."""
    if _running is not None:
        for alert in alerts:
            _running.made(alert, now)


def told(sink: str, alerts: Iterable[Alert], begun: float, ended: float, trouble: str = "") -> None:
    """A sink was told of these, or could not be for `trouble`, between the two times."""
    if _running is not None:
        for alert in alerts:
            _running.told(sink, alert, (begun, ended), trouble)


class Tracing:
    """Raises SettingsError where the library is not there."""

    def __init__(self, settings: TracesSettings, service: str, host: str) -> None:
        try:
            # Most sites trace nothing, and must not wait for it.
            from opentelemetry import trace  # noqa: PLC0415
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
                BatchSpanProcessor,
                SpanExportResult,
            )
            from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415
        except ImportError as error:
            raise SettingsError(f"traces.url: {MISSING}") from error

        class Ids(RandomIdGenerator):
            """The ids that the thread wants next, else any."""

            def __init__(self) -> None:
                self.next = threading.local()

            def generate_trace_id(self) -> int:
                wanted = getattr(self.next, "trace", 0)
                return wanted or super().generate_trace_id()

            def generate_span_id(self) -> int:
                wanted = getattr(self.next, "span", 0)
                return wanted or super().generate_span_id()

        self._trace = trace
        self._ids = Ids()
        named = {"service.name": service, "host.name": host}
        exporter = OTLPSpanExporter(
            endpoint=settings.url,
            certificate_file=settings.ca or None,
            headers=dict(settings.headers),
            timeout=settings.timeout,
        )
        self._provider = TracerProvider(resource=Resource(named), id_generator=self._ids)
        # It says each time what we say once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        watched = _watched(exporter, SpanExportResult.SUCCESS)
        self._provider.add_span_processor(
            BatchSpanProcessor(watched, max_queue_size=WAITING, schedule_delay_millis=1000)
        )
        self._tracer = self._provider.get_tracer("mailwarden")

    def close(self) -> None:
        self._provider.shutdown()

    def made(self, alert: Alert, now: float) -> None:
        trace, root = _ids(alert)
        self._ids.next.trace, self._ids.next.span = trace, root
        try:
            span = self._tracer.start_span(
                f"detect {alert.detector}", start_time=_nano(alert.last), attributes=_about(alert)
            )
        finally:
            self._ids.next.trace = self._ids.next.span = 0
        span.end(_nano(max(now, alert.last)))

    def told(self, sink: str, alert: Alert, times: tuple[float, float], trouble: str) -> None:
        begun, ended = times
        span = self._tracer.start_span(
            f"tell {sink}",
            context=self._under(alert),
            kind=self._trace.SpanKind.CLIENT,
            start_time=_nano(begun),
            attributes={**_about(alert), "sink": sink, "waited_s": round(begun - alert.at, 3)},
        )
        if trouble:
            span.set_status(self._trace.StatusCode.ERROR, trouble)
        span.end(_nano(max(begun, ended)))

    def _under(self, alert: Alert) -> "Context":
        """Below the alert's making, which another process may have written."""
        trace = self._trace
        ids = _ids(alert)
        flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
        above = trace.SpanContext(*ids, is_remote=True, trace_flags=flags)
        context: Context = trace.set_span_in_context(trace.NonRecordingSpan(above))
        return context


def _watched(exporter: Any, success: Any) -> Any:
    """The same exporter, whose failures are told once."""
    export, trouble = exporter.export, False

    def watched(spans: Any) -> Any:
        nonlocal trouble
        result = export(spans)
        if (result is not success) is not trouble:
            trouble = not trouble
            log.warning(said("traces are dropped" if trouble else "traces arrive again"))
        return result

    exporter.export = watched
    return exporter


def _ids(alert: Alert) -> tuple[int, int]:
    """Of the trace, and of its first span; neither is 0."""
    name = f"{alert.id}-{alert.revision}".encode()
    digest = hashlib.blake2b(name, digest_size=24, person=b"trace").digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:]) or 1


def _about(alert: Alert) -> dict[str, Any]:
    return {
        "alert.id": alert.id,
        "alert.revision": alert.revision,
        "alert.incident": alert.incident,
        "alert.detector": alert.detector,
        "alert.shape": alert.shape,
        "alert.severity": alert.severity,
        "alert.state": alert.state,
        "alert.subject.kind": alert.subject.kind,
        "alert.events": alert.events,
    }


def _nano(seconds: float) -> int:
    return int(seconds * NANO)
