"""Alerts by HTTP POST, signed as Standard Webhooks asks.

One request for each alert, its body ``{"type": "alert", "timestamp": ..., "data": alert}``, or, in
a format of others, the alert alone, which is what their intakes take. The
headers ``webhook-id`` (the alert's id and revision: what a receiver has seen it can drop),
``webhook-timestamp`` and ``webhook-signature`` are those of the Standard Webhooks specification,
the signature being ``v1,`` and the base64 HMAC-SHA256 of ``id.timestamp.body``.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from schemas import wire
from schemas.findings import Alert
from schemas.settings import SettingsError
from streams import tls
from streams.rendering import formats
from streams.rendering.formats import Format
from streams.sink import Sink, SinkError, SinkSettings

if TYPE_CHECKING:
    import aiohttp

PREFIX = "whsec_"


class WebhookSettings(SinkSettings, frozen=True):
    """``[sinks.webhook]``"""

    url: str = ""  # http:// or https://; must be set
    format: Format = "native"  # our own, OCSF 1.8
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
        address = urlsplit(self.settings.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise SettingsError("url: expected http://... or https://...")
        if self.settings.timeout <= 0:
            raise SettingsError("timeout: expected a number of seconds above 0")
        self._key = _key(self.settings)
        self._tls = tls.to_server(self.settings.ca)

    def about(self) -> str:
        """The path and the query often are the password: they are not shown."""
        form = "" if self.settings.format == "native" else f" of {self.settings.format}"
        return f"POST{form} to {_shown(self.settings.url)}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        asyncio.run(self._post_all(alerts))

    async def _post_all(self, alerts: Sequence[Alert]) -> None:
        # Every command reads the settings and so this module: only who sends waits for aiohttp.
        import aiohttp  # noqa: PLC0415

        timeout = aiohttp.ClientTimeout(total=self.settings.timeout)
        connector = aiohttp.TCPConnector(ssl=self._tls)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            for alert in alerts:
                try:
                    await self._post(session, alert)
                except aiohttp.ClientError as error:
                    raise SinkError(f"{_shown(self.settings.url)}: {error}") from error

    async def _post(self, session: "aiohttp.ClientSession", alert: Alert) -> None:
        url = self.settings.url
        now = self._clock()
        body = self._body(alert, now)
        headers = {"content-type": "application/json", "user-agent": "mailwarden"}
        headers |= signed(f"{alert.id}-{alert.revision}", int(now), body, self._key)
        try:
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if not 200 <= answer.status < 300:
                    raise SinkError(f"{_shown(url)}: answered {answer.status} {answer.reason}")
        except TimeoutError as error:
            wait = self.settings.timeout
            raise SinkError(f"{_shown(url)}: no answer within {wait:g} s") from error

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


def _shown(url: str) -> str:
    """An address without what may be secret in it: its path and query often are the password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
