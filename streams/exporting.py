"""Which program exports which metric: a program shows what it can fill, and nothing else, so that
a zero means that nothing happened and never that nobody counts here.

What is not one of ours (the process, Python) is exported by each.
"""

from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

PROGRAMS = ("run", "ship", "intake", "worker", "gateway", "sinks")
PREFIX = "mailwarden_"

_READING = ("run", "ship", "intake")
_FOLLOWING = ("run", "ship")
_THINKING = ("run", "worker")
_ENFORCING = ("run", "gateway")
_TELLING = ("run", "sinks")

BY: dict[str, tuple[str, ...]] = {
    "lines": _READING,
    "events": _READING,
    "mails": _FOLLOWING,
    "nobody_lines": _READING,
    "dead_letters": PROGRAMS,
    "dead_letters_dropped": _THINKING,
    "lag_seconds": _THINKING,
    "source_readable": _FOLLOWING,
    "source_behind_bytes": _FOLLOWING,
    "findings": _THINKING,
    "decisions": _THINKING,
    "records": _THINKING,
    "evicted_records": _THINKING,
    "late_events": _THINKING,
    "gateways_silent": _THINKING,
    "detector_failures": _THINKING,
    "questions": _THINKING,
    "questions_dropped": _THINKING,
    "listed_answering": _THINKING,
    "decisions_in_force": _ENFORCING,
    "gateway_dirty": _ENFORCING,
    "gateway_applied_seconds": ("gateway",),
    "gateway_failures": _ENFORCING,
    "gateway_answers": _ENFORCING,
    "gateway_shed": _ENFORCING,
    "gateway_refused_packets": _ENFORCING,
    "decisions_refused": ("gateway",),
    "gateway_generation": ("gateway",),
    "gateway_lifted": ("gateway",),
    "reports_dropped": _ENFORCING,
    "sink_failures": _TELLING,
    "sink_refused_alerts": _TELLING,
    "sink_waiting_alerts": _TELLING,
    "folded_events": ("worker",),
    "folded_messages": ("worker",),
    "repeated_events": ("worker",),
    "replayed_messages": ("worker",),
    "rereads": ("worker",),
    "trimmed_records": ("worker",),
    "dropped_records": ("worker",),
    "slot_bytes": ("worker",),
    "bus_up": ("ship", "intake", "worker", "gateway"),
    "shipped_bytes": ("ship", "intake"),
    "outbox_bytes": ("ship",),
    "outbox_full": ("ship",),
    "flush_seconds": ("run", "ship", "worker"),
    "store_write_failures": ("run", "ship", "gateway"),
    "reloads": PROGRAMS,
}
"""By the metric's name without prefix and without the ``_total`` of counters. A metric that is not
here is exported by all, and a test asks for its line."""


def exporters(name: str) -> tuple[str, ...]:
    """The programs that export the metric of that name."""
    plain = name.removeprefix(PREFIX).removesuffix("_total")
    return BY.get(plain, PROGRAMS)


class Exported(Collector):
    """What `program` exports, as ``prometheus_client.generate_latest`` takes it.

    Raises ValueError where there is no such program.
    """

    def __init__(self, program: str) -> None:
        if program not in PROGRAMS:
            raise ValueError(f"{program}: no program that exports metrics: {', '.join(PROGRAMS)}")
        self._program = program

    def collect(self) -> Iterator[Metric]:
        for metric in REGISTRY.collect():
            if self._program in exporters(metric.name):
                yield metric
