"""Alerts into Prometheus' Alertmanager (API v2): raised, kept up, updated, resolved.

Alertmanager knows an alert by its labels, so these stay the same from revision to revision, and
what changes stands in the annotations. Where severity or incident change after all, the old set of
labels is resolved as the new one is raised. An alert fires until it is withdrawn, or until nothing
new has come for as long as its detector looks back.

Alertmanager keeps alerts in memory only. They are sent again every `resend` seconds, so that one
that was restarted knows them again; and after a restart of ours, it is asked which of them it has.
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field, structs

from schemas import wire
from schemas.findings import DAY, Alert
from schemas.settings import SettingsError
from streams import tls
from streams.metrics import SINK_REFUSED
from streams.posting import Answer, Request, Server, basic
from streams.rendering import words
from streams.said import said
from streams.sink import Sink, SinkError, SinkSettings

log = logging.getLogger(__name__)

STANDING = ("gateway_silent", "gateway_behind", "listed", "host")
"""Detectors that say when it is over: what they tell stands until they do."""
USUAL = 3600.0  # seconds that an alert stands whose detector has no window
KEPT = 10_000  # alerts that are sent again; older ones fire until their end, and are not kept up
BATCH = 500  # alerts of one request
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
OURS = ("alertname", "severity", "detector", "subject", "subject_kind", "incident", "alert_id")
SOURCE = "source"  # the label that all of ours have


class AlertmanagerSettings(SinkSettings, frozen=True):
    """``[sinks.alertmanager]``"""

    gather: float = 0.0  # seconds; 0: each alert is raised, Alertmanager groups them itself
    url: str = ""  # http:// or https:// of Alertmanager; must be set
    labels: dict[str, str] = field(default_factory=dict)  # more of every alert: site = "mail"
    resend: float = 60.0  # seconds between two times that what fires is said again
    quiet: float = 0.0  # seconds without news until an alert is over; 0: as its detector looks back
    username: str = ""  # basic authentication
    password: str = ""
    password_file: str = ""  # a file that holds it instead
    timeout: float = 10.0  # seconds for one request
    ca: str = ""  # PEM file of authorities, in place of the system's
    certificate: str = ""  # PEM files, where the server asks for a certificate
    key: str = ""


class Raised(Struct, frozen=True, rename={"starts": "startsAt", "ends": "endsAt"}):
    """An alert as Alertmanager has it. Times are RFC 3339."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts: str
    ends: str


_listed = msgspec.json.Decoder(list[Raised])


