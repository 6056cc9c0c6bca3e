"""Alerts to chats and pagers by the URLs of apprise: Slack, Teams, Mattermost, Discord, PagerDuty,
Opsgenie and some hundred more. https://appriseit.com/services/

Such a URL holds the secret of its service, so no part of it but the name of the service is ever
shown. Apprise tells no more than whether it worked, and writes why into its log: the status that
stands there decides whether the alert is put aside (streams/posted.py), and nothing else of it is
passed on. What it sends is bounded by time, in a thread of its own.

Of a pager, all alerts of one incident are one page: they share its deduplication key. A withdrawn
alert resolves it where the service can (PagerDuty; Opsgenie as long as the process lives).
"""

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from schemas.findings import SEVERITIES, Alert
from schemas.settings import SettingsError
from streams import tls
from streams.posted import Posted
from streams.rendering import chat
from streams.sink import Sink, SinkError, SinkSettings

SEVERE = SEVERITIES.index("high")
STATUS = re.compile(r"error=(\d{3})\b")
KEYS = ("dedup", "alias")  # what pagers call the key that makes several events one
MISSING = "apprise is not installed: pip install 'mailwarden[chat]'"
EXPECTED = "expected a URL of apprise such as slack://TOKEN_A/TOKEN_B/TOKEN_C"


class ChatSettings(SinkSettings, frozen=True):
    """``[sinks.chat]``"""

    url: str = ""  # of apprise, as slack://...; it holds the secret
    url_file: str = ""  # a file that holds it instead
    timeout: float = 30.0  # seconds for one message
    ca: str = ""  # PEM file of authorities, in place of those that Mozilla trusts


class Chat(Sink):
    """Redirects are not followed."""

    Settings = ChatSettings
    settings: ChatSettings

    def __init__(self, settings: SinkSettings, name: str = "chat") -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name)
        chosen = self.settings
        if chosen.timeout <= 0:
            raise SettingsError("timeout: expected a number of seconds above 0")
        tls.to_server(chosen.ca)  # that it can be read
        url = tls.held_secret(chosen.url, chosen.url_file, "url")
        self._service = _service(url, "url_file" if chosen.url_file else "url")
        self._service.socket_connect_timeout = chosen.timeout
        self._service.socket_read_timeout = chosen.timeout
        self._service.redirects = False
        if chosen.ca:
            self._service.verify_certificate = chosen.ca
        self._shown = str(self._service.service_name)
        self._keys = [key for key in KEYS if getattr(self._service, key, "set by the URL") is None]
        self._posted = Posted(self.name)
        self._busy: threading.Thread | None = None  # it did not end in time

    def about(self) -> str:
        return f"messages to {self._shown}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        named = {f"{one.id}-{one.revision}": one for one in alerts}
        for name in self._posted.begin(named):
            status = self._tell(named[name])
            if status is None:
                self._posted.taken(name)
            elif not self._posted.refused(name, status, "from the service"):
                said = f"answered {status}" if status else "did not take the message"
                raise SinkError(f"{self._shown}: {said}")
        self._posted.end(self._shown)
        self.trouble = self._posted.trouble

    def _tell(self, alert: Alert) -> int | None:
        """None where it was taken; else the HTTP status of the answer, 0 where there was none."""
        if self._busy is not None and self._busy.is_alive():
            raise SinkError(f"{self._shown}: the last message is still on its way")
        answer: list[int | None] = []
        told = threading.Thread(
            target=self._send, args=(alert, answer), name=f"chat {self.name}", daemon=True
        )
        told.start()
        told.join(self.settings.timeout)
        self._busy = told
        if not answer:
            wait = self.settings.timeout
            raise SinkError(f"{self._shown}: not done within {wait:g} s")
        return answer[0]

    def _send(self, alert: Alert, answer: list[int | None]) -> None:
        for key in self._keys:
            setattr(self._service, key, f"mailwarden-{alert.incident or alert.id}")
        with _listening() as lines:
            try:
                done = self._service.notify(
                    title=chat.title(alert), body=chat.text(alert), notify_type=_type(alert)
                )
            except Exception:
                # Whatever a plugin of apprise raises may hold the URL.
                done = False
        found = STATUS.search(" ".join(lines))
        answer.append(None if done else int(found[1]) if found else 0)


def _service(url: str, key: str) -> Any:
    """The service that a URL names. Raises SettingsError, which never shows the URL."""
    try:
        with _listening():
            # Takes a while, and most sites have no such sink.
            from apprise import Apprise, AppriseAsset, OverflowMode  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(f"kind: {MISSING}") from error
    # Debugging would show the paths of requests, which are secrets.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    # Its pictures lie on the web, and nobody's reader is to fetch them.
    asset = AppriseAsset(
        app_id="mailwarden", app_desc="mailwarden", app_url="", image_url_mask="", image_url_logo=""
    )
    with _listening():
        service = Apprise.instantiate(url, asset=asset) if url else None
    if service is None:
        raise SettingsError(f"{key}: {EXPECTED}")
    service.overflow_mode = OverflowMode.TRUNCATE
    if hasattr(service, "action") and hasattr(service, "dedup") and "action=" not in url:
        service.action = "map"  # PagerDuty: resolves what is withdrawn
    return service


def _type(alert: Alert) -> Any:
    from apprise import NotifyType  # noqa: PLC0415

    if alert.state == "withdrawn":
        return NotifyType.SUCCESS
    severe = SEVERITIES.index(alert.severity) >= SEVERE
    return NotifyType.FAILURE if severe else NotifyType.WARNING


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What apprise logs in this thread meanwhile; it goes nowhere else, as it may hold secrets."""
    log = logging.getLogger("apprise")
    log.propagate = False
    heard = _Heard()
    log.addHandler(heard)
    try:
        yield heard.lines
    finally:
        log.removeHandler(heard)


class _Heard(logging.Handler):
    MOST = 20

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and len(self.lines) < self.MOST:
            self.lines.append(record.getMessage())
