"""JSON formats that a sink may be set to: the alert as we write it, or as others read it."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from schemas import wire
from schemas.findings import Alert
from streams.rendering import ecs, ocsf

Format = Literal["native", "ocsf", "ecs"]

TREES: dict[str, Callable[[Alert], Any]] = {
    "native": lambda alert: alert,
    "ocsf": ocsf.tree,
    "ecs": ecs.tree,
}

WHICH: dict[str, Callable[[dict[str, Any]], tuple[str, int]]] = {
    "native": lambda tree: (tree["id"], tree["revision"]),
    "ocsf": lambda tree: (tree["finding_info"]["uid"], tree["metadata"]["sequence"]),
    "ecs": ecs.which,
}


def rendered(alert: Alert, name: str) -> bytes:
    """The alert as JSON in one line, without a control character."""
    return wire.encode(TREES[name](alert))


def which(line: bytes, name: str) -> tuple[str, int] | None:
    """(id, revision) of the alert that was rendered so; None: it is something else."""
    try:
        return WHICH[name](msgspec.json.decode(line))
    except (ValueError, TypeError, KeyError):
        return None