class Alertmanager(Sink):
    """Of a cluster, each member is a sink of its own: they tell people once."""

    Settings = AlertmanagerSettings
    settings: AlertmanagerSettings

    def __init__(
        self,
        settings: SinkSettings,
        name: str = "alertmanager",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name)
        chosen = self.settings
        context = tls.to_server(chosen.ca, chosen.certificate, chosen.key)
        self._server = Server(chosen.url, context, chosen.timeout)
        if chosen.resend <= 0:
            raise SettingsError("resend: expected a number of seconds above 0")
        for label in chosen.labels:
            if not LABEL.fullmatch(label) or label in (*OURS, SOURCE):
                raise SettingsError(f"labels.{label}: expected a label's name that is not ours")
        held = basic(chosen.username, chosen.password, chosen.password_file)
        self._headers = {"content-type": "application/json", **held}
        self._clock = clock
        self._fixed = {SOURCE: words.PRODUCT, **chosen.labels}
        self._firing: dict[str, Raised] | None = None  # by alert; None: to be asked for
        self._said = 0.0  # when all of it was sent last, by the monotonic clock

    def about(self) -> str:
        return f"alerts to Alertmanager at {self._server.shown}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        firing = dict(self._known())
        now = self._clock()
        changed: list[Raised] = []
        for alert in alerts:
            fresh = self._raised(alert, now)
            before = firing.pop(alert.id, None)
            if alert.state != "open":
                changed.append(_over(before or fresh, now))
                continue
            if before is not None and before.labels != fresh.labels:
                changed.append(_over(before, now))
            firing[alert.id] = fresh
            changed.append(fresh)
        self._post(changed)
        self._firing = dict(list(firing.items())[-KEPT:])

    def due(self) -> float:
        return self._said + self.settings.resend - time.monotonic()

    def refresh(self) -> None:
        now = words.stamp(self._clock())
        known = self._known().items()
        firing = {name: self._still(one) for name, one in known if one.ends > now}
        self._post(firing.values())
        self._firing = firing
        self._said = time.monotonic()

    def _raised(self, alert: Alert, now: float) -> Raised:
        quiet = self.settings.quiet or alert.window or USUAL
        if alert.detector in STANDING:
            ends = now + DAY
        else:
            # What is told late fires for a while as well: people have not heard of it.
            ends = max(alert.last + quiet, now + 4 * self.settings.resend)
        return Raised(
            {**self._fixed, **_labels(alert)},
            _annotations(alert),
            words.stamp(min(alert.first, now)),
            words.stamp(ends),
        )

    def _still(self, one: Raised) -> Raised:
        """What stands until its detector says otherwise stands for another day."""
        if one.labels.get("detector") not in STANDING:
            return one
        return structs.replace(one, ends=words.stamp(self._clock() + DAY))

    def _known(self) -> dict[str, Raised]:
        """What fires, by the id of the alert."""
        if self._firing is None:
            self._firing = {one.labels["alert_id"]: one for one in self._asked()}
        return self._firing

    def _asked(self) -> list[Raised]:
        """What Alertmanager has of ours."""
        answers: list[Answer] = []
        filters = [("filter", f"{label}={_quoted(text)}") for label, text in self._fixed.items()]
        path = f"api/v2/alerts?{urlencode(filters)}"
        self._server.send([Request(b"", self._headers, path, "GET")], answers.append)
        self._server.expect_success(answers[0])
        try:
            found = _listed.decode(answers[0].body)
        except ValueError as error:
            raise SinkError(f"{self._server.shown}: not the answer of Alertmanager") from error
        mine = (one for one in found if "alert_id" in one.labels)
        return [structs.replace(one, ends=_stamped(one.ends)) for one in mine]

    def _post(self, alerts: Iterable[Raised]) -> None:
        every = list(alerts)
        for begin in range(0, len(every), BATCH):
            part = every[begin : begin + BATCH]
            if self._answer(part) == 400:
                # Alertmanager took those that it can read: which are they?
                for one in part:
                    if self._answer([one]) == 400:
                        self._refuse(one)

    def _answer(self, part: list[Raised]) -> int:
        answers: list[Answer] = []
        request = Request(wire.encode(part), self._headers, "api/v2/alerts")
        self._server.send([request], answers.append)
        if answers[0].status != 400:
            self._server.expect_success(answers[0])
        return answers[0].status

    def _refuse(self, one: Raised) -> None:
        SINK_REFUSED.labels(self.name).inc()
        log.error(said("alert refused", sink=self.name, alert=one.labels["alert_id"], reason=400))


def _labels(alert: Alert) -> dict[str, str]:
    """What an alert is known by: nothing that a revision changes, but severity and incident."""
    values = {
        "alertname": "Mail" + "".join(part.capitalize() for part in alert.detector.split("_")),
        "severity": alert.severity,
        "detector": alert.detector,
        "subject_kind": alert.subject.kind,
        "subject": words.plain(alert.subject.value, 200),
        "incident": alert.incident or alert.id,
        "alert_id": alert.id,
    }
    return {name: value for name, value in values.items() if value}


def _annotations(alert: Alert) -> dict[str, str]:
    values = {
        "summary": words.plain(alert.summary),
        "evidence": words.evidence(alert),
        "decision": words.plain(alert.decision),
        "undo": words.plain(alert.undo),
        "domains": words.listed(alert.domains, 0),
        "clients": words.listed(alert.clients, alert.clients_count),
        "accounts": words.listed(alert.accounts, alert.accounts_count),
        "targets": words.listed(alert.targets, alert.targets_count),
        "technique": alert.technique,
        "shape": alert.shape,
        "runbook": words.runbook(alert.detector),
        "revision": str(alert.revision),
    }
    return {name: value for name, value in values.items() if value}


def _over(one: Raised, now: float) -> Raised:
    return structs.replace(one, ends=words.stamp(now))


def _stamped(text: str) -> str:
    """A time as we write it, so that times can be compared."""
    return words.stamp(datetime.fromisoformat(text).timestamp())


def _quoted(text: str) -> str:
    """A value of a matcher, which is written as Go writes strings."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
