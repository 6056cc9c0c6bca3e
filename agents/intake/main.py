"""`mailwarden intake`: everything around its loop in one process."""

import fcntl
import logging
import os
import secrets
import time
from pathlib import Path

from msgspec import structs

from agents.configuration import Config
from agents.intake.intake import LINES, Intake, Names
from agents.intake.publisher import FACTS
from agents.intake.topics import wanted
from agents.running import state
from agents.running.http import Health, Pulse
from agents.running.loop import Control
from schemas.settings import KafkaSettings, Settings, SettingsError
from schemas.topics import INTAKE, TOPICS, snapshots
from streams.bus import BusError
from streams.kafka_bus import KafkaBus
from streams.kafka_flow import Flow
from streams.metrics import BUS_UP
from streams.said import said

log = logging.getLogger(__name__)

FIRST = 0.5  # seconds until the first retry; doubled each time
LONGEST = 15.0
LOOK = 30.0  # seconds between two looks for topics that were not there
MOST = 64  # processes on one machine


def run(config: Config, control: Control, pulse: Pulse) -> None:
    """Until told to stop. What fails is tried again, from where the last transaction ended.
    Raises SettingsError where the topics are not as the settings say, before it has begun."""
    identity = Identity(state.store(config.settings).parent)
    pause, trouble = FIRST, ""
    try:
        while not control.stopped():
            try:
                names = look(config.settings)
                BUS_UP.set(1)
                config = _work(config, names, identity, control, pulse)
                pause, trouble = FIRST, ""
            except BusError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    log.error(said("intake failed", reason=trouble, meanwhile="tries again"))
                BUS_UP.set(0)
                pulse.beat(Health((trouble,)))
                _rest(pause, control)
                pause = min(2 * pause, LONGEST)
    finally:
        identity.close()


def _work(
    config: Config, names: Names, identity: "Identity", control: Control, pulse: Pulse
) -> Config:
    """Turn until told otherwise, or until there are other topics; returns the settings to go on
    with."""
    kafka = config.settings.kafka
    group = f"{kafka.prefix}{kafka.group}-intake"
    flow = Flow(kafka, group, f"{group}-{identity.name}", names.lines)
    log.info(said("intake begins", topics=",".join(names.raw) or "none yet"))
    try:
        intake = Intake(config, flow, names, pulse)
        looked = time.monotonic()
        missing = len(names.raw) < len(wanted(config.settings))
        while not control.stopped():
            intake.turn()
            if missing and time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                if look(config.settings) != names:
                    break
            reloaded = control.reloaded()
            if reloaded is not None:
                return reloaded
    finally:
        flow.close()
    return config


def _rest(seconds: float, control: Control) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not control.stopped():
        time.sleep(0.1)


def look(settings: Settings) -> Names:
    """The topics of the settings, as the broker calls them: ours carry the prefix, and so may
    those of others. Raises BusError, or SettingsError where ours are not as they must be."""
    kafka = settings.kafka
    everything = structs.replace(kafka, prefix="")
    bus = KafkaBus(everything)
    try:
        found = bus.topics()
        _check(found, kafka)
        ours = {topic.name for topic in (*TOPICS, *INTAKE)}
        raw = {}
        for name, one in wanted(settings).items():
            known = (kafka.prefix + name, name)
            there = [each for each in (known if name in ours else known[::-1]) if each in found]
            if there:
                raw[there[0]] = one
            else:
                log.warning(said("topic is not there", topic=name, meanwhile="looked for again"))
        lines = kafka.prefix + LINES
        origin = f"intake:{bus.identity(lines)}"
    finally:
        bus.close()
    changelog = kafka.prefix + snapshots(kafka.group).name
    return Names(raw, lines, kafka.prefix + FACTS, changelog, origin)


def _check(found: dict[str, int], kafka: KafkaSettings) -> None:
    for name in (LINES, "mail.facts", snapshots(kafka.group).name, "mail.dead"):
        there = found.get(kafka.prefix + name)
        if there is None:
            raise SettingsError(
                f"there is no topic {kafka.prefix}{name}: run `mailwarden topics create`"
            )
        if there != kafka.partitions and name != "mail.dead":
            raise SettingsError(
                f"kafka.partitions: the settings say {kafka.partitions}, "
                f"topic {kafka.prefix}{name} has {there}"
            )


class Identity:
    """The name under which a process makes transactions: the first in `folder` that no other
    process has. It outlives the process, so that the next one ends what this one left open."""

    def __init__(self, folder: Path) -> None:
        self.name = secrets.token_hex(8)
        self._fd = -1
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number in range(MOST):
                fd = os.open(
                    folder / f"intake-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
                )
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(fd)
                    continue
                self._fd = fd
                kept = os.read(fd, 64).decode("ascii", "ignore")
                if len(kept) == len(self.name):
                    self.name = kept
                else:
                    os.ftruncate(fd, 0)
                    os.pwrite(fd, self.name.encode(), 0)
                break
        except OSError as error:
            # A name of this process alone does: what it leaves open ends after a while.
            log.warning(said("state unusable", folder=folder, reason=error.strerror))

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
