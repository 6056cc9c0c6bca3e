"""Lists of what is blocked, to be fetched by HTTP: by firewalls, mail filters, scripts, a SOC.

``/feeds/NAME``, and by TAXII those in STIX (taxii.py). A list is written once for each change of
the decisions, when it is first asked for. While nothing is to be enforced the lists are empty, not
missing: whoever fetches them holds on to its copy when there is none.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from schemas.findings import Decision
from schemas.settings import SettingsError
from streams import http_health
from streams.gateway import GatewaySettings, Note
from streams.gateways.feeds import taxii
from streams.gateways.feeds.formats import FORMATS
from streams.gateways.feeds.item import Item, items, passes
from streams.gateways.feeds.rendered import Rendered, render
from streams.gateways.feeds.settings import FeedsSettings, ListSettings
from streams.http_bodies import Aside, send, takes_gzip
from streams.http_serving import HttpServing, answer
from streams.metrics import ANSWERS, SHED

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Feeds", "FeedsSettings"]

FOLDER = "/feeds/"
SENDING = 16  # lists that are on their way at the same time
WAIT = 10.0  # seconds that another may wait for its turn


class Feeds(HttpServing):
    Settings = FeedsSettings
    settings: FeedsSettings
    public = frozenset({http_health.PATH})
    blind_to = "whatever does not fetch the lists"

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "feeds",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name, lifted)
        self._lists = _lists(self.settings)
        self._clock = clock
        self._decisions: tuple[int, Sequence[Decision]] = (0, ())  # with their generation
        self._rendered: dict[str, Rendered] = {}
        self._taxii = taxii.Taxii(
            self._lists, self._generation, self._items, clock, self.settings.largest
        )
        self._asked = http_health.Asked()
        self._aside = Aside(self.name)
        self._sending = asyncio.Semaphore(SENDING)

    def take(self, decisions: Sequence[Decision]) -> None:
        self._decisions = (self._decisions[0] + 1, decisions)

    def close(self) -> None:
        super().close()
        self._aside.close()

    def reaches(self, decision: Decision) -> bool:
        return any(passes(decision, chosen) for chosen in self._lists.values())

    def review(self) -> list[Note]:
        names = ", ".join(self._lists)
        if taxii.known(self._lists.values()):
            names += f"; TAXII at {taxii.DISCOVERY}"
        notes = [http_health.look(self.settings, "reader"), Note("ok", f"{FOLDER}: {names}")]
        if not self._tokens:
            remedy = (
                "echo firewall $(openssl rand -hex 32) >> /etc/mailwarden/feeds.keys",
                'key_file = "/etc/mailwarden/feeds.keys"',
            )
            notes.append(
                Note("warning", "without a key, whoever reaches the port may fetch", remedy)
            )
        return notes

    # -- on the loop ----------------------------------------------------------------------------

    async def handle(self, request: "web.BaseRequest", holder: str) -> "web.StreamResponse":
        if taxii.below(request.path):
            self._asked.now()
            return await self._turn(lambda: self._exchange(request, holder))
        if request.method not in ("GET", "HEAD"):
            return answer(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == http_health.PATH:
            return answer(self._asked.body())
        self._asked.now()
        name = request.path.removeprefix(FOLDER)
        chosen = self._lists.get(name) if request.path.startswith(FOLDER) else None
        if chosen is None:
            return answer(status=404)
        if chosen.keys and holder not in chosen.keys:
            ANSWERS.labels(self.name, "forbidden").inc()
            return answer(status=403)
        return await self._turn(lambda: self._list(request, name, chosen))

    async def _turn(
        self, reply: "Callable[[], Awaitable[web.StreamResponse]]"
    ) -> "web.StreamResponse":
        """The answer, when it is this one's turn."""
        try:
            async with asyncio.timeout(WAIT):
                await self._sending.acquire()
        except TimeoutError:
            SHED.labels(self.name).inc()
            return answer(status=503)
        try:
            return await reply()
        finally:
            self._sending.release()

    async def _exchange(self, request: "web.BaseRequest", holder: str) -> "web.StreamResponse":
        """By TAXII."""
        found = await self._aside.do(lambda: self._taxii.answer(request, holder))
        ANSWERS.labels(self.name, "taxii" if found.status == 200 else "refused").inc()
        response = answer(found.body, found.status, taxii.KIND, found.headers)
        await send(request, response)
        return response

    async def _list(
        self, request: "web.BaseRequest", name: str, chosen: ListSettings
    ) -> "web.StreamResponse":
        found = await self._aside.do(lambda: self._current(name, chosen))
        packed = takes_gzip(request)
        headers = {
            "ETag": found.etag(packed=packed),
            "Last-Modified": _http_date(found.modified),
            "Cache-Control": f"private, max-age={self.settings.max_age}",
            "Vary": "Accept-Encoding",
        }
        asked = request.headers.get("If-None-Match", "")
        since = request.if_modified_since
        if found.is_known(asked, since.timestamp() if since else None):
            ANSWERS.labels(self.name, "unchanged").inc()
            return answer(status=304, headers=headers)
        ANSWERS.labels(self.name, "list").inc()
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = await self._aside.do(lambda: found.body(packed=packed))
        response = answer(body, kind=FORMATS[chosen.format].kind, headers=headers)
        await send(request, response)
        return response

    # -- in the thread --------------------------------------------------------------------------

    def _generation(self) -> int:
        return self._decisions[0]

    def _items(self, chosen: ListSettings) -> Sequence[Item]:
        return items(self._decisions[1], chosen)

    def _current(self, name: str, chosen: ListSettings) -> Rendered:
        generation, decisions = self._decisions
        found = self._rendered.get(name)
        if found is None or found.generation != generation:
            found = render(decisions, chosen, generation, found, self._clock())
            self._rendered[name] = found
        return found


def _lists(settings: FeedsSettings) -> dict[str, ListSettings]:
    """Those of each format, and those that are described, by name."""
    lists = {}
    if settings.standard:
        lists = {
            form.file: ListSettings(format=name)  # type: ignore[arg-type]
            for name, form in FORMATS.items()
        }
    for name, chosen in settings.lists.items():
        where = f'lists."{name}"'
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            raise SettingsError(f"{where}: expected a file's name")
        if chosen.kind != "network" and FORMATS[chosen.format].networks_only:
            many = ", ".join(name for name, form in FORMATS.items() if not form.networks_only)
            raise SettingsError(f"{where}.format: {chosen.kind} needs one of {many}")
        lists[name] = chosen
    return lists


def _http_date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
