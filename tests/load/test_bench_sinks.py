"""The measurement of sinks, small: what it counts is what it is for."""

import pytest

from agents.single import delivery
from load import bench_sinks


def test_an_outage_that_is_longer_than_memory_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "HELD", 300)
    monkeypatch.setattr(bench_sinks, "HELD", 300)
    monkeypatch.setattr(bench_sinks, "STEP", 100)
    found = bench_sinks.outage(1500)
    assert (found["lost"], found["twice"], found["out of order"]) == (0, 0, 0)


def test_every_sink_is_measured() -> None:
    ports = dict.fromkeys(("http", "tcp", "udp", "smtp"), 1)
    names = bench_sinks.settings(ports, bench_sinks.RESULTS.parent)
    assert {name.partition(",")[0] for name in names} == set(bench_sinks.SINKS)


def test_a_rate_is_of_alerts_that_came() -> None:
    assert bench_sinks.rate("webhook", 30) > 0
