"""What Faust does not tell of its Kafka client: aiokafka 0.14.0, by its inner names.

aiokafka/consumer/group_coordinator.py: `coordinator_id` is None from a failed heartbeat to the
group's coordinator until it is found again. The consumer lives in a thread of its own
(faust/transport/drivers/aiokafka.py); what is awaited of it is awaited there.
"""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from streams.said import said

log = logging.getLogger(__name__)

RETRY = 0.5  # seconds


def consumer(app: Any) -> Any:
    """The aiokafka consumer of a Faust app; None while there is none."""
    thread = getattr(app.consumer, "_thread", None)
    return getattr(thread, "_consumer", None)


def connected(app: Any) -> bool:
    """Whether the brokers hear us: without, nothing that we do not hear says anything."""
    found = consumer(app)
    coordinator = getattr(found, "_coordinator", None)
    return getattr(coordinator, "coordinator_id", None) is not None


def ended(app: Any) -> str:
    """Which task has ended without which a client of Kafka finds no broker again; "" while all
    run. aiokafka has no word for it: whoever asks that client for a broker waits for ever."""
    clients = {
        "consumer": getattr(consumer(app), "_client", None),
        "producer": getattr(getattr(app.producer, "_producer", None), "client", None),
    }
    for name, client in clients.items():
        task = getattr(client, "_sync_task", None)
        if task is not None and task.done():
            return f"the {name}'s search for brokers ended"
    return ""


async def committed_offsets(app: Any, places: Iterable[TP]) -> dict[TP, int]:
    """What the group has committed of the partitions. Waits for the brokers."""
    thread = app.consumer._thread
    found = {}
    for place in places:
        while (offset := await _committed(thread, place)) < 0:
            await asyncio.sleep(RETRY)
        found[place] = offset
    return found


async def _committed(thread: Any, place: TP) -> int:
    """-1 where no broker answers."""
    try:
        return await thread.call_thread(thread._consumer.committed, place) or 0
    except KafkaError as error:
        log.warning("what is committed cannot be read: %r", error)
        return -1


async def read_from(app: Any, place: TP, offset: int) -> None:
    """Give the messages of a partition from `offset` on, those that were given before as well."""
    try:
        await app.consumer.seek_wait({place: offset})
    except (KafkaError, TimeoutError) as error:  # the partition goes: it was late
        topic, partition = place
        where = {"topic": topic, "partition": partition}
        log.warning(said("partition cannot be read again", **where, reason=repr(error)))
    else:
        app.consumer.resume_partitions({place})


def ends(app: Any, places: Iterable[TP]) -> list[tuple[TP, int]]:
    """The partitions and their ends, of those whose end has been heard of."""
    found = consumer(app)
    subscription = found and found._subscription.subscription
    assignment = subscription and subscription.assignment
    if assignment is None:
        return []
    states = [(place, assignment.state_value(place)) for place in places]
    return [(place, state.highwater) for place, state in states if state and state.highwater]
