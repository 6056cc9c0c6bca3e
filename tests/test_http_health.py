import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streams import http_health
from streams.http_health import Asked, look
from streams.http_serving import HttpServing, HttpServingSettings, answer


class Server(HttpServing):
    public = frozenset({http_health.PATH})
    body_: bytes = b""
    status = 200

    async def handle(self, request: Any, holder: str) -> Any:
        return answer(self.body_, self.status)


Make = Callable[..., Server]


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[Server] = []

    def build(body: bytes, status: int = 200, **settings: Any) -> Server:
        server = Server(HttpServingSettings(**{"listen": "127.0.0.1:0", **settings}), "server")
        server.body_, server.status = body, status
        made.append(server)
        server.apply([])
        return server

    yield build
    for each in made:
        each.close()


def at(server: Server, **settings: Any) -> HttpServingSettings:
    return HttpServingSettings(listen=f"127.0.0.1:{server.port}", **settings)


def test_it_is_told_when_somebody_asked_last() -> None:
    asked = Asked()
    assert json.loads(asked.body()) == {"status": "up", "asked": None}
    asked.now()
    assert 0 <= json.loads(asked.body())["asked"] < 60


@pytest.mark.parametrize(
    ("body", "status", "grade", "words"),
    [
        (b'{"asked":3.2}', 200, "ok", "a bouncer asked last 3 s ago"),
        (b'{"asked":601}', 200, "warning", "a bouncer asked last 601 s ago"),
        (b'{"asked":null}', 200, "warning", "no bouncer has asked since it was started"),
        (b'{"asked":"x"}', 200, "failed", "another program answers"),
        (b"{}", 200, "failed", "another program answers"),
        (b"[]", 200, "failed", "another program answers"),
        (b"x", 200, "failed", "another program answers"),
        (b"", 503, "failed", "another program answers: 503 Service Unavailable"),
    ],
)
def test_what_the_answer_means(
    make: Make, body: bytes, status: int, grade: str, words: str
) -> None:
    note = look(at(make(body, status)), "bouncer")
    assert note.grade == grade
    assert words in note.text


def test_where_nobody_listens() -> None:
    note = look(HttpServingSettings(listen="127.0.0.1:1"), "bouncer")
    assert note.grade == "warning"
    assert note.text == "nobody answers at 127.0.0.1:1; it is free for us"
    for listen in ("nowhere", "192.0.2.1:1", "unix:/none/s"):
        note = look(HttpServingSettings(listen=listen), "bouncer")
        assert note.grade == "failed"
        assert f"{listen} cannot be listened at" in note.text


def test_it_is_asked_without_a_key_wherever_it_listens(make: Make, tmp_path: Path) -> None:
    unix = f"unix:{tmp_path / 's'}"
    make(b'{"asked":1}', listen=unix, key="Quince-1")
    assert look(HttpServingSettings(listen=unix), "bouncer").good
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=mx.example.org"),
            *("-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")),
        ],
        check=True,
        capture_output=True,
    )
    tls = {"certificate": str(tmp_path / "cert"), "certificate_key": str(tmp_path / "key")}
    server = make(b'{"asked":1}', listen="0.0.0.0:0", key="Quince-1", **tls)
    everywhere = HttpServingSettings(listen=f"0.0.0.0:{server.port}", **tls)
    assert look(everywhere, "bouncer").good
