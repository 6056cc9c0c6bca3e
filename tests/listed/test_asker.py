"""What a real list answers, and whom it is believed."""

import asyncio

import pytest

from agents import resolver
from agents.listed.asker import Asker
from agents.listed.zone import Answer
from tests.listed.conftest import BlockList
from tools.kafka import free_ports

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("listed")]


def ask(block_list: BlockList, address: str, zone: str) -> Answer:
    asker = Asker(resolver.new([block_list.resolver]))
    return asyncio.run(asker.ask(address, zone))


def test_who_is_listed_is_told_with_code_and_reason(block_list: BlockList) -> None:
    answer = ask(block_list, "192.0.2.25", "good.example")
    assert answer.state == "listed"
    assert answer.codes == ("127.0.0.2",)
    assert answer.text == "Spam of 192.0.2.25, see http://list.example/"
    assert ask(block_list, "192.0.2.26", "good.example").codes == ("127.0.0.4",)


def test_who_is_not_is_not(block_list: BlockList) -> None:
    answer = ask(block_list, "192.0.2.99", "good.example")
    assert (answer.state, answer.codes, answer.text) == ("not listed", (), "")


def test_ipv6_is_asked_by_nibbles(block_list: BlockList) -> None:
    answer = ask(block_list, "2001:db8:25::7", "six.example")
    assert (answer.state, answer.codes) == ("listed", ("127.0.0.3",))
    assert ask(block_list, "2001:db8:26::7", "six.example").state == "not listed"


@pytest.mark.parametrize(
    ("zone", "why"),
    [
        ("deaf.example", "the list does not answer us (127.255.255.254)"),
        ("choosy.example", "the list does not answer us (127.255.255.255)"),
        ("all.example", "it fails its own test: 127.0.0.1 is listed"),
        ("none.example", "it fails its own test: 127.0.0.2 is not listed"),
        ("sold.example", "203.0.113.80 is no answer of a block list"),
    ],
)
def test_a_list_that_cannot_be_believed_says_nothing(
    block_list: BlockList, zone: str, why: str
) -> None:
    answer = ask(block_list, "192.0.2.25", zone)
    assert (answer.state, answer.text) == ("unknown", why)


def test_a_list_is_tested_in_the_version_that_it_is_asked_about(block_list: BlockList) -> None:
    answer = ask(block_list, "2001:db8::25", "none.example")
    assert answer.text == "it fails its own test: ::ffff:7f00:2 is not listed"


def test_a_list_that_does_not_answer_is_unknown() -> None:
    (port,) = free_ports(1)
    asker = Asker(resolver.new([f"127.0.0.1:{port}"], lifetime=0.2))
    answer = asyncio.run(asker.ask("192.0.2.25", "good.example"))
    assert answer.state == "unknown"
    assert answer.text.startswith("no answer: ")


def test_an_answer_is_kept(block_list: BlockList) -> None:
    asking = resolver.new([block_list.resolver])

    async def twice() -> int:
        asker = Asker(asking)
        for _ in range(2):
            await asker.ask("192.0.2.25", "good.example")
        return asking.cache.hits()  # type: ignore[union-attr]

    assert asyncio.run(twice()) == 4, "both tests, the code and the reason"


def test_an_address_needs_no_question(block_list: BlockList) -> None:
    asker = Asker(resolver.new([block_list.resolver]))
    assert asyncio.run(asker.addresses("::ffff:192.0.2.25")) == ["192.0.2.25"]
    assert asyncio.run(asker.addresses("25.2.0.192.good.example")) == ["127.0.0.2"]
