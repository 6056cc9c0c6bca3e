import asyncio
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.findings import Decision, Target
from streams.gateway import GatewayError, Note
from streams.serving import Serving, ServingSettings, bound

DROP = Decision(
    id="d", target=Target("network", "192.0.2.1"), action="drop", until=9e9, enforced=True
)
SEEN = Decision(id="s", target=Target("network", "192.0.2.2"), action="drop", until=9e9)


class Site:
    found: Decision | None = DROP

    def ruling(self, *_: Any, **__: Any) -> Decision | None:
        return self.found

    def publish(self, events: Any) -> None:
        raise NotImplementedError


class Echo(Serving):
    """Says what was said to it."""

    taken: list[list[Decision]]

    async def begin(self) -> None:
        self.taken = []
        self._server = await asyncio.start_server(self._talk, sock=bound(self.settings))
        self.port = self._server.sockets[0].getsockname()[1] if self.port == 0 else 0

    port: Any = 0

    async def end(self) -> None:
        self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    def take(self, decisions: Any) -> None:
        self.taken.append(list(decisions))


@pytest.fixture
def made() -> Iterator[list[Echo]]:
    found: list[Echo] = []
    yield found
    for each in found:
        each.close()


def echo(made: list[Echo], lifted: bool = False, **settings: Any) -> Echo:
    listen = settings.pop("listen", "127.0.0.1:0")
    gateway = Echo(ServingSettings(listen=listen, **settings), "echo", lambda: lifted)
    gateway.connect(Site())
    made.append(gateway)
    return gateway


def said(family: int, place: Any) -> bytes:
    with socket.socket(family) as client:
        client.settimeout(5)
        client.connect(place)
        client.sendall(b"hello\n")
        return client.recv(100)


def test_it_answers_from_its_first_turn_until_it_is_closed(made: list[Echo]) -> None:
    gateway = echo(made)
    assert gateway.apply([])
    assert said(socket.AF_INET, ("127.0.0.1", gateway.port)) == b"hello\n"
    gateway.close()
    with pytest.raises(ConnectionRefusedError):
        said(socket.AF_INET, ("127.0.0.1", gateway.port))


def test_what_rules_is_asked_of_the_site(made: list[Echo]) -> None:
    gateway = echo(made)
    assert gateway.ruling("192.0.2.1") is None  # it has not begun
    gateway.apply([DROP])
    assert gateway.ruling("192.0.2.1") == DROP
    Site.found = SEEN
    try:
        assert gateway.ruling("192.0.2.2") is None  # only observed
    finally:
        Site.found = DROP


@pytest.mark.parametrize("settings", [{"enabled": False}, {"lifted": True}])
def test_where_nothing_is_to_be_enforced_nothing_rules(
    made: list[Echo], settings: dict[str, bool]
) -> None:
    gateway = echo(made, **settings)
    gateway.apply([DROP])
    assert gateway.ruling("192.0.2.1") is None
    assert gateway.taken == [[]]


def test_the_list_is_taken_when_it_has_changed_without_what_is_only_observed(
    made: list[Echo],
) -> None:
    gateway = echo(made)
    for given in ([DROP, SEEN], [DROP], []):
        gateway.apply(given)
    assert gateway.taken == [[DROP], []]


def test_a_port_that_is_taken_is_tried_again(made: list[Echo]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        gateway = echo(made, listen=f"127.0.0.1:{other.getsockname()[1]}")
        with pytest.raises(GatewayError, match=r"127\.0\.0\.1:\d+: .*in use"):
            gateway.apply([])
    assert gateway.apply([])


@pytest.mark.parametrize("listen", ["", "nowhere", "127.0.0.1:"])
def test_a_place_that_is_none_is_an_error(made: list[Echo], listen: str) -> None:
    with pytest.raises(GatewayError, match="expected host:port or unix:/path"):
        echo(made, listen=listen).apply([])


def test_a_unix_socket_has_its_mode_and_replaces_a_dead_one(
    made: list[Echo], tmp_path: Path
) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    gateway = echo(made, listen=f"unix:{path}", mode="0600", group="root")
    gateway.apply([])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert said(socket.AF_UNIX, str(path)) == b"hello\n"
    with pytest.raises(GatewayError, match="in use"):
        echo(made, listen=f"unix:{path}").apply([])
    other = echo(made, listen=f"unix:{path}2", group="nobodys")
    with pytest.raises(GatewayError, match="group: there is no nobodys"):
        other.apply([])
    assert [note.grade for note in other.needs()] == ["failed"]
    assert gateway.needs() == [Note("ok", "the socket is for the group root")]
