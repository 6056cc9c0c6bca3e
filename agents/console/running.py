"""What `mailwarden run` on this server says of itself: its ``/metrics`` and ``/healthz``."""

import http.client
import urllib.error
import urllib.request

import msgspec
from msgspec import Struct, field
from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 2.0  # seconds
LARGEST = 8 << 20  # bytes of an answer
PREFIX = "mailwarden_"
OF_SOURCES = {
    "lines_total": "lines",
    "events_total": "events",
    "source_behind_bytes": "behind",
    "source_readable": "up",
}
SOURCES = 1000


class Running(Struct, frozen=True, kw_only=True):
    status: str  # ok, degraded, failing
    failing: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)
    lag: float = 0.0  # seconds, of the newest event when it was folded
    records: float = 0.0  # subjects that are remembered
    late: float = 0.0  # events more than five minutes behind
    dead: float = 0.0  # lines that are ours and could not be read
    broken: float = 0.0  # exceptions of detectors
    nobody: float = 0.0  # lines of programs that are not ours
    begun: float = 0.0  # Unix seconds
    memory: float = 0.0  # bytes
    sources: dict[str, dict[str, float]] = field(default_factory=dict)


class _Healthz(Struct):
    status: str = ""
    failing: list[str] = field(default_factory=list)
    degraded: list[str] = field(default_factory=list)


def ask(listen: str) -> Running:
    """What the program at `listen` (host:port) says. Raises OSError or ValueError."""
    said = msgspec.json.decode(_get(listen, "healthz"), type=_Healthz)
    single: dict[str, float] = {}
    sources: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(_get(listen, "metrics").decode()):
        for sample in family.samples:
            name = sample.name.removeprefix(PREFIX)
            source = sample.labels.get("source")
            if source is None:
                single[name] = sample.value
            elif name in OF_SOURCES and (source in sources or len(sources) < SOURCES):
                sources.setdefault(source, {})[OF_SOURCES[name]] = sample.value
    return Running(
        status=said.status,
        failing=said.failing,
        degraded=said.degraded,
        lag=single.get("lag_seconds", 0.0),
        records=single.get("records", 0.0),
        late=single.get("late_events_total", 0.0),
        dead=single.get("dead_letters_total", 0.0),
        broken=single.get("detector_failures_total", 0.0),
        nobody=single.get("nobody_lines_total", 0.0),
        begun=single.get("process_start_time_seconds", 0.0),
        memory=single.get("process_resident_memory_bytes", 0.0),
        sources=sources,
    )


def _get(listen: str, path: str) -> bytes:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{listen}/{path}", timeout=PATIENCE) as answer:
            return bytes(answer.read(LARGEST))
    except urllib.error.HTTPError as error:
        with error:
            return error.read(LARGEST)  # 503: it is failing, and says why
    except http.client.HTTPException as error:
        raise ValueError(f"{listen}: {error}") from error
