import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.shard import Outcome
from agents.worker import app as module
from agents.worker.flush import SIGNALS, Flusher, Send, flush
from agents.worker.slots import Write
from agents.worker.table import Slots
from schemas import audit, keys, wire
from schemas.events import Change, Signal
from schemas.findings import Alert, Decision, Subject, Target
from schemas.settings import KafkaSettings
from streams.signing import Keys

PARTITIONS = 8


class Producer:
    """Notes what is sent, and what was safe when it was sent."""

    def __init__(self, refuse: Callable[[str], bool]) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None, int | None, Any]] = []
        self.done: list[int] = []  # how many were safe at each send
        self._safe = 0
        self._refuse = refuse

    async def send(
        self, topic: str, key: Any, value: Any, partition: Any, at: Any, headers: Any
    ) -> Any:
        self.done.append(self._safe)
        self.sent.append((topic, key, value, partition, headers))

        async def acknowledged() -> None:
            await asyncio.sleep(0)
            if self._refuse(topic):
                raise ConnectionError("refused")
            self._safe += 1

        return acknowledged()

    @property
    def topics(self) -> list[str]:
        return [topic for topic, *_ in self.sent]


class Event:
    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self.acked_after = -1

    def ack(self) -> None:
        self.acked_after = self._producer._safe


class Of:
    """A partition that has this to say."""

    def __init__(self, number: int, outcome: Outcome, write: Write | None) -> None:
        self.number = number
        self._found = (outcome, write)

    def flush(self, now: float) -> tuple[Outcome, Write | None]:
        return self._found


class Site:
    def __init__(
        self, refuse: Callable[[str], bool] = lambda topic: False, keys: Keys | None = None
    ) -> None:
        app: Any = module.make(KafkaSettings(prefix="site.", partitions=PARTITIONS), Path("unused"))
        self.producer = Producer(refuse)
        self.slots = Slots(app, PARTITIONS)
        app.producer = self.producer
        self.flusher = Flusher(app, self.slots, "site.", PARTITIONS, keys)
        self.events = [Event(self.producer)]

    def flush(self, *partitions: Any) -> None:
        asyncio.run(flush(self.flusher, partitions, self.events))


def alert(summary: str = "", name: str = "a1") -> Alert:
    return Alert(
        id=name, detector="tally", shape="many", severity="low", first=1.0, last=2.0, at=2.0,
        subject=Subject("client", "192.0.2.1"), summary=summary,
    )  # fmt: skip


DECISION = Decision(id="d1", target=Target("network", "192.0.2.1"), action="drop")
CHANGELOG = "site.mailwarden-records-changelog"


def test_the_changelog_has_the_name_that_its_topic_was_made_with() -> None:
    assert Site().slots.topic == CHANGELOG


def test_each_step_is_safe_before_the_next_begins() -> None:
    site = Site()
    site.slots.keep(2, 4, b"old")
    site.slots.keep(2, 5, b"old")
    outcome = Outcome([alert()], [DECISION], [])
    site.flush(Of(2, outcome, Write([4], [(6, b"new"), (7, b"new")], [5])))
    assert [(topic, key, value) for topic, key, value, *_ in site.producer.sent][3:] == [
        (CHANGELOG, b"2/4", None),
        (CHANGELOG, b"2/6", b"new"),
        (CHANGELOG, b"2/7", b"new"),
        (CHANGELOG, b"2/5", None),
    ]
    assert site.producer.topics[:3] == [
        "site.mail.alerts",
        "site.mail.decisions",
        "site.mail.audit",
    ]
    assert site.producer.done == [0, 0, 0, 3, 4, 4, 6]
    assert site.events[0].acked_after == 7


def test_what_was_changed_of_an_account_goes_into_the_trail() -> None:
    site = Site()
    change = Change(
        at=5.0, gateway="m365", account="anna@example.org", what="password", actor="root"
    )
    site.flush(Of(0, Outcome(changes=[change]), None))
    [(topic, key, value, *_)] = site.producer.sent
    assert (topic, key) == ("site.mail.audit", b"")
    entry = wire.decode_audit(value)
    assert (entry.what, entry.action, entry.by) == ("changed", "password", "root")
    assert entry.target == "account:anna@example.org"


