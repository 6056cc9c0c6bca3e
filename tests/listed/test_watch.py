"""The thread that asks a real list, beside the loop and within it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.running.listed import ListedWatch
from schemas.findings import Alert
from schemas.settings import ListedSettings
from streams.metrics import LISTED_ANSWERING
from tests.detectors.stories import START
from tests.listed.conftest import ZONES, BlockList
from tests.single.test_embedded import Server
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("listed")]

US = "192.0.2.25"


@contextmanager
def watching(
    block_list: BlockList, *lists: str, gateways: tuple[str, ...] = (US,), memory: bytes = b""
) -> Iterator[ListedWatch]:
    settings = ListedSettings(
        gateways=gateways, lists=lists, interval=0.05, resolvers=(block_list.resolver,)
    )
    watch = ListedWatch(settings, memory, lambda: START)
    try:
        yield watch
    finally:
        watch.close()


def first(watch: ListedWatch) -> Alert:
    """The next alert."""
    found: list[Alert] = []
    wait_for(lambda: found.extend(watch.take()) or found, "an alert")
    return found[0]


def test_it_is_told_when_we_are_listed_and_when_we_are_no_longer(block_list: BlockList) -> None:
    with watching(block_list, "good.example") as watch:
        assert first(watch).state == "open"
        block_list.write("good.example", ZONES["good.example"].replace("192.0.2.25\n", ""))
        assert first(watch).state == "withdrawn"
        block_list.write("good.example", ZONES["good.example"])
        assert first(watch).shape == "listed again"


def standing() -> Iterator[tuple[str, float]]:
    """What the metric says, by list."""
    for sample in LISTED_ANSWERING.collect()[0].samples:
        if sample.labels["listed"].startswith("deaf"):
            yield sample.labels["listed"], sample.value


def test_a_list_that_cannot_be_believed_is_a_trouble_and_no_alert(
    block_list: BlockList, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with watching(block_list, "deaf.example") as watch:
        wait_for(watch.troubles, "a trouble")
        assert watch.troubles() == {"deaf.example": "the list does not answer us (127.255.255.254)"}
        assert watch.take() == []
        assert list(standing()) == [("deaf.example", 0.0)]
    assert list(standing()) == []
    assert "listed failed listed=deaf.example" in caplog.text


def test_a_gateway_is_asked_about_by_its_addresses(block_list: BlockList) -> None:
    name = "26.2.0.192.good.example"  # a name that has an address: 127.0.0.4
    with watching(block_list, "all.example", gateways=(name, "nobody.good.example")) as watch:
        wait_for(lambda: len(watch.troubles()) == 2, "two troubles")
        assert watch.troubles() == {
            "nobody.good.example": "it has no address",
            "all.example": "it fails its own test: 127.0.0.1 is listed",
        }


def test_what_an_earlier_process_said_is_not_said_again(block_list: BlockList) -> None:
    with watching(block_list, "good.example") as watch:
        first(watch)
    with watching(block_list, "all.example", memory=watch.pack()) as again:
        assert [alert.state for alert in again.take()] == ["withdrawn"]


def test_without_gateways_nothing_is_asked(block_list: BlockList) -> None:
    with watching(block_list, "good.example", gateways=()) as watch:
        assert watch.take() == []
        assert watch.troubles() == {}


def test_it_ends_at_once_while_it_waits(block_list: BlockList) -> None:
    settings = ListedSettings(
        gateways=(US,), lists=("none.example",), interval=1e6, resolvers=(block_list.resolver,)
    )
    watch = ListedWatch(settings, b"", lambda: START)
    wait_for(watch.troubles, "the first answer")
    watch.close()
    assert watch.take() == []


def test_a_running_process_tells_it_and_remembers_it(block_list: BlockList, tmp_path: Path) -> None:
    listed = {
        "gateways": [US],
        "lists": ["good.example"],
        "interval": 0.05,
        "resolvers": [block_list.resolver],
    }
    server = Server(tmp_path)
    server.start(listed=listed)
    try:
        wait_for(lambda: server.settle() or server.told, "the alert")
        assert [(a.detector, a.state) for a in server.told] == [("listed", "open")]
        server.embedded.reload(server.config(listed=listed))
        server.embedded.reload(server.config(listed={**listed, "lists": ["deaf.example"]}))
        wait_for(
            lambda: (
                "deaf.example: the list does not answer us (127.255.255.254)"
                in server.health().degraded
            ),
            "the trouble",
        )
        assert [a.state for a in server.told] == ["open", "withdrawn"]
    finally:
        server.embedded.close()
        server.store.close()
