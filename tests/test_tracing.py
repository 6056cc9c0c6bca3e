"""Traces, to a stand-in collector that reads OTLP (protobuf over HTTP) as it is published."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agents import configuration
from agents.single.delivery import Delivery
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.settings import Settings, SettingsError, TracesSettings, convert
from streams import tracing
from streams.sources.follow import Follow
from tests.sinks.alerts import EVIL, alert, evil
from tests.telling.test_telling import Siem
from tests.waiting import wait_for

NOW = 1_700_000_100.0


class Collector:
    def __init__(self) -> None:
        self.spans: list[tuple[dict[str, str], Any]] = []  # resource, span
        self.headers: list[dict[str, str]] = []
        self.status = 200
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                assert self.headers["content-type"] == "application/x-protobuf"
                assert self.path == "/v1/traces"
                collector.headers.append({k.lower(): v for k, v in self.headers.items()})
                if collector.status == 200:
                    collector.take(ExportTraceServiceRequest.FromString(body))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def take(self, request: Any) -> None:
        for of_resource in request.resource_spans:
            resource = {one.key: one.value.string_value for one in of_resource.resource.attributes}
            for scope in of_resource.scope_spans:
                self.spans += [(resource, span) for span in scope.spans]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"

    def named(self, name: str) -> list[Any]:
        return [span for _, span in self.spans if span.name == name]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    tracing.end()
    made.close()


def begin(collector: Collector, service: str = "mailwarden-run", **more: Any) -> None:
    tracing.begin(TracesSettings(url=collector.url, **more), service, "watch.example.org")


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_an_alert_and_its_way_to_a_sink_are_one_trace_of_several_processes(
    collector: Collector,
) -> None:
    begin(collector, "mailwarden-worker")
    tracing.made([alert("a1", revision=2)], NOW)
    begin(collector, "mailwarden-sinks")  # another process
    tracing.told("desk", [alert("a1", revision=2)], NOW + 1, NOW + 1.5)
    tracing.end()
    [found], [told] = collector.named("detect auth_dictionary"), collector.named("tell desk")
    assert told.trace_id == found.trace_id
    assert (found.parent_span_id, told.parent_span_id) == (b"", found.span_id)
    assert found.start_time_unix_nano == 1_700_000_060_000_000_000  # its newest event
    assert found.end_time_unix_nano == int(NOW * 1e9)
    assert told.end_time_unix_nano - told.start_time_unix_nano == 500_000_000
    assert attributes(found)["alert.id"] == "a1"
    assert attributes(found)["alert.revision"] == 2
    assert attributes(told)["sink"] == "desk"
    services = [resource["service.name"] for resource, _ in collector.spans]
    assert sorted(services) == ["mailwarden-sinks", "mailwarden-worker"]
    assert collector.spans[0][0]["host.name"] == "watch.example.org"


def test_each_revision_is_a_trace(collector: Collector) -> None:
    begin(collector)
    tracing.made([alert("a1", revision=1), alert("a1", revision=2), alert("a2")], NOW)
    tracing.end()
    assert len({span.trace_id for _, span in collector.spans}) == 3


def test_nothing_that_a_log_said_is_traced(collector: Collector) -> None:
    begin(collector)
    tracing.made([evil()], NOW)
    tracing.told("desk", [evil()], NOW, NOW)
    tracing.end()
    for _, span in collector.spans:
        assert EVIL not in str(span)
        assert "192.0.2.1" not in str(span)


def test_a_failed_delivery_is_a_span_with_its_trouble(collector: Collector) -> None:
    begin(collector, headers={"x-token": "secret"})
    siem = Siem("desk")
    siem.down = "no route to host"
    delivery = Delivery(siem, patience=(0.001, 0.002), clock=lambda: NOW)
    delivery.put([alert("a1")])
    wait_for(lambda: siem.tries > 1)
    siem.down = ""
    wait_for(delivery.idle)
    delivery.close()
    tracing.end()
    spans = collector.named("tell desk")
    assert {span.status.message for span in spans} == {"no route to host", ""}
    assert len({span.trace_id for span in spans}) == 1
    assert collector.headers[0]["x-token"] == "secret"


def test_a_process_traces_from_the_events_to_the_sink(collector: Collector, tmp_path: Path) -> None:
    begin(collector)
    table = {
        "logs": {"files": [str(tmp_path / "mail.log")]},
        "sinks": {"jsonl": {"path": str(tmp_path / "alerts.jsonl")}},
    }
    embedded = Embedded(
        configuration.build(convert(table, Settings, "settings")),
        Store(tmp_path / "mailwarden.db"),
        lambda config, positions: Follow(config.settings.logs.files, positions=positions),
        clock=lambda: NOW,
    )
    embedded._alerts += [alert("a1")]
    embedded.flush()
    wait_for(embedded._deliveries[0].idle)
    embedded.close()
    embedded._store.close()
    tracing.end()
    assert [span.name for _, span in collector.spans] == ["detect auth_dictionary", "tell jsonl"]


def test_switched_off_nothing_is_traced(collector: Collector) -> None:
    tracing.begin(TracesSettings(), "mailwarden-run", "watch")
    tracing.made([alert("a1")], NOW)
    tracing.told("desk", [alert("a1")], NOW, NOW)
    tracing.end()
    assert collector.headers == []


def test_a_collector_that_refuses_is_said_once(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 400
    for _ in range(2):
        begin(collector)
        tracing.made([alert("a1")], NOW)
        tracing.end()
    assert caplog.text.count("traces are dropped") == 2  # once for each process
    assert "opentelemetry" not in {record.name.partition(".")[0] for record in caplog.records}


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(SettingsError, match=r"^traces\.url: OpenTelemetry is not installed: pip"):
        tracing.begin(TracesSettings(url="http://127.0.0.1:1/v1/traces"), "x", "y")
