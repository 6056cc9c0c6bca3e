"""Mails that an MTA hands over by LMTP (RFC 2033).

A mail is answered for when its events are safe. One whose answer the client may not have heard
comes again: it is known by its digest, and answered without being told again. Of a mail only the
beginning is kept, however large it is; connections, recipients, lines and time are bounded.

aiosmtpd speaks the protocol, but for the DATA command: there it would keep each line as an
object, gather a line without an end, and give one answer for all recipients.
"""

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import msgspec
from aiosmtpd.lmtp import LMTP
from msgspec import Struct, field

from schemas.events import Fact
from streams import reports
from streams.said import said
from streams.sources.mails import LARGEST as KEPT

log = logging.getLogger(__name__)
logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd logs each command there

IDLE = 300.0  # seconds of a connection without a command
PATIENCE = 120.0  # seconds that a mail waits to be taken
RECIPIENTS = 100  # of a mail
UNANSWERED = 1000  # digests that are remembered
AGAIN = 5.0  # seconds until the socket is tried again
START = 10.0  # seconds to wait for the socket
GRACE = 0.1  # seconds for the last answers


class _Mail(Struct):
    """A mail that waits for its answer."""

    digest: bytes
    events: list[Fact]
    done: asyncio.Future[None] = field(default_factory=asyncio.Future)


class Lmtp:
    """Listens at `listen` (host:port). `position` is that of an earlier process."""

    name = "lmtp"
    behind = False

    def __init__(
        self,
        listen: str,
        position: bytes = b"",
        *,
        gateway: str = "",
        largest: int,
        connections: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.trouble = ""
        self.port = 0
        self._listen = listen
        self._gateway = gateway
        self._largest = largest
        self._connections = connections
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Mail] = []
        self._taken: list[_Mail] = []
        self._unanswered: dict[bytes, None] = dict.fromkeys(_digests(position))
        self._open: set[_Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_try = 0.0
        self._start()

    def take(self) -> tuple[int, list[Fact]]:
        if self._loop is None and time.monotonic() >= self._next_try:
            self._start()
        if not self._waiting:
            return 0, []
        with self._lock:
            taken, self._waiting = self._waiting, []
            self._taken += taken
            for mail in taken:
                self._unanswered[mail.digest] = None
            while len(self._unanswered) > UNANSWERED:
                del self._unanswered[next(iter(self._unanswered))]
        return len(taken), [event for mail in taken for event in mail.events]

    def position(self) -> bytes:
        with self._lock:
            return msgspec.msgpack.encode(list(self._unanswered))

    def safe(self) -> None:
        with self._lock:
            taken, self._taken = self._taken, []
        if self._loop is not None:
            self._loop.call_soon_threadsafe(_release, taken)

    def close(self) -> None:
        loop = self._loop
        if loop is not None:
            self._loop = None
            loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(START)

    # -- in the thread of the server ----------------------------------------------------------

    async def offer(self, content: bytes) -> str:
        """The answer for a mail, when it is known."""
        digest = hashlib.blake2b(content, digest_size=16).digest()
        with self._lock:
            again = digest in self._unanswered
        if not again:
            mail = _Mail(digest, self._read(content))
            with self._lock:
                self._waiting.append(mail)
            try:
                await asyncio.wait_for(asyncio.shield(mail.done), PATIENCE)
            except TimeoutError:
                if self._withdraw(mail):
                    return "451 4.3.0 The mail could not be made safe, try again later"
                await mail.done
            except asyncio.CancelledError:
                self._withdraw(mail)
                raise
        return "250 2.0.0 Ok"

    def answered(self, content: bytes) -> None:
        """The client has been sent its answer."""
        with self._lock:
            self._unanswered.pop(hashlib.blake2b(content, digest_size=16).digest(), None)

    def _read(self, content: bytes) -> list[Fact]:
        now = self._clock()
        return reports.read(content, now=now, gateway=self._gateway, at=now)

    def _withdraw(self, mail: _Mail) -> bool:
        """Whether a mail was still to be taken; it is not any more."""
        with self._lock:
            if mail not in self._waiting:
                return False
            self._waiting.remove(mail)
            return True

    def _start(self) -> None:
        bound: Future[int] = Future()
        self._next_try = time.monotonic() + AGAIN
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(bound)), name="lmtp", daemon=True
        )
        self._thread.start()
        try:
            self.port = bound.result(START)
        except (OSError, TimeoutError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if not self.trouble:
                log.error(said("lmtp failed", listen=self._listen, reason=reason))
            self.trouble = f"cannot listen at {self._listen}: {reason}"
            return
        self.trouble = ""

    async def _serve(self, bound: "Future[int]") -> None:
        host, _, port = self._listen.rpartition(":")
        self._stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: _Connection(self, loop), host.strip("[]"), int(port)
            )
        except OSError as error:
            bound.set_exception(error)
            return
        self._loop = loop
        bound.set_result(server.sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        await asyncio.sleep(GRACE)
        for connection in list(self._open):
            connection.drop()
        await asyncio.sleep(0)


class _Handler:
    """What aiosmtpd asks."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: object, session: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options[:10])
        return "250 2.1.5 Ok"


class _Connection(LMTP):
    """One client."""

    line_length_limit = 1 << 16  # what is read at once; a longer line comes in pieces

    def __init__(self, intake: Lmtp, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            _Handler(),
            data_size_limit=intake._largest,
            enable_SMTPUTF8=True,
            hostname="mailwarden",
            ident="mailwarden",
            timeout=IDLE,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=loop,
        )
        self._intake = intake

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._intake._open.add(self)
        if len(self._intake._open) > self._intake._connections:
            self._writer.write(b"421 4.7.0 Too many connections\r\n")
            self.drop()

    def connection_lost(self, error: Exception | None) -> None:
        self._intake._open.discard(self)
        super().connection_lost(error)

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        envelope = self.envelope
        recipients = len(envelope.rcpt_tos) if envelope else 0
        if await self.check_helo_needed():
            return
        if envelope is None or not recipients:
            await self.push("503 5.5.1 RCPT is missing")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        head = f"Return-Path: <{envelope.mail_from}>\r\nDelivered-To: {envelope.rcpt_tos[0]}\r\n"
        content = await self._content(head.encode("utf-8", "surrogateescape"))
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        if content is None:
            await self.push("552 5.3.4 The mail is too large")
            self.drop()
            return
        answer = await self._intake.offer(content)
        await self.push("\r\n".join([answer] * recipients))
        if answer.startswith("250"):
            self._intake.answered(content)

    async def _content(self, head: bytes) -> bytes | None:
        """The beginning of the mail that comes, behind what a delivery agent would put before
        it (RFC 5321, 4.4); None where it is larger than allowed."""
        kept = bytearray(head)
        size = 0
        fresh = True  # a line begins
        while size <= self._intake._largest:
            try:
                piece = await self._reader.readuntil(b"\r\n")
            except asyncio.LimitOverrunError as error:
                piece = await self._reader.read(max(error.consumed, 1))
            if fresh and piece == b".\r\n":
                return bytes(kept)
            size += len(piece)
            if len(kept) < KEPT:
                kept += piece[1:] if fresh and piece.startswith(b".") else piece
            fresh = piece.endswith(b"\r\n")
        return None


def _release(mails: list[_Mail]) -> None:
    for mail in mails:
        if not mail.done.done():
            mail.done.set_result(None)


def _digests(position: bytes) -> list[bytes]:
    try:
        return msgspec.msgpack.decode(position, type=list[bytes]) if position else []
    except msgspec.DecodeError:
        return []
