"""TAXII 2.1 (OASIS), to be read: each list in the format STIX is a collection.

``/taxii2/`` discovers, ``/taxii/decisions/`` is the only API root. Who may fetch a list may read
its collection. https://docs.oasis-open.org/cti/taxii/v2.1/taxii-v2.1.html
"""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from streams.gateways.feeds.formats.stix import SPACE
from streams.gateways.feeds.item import Item
from streams.gateways.feeds.settings import ListSettings
from streams.gateways.feeds.shelf import MICRO, Entry, Shelf

if TYPE_CHECKING:
    from aiohttp import web

DISCOVERY = "/taxii2/"
ROOT = "/taxii/decisions/"
KIND = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version=2.1"
PAGE = 1000  # objects of an answer, at most
COLLECTION = re.compile(
    rf"{ROOT}collections/(?P<id>[0-9a-f-]{{36}})/"
    r"(?:(?P<what>manifest|objects)/(?:(?P<object>[a-z-]+--[0-9a-f-]{36})/(?P<versions>versions/)?)?)?"
)

_encode = msgspec.json.Encoder().encode


class Reply(Struct, frozen=True):
    body: bytes
    status: int = 200
    headers: dict[str, str] = {}


class RefusedError(Exception):
    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status


class Taxii:
    """`generation` gives the number of the decisions as they are now, `items` a list of them."""

    def __init__(
        self,
        lists: Mapping[str, ListSettings],
        generation: Callable[[], int],
        items: Callable[[ListSettings], Sequence[Item]],
        clock: Callable[[], float],
        largest: int,
    ) -> None:
        self._generation = generation
        self._items = items
        self._clock = clock
        self._largest = largest
        chosen = {name: one for name, one in lists.items() if one.format == "stix"}
        self._names = {str(uuid.uuid5(SPACE, f"list {name}")): name for name in chosen}
        self._lists = chosen
        self._shelves: dict[str, Shelf] = {}

    def answer(self, request: "web.BaseRequest", holder: str) -> Reply:
        """The answer to a request below DISCOVERY or ROOT. Not on the loop: it takes a while."""
        try:
            return self._answer(request, holder)
        except RefusedError as error:
            told = {"title": str(error), "http_status": str(error.status)}
            headers = {"Allow": "GET, HEAD"} if error.status == 405 else {}
            return Reply(_encode(told), error.status, headers)

    def _answer(self, request: "web.BaseRequest", holder: str) -> Reply:
        if not _accepts(request.headers.get("Accept", "")):
            raise RefusedError(406, f"only {KIND} is spoken here")
        path = request.path
        match = COLLECTION.fullmatch(path)
        if request.method not in ("GET", "HEAD"):
            written = match is not None and match["what"] == "objects"
            raise RefusedError(403 if written else 405, "collections are to be read only")
        if path == DISCOVERY:
            return _told(
                title="mailwarden", description="what is blocked", default=ROOT, api_roots=[ROOT]
            )
        if path == ROOT:
            return _told(
                title="decisions in force", versions=[KIND], max_content_length=self._largest
            )
        if path == f"{ROOT}collections/":
            return _told(collections=[self._collection(id_, holder) for id_ in self._names])
        name = self._names.get(match["id"]) if match else None
        if match is None or name is None:
            raise RefusedError(404, "there is no such thing here")
        if not match["what"]:
            return _told(**self._collection(match["id"], holder))
        if not self._may(name, holder):
            raise RefusedError(403, "this key may not read the collection")
        return self._read(name, match, request.query)

    def _read(self, name: str, match: re.Match[str], query: Mapping[str, str]) -> Reply:
        shelf = self._shelf(name)
        one = match["object"] or ""
        if one and shelf.get(one) is None:
            raise RefusedError(404, "there is no such object")
        after = max(_moment(query.get("added_after", "")), _number(query.get("next", "0"), "next"))
        most = min(_number(query.get("limit", str(PAGE)), "limit") or PAGE, PAGE)
        matching = (e for e in shelf.after(after) if _matches(e, query, one))
        found = list(islice(matching, most + 1))
        page = found[:most]
        told: dict[str, object] = {}
        if len(found) > most:
            told = {"more": True, "next": str(page[-1].added)}
        if match["versions"]:
            told["versions"] = [_version(entry) for entry in page]
        elif match["what"] == "manifest":
            told["objects"] = [
                {
                    "id": entry.name,
                    "date_added": _time(entry.added),
                    "version": _version(entry),
                    "media_type": STIX,
                }
                for entry in page
            ]
        else:
            told["objects"] = [entry.object() for entry in page]
        if not page:
            return Reply(b"{}")  # as the specification asks
        headers = {
            "X-TAXII-Date-Added-First": _time(page[0].added),
            "X-TAXII-Date-Added-Last": _time(page[-1].added),
        }
        return Reply(_encode(told), headers=headers)

    def _shelf(self, name: str) -> Shelf:
        now = self._clock()
        shelf = self._shelves.setdefault(name, Shelf(now))
        shelf.update(self._generation(), lambda: self._items(self._lists[name]), now)
        return shelf

    def _collection(self, id_: str, holder: str) -> dict[str, object]:
        name = self._names[id_]
        return {
            "id": id_,
            "title": name,
            "can_read": self._may(name, holder),
            "can_write": False,
            "media_types": [STIX],
        }

    def _may(self, name: str, holder: str) -> bool:
        keys = self._lists[name].keys
        return not keys or holder in keys


def _told(**fields: object) -> Reply:
    return Reply(_encode(fields))


def _accepts(header: str) -> bool:
    """Who asks for nothing, or anything, gets it as well."""
    for choice in header.split(",") if header else ("*/*",):
        kind, *parameters = (part.strip().lower() for part in choice.split(";"))
        versions = [one for one in parameters if one.startswith("version=")]
        if kind in ("*/*", "application/*"):
            return True
        if kind == "application/taxii+json" and versions in ([], ["version=2.1"]):
            return True
    return False


def _matches(entry: Entry, query: Mapping[str, str], one: str) -> bool:
    """The filters of section 3.4. Each object has one version here."""
    asked = {
        "match[id]": entry.name,
        "match[type]": entry.name.partition("--")[0],
        "match[spec_version]": "2.1",
    }
    if one and entry.name != one:
        return False
    if any(name in query and value not in query[name].split(",") for name, value in asked.items()):
        return False
    versions = query.get("match[version]", "last").split(",")
    return not {"all", "first", "last"}.isdisjoint(versions) or _version(entry) in versions


def _version(entry: Entry) -> str:
    return str(entry.object()["modified"])


def _moment(text: str) -> int:
    """Microseconds of a time as RFC 3339 writes it; 0 where none is asked for."""
    if not text:
        return 0
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(400, "added_after: expected a time as RFC 3339 writes it") from error
    if found.tzinfo is None:
        raise RefusedError(400, "added_after: expected a time with its zone")
    whole = int(found.replace(microsecond=0).timestamp())
    return whole * MICRO + found.microsecond


def _number(text: str, name: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 20:
        raise RefusedError(400, f"{name}: expected a number")
    return int(text)


def _time(added: int) -> str:
    seconds, micro = divmod(added, MICRO)
    shown = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micro)
    return shown.isoformat(timespec="microseconds").replace("+00:00", "Z")


def below(path: str) -> bool:
    """Whether a path is one of TAXII's."""
    return path.startswith((DISCOVERY, ROOT))


def known(lists: Iterable[ListSettings]) -> bool:
    """Whether there is a collection at all."""
    return any(one.format == "stix" for one in lists)
