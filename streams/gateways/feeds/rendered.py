"""A list as it is sent, until the decisions change. It is kept packed: JSON of a hundred thousand
decisions is thirty megabytes, a twentieth of that packed."""

import hashlib
import math
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from schemas.findings import Decision
from streams.gateways.feeds.formats import FORMATS
from streams.gateways.feeds.item import items
from streams.gateways.feeds.settings import ListSettings
from streams.http_bodies import joined

PART = 1000  # pieces of text that are written in one go


class Rendered(Struct, frozen=True):
    generation: int  # of the decisions
    packed: bytes  # gzip
    tag: str  # of the content
    modified: int  # Unix seconds; another one for every content

    def body(self, *, packed: bool) -> bytes:
        return self.packed if packed else zlib.decompress(self.packed, wbits=31)

    def etag(self, *, packed: bool) -> str:
        """Each coding has its own (RFC 9110, 8.8.3)."""
        return f'"{self.tag}-gzip"' if packed else f'"{self.tag}"'

    def is_known(self, tags: str, since: float | None) -> bool:
        """Whether somebody has it already who shows these If-None-Match and If-Modified-Since
        (RFC 9110, 13.1: the latter counts only without the former)."""
        if tags:
            shown = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
            return not shown.isdisjoint({"*", self.etag(packed=True), self.etag(packed=False)})
        return since is not None and self.modified <= since


def render(
    decisions: Sequence[Decision],
    chosen: ListSettings,
    generation: int,
    before: Rendered | None,
    now: float,
) -> Rendered:
    """The list of these decisions. Content that stays the same keeps its tag and its date."""
    packed = joined(_parts(decisions, chosen), gzip=True)
    tag = hashlib.blake2b(packed, digest_size=12).hexdigest()
    modified = math.ceil(now)
    if before is not None:
        modified = before.modified if before.tag == tag else max(modified, before.modified + 1)
    return Rendered(generation, packed, tag, modified)


def _parts(decisions: Sequence[Decision], chosen: ListSettings) -> Iterator[bytes]:
    form = FORMATS[chosen.format]
    if chosen.comment:
        yield form.header.encode()
    texts = form.write(items(decisions, chosen))
    while part := "".join(islice(texts, PART)):
        yield part.encode()
