"""Alerts by HTTP POST, signed as Standard Webhooks asks.

One request for each alert, its body ``{"type": "alert", "timestamp": ..., "data": alert}``, or, in
a format of others, the alert alone, which is what their intakes take. The
headers ``webhook-id`` (the alert's id and revision: what a receiver has seen it can drop),
``webhook-timestamp`` and ``webhook-signature`` are those of the Standard Webhooks specification,
the signature being ``v1,`` and the base64 HMAC-SHA256 of ``id.timestamp.body``. An alert that the
receiver refuses for good is put aside (streams/posted.py).
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from schemas import wire
from schemas.findings import Alert
from schemas.settings import SettingsError
from streams import tls
from streams.posted import Posted
from streams.posting import Answer, Request, Server
from streams.rendering import formats
from streams.rendering.formats import Format
from streams.sink import Sink, SinkSettings

PREFIX = "whsec_"


class WebhookSettings(SinkSettings, frozen=True):
    """``[sinks.webhook]``"""

    url: str = ""  # http:// or https://; must be set
    format: Format = "native"  # our own, OCSF 1.8, ECS
    secret: str = ""  # base64, with or without whsec_; "" signs nothing
    secret_file: str = ""  # a file that holds it instead
    timeout: float = 10.0  # seconds for one request
    ca: str = ""  # PEM file of authorities, in place of the system's


class Webhook(Sink):
    """Redirects are not followed: a signed alert goes where the settings say, or nowhere."""

    Settings = WebhookSettings
    settings: WebhookSettings

    def __init__(
        self,
        settings: SinkSettings,
        name: str = "webhook",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name)
        self._clock = clock
        self._key = _key(self.settings)
        context = tls.to_server(self.settings.ca)
        self._server = Server(self.settings.url, context, self.settings.timeout)
        self._posted = Posted(self.name)

    def about(self) -> str:
        """The path and the query often are the password: they are not shown."""
        form = "" if self.settings.format == "native" else f" of {self.settings.format}"
        return f"POST{form} to {self._server.shown}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        named = {f"{one.id}-{one.revision}": one for one in alerts}
        left = self._posted.begin(named)
        answering = iter(left)

        def judge(answer: Answer) -> None:
            name = next(answering)
            if 200 <= answer.status < 300:
                self._posted.taken(name)
            elif not self._posted.refused(name, answer.status, answer.reason):
                self._server.expect_success(answer)

        if left:
            self._server.send((self._message(name, named[name]) for name in left), judge)
        self._posted.end(self._server.shown)
        self.trouble = self._posted.trouble

    def _message(self, name: str, alert: Alert) -> Request:
        now = self._clock()
        body = self._body(alert, now)
        headers = {"content-type": "application/json", **signed(name, int(now), body, self._key)}
        return Request(body, headers)

    def _body(self, alert: Alert, now: float) -> bytes:
        if self.settings.format != "native":
            return formats.rendered(alert, self.settings.format)
        stamp = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
        return wire.encode({"type": "alert", "timestamp": stamp, "data": alert})


def signed(message_id: str, timestamp: int, body: bytes, key: bytes) -> dict[str, str]:
    """The headers of a message; without a key, unsigned."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if key:
        content = f"{message_id}.{timestamp}.".encode() + body
        digest = hmac.new(key, content, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _key(settings: WebhookSettings) -> bytes:
    where = "secret_file" if settings.secret_file else "secret"
    secret = tls.held_secret(settings.secret, settings.secret_file, "secret")
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SettingsError(f"{where}: expected base64, as {PREFIX}MfKQ9r8GKYqrTwjU") from error
