"""CrowdSec's local API, as far as its bouncers use it: they ask what is blocked, and block it.

Version 1 of the API (crowdsec/pkg/models/localapi_swagger.yaml). A bouncer either asks about one
address (live mode), or polls ``/v1/decisions/stream``: with ``startup=true`` it is told the whole
list, later what has changed since its last poll. That poll is remembered by its key, its address,
its program and what it asks for, and only once the answer has left us.

Nothing comes in here but questions: alerts and logins of CrowdSec's agents are not taken.
"""

import asyncio
import logging
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from schemas.findings import Decision
from schemas.settings import SettingsError
from streams import http_health, needs
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.gateways.lapi import answers, entries, memory
from streams.gateways.lapi.book import Book
from streams.gateways.lapi.readers import Readers, name_of
from streams.gateways.lapi.settings import LapiSettings
from streams.http_bodies import Aside, joined, send, takes_gzip
from streams.http_serving import HttpServing, answer
from streams.metrics import ANSWERS, SHED

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Lapi", "LapiSettings"]

log = logging.getLogger(__name__)

NETWORKS, ADDRESSES = "networks", "addresses"  # what networks are told as: a book for each
SAVE = 5.0  # seconds between two writings of what was told, at least
WHOLE = 16  # whole lists that are on their way at the same time
WAIT = 10.0  # seconds that another may wait for its turn
FRESH = 1.0  # seconds that a whole list is given again as it is: all bouncers may start at once

HOLDS_ON = "firewall-bouncer"
"""Says who passes over what it holds already, even with a new end (Debian's 0.0.25 with nftables):
for these, renewing is deleting and adding."""


class CrowdedError(Exception):
    """Too many whole lists are asked for."""


