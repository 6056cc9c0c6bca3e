"""The intake on a real broker: every shape of envelope, and each line once."""

import json
import random
import re
import time
from collections.abc import Iterable

import pytest

from schemas import wire
from schemas.events import Auth, Fact, Message, Recipient
from tests.intake.conftest import Site
from tests.parsers import cases

pytestmark = [pytest.mark.broker, pytest.mark.xdist_group("broker")]


def failed(number: int, at: float | None = None, host: str = "mx1") -> str:
    """A line of a failed login, of its own account."""
    when = time.gmtime(time.time() - 600 + number % 500 if at is None else at)
    return (
        f"{time.strftime('%Y-%m-%dT%H:%M:%S+00:00', when)} {host} postfix/smtpd[{number}]: "
        f"warning: unknown[192.0.2.{number % 250}]: SASL LOGIN authentication failed: x, "
        f"sasl_username=u{number}@example.org"
    )


def accounts(site: Site) -> list[str]:
    return [event.account for event in site.events() if isinstance(event, Auth)]


REFUSED = (
    rb"NOQUEUE: reject: RCPT from \1: 550 5.1.1 <u@example.org>: Recipient address rejected: "
    rb"User unknown; from=<> to=<u@example.org> proto=ESMTP helo=<x>"
)


def essence(events: Iterable[Fact]) -> list[tuple[str, str, str]]:
    """Client, gateway and time: the year of a stamp that has none is the broker's."""
    return sorted(
        (event.client, event.gateway, time.strftime("%m-%d %H:%M:%S", time.gmtime(event.at)))
        for event in events
        if isinstance(event, Recipient)
    )


def test_what_lies_in_envelopes_of_every_shape_becomes_events(site: Site) -> None:
    """Lines as in the cases of the envelopes, but such that workers hear of them."""
    shapes = site.topic("shapes", 3)
    site.configure("[intake.topics.shapes]\nhost = 'mx.example.org'\n")
    wanted: list[Fact] = []
    for case in cases.of_file(cases.FOLDER / "envelopes.log"):
        for line in case.lines if case.restarts else ():
            refused = re.sub(rb"connect from (unknown\[[0-9.]+\])", REFUSED, line)
            wanted += cases.read([refused], **case.options).events
            site.put(shapes, refused)
    assert len(essence(wanted)) > 60
    site.start()
    site.wait(lambda: len(essence(site.events())) >= len(essence(wanted)))
    assert essence(site.events()) == essence(wanted)


def test_topics_have_their_own_host_zone_and_format(site: Site) -> None:
    one, two = site.topic("one", 2), site.topic("two", 1)
    site.configure(
        "[intake.topics.one]\nhost = 'mx7'\nzone = 'Europe/Berlin'\n"
        "[intake.topics.two]\nformat = 'dovecot'\n"
    )
    when = time.strftime("%b %e %H:%M:%S", time.gmtime(time.time() - 3600))
    site.put(one, failed(1).replace(failed(1)[:25], when).replace(" mx1 ", " ").encode())
    site.put(two, failed(2).encode())
    site.put(one, failed(3).encode(), key="mx9")
    site.start()
    site.wait(lambda: len(accounts(site)) == 2)
    found = {event.account: event for event in site.events() if isinstance(event, Auth)}
    assert {name: event.gateway for name, event in found.items()} == {
        "u1@example.org": "mx7",
        "u3@example.org": "mx1",
    }


def test_lines_that_cannot_be_read_are_dead_letters_and_stop_nothing(site: Site) -> None:
    raw = site.prefix + "mail.raw"
    hostile = [
        b"",
        b'{"message":',
        b"[" * 100_000,
        b'{"records":' * 2000 + b"1" + b"}" * 2000,
        b"\n\x80\x81",
        b'{"syslogtag":"x","msg":"y","timereported":"soon"}',
        b"\x00" * 1000,
        {"message": [1, {"a": None}], "host": {"name": 5}, "@timestamp": {"x": 1}},
        json.dumps([failed(1), failed(2)]).encode(),
        (failed(3) + "\r\n" + failed(4) + "\n").encode(),
    ]
    site.put(raw, *hostile, partition=0)
    site.start()
    site.wait(lambda: len(accounts(site)) == 4)
    dead = [json.loads(record.value)["reason"] for record in site.read("mail.dead")]  # type: ignore[attr-defined]
    assert len(dead) == 5
    assert any("no time" in reason for reason in dead)
    assert any("Protocol Buffers" in reason for reason in dead)


