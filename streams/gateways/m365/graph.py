"""Microsoft Graph, as far as it is used: https://learn.microsoft.com/graph/api/.

A token is that of the application itself (OAuth 2.0, RFC 6749, 4.4), kept until shortly before it
ends. A call that is throttled (429) or fails there (5xx) is tried again later, by the caller.
"""

import asyncio
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from streams.gateway import GatewayError
from streams.gateways.m365.settings import M365Settings

if TYPE_CHECKING:
    import aiohttp

EARLY = 60.0  # seconds before its end that a token is replaced
LARGEST = 1 << 22  # bytes of an answer
SHOWN = 200  # characters of an error that are repeated

_UNSAFE = re.compile(r"[^\w.@'+-]")


class Answer(Struct, frozen=True):
    status: int
    body: dict[str, Any]


class Graph:
    """Calls, one at a time. Raises GatewayError where a call cannot be made or is refused."""

    def __init__(self, settings: M365Settings) -> None:
        self._settings = settings
        self._token = ""
        self._ends = 0.0

    def call(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Answer:
        """`missing`: that there is no such thing (404) is an answer."""
        return asyncio.run(self._call(method, path, body, missing=missing))

    async def _call(self, method: str, path: str, body: Any, *, missing: bool) -> Answer:
        import aiohttp  # noqa: PLC0415 - the slowest of all imports, and few sites have Microsoft 365

        settings = self._settings
        timeout = aiohttp.ClientTimeout(total=settings.timeout)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                token = await self._authorised(session)
                url = f"{settings.graph}/{path}"
                headers = {"Authorization": f"Bearer {token}"}
                async with session.request(
                    method, url, json=body, headers=headers, allow_redirects=False
                ) as response:
                    answer = Answer(response.status, await _json(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise GatewayError(f"{settings.graph}: {error or type(error).__name__}") from error
        if answer.status == 401:
            self._token = ""  # it was taken back
        if answer.status >= 300 and not (missing and answer.status == 404):
            raise GatewayError(f"{method} {path}: {answer.status} {_words(answer.body)}".strip())
        return answer

    async def _authorised(self, session: "aiohttp.ClientSession") -> str:
        settings = self._settings
        if self._token and time.monotonic() < self._ends:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_id": settings.client,
            "client_secret": _secret(settings.secret_file),
            "scope": f"{settings.graph.partition('/v1.0')[0]}/.default",
        }
        url = f"{settings.login}/{settings.tenant}/oauth2/v2.0/token"
        async with session.post(url, data=form, allow_redirects=False) as response:
            body = await _json(response)
        token = body.get("access_token")
        if response.status != 200 or not isinstance(token, str):
            words = str(body.get("error", ""))[:SHOWN]
            raise GatewayError(f"no token for {settings.client}: {response.status} {words}".strip())
        self._token = token
        self._ends = time.monotonic() + float(body.get("expires_in", 0)) - EARLY
        return token


def user(name: str) -> str:
    """The path of a user by their principal name; "" where that is none that can be asked for."""
    return "" if _UNSAFE.search(name) or name.startswith("$") else f"users/{name}"


def _words(body: dict[str, Any]) -> str:
    """What an error of Graph says."""
    said = body.get("error")
    if not isinstance(said, dict):
        return ""
    text = f"{said.get('code', '')} {said.get('message', '')}".strip()[:SHOWN]
    return "".join(c if c.isprintable() else "?" for c in text)


def _secret(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GatewayError(f"secret_file: {error}") from error


async def _json(response: "aiohttp.ClientResponse") -> dict[str, Any]:
    """The object of an answer; an empty one where it has none."""
    data = b""
    async for chunk in response.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > LARGEST:
            raise GatewayError("an answer of Graph is too long")
    try:
        found = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
