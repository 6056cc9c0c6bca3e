"""docs/metrics.md, made from the metrics themselves and the list of who exports which.

`python -m tools.metrics > docs/metrics.md`; a test tells when it is stale.
"""

import sys
from collections.abc import Iterator

from msgspec import Struct
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from streams import metrics
from streams.exporting import PREFIX, PROGRAMS, exporters

TOP = """\
# Metrics

Made from the metrics by `python -m tools.metrics > docs/metrics.md`.

Every program serves its metrics for Prometheus at `/metrics` of `http.listen`, and `/healthz`
beside them. Names and units are Prometheus' (seconds, bytes, `_total` for counters). Values of
labels come from the configuration or from a fixed set, never from a log line. A program exports
only what it can fill; each also exports `process_*` and `python_*`: its memory, processor time and
files.

Counters begin at 0 with each start, and series of labels with the first value: ask for
`increase(...)` or `rate(...)`. A histogram has `_bucket`, `_sum` and `_count`.

[alert_rules.md](alert_rules.md) has alert rules about them, and what to do when one fires;
dashboards are in [packaging/grafana](../packaging/grafana/dashboards).
"""


class Described(Struct, frozen=True):
    name: str  # as it is asked for
    type: str
    labels: tuple[str, ...]
    meaning: str
    unit: str
    programs: tuple[str, ...]


def described() -> list[Described]:
    """All metrics of the program, in the order of streams/metrics.py."""
    found = []
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found.append(
                Described(
                    name=name,
                    type=family.type,
                    labels=tuple(metric._labelnames),
                    meaning=family.documentation,
                    unit=_unit(family.name, family.documentation),
                    programs=exporters(family.name),
                )
            )
    return found


def _unit(name: str, meaning: str) -> str:
    """The base unit that the name ends in; else what is counted."""
    last = name.rpartition("_")[2]
    if last in {"seconds", "bytes"}:
        return last
    return "0 or 1" if meaning.startswith("1 while") else "count"


def series() -> frozenset[str]:
    """Names of all series of the program."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    return frozenset(
        each.name + end for each in described() for end in suffixes.get(each.type, ("",))
    )


def unlisted() -> list[str]:
    """Names of ours that the registry has and streams/metrics.py does not define."""
    here = {each.name.removesuffix("_total") for each in described()}
    ours = (family.name for family in REGISTRY.collect() if family.name.startswith(PREFIX))
    return sorted(name for name in ours if name not in here)


def _lines() -> Iterator[str]:
    yield TOP
    yield "| name | type | labels | meaning | unit | exported by |\n|---|---|---|---|---|---|"
    for each in described():
        labels = ", ".join(f"`{label}`" for label in each.labels)
        programs = "all" if each.programs == PROGRAMS else ", ".join(each.programs)
        yield (
            f"| `{each.name}` | {each.type} | {labels} | {each.meaning} | {each.unit} |"
            f" {programs} |"
        )
    yield ""


def text() -> str:
    """The page."""
    return "\n".join(_lines())


if __name__ == "__main__":
    sys.stdout.write(text())
