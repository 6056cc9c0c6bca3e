"""What a sink is: one way of telling the SOC. The list is in streams/sinks/__init__.py."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from schemas.findings import SEVERITIES, Alert, Severity
from schemas.incidents import Case
from schemas.settings import Section
from streams import summing
from streams.quiet import Hours


class SinkError(Exception):
    """The alerts did not arrive, or may not have: the caller sends them again later.

    Receivers tell a repetition by the alert's id and revision.
    """


class SinkSettings(Section, frozen=True):
    """``[sinks.NAME]``: what all sinks have."""

    least: Severity = "info"  # milder alerts are not told here
    detectors: tuple[str, ...] = ()  # only alerts of these; none: of all
    domains: tuple[str, ...] = ()  # only alerts that concern one of these; none: all
    gather: float = 60.0  # seconds in which alerts of one incident, detector and severity are told
    # as one, but for the first; 0: each is told as itself
    quiet_hours: tuple[str, ...] = ()  # as 22:00-07:00 or sat,sun 00:00-24:00: what is held
    # in them is told as one at their end
    quiet_least: Severity = "critical"  # from this severity on, an alert is told in them as well
    quiet_zone: str = ""  # IANA name of their zone; "" is this machine's
    unacknowledged: float = 0.0  # seconds in which somebody may take on the incident of an alert;
    # only then, where nobody has, it is told here. 0: at once


class Sink:
    """One way of telling the SOC, with the settings of one section.

    A subclass defines `Settings` (a frozen struct) and `deliver`.
    """

    Settings: ClassVar[type[SinkSettings]] = SinkSettings
    people: ClassVar[bool] = False  # whether it asks what people made of an incident

    def __init__(self, settings: SinkSettings, name: str = "") -> None:
        self.settings = settings
        self.name = name or type(self).__name__.lower()
        self.trouble = ""  # why it is believed that nothing arrives, although `send` returned
        self.folder: Path | None = None  # where it may keep what outlives the process
        self.quiet = Hours(settings.quiet_hours, settings.quiet_zone)
        self._domains = {domain.lower().rstrip(".") for domain in settings.domains}
        # What people made of an incident, by its id. From the thread of `send`.
        self.case: Callable[[str], Case | None] = lambda incident: None
        # Whether domains that an alert concerns have chosen this sink; None: none ever does.
        self.concerned: Callable[[Sequence[str]], bool] | None = None

    def about(self) -> str:
        """What it does with an alert, in a few words and without secrets: for `check`."""
        return type(self).__name__

    def of(self) -> str:
        """Which alerts are told here, in words: for `check`."""
        said = f"alerts from severity {self.settings.least} on"
        if self.settings.detectors:
            said += f", by {', '.join(self.settings.detectors)}"
        if self.settings.domains:
            said += f", of {', '.join(self.settings.domains)}"
        if self.concerned is not None:
            said += ", of the domains that name it"
        if self.settings.unacknowledged:
            said += f"; where nobody took them on for {self.settings.unacknowledged:g} s"
        if self.quiet:
            hours = ", ".join(self.settings.quiet_hours)
            said += f"; at {hours} only from {self.settings.quiet_least} on"
        if self.settings.gather:
            said += f"; those of one incident together, every {self.settings.gather:g} s"
        return said

    def disturbs(self, alert: Alert) -> bool:
        """Whether it is told in quiet hours as well."""
        return _rank(alert.severity) >= _rank(self.settings.quiet_least)

    def wants(self, alert: Alert) -> bool:
        """Whether an alert belongs here: severity, detector and domains must all fit."""
        if _rank(alert.severity) < _rank(self.settings.least):
            return False
        detectors = self.settings.detectors
        if detectors and alert.detector not in detectors:
            return False
        chosen = self.concerned
        if chosen is not None and chosen(alert.domains):
            return True
        if not self._domains:
            return chosen is None
        return not self._domains.isdisjoint(alert.domains)

    def send(self, alerts: Sequence[Alert]) -> None:
        """Tell those of the alerts that belong here. Raises SinkError where that failed; it is
        for the caller to try again."""
        wanted = [alert for alert in alerts if self.wants(alert)]
        if wanted:
            self.deliver(wanted)

    def deliver(self, alerts: Sequence[Alert]) -> None:
        """Tell all of these. Raises SinkError."""
        raise NotImplementedError

    @property
    def digest(self) -> float:
        """Seconds for which alerts that `waits` names are collected; they are then told by
        `deliver_digest` as one."""
        return 0.0

    def waits(self, alert: Alert) -> bool:
        """Whether an alert may wait for the digest."""
        return False

    def deliver_digest(self, alerts: Sequence[Alert]) -> None:
        """Tell all of these, which waited: as one, where the sink has no better way. Raises
        SinkError."""
        self.deliver([summing.digest(alerts, "that waited")])

    def received(self, alerts: Sequence[Alert]) -> set[tuple[str, int]]:
        """(id, revision) of those alerts that have arrived already, as far as the sink can tell.

        Asked once, about what an earlier process may have told before it died.
        """
        return set()

    def due(self) -> float | None:
        """Seconds until `refresh` is to be called; None: never."""
        return None

    def refresh(self) -> None:
        """Say again what must not be forgotten. Raises SinkError. In the thread of `send`."""

    def close(self) -> None:
        """Give back what is held open; `send` may be called again."""


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