@pytest.mark.parametrize(
    "topic", ["site.mail.alerts", "site.mail.decisions", "site.mail.audit", CHANGELOG]
)
def test_a_send_that_fails_raises_and_acks_nothing(topic: str) -> None:
    site = Site(refuse=lambda found: found == topic)
    with pytest.raises(ConnectionError):
        site.flush(Of(2, Outcome([alert()], [DECISION], []), Write([], [(6, b"new")], [])))
    assert site.events[0].acked_after == -1


def test_alerts_and_decisions_have_the_key_that_compaction_needs() -> None:
    site = Site()
    site.flush(Of(0, Outcome([alert()], [DECISION], []), None))
    (_, alert_key, value, *_), (_, decision_key, decided, *_), (_, trail, entry, *_) = (
        site.producer.sent
    )
    assert (alert_key, wire.decode_alert(value or b"")) == (b"a1", alert())
    assert (decision_key, wire.decode_decision(decided or b"")) == (b"d1", DECISION)
    assert (trail, wire.decode_audit(entry or b"")) == (b"d1", audit.decided(DECISION))


def test_decisions_are_signed_where_there_is_a_key() -> None:
    site = Site(keys=Keys([b"k" * 32]))
    site.flush(Of(0, Outcome([], [DECISION], []), None))
    (_, key, value, _, headers), (*_, unsigned) = site.producer.sent
    assert Keys([b"k" * 32]).verify("mail.decisions", key or b"", value, headers) > 0
    assert unsigned is None


def test_of_several_revisions_of_an_alert_the_newest_is_sent() -> None:
    site = Site()
    site.flush(Of(0, Outcome([alert("old"), alert("other", "a2"), alert("new")], [], []), None))
    assert [wire.decode_alert(value or b"").summary for _, _, value, *_ in site.producer.sent] == [
        "new",
        "other",
    ]


def test_signals_go_to_the_partition_of_whom_they_are_about() -> None:
    site = Site()
    told = [Signal(at=1.0, about=f"m:user{index}@example.org", kind="k") for index in range(20)]
    site.flush(Of(3, Outcome([], [], told), None))
    assert {partition for *_, partition, _ in site.producer.sent} == {
        keys.partition(signal.about, PARTITIONS) for signal in told
    }
    for topic, key, value, partition, headers in site.producer.sent:
        assert (topic, key, headers) == ("site.mail.facts", None, {"origin": b"signal/3"})
        for signal in wire.decode_events(value or b""):
            assert keys.partition(signal.about, PARTITIONS) == partition  # type: ignore[attr-defined]


def test_many_signals_are_several_messages() -> None:
    site = Site()
    told = [Signal(at=1.0, about="m:a@example.org", kind="k")] * (2 * SIGNALS + 1)
    site.flush(Of(3, Outcome([], [], told), None))
    counts = [len(wire.decode_events(value or b"")) for _, _, value, *_ in site.producer.sent]
    assert counts == [SIGNALS, SIGNALS, 1]


def test_nothing_said_and_nothing_changed_only_acks() -> None:
    site = Site()
    site.flush(Of(0, Outcome(), None))
    assert site.producer.sent == []
    assert site.events[0].acked_after == 0


def test_the_table_holds_what_was_written_and_not_deleted() -> None:
    site = Site()
    site.flush(Of(2, Outcome(), Write([], [(6, b"six"), (7, b"seven")], [])))
    site.flush(Of(2, Outcome(), Write([], [(8, b"eight")], [6])))
    site.slots.keep(22, 6, b"of another partition")
    assert site.slots.of(2) == [(7, b"seven"), (8, b"eight")]


def test_a_message_can_carry_a_full_name() -> None:
    site = Site()
    asyncio.run(site.flusher.send([Send("mail.dead", b"k", b"v")]))
    asyncio.run(site.flusher.send([Send("mail.dead", b"k", b"v")], prefixed=True))
    assert site.producer.topics == ["site.mail.dead", "mail.dead"]
