"""Which setting a count of a finding was measured by, and the value that would have let it pass."""

import math
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from agents.detector import Detector, Mark, View
from agents.windows import Past
from schemas.findings import Evidence
from schemas.keys import Site

PERCENT = 100.0  # shares are settings between 0 and 1, and told in per cent
ALIKE = 3  # settings of one value that are tried
OTHER = 2.0  # times a setting, to see which threshold follows it


class Measure(Struct, frozen=True):
    """A setting, and how many times its value the threshold is."""

    setting: str
    scale: float = 1.0


def measures(detector: Detector, evidence: Evidence) -> list[Measure]:
    """The settings of a detector that a count may have been measured by; several where it cannot
    be told which.

    No detector says so, and none needs to: the threshold of a sign follows its setting, which
    shows when each is changed in turn. Where a detector judges only what it has seen, the setting
    is the one that has the name of the sign, or the value of its threshold.
    """
    followed = _followed(detector).get(evidence.sign)
    if followed is not None:
        value = getattr(detector, followed.setting) * followed.scale
        if math.isclose(value, evidence.threshold):
            return [followed]
    equal = list(_equal(detector, evidence))
    named = [one for one in equal if one.setting in evidence.sign.split()]
    return named[:1] or equal[:ALIKE]


def above(count: float, was: float, scale: float) -> float | None:
    """The smallest value of a setting that a count does not reach; None where none can be."""
    reached = count / scale
    if isinstance(was, int):
        return math.floor(reached) + 1
    if scale != PERCENT:
        return float(math.floor(reached) + 1)
    value = (math.floor(reached * PERCENT + 1e-9) + 1) / PERCENT
    return value if value <= 1 else None


def numbers(detector: Detector) -> Iterator[tuple[str, float]]:
    """The settings of a detector that are numbers."""
    for name, value in msgspec.structs.asdict(detector).items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, value


def _followed(detector: Detector) -> dict[str, Measure]:
    """By sign, the only setting that its threshold is a multiple of."""
    usual = _thresholds(detector)
    found: dict[str, list[Measure]] = {}
    for name, value in numbers(detector):
        other = type(value)(value * OTHER)
        changed = _thresholds(msgspec.structs.replace(detector, **{name: other}))
        for sign, threshold in changed.items():
            if threshold == OTHER * usual.get(sign, threshold) != 0:
                found.setdefault(sign, []).append(Measure(name, threshold / other))
    return {sign: alike[0] for sign, alike in found.items() if len(alike) == 1}


def _thresholds(detector: Detector) -> dict[str, float]:
    """Of what the detector tells about a subject that it knows nothing of."""
    view = View(Site(), lambda key: None)
    view.at, view.cold, view.trusted, view.open = 0.0, False, False, frozenset()
    view.turn(f"{next(iter(detector.hears))}:nobody", Past())
    found: dict[str, float] = {}
    for shape in detector.weighs:
        try:
            judged = detector.judge(Mark(detector.name, shape, "info"), detector.state(), view)
        except (LookupError, ValueError):  # it judges only what it has seen
            continue
        for seen in judged.evidence:
            found.setdefault(seen.sign, seen.threshold)
    return found


def _equal(detector: Detector, evidence: Evidence) -> Iterator[Measure]:
    for name, value in numbers(detector):
        if value == evidence.threshold and isinstance(value, int):  # spans of time are no counts
            yield Measure(name)
        elif evidence.unit == "%" and math.isclose(PERCENT * value, evidence.threshold):
            yield Measure(name, PERCENT)
