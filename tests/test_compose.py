"""What people with Docker start: valid, on loopback, without secrets."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from agents import configuration
from agents.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "docker-compose.yml"
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
