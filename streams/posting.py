"""HTTP requests of sinks: one after the other, each in full before the next, no redirects."""

import asyncio
import base64
import io
import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from schemas.settings import SettingsError
from streams import tls
from streams.sink import SinkError

if TYPE_CHECKING:
    import aiohttp

LARGEST = 16 << 20  # bytes of an answer that are read


class Request(Struct, frozen=True):
    body: bytes
    headers: dict[str, str]
    path: str = ""  # behind the server's address
    method: str = "POST"


class Answer(Struct, frozen=True):
    status: int
    reason: str
    body: bytes


class Server:
    """Where a sink sends to. What is told of it never shows path and query: these often are the
    password."""

    def __init__(self, url: str, context: ssl.SSLContext, timeout: float) -> None:
        """Raises SettingsError where the settings `url` or `timeout` cannot be used."""
        wrong = SettingsError("url: expected http://... or https://...")
        try:
            parts = urlsplit(url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError as error:
            raise wrong from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise wrong
        if timeout <= 0:
            raise SettingsError("timeout: expected a number of seconds above 0")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self.shown = f"{parts.scheme}://{host}{port}"
        self._url = url
        self._tls = context
        self._timeout = timeout

    def send(
        self, requests: Iterable[Request], judge: Callable[[Answer], None] | None = None
    ) -> None:
        """Send all of them; `judge` sees each answer, and raises SinkError where the next is not
        to be sent. Raises SinkError also where there is no answer, or, without a judge, another
        than 2xx."""
        asyncio.run(self._send_all(requests, judge or self.expect_success))

    def expect_success(self, answer: Answer) -> None:
        if not 200 <= answer.status < 300:
            raise SinkError(f"{self.shown}: answered {answer.status} {answer.reason}")

    async def _send_all(self, requests: Iterable[Request], judge: Callable[[Answer], None]) -> None:
        # Every command reads the settings and so this module: only who sends waits for aiohttp.
        import aiohttp  # noqa: PLC0415

        timeout = aiohttp.ClientTimeout(total=self._timeout)
        connector = aiohttp.TCPConnector(ssl=self._tls)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            for request in requests:
                try:
                    answer = await self._send(session, request)
                except aiohttp.ClientError as error:
                    raise SinkError(f"{self.shown}: {error}") from error
                except TimeoutError as error:
                    wait = self._timeout
                    raise SinkError(f"{self.shown}: no answer within {wait:g} s") from error
                judge(answer)

    async def _send(self, session: "aiohttp.ClientSession", request: Request) -> Answer:
        url = f"{self._url.rstrip('/')}/{request.path}" if request.path else self._url
        headers = {"user-agent": "mailwarden", **request.headers}
        data = io.BytesIO(request.body) if request.body else None
        async with session.request(
            request.method, url, data=data, headers=headers, allow_redirects=False
        ) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > LARGEST:
                    raise SinkError(f"{self.shown}: answered more than {LARGEST} bytes")
            return Answer(answer.status, answer.reason or "", bytes(body))


def basic(username: str, password: str, password_file: str) -> dict[str, str]:
    """The header of basic authentication (RFC 7617), from the settings of these names. Raises
    SettingsError."""
    held = tls.held_secret(password, password_file, "password")
    if held and not username:
        raise SettingsError("username: expected the name that the password is of")
    if ":" in username:
        raise SettingsError("username: expected a name without a colon")
    if not username:
        return {}
    both = base64.b64encode(f"{username}:{held}".encode())
    return {"authorization": f"Basic {both.decode()}"}
