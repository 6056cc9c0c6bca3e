"""What people with Docker start: valid, on loopback, without secrets, about metrics that exist."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY

from agents import configuration
from agents.commands import COMMANDS
from streams import metrics

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.yml"
DASHBOARD = ROOT / "packaging" / "grafana" / "dashboards" / "mailwarden.json"
PROMETHEUS = ROOT / "packaging" / "prometheus" / "prometheus.yml"
SETTINGS = ROOT / "packaging" / "compose" / "mailwarden.toml"


def config(*arguments: str) -> str:
    done = subprocess.run(
        ["docker-compose", "-f", str(COMPOSE), "config", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.servers
def test_docker_compose_takes_the_file() -> None:
    config("-q")


@pytest.mark.servers
def test_every_part_of_the_picture_is_there() -> None:
    services = config("--services").split()
    assert set(services) == {
        "broker",
        "topics",
        "ship",
        "worker",
        "gateway",
        "sinks",
        "prometheus",
        "grafana",
    }


def text() -> str:
    return COMPOSE.read_text(encoding="utf-8")


def test_published_ports_are_on_loopback() -> None:
    ports = re.findall(r'ports: \["(.*?)"\]', text())
    assert len(ports) == text().count("ports:")
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_no_secret_is_in_the_files() -> None:
    packaged = [path for path in (ROOT / "packaging").rglob("*") if path.is_file()]
    for path in [COMPOSE, ROOT / "Dockerfile", *packaged]:
        said = path.read_text(encoding="utf-8").lower()
        assert not re.search(r"(password|secret|token)\w*[ \"']*[:=]", said), path


def test_mounted_files_are_in_the_repository() -> None:
    mounted = re.findall(r"(\./packaging[\w./-]*?):/", text())
    assert mounted
    assert all((ROOT / path).exists() for path in mounted)


def test_started_commands_exist() -> None:
    started = set(re.findall(r"command: \[(\w+)", text()))
    assert started == {"topics", "ship", "worker", "gateway", "sinks"}
    assert started <= set(COMMANDS)


def test_the_settings_of_the_containers_are_valid_and_meet_the_compose_file() -> None:
    loaded = configuration.load(SETTINGS)
    assert loaded.settings.kafka.bootstrap == ("broker:19092",)
    assert "INSIDE://broker:19092" in text()
    port = loaded.settings.http.listen.rpartition(":")[2]
    assert f"127.0.0.1:{port}/healthz" in text()
    assert f"port: {port}" in PROMETHEUS.read_text(encoding="utf-8")
    assert not loaded.settings.response.enforce


def test_the_broker_is_the_one_that_tests_run_against() -> None:
    pom = (ROOT / "pom.xml").read_text(encoding="utf-8")
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>(.*?)<", pom)
    assert version
    assert f"apache/kafka:{version[1]}" in text()


def test_the_image_holds_the_wheel_and_does_not_run_as_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes --no-deps -r constraints.txt" in dockerfile
    assert dockerfile.index("USER mailwarden") < dockerfile.index("ENTRYPOINT")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    built = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    for part in built:
        assert f"COPY {part}" in dockerfile or f" {part}" in dockerfile
        assert f"!{part}\n" in ignored


def known_metrics() -> set[str]:
    """Names of all series that streams/metrics.py makes."""
    assert metrics.LINES
    found = set()
    for family in REGISTRY.collect():
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        found |= {family.name + end for end in suffixes.get(family.type, ("",))}
    return found


class Target(msgspec.Struct):
    expr: str


class Panel(msgspec.Struct):
    title: str
    type: str
    description: str = ""
    targets: list[Target] = []


def panels() -> list[Panel]:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return msgspec.convert(dashboard["panels"], list[Panel])


def test_the_dashboard_asks_only_for_metrics_that_exist() -> None:
    known = known_metrics()
    for panel in panels():
        for target in panel.targets:
            asked = set(re.findall(r"mailwarden_\w+", target.expr))
            assert asked, panel.title
            assert asked <= known, panel.title


def test_every_panel_says_what_it_shows() -> None:
    shown = [panel for panel in panels() if panel.type != "row"]
    assert len(shown) >= 15
    assert all(panel.title and panel.description and panel.targets for panel in shown)


def test_the_dashboard_uses_the_provisioned_source() -> None:
    source = (
        ROOT / "packaging" / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    ).read_text(encoding="utf-8")
    uids = set(re.findall(r'"uid": "(\w+)"', DASHBOARD.read_text(encoding="utf-8")))
    assert uids == {"prometheus", "mailwarden"}
    assert "uid: prometheus" in source
