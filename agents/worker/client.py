"""What Faust does not tell of its Kafka client: aiokafka 0.14.0, by its inner names.

aiokafka/consumer/group_coordinator.py: `coordinator_id` is None from a failed heartbeat to the
group's coordinator until it is found again.
"""

from typing import Any


def consumer(app: Any) -> Any:
    """The aiokafka consumer of a Faust app; None while there is none."""
    thread = getattr(app.consumer, "_thread", None)
    return getattr(thread, "_consumer", None)


def connected(app: Any) -> bool:
    """Whether the brokers hear us: without, nothing that we do not hear says anything."""
    found = consumer(app)
    coordinator = getattr(found, "_coordinator", None)
    return getattr(coordinator, "coordinator_id", None) is not None
