import asyncio
import gzip
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from streams import http_bodies
from streams.http_bodies import Aside, joined, send, takes_gzip


def test_parts_become_one_body() -> None:
    assert joined([b"one ", b"", b"two"]) == b"one two"
    assert joined([]) == b""


def test_a_packed_body_is_gzip() -> None:
    parts = [b"192.0.2.1\n"] * 1000
    packed = joined(parts, gzip=True)
    assert gzip.decompress(packed) == b"".join(parts)
    assert len(packed) < 200


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP ;q=0.5", True),
        ("gzip;q=1", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("identity", False),
        ("x-gzip", False),
        ("*", False),
    ],
)
def test_only_who_takes_gzip_is_sent_it(header: str, taken: bool) -> None:
    request: Any = SimpleNamespace(headers={"Accept-Encoding": header})
    assert takes_gzip(request) is taken


def test_what_is_done_aside_is_done_in_one_thread_and_its_errors_are_told() -> None:
    aside = Aside("test")

    def fault() -> None:
        raise KeyError("fault")

    async def doing() -> tuple[int, int]:
        with pytest.raises(KeyError):
            await aside.do(fault)
        return await aside.do(threading.get_ident), await aside.do(threading.get_ident)

    one, other = asyncio.run(doing())
    assert one == other != threading.get_ident()
    aside.close()


class Response:
    """One that does not leave: its client is gone, or reads nothing."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    async def prepare(self, _: Any) -> None:
        return None

    async def write_eof(self) -> None:
        if self.fault == "gone":
            raise ConnectionResetError
        if self.fault == "slow":
            await asyncio.sleep(60)


@pytest.mark.parametrize(("fault", "left"), [("", True), ("gone", False), ("slow", False)])
def test_it_is_known_whether_an_answer_has_left(
    fault: str, left: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bodies, "SEND", 0.01)
    aborted: list[bool] = []
    transport = SimpleNamespace(abort=lambda: aborted.append(True))
    for way in (transport, None):
        request: Any = SimpleNamespace(transport=way)
        response: Any = Response(fault)
        assert asyncio.run(send(request, response)) is left
    assert aborted == ([] if left else [True])
