"""Parts that are loaded when they are asked for."""

import subprocess
import sys

import pytest

from streams.gateway import Gateway
from streams.gateways import GATEWAYS
from streams.loaded import Loaded
from streams.sink import Sink
from streams.sinks import SINKS


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_gateway_is_one(name: str) -> None:
    assert issubclass(GATEWAYS[name], Gateway)


@pytest.mark.parametrize("name", SINKS)
def test_every_sink_is_one(name: str) -> None:
    assert issubclass(SINKS[name], Sink)


def test_names_are_known_before_anything_is_loaded() -> None:
    parts: Loaded[Gateway] = Loaded("no.such.package", {"one": "One", "other": "Other"})
    assert list(parts) == ["one", "other"]
    assert len(parts) == 2
    with pytest.raises(KeyError):
        parts["third"]
    with pytest.raises(ModuleNotFoundError):
        parts["one"]


def test_others_may_be_added() -> None:
    parts: Loaded[Gateway] = Loaded("none", {})
    parts["gateway"] = Gateway
    assert parts["gateway"] is Gateway
    del parts["gateway"]
    assert "gateway" not in parts


def test_an_edge_loads_no_gateway_that_it_does_not_have() -> None:
    """It must be back soon after kill -9."""
    script = (
        "import sys; import agents.commands.gateway; from streams.gateways import GATEWAYS;"
        "GATEWAYS['postfix']; print(*sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    loaded = said.stdout.decode().split()
    assert "streams.gateways.postfix" in loaded
    assert not {"aiohttp", "aiosmtplib", "streams.http_serving", "agents.engine"} & set(loaded)
