"""The Kafka topics: name, what is in it, key, partitions, retention. One row each."""

from msgspec import Struct

DAY_MS = 86_400_000


class Topic(Struct, frozen=True):
    name: str
    holds: str
    key: str
    many: bool = True  # as many partitions as the site has set; else one
    fixed: bool = True  # what lies in it would be looked for elsewhere if their number changed
    config: dict[str, str] = {}


def _kept(days: int) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}


COMPACT = {"cleanup.policy": "compact"}
CHANGELOG = {
    "cleanup.policy": "compact",
    "segment.bytes": "16777216",
    "segment.ms": "600000",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": "600000",  # the workers free a slot by deleting it
    "max.message.bytes": "1048588",
}
FOR_EVER = {"cleanup.policy": "delete", "retention.ms": "-1"}
LEASES = {
    "cleanup.policy": "compact,delete",
    "retention.ms": str(8 * DAY_MS),
}

TOPICS: tuple[Topic, ...] = (
    Topic("mail.events", "events of other publishers, one a message", "any", config=_kept(3)),
    Topic("mail.facts", "routed events, packed", "explicit partition", config=_kept(3)),
    Topic("mail.alerts", "what the SOC reads", "alert id", config=COMPACT),
    Topic("mail.decisions", "what the gateways enforce", "target and action", config=LEASES),
    Topic("mail.gateways", "what each gateway has applied", "gateway", many=False, config=COMPACT),
    Topic("mail.switch", "the kill switch of all gateways", "panic", many=False, config=COMPACT),
    Topic("mail.incidents", "what people make of incidents", "incident id", config=COMPACT),
    Topic("mail.audit", "who changed what, and why", "decision", fixed=False, config=FOR_EVER),
    Topic(
        "mail.dead",
        "what could not be read, with the reason",
        "origin",
        fixed=False,
        config=_kept(14),
    ),
)

INTAKE: tuple[Topic, ...] = (
    Topic("mail.raw", "what shippers of others publish", "any", fixed=False, config=_kept(3)),
    Topic("mail.lines", "the same by gateway, in order", "gateway", config=_kept(3)),
)
"""What `mailwarden intake` needs beside them."""

BY_NAME = {topic.name: topic for topic in TOPICS}


def changelog(group: str) -> Topic:
    """Where the workers of a consumer group keep their records. The name is Faust's: the app's
    id, the table's name, ``changelog``."""
    return Topic(
        f"{group}-records-changelog",
        "what the workers know of every subject, in slots",
        "partition/slot",
        config=CHANGELOG,
    )


def snapshots(group: str) -> Topic:
    """Where the members of the intake's group keep what they have half joined."""
    return Topic(
        f"{group}-intake-changelog",
        "what `intake` has half joined",
        "partition/piece",
        config=CHANGELOG,
    )
