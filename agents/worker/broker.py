"""Before the worker starts: is there a broker, and are the topics as the settings say?"""

import logging
import time
from collections.abc import Callable

from agents.worker.partition import Topic
from schemas.settings import KafkaSettings, SettingsError
from schemas.topics import TOPICS, changelog
from streams.bus import BusError
from streams.kafka_bus import KafkaBus
from streams.said import said

log = logging.getLogger(__name__)

FIRST = 1.0  # seconds until the first retry; doubled each time
LONGEST = 30.0

READ = ("mail.facts", "mail.events")


def ready(
    settings: KafkaSettings,
    connect: Callable[[KafkaSettings], KafkaBus] = KafkaBus,
    sleep: Callable[[float], None] = time.sleep,
) -> Topic:
    """Wait for the broker, however long it takes, and look at the topics. Raises SettingsError
    where they do not fit."""
    pause = FIRST
    while True:
        bus = connect(settings)
        try:
            return _look(bus, settings)
        except BusError as error:
            log.error(said("no topics", reason=error, retry_seconds=pause))
            sleep(pause)
            pause = min(2 * pause, LONGEST)
        finally:
            bus.close()


def _look(bus: KafkaBus, settings: KafkaSettings) -> Topic:
    found = bus.topics()
    kept = changelog(settings.group).name
    for name in (*(topic.name for topic in TOPICS), kept):
        if name not in found:
            raise SettingsError(
                f"there is no topic {settings.prefix}{name}: run `mailwarden topics create`"
            )
    for name in (*READ, kept):
        if found[name] != settings.partitions:
            raise SettingsError(
                f"kafka.partitions: the settings say {settings.partitions}, "
                f"topic {settings.prefix}{name} has {found[name]}"
            )
    return Topic(bus.identity("mail.facts"), settings.partitions)
