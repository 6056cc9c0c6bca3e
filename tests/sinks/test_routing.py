"""Which alerts a sink hears of: what all sinks share."""

from collections.abc import Sequence

import pytest

from agents import configuration
from agents.naming import NAMES
from schemas.findings import Alert
from schemas.settings import Settings, SettingsError
from streams.sink import Sink, SinkSettings
from tests.sinks.alerts import alert


class Heard(Sink):
    def __init__(self, settings: SinkSettings) -> None:
        super().__init__(settings, "desk")
        self.ids: list[str] = []

    def deliver(self, alerts: Sequence[Alert]) -> None:
        self.ids += [each.id for each in alerts]


ALERTS = [
    alert("mild", "low"),
    alert("guess", "high"),
    alert("breach", "critical", detector="auth_breach"),
    alert("elsewhere", "critical", detector="auth_breach", domains=["example.net"]),
]


@pytest.mark.parametrize(
    ("settings", "heard"),
    [
        (SinkSettings(), ["mild", "guess", "breach", "elsewhere"]),
        (SinkSettings(least="high"), ["guess", "breach", "elsewhere"]),
        (SinkSettings(detectors=("auth_breach",)), ["breach", "elsewhere"]),
        (SinkSettings(detectors=("auth_breach", "auth_dictionary")), [a.id for a in ALERTS]),
        (SinkSettings(detectors=("auth_breach",), domains=("example.org",)), ["breach"]),
        (SinkSettings(least="high", detectors=("auth_dictionary",)), ["guess"]),
        (SinkSettings(domains=("Example.NET.",)), ["elsewhere"]),
        (SinkSettings(detectors=("listed",)), []),
    ],
)
def test_severity_detector_and_domain_must_all_fit(
    settings: SinkSettings, heard: list[str]
) -> None:
    sink = Heard(settings)
    sink.send(ALERTS)
    assert sink.ids == heard


def test_a_domain_that_chose_the_sink_does_not_overrule_its_detectors() -> None:
    sink = Heard(SinkSettings(detectors=("auth_breach",)))
    sink.concerned = lambda domains: "example.org" in domains
    sink.send(ALERTS)
    assert sink.ids == ["breach"]


def test_check_says_which_alerts_are_told() -> None:
    settings = SinkSettings(
        least="high", detectors=("auth_breach",), domains=("example.org",), gather=0.0
    )
    sink = Heard(settings)
    assert sink.of() == "alerts from severity high on, by auth_breach, of example.org"


def test_a_detector_that_there_is_not_is_named_with_what_may_have_been_meant() -> None:
    table = {"jsonl": {"path": "/x", "detectors": ["auth_breach", "auth_dictionery"]}}
    with pytest.raises(SettingsError) as caught:
        configuration.build(Settings(sinks=table))
    assert str(caught.value).startswith(
        "settings: sinks.jsonl.detectors[1]: no such detector; did you mean auth_dictionary?"
    )


@pytest.mark.parametrize("name", ["auth_breach", "gateway_silent", "gateway_behind", "listed"])
def test_what_watches_our_own_servers_can_be_chosen_too(name: str) -> None:
    assert name in NAMES
    [sink] = configuration.build(Settings(sinks={"jsonl": {"detectors": [name]}})).sinks
    assert sink.wants(alert(detector=name))