def dialogue(number: int, at: float) -> list[str]:
    """A message with a login, as Postfix writes it: an event knows its account only if all lines
    come in order."""
    pid, queue = 10_000 + number, f"4bDqk{number:05d}zz"
    login = f"sasl_method=PLAIN, sasl_username=u{number}@example.org"
    sent = "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
    said = [
        f"postfix/smtpd[{pid}]: connect from unknown[192.0.2.{number % 250}]",
        f"postfix/smtpd[{pid}]: {queue}: client=unknown[192.0.2.{number % 250}], {login}",
        f"postfix/cleanup[7]: {queue}: message-id=<{number}@example.org>",
        f"postfix/qmgr[8]: {queue}: from=<u{number}@example.org>, size=9, nrcpt=1 (queue active)",
        f"postfix/smtp[9]: {queue}: to=<x@example.com>, relay=a[198.51.100.1]:25, {sent}",
        f"postfix/qmgr[8]: {queue}: removed",
        f"postfix/smtpd[{pid}]: disconnect from unknown[192.0.2.{number % 250}]",
    ]
    return [
        f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{index:06d}+00:00 "
        f"mx{number % 3} {text}"
        for index, text in enumerate(said)
    ]


def test_lines_of_any_partition_are_joined_in_order_and_told_once_whatever_dies(
    site: Site,
) -> None:
    topic = site.topic("scattered", 3)
    site.configure("[intake]\ntopics = ['scattered']\n")
    chance = random.Random(4)
    many, began = 600, time.time() - 3000
    lines = [line for number in range(many) for line in dialogue(number, began + 4 * number)]

    def put(some: list[str]) -> None:
        for line in some:
            value = json.dumps({"message": line}).encode()
            site.producer.send(topic, value, partition=chance.randrange(3))
        site.producer.flush(30)

    put(lines[: len(lines) // 2])
    for number, least in enumerate((0, 1), 1):  # at once, and in the midst of it
        process = site.start()
        site.wait(lambda number=number: site.log().count('"raw":3') == number)
        site.wait(lambda least=least: len(site.events()) >= least)
        process.kill()
        process.wait()
    site.start()
    site.start()
    put(lines[len(lines) // 2 :])
    site.wait(lambda: len([e for e in site.events() if isinstance(e, Message)]) >= many)
    site.put(topic, {"message": failed(0, time.time(), "mx0")})
    site.wait(lambda: "u0@example.org" in accounts(site)[-1:])
    events = site.events()
    messages = [event for event in events if isinstance(event, Message)]
    assert [m.account for m in messages] == [f"u{number}@example.org" for number in range(many)]
    assert all(m.message_id for m in messages)
    kinds = [event.type for event in events]
    assert (kinds.count("message"), kinds.count("delivery")) == (many, many)
    assert kinds.count("auth") == many + 1
    # Whoever also sees what was not committed absorbs it by its position.
    assert site.facts(committed=False) == site.facts()


def test_a_worker_finds_an_attack_in_what_others_publish(site: Site) -> None:
    raw, began = site.prefix + "mail.raw", time.time() - 300
    for number in range(60):
        line = failed(number, began + number).replace(f"192.0.2.{number}]", "192.0.2.99]")
        site.put(raw, {"agent": {"type": "filebeat"}, "message": line})
    site.start()
    site.start("worker")
    site.wait(lambda: site.read("mail.alerts"))
    alert = wire.decode_alert(site.read("mail.alerts")[-1].value)  # type: ignore[attr-defined]
    assert "192.0.2.99" in {*alert.clients, alert.subject.value}
