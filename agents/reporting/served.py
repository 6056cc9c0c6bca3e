"""What gateways have turned away, as the running program itself counts it: its ``/metrics``.

Those counts begin with the process, so they are told apart from the period of a report.
"""

import http.client
import urllib.request
from collections import Counter

from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from schemas.findings import ACTIONS

PATIENCE = 3.0  # seconds
LARGEST = 8 << 20  # bytes of its answer
REFUSALS = frozenset({"refuse", *ACTIONS}) - {"observe", "notify"}
ANSWERS = "mailwarden_gateway_answers"
PACKETS = "mailwarden_gateway_refused_packets"
BEGUN = "process_start_time_seconds"


class Served(Struct, frozen=True):
    """Requests and packets that were refused since `begun` (Unix seconds), by gateway."""

    begun: float
    requests: dict[str, int]
    packets: dict[str, int]


def served(listen: str) -> Served | None:
    """What the program at `listen` (host:port) says; None where none is asked or answers."""
    if not listen:
        return None
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{listen}/metrics", timeout=PATIENCE) as answer:
            said = answer.read(LARGEST).decode()
        return counted(said)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def counted(text: str) -> Served:
    """The same from the text of ``/metrics``. Raises ValueError where it is none."""
    requests, packets, begun = Counter[str](), Counter[str](), 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{ANSWERS}_total" and sample.labels.get("answer") in REFUSALS:
                requests[sample.labels["gateway"]] += int(sample.value)
            elif sample.name == f"{PACKETS}_total":
                packets[sample.labels["gateway"]] += int(sample.value)
            elif sample.name == BEGUN:
                begun = sample.value
    return Served(begun, dict(+requests), dict(+packets))
