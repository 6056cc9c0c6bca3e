"""Gateways that are HTTP servers: TLS, keys, limits and the life of the server.

A subclass defines `handle`, which is asked only for those who may ask. Off loopback a key and TLS
are required, for an answer tells who is blocked and a report is believed.
"""

import asyncio
import base64
import binascii
import contextlib
import logging
import ssl
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from schemas import net
from schemas.settings import SettingsError
from streams import tokens
from streams.gateway import GatewaySettings, Note
from streams.metrics import ANSWERS, GATEWAY_FAILURES, SHED
from streams.serving import Serving, ServingSettings, bound

if TYPE_CHECKING:
    from aiohttp import web

log = logging.getLogger(__name__)

IDLE = 75.0  # seconds that a connection may stay without a whole request
BODY = 5.0  # seconds that the body of a request may take
SHUTDOWN = 1.0  # seconds that requests which are being answered have when the server ends


class HttpServingSettings(ServingSettings, frozen=True):
    """What all HTTP servers have."""

    key: str = ""  # that those who ask must show: X-API-Key, Bearer, or a Basic password
    key_file: str = ""  # a file of keys, one a line: KEY or NAME KEY, also as sha256:HEX
    certificate: str = ""  # PEM file: TLS
    certificate_key: str = ""  # PEM file, where the certificate's does not hold it
    plain: bool = False  # off loopback without TLS: only where the network between is ours
    largest: int = 65536  # bytes of a request's body
    connections: int = 1000  # at the same time; more are closed at once


class HttpServing(Serving):
    """A gateway that answers HTTP requests."""

    Settings = HttpServingSettings
    settings: HttpServingSettings
    public: ClassVar[frozenset[str]] = frozenset()  # paths for which no key is needed
    port = 0  # where it listens, once it does
    _runner: "web.ServerRunner"
    _refusals: type[Exception]

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "",
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name, lifted)
        self._tokens = _tokens(self.settings)
        if not near(self.settings.listen):
            if not self._tokens:
                raise SettingsError("listen: off loopback, key or key_file is needed")
            if not self.settings.certificate and not self.settings.plain:
                raise SettingsError("listen: off loopback, certificate (or plain) is needed")
        self._failed: set[type[Exception]] = set()  # kinds that were logged

    def needs(self) -> list[Note]:
        """The certificate, if there is to be one."""
        if not self.settings.certificate:
            return super().needs()
        try:
            tls_context(self.settings.certificate, self.settings.certificate_key)
        except (OSError, ValueError) as error:
            return [*super().needs(), Note("failed", str(error))]
        return [*super().needs(), Note("ok", f"{self.settings.certificate} can be used")]

    async def handle(self, request: "web.BaseRequest", holder: str) -> "web.StreamResponse":
        """The answer to somebody who showed `holder`'s key ("" also where none is needed).
        Ask `body` for what was sent."""
        raise NotImplementedError

    def neutral(self) -> "web.StreamResponse":
        """The answer where answering failed: the mail server goes on."""
        return answer(status=503)

    def refused(self) -> "web.StreamResponse":
        """The answer to those who may not ask."""
        return answer(status=401, headers={"WWW-Authenticate": 'Basic realm="mailwarden"'})

    async def body(self, request: "web.BaseRequest") -> bytes:
        """What was sent; bounded in size and time (then answered here, by 413 and 408)."""
        if request.content.is_eof():  # all of it is here already, or there is none
            return await request.read()
        async with asyncio.timeout(BODY):
            return await request.read()

    async def begin(self) -> None:
        from streams.http_server import Server  # noqa: PLC0415 - see _aiohttp

        web = _aiohttp()
        tls = tls_context(self.settings.certificate, self.settings.certificate_key)
        taken = bound(self.settings)
        server = Server(
            self._answer,
            self.settings.connections,
            self.settings.largest,
            SHED.labels(self.name).inc,
            keepalive_timeout=IDLE,
            access_log=None,
        )
        runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN)
        try:
            await runner.setup()
            await web.SockSite(runner, taken, ssl_context=tls).start()
        except BaseException:
            taken.close()
            raise
        self._runner = runner
        self._refusals = web.HTTPException  # what a handler answers by raising it
        address = taken.getsockname()
        self.port = address[1] if isinstance(address, tuple) else 0

    async def end(self) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: "web.BaseRequest") -> "web.StreamResponse":
        holder = self._holder(request)
        if holder is None:
            ANSWERS.labels(self.name, "unauthorized").inc()
            return self.refused()
        try:
            return await self.handle(request, holder)
        except TimeoutError:
            return answer(status=408)
        except Exception as error:
            # Whatever goes wrong, the mail server is told to go on.
            if isinstance(error, self._refusals):
                raise
            GATEWAY_FAILURES.labels(self.name).inc()
            if type(error) not in self._failed:
                self._failed.add(type(error))
                log.error("gateway=%s cannot answer", self.name, exc_info=error)
            return self.neutral()

    def _holder(self, request: "web.BaseRequest") -> str | None:
        if not self._tokens or request.path in self.public:
            return ""
        return self._tokens.holder(_key(request.headers.get))


def answer(
    body: bytes = b"",
    status: int = 200,
    kind: str = "application/json",
    headers: dict[str, str] | None = None,
) -> "web.StreamResponse":
    """A response of ours."""
    given = {"Content-Type": kind, **headers} if headers else {"Content-Type": kind}
    made: web.Response = _aiohttp().Response(body=body, status=status, headers=given)
    return made


def brief(body: bytes, kind: str = "application/json") -> "web.StreamResponse":
    """A 200 of ours to a POST, in half the time: for short ones that are asked for often."""
    made: web.StreamResponse = _whole()(body, kind)
    return made


@cache
def _whole() -> Any:
    from streams.http_server import Whole  # noqa: PLC0415 - see _aiohttp

    return Whole


@cache
def _aiohttp() -> Any:
    """Every command reads the settings and so this module: only who serves waits for it."""
    from aiohttp import web  # noqa: PLC0415

    return web


def _key(header: Callable[[str], str | None]) -> str:
    """The key that a request shows, by the headers that mail servers and bouncers can be told to
    send."""
    shown = header("X-API-Key")
    if shown is not None:
        return shown
    scheme, _, value = (header("Authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, ValueError):
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
    return ""


def _tokens(settings: HttpServingSettings) -> tokens.Tokens:
    lines = [settings.key] if settings.key else []
    where = "key"
    try:
        held = tokens.Tokens(lines)
        if settings.key_file:
            where = "key_file"
            held = tokens.Tokens([*lines, *tokens.read(Path(settings.key_file))])
    except OSError as error:
        raise SettingsError(f"{where}: {settings.key_file}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from None  # it may hold a key
    if settings.key_file and not held:
        raise SettingsError(f"key_file: {settings.key_file} holds no key")
    return held


def near(listen: str) -> bool:
    """Whether only this machine can reach it."""
    host = listen.rpartition(":")[0]
    return listen.startswith("unix:") or host == "localhost" or net.address(host) in _LOOPBACK


_LOOPBACK = net.Networks(net.LOOPBACK)


def tls_context(certificate: str, key: str = "") -> ssl.SSLContext | None:
    """For a server with these PEM files; None without a certificate. Raises OSError where a file
    cannot be used: a renewed certificate may come in time."""
    if not certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:
        raise ValueError(f"certificate: {certificate}: {error.strerror or error}") from error
    return context
