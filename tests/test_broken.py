"""Detectors that raise: counted each time, logged once of a kind."""

import pytest
from prometheus_client import REGISTRY

from agents.broken import Broken
from agents.detector import Detector
from schemas.events import Auth


class Watch(Detector, frozen=True):
    name = "watch"


FAILURES = "mailwarden_detector_failures_total"


def test_each_failure_is_counted_and_the_first_of_a_kind_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, detector = Broken(), Watch()
    before = REGISTRY.get_sample_value(FAILURES) or 0.0
    for _ in range(3):
        broken(detector, Auth(at=1.0, client="192.0.2.1"), KeyError("x"))
    broken(detector, Auth(at=1.0, client="192.0.2.1"), TypeError("x"))
    assert REGISTRY.get_sample_value(FAILURES) == before + 4
    assert len(caplog.records) == 2
    assert "detector failed detector=watch event=auth" in caplog.text