class Lapi(HttpServing):
    """All that takes long is done in a thread of its own."""

    Settings = LapiSettings
    settings: LapiSettings
    public = frozenset({http_health.PATH, "/v1/health"})
    blind_to = "what no bouncer stands in front of; what is decided about mail, not clients"

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "lapi",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name, lifted)
        for action, kind in self.settings.types.items():
            if not re.fullmatch(r"[a-z][a-z0-9_-]*", kind):
                raise SettingsError(f"types.{action}: expected a word such as ban, not {kind!r}")
        self._clock = clock
        self._changing = threading.Lock()
        self._books: dict[str, Book] = {}
        self._readers = Readers()
        self._asked = http_health.Asked()
        self._aside = Aside(self.name)
        self._whole = asyncio.Semaphore(WHOLE)
        self._made: tuple[tuple[object, ...], float, bytes] = ((), 0.0, b"")
        self._memory = memory.place(self.settings.memory, self.name)
        self._dirty = False
        self._saved = float("-inf")
        self._trouble = ""  # why it cannot be kept what was told

    # -- decisions in ---------------------------------------------------------------------------

    def apply(self, decisions: Sequence[Decision]) -> bool:
        if not self._books:
            self._remember()
        super().apply(decisions)
        if self._dirty and time.monotonic() - self._saved >= SAVE:
            self._save()
        if self._trouble:
            raise GatewayError(self._trouble)
        return True

    def take(self, decisions: Sequence[Decision]) -> None:
        for name, book in self._books.items():
            found = entries.build(decisions, self.settings.types, spelled=name == ADDRESSES)
            with self._changing:
                book.update(found, self._clock())
        self._dirty = True

    def close(self) -> None:
        super().close()
        self._aside.close()
        if self._books:
            self._save()

    def reaches(self, decision: Decision) -> bool:
        return bool(entries.build([decision], self.settings.types))

    def needs(self) -> list[Note]:
        memory = self.settings.memory
        return [*super().needs(), *([needs.folder(memory)] if memory else [])]

    def review(self) -> list[Note]:
        notes = [http_health.look(self.settings, "bouncer")]
        if not self._tokens:
            remedy = (
                "echo firewall $(openssl rand -hex 32) >> /etc/mailwarden/lapi.keys",
                'key_file = "/etc/mailwarden/lapi.keys"',
            )
            words = "no bouncer has a key: whoever reaches the port may ask"
            notes.append(Note("warning", words, remedy))
        return notes

    # -- questions ------------------------------------------------------------------------------

    async def handle(self, request: "web.BaseRequest", holder: str) -> "web.StreamResponse":
        try:
            return await self._answered(request, holder)
        except CrowdedError:
            SHED.labels(self.name).inc()
            return _message(503, "too many ask for the whole list")

    async def _answered(self, request: "web.BaseRequest", holder: str) -> "web.StreamResponse":
        reading = request.method in ("GET", "HEAD")
        if request.path in self.public:
            return answer(self._asked.body())
        self._asked.now()
        match request.path.rstrip("/"):
            case "/v1/heartbeat" if reading:
                return answer()
            case "/v1/usage-metrics" if request.method == "POST":
                await self.body(request)
                return answer(status=201)
            case "/v1/decisions" | "/v1/decisions/stream" if request.method == "HEAD":
                return answer()
            case "/v1/decisions" if reading:
                return await self._decisions(request)
            case "/v1/decisions/stream" if reading:
                return await self._stream(request, holder)
        return _message(404, "page or endpoint not found")

    def refused(self) -> "web.StreamResponse":
        return _message(403, "access forbidden")

    async def _decisions(self, request: "web.BaseRequest") -> "web.StreamResponse":
        """About one address, by the block list itself; else all that the query chooses."""
        query = request.query
        try:
            chosen = answers.filters(query)
            ruling = self.ruling(query["ip"]) if "ip" in query else None
        except ValueError:
            return _message(400, "neither an address nor a network")
        if "ip" in query and chosen.around:
            found = [] if ruling is None else [ruling]
            known = entries.build(found, self.settings.types).values()
            body = joined(answers.decisions(chosen.choose(known), self._clock()))
            ANSWERS.labels(self.name, "none" if body == answers.NONE else "decision").inc()
            return answer(body)
        async with self._turn():
            packed = takes_gzip(request)
            body = await self._aside.do(lambda: self._list(chosen, packed=packed))
            response = _json(body, packed=packed)
            await send(request, response)
        ANSWERS.labels(self.name, "list").inc()
        return response

    async def _stream(self, request: "web.BaseRequest", holder: str) -> "web.StreamResponse":
        query, packed = request.query, takes_gzip(request)
        try:
            chosen = answers.filters(query)
        except ValueError:
            return _message(400, "neither an address nor a network")
        book = ADDRESSES if self._knows_no_networks(holder) else NETWORKS
        program = request.headers.get("User-Agent", "")
        reader = name_of(book, holder, request.remote or "", program, repr(chosen))
        known = self._readers.position(reader)
        if known is not None and query.get("startup") != "true":
            again = HOLDS_ON in program
            made = await self._aside.do(
                lambda: self._changes(book, known, chosen, packed=packed, again=again)
            )
            if made is not None:
                ANSWERS.labels(self.name, "changes").inc()
                return await self._tell(request, reader, *made, packed=packed)
        async with self._turn():
            body, position = await self._aside.do(
                lambda: self._everything(book, chosen, packed=packed)
            )
            ANSWERS.labels(self.name, "list").inc()
            return await self._tell(request, reader, body, position, packed=packed)

    async def _tell(
        self, request: "web.BaseRequest", reader: str, body: bytes, position: int, *, packed: bool
    ) -> "web.StreamResponse":
        """What did not leave us whole is told again at the next poll."""
        response = _json(body, packed=packed)
        if await send(request, response):
            self._readers.told(reader, position)
        return response

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Whole lists take memory while they are on their way. Raises CrowdedError."""
        try:
            async with asyncio.timeout(WAIT):
                await self._whole.acquire()
        except TimeoutError:
            raise CrowdedError from None
        try:
            yield
        finally:
            self._whole.release()

    def _knows_no_networks(self, holder: str) -> bool:
        return holder in self.settings.expand_ranges or "*" in self.settings.expand_ranges

    # -- in the thread --------------------------------------------------------------------------

    def _list(self, chosen: answers.Filters, *, packed: bool) -> bytes:
        with self._changing:
            known = list(self._books[NETWORKS].entries.values())
        return joined(answers.decisions(chosen.choose(known), self._clock()), gzip=packed)

    def _changes(
        self, book: str, since: int, chosen: answers.Filters, *, packed: bool, again: bool
    ) -> tuple[bytes, int] | None:
        """The answer, and the position that it leads to; None where `since` is too long ago."""
        with self._changing:
            changes = self._books[book].since(since)
            position = self._books[book].position
        if changes is None:
            return None
        parts = answers.stream(changes, chosen, self._clock(), again=again)
        return joined(parts, gzip=packed), position

    def _everything(self, book: str, chosen: answers.Filters, *, packed: bool) -> tuple[bytes, int]:
        with self._changing:
            changes = self._books[book].everything()
            position = self._books[book].position
        asked, now = (book, position, chosen, packed), time.monotonic()
        if self._made[0] != asked or now - self._made[1] >= FRESH:
            parts = answers.stream(changes, chosen, self._clock(), again=False)
            self._made = (asked, now, joined(parts, gzip=packed))
        return self._made[2], position

    # -- what was told, on disk -----------------------------------------------------------------

    def _remember(self) -> None:
        """What an earlier process told. A file that cannot be read is passed over."""
        wanted = [NETWORKS, *([ADDRESSES] if self.settings.expand_ranges else [])]
        known = memory.Memory()
        if self._memory is not None:
            try:
                known = memory.load(self._memory)
            except (OSError, ValueError) as error:
                log.warning('gateway=%s passes over %s: "%s"', self.name, self._memory, error)
        self._readers = Readers(known.readers)
        self._books = {name: Book(known.books.get(name)) for name in wanted}

    def _save(self) -> None:
        if self._memory is None:
            return
        self._saved = time.monotonic()
        with self._changing:
            books = {name: book.kept() for name, book in self._books.items()}
        try:
            memory.save(self._memory, memory.Memory(books, self._readers.kept()))
        except OSError as error:
            self._trouble = f"memory: {self._memory}: {error.strerror}"
            return
        self._trouble = ""
        self._dirty = False


def _json(body: bytes, *, packed: bool) -> "web.StreamResponse":
    return answer(body, headers={"Content-Encoding": "gzip"} if packed else None)


def _message(status: int, words: str) -> "web.StreamResponse":
    return answer(msgspec.json.encode({"message": words}), status)
