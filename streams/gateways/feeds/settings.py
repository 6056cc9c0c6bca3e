"""``[gateways.feeds]`` and its lists."""

from typing import Literal

from msgspec import field

from schemas.findings import Action, Severity
from schemas.settings import Section
from streams.gateways.feeds.item import Kind
from streams.http_serving import HttpServingSettings

FormatName = Literal[
    "cidr",
    "ip",
    "ip6",
    "plain",
    "postfix",
    "exim",
    "nginx",
    "haproxy",
    "rspamd",
    "json",
    "jsonl",
    "stix",
]


class ListSettings(Section, frozen=True):
    """``[gateways.feeds.lists.NAME]``: a feed at /feeds/NAME."""

    format: FormatName = "cidr"
    kind: Kind = "network"  # what is listed; formats of addresses list networks only
    actions: tuple[Action, ...] = ("reject", "drop")
    severity: Severity = "info"  # of the finding, at least; what a person decided always passes
    detectors: tuple[str, ...] = ()  # names of findings; none: all
    origins: tuple[Literal["automatic", "manual"], ...] = ("automatic", "manual")
    domain: str = ""  # with what is decided for this domain's mail only
    keys: tuple[str, ...] = ()  # names of those who may fetch it; none: all who have a key
    comment: bool = True  # a first line that says who wrote it, where the format knows comments


class FeedsSettings(HttpServingSettings, frozen=True):
    """Lists to be fetched. Each key of `key_file` may have a name: one line, NAME KEY."""

    listen: str = "127.0.0.1:4002"
    max_age: int = 30  # seconds that a copy may be used unasked
    standard: bool = True  # with a list for each format: cidr.txt, postfix.cidr and so on
    lists: dict[str, ListSettings] = field(default_factory=dict)
