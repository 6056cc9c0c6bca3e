"""A site's own log format, by rules of its own in the settings: ``[parsers.custom.NAME]``.

A rule is one pattern for the whole of what a line says (after its carrier: stamp, host, tag),
with a named group for each field of one kind of event.
"""

import re
from typing import Any

import msgspec
from msgspec import structs

from schemas import net
from schemas.events import EVENTS, Fact, Signal
from schemas.settings import CustomSettings
from streams.parsers.part import Format, Items, Mask, Parse, Record

LOWER = frozenset({"account", "sender", "recipient", "failed_recipient"})
OURS = frozenset({"at", "gateway", "offset", "source"})  # fields that the reader knows itself

KINDS: dict[str, type[Fact]] = {kind.type: kind for kind in EVENTS if kind is not Signal}


class Rule:
    """Reads the lines of one custom format. Raises ValueError for a rule that cannot be used: the
    setting and what was expected."""

    def __init__(self, settings: CustomSettings) -> None:
        if settings.event not in KINDS:
            raise ValueError(f"event: expected one of {', '.join(KINDS)}, not {settings.event!r}")
        self._kind = KINDS[settings.event]
        try:
            self.pattern = re.compile(settings.pattern, re.DOTALL)
        except re.error as error:
            raise ValueError(f"pattern: not a regular expression: {error}") from error
        known = {field.name for field in structs.fields(self._kind)} - OURS
        for key, names in (("pattern", self.pattern.groupindex), ("set", settings.set)):
            for name in names:
                if name not in known:
                    raise ValueError(
                        f"{key}: {settings.event} has no field {name!r}; there are:"
                        f" {', '.join(sorted(known))}"
                    )
        self._set = settings.set

    def parser(self, mask: Mask) -> Parse:
        def parse(record: Record) -> Items | None:
            found = self.pattern.fullmatch(record.text)
            if found is None:
                return None
            values: dict[str, Any] = {**self._set}
            for name, value in found.groupdict().items():
                if value:
                    values[name] = _value(name, value, mask)
            common = {"at": record.at, "gateway": record.host, "offset": record.offset}
            try:
                return (msgspec.convert({**values, **common}, self._kind, strict=False),)
            except msgspec.ValidationError as error:
                raise ValueError(str(error)) from error

        return parse


def _value(name: str, value: str, mask: Mask) -> str:
    if name == "client":
        address = net.address(value)
        if not address:
            raise ValueError(f"no address of a client: {value[:80]!r}")
        return address
    if name == "password":
        return mask(value)
    return value.strip("<>").lower()[:320] if name in LOWER else value[:320]


def make(name: str, settings: CustomSettings) -> Format:
    """The format of a section. Raises ValueError as `Rule` does."""
    rule = Rule(settings)
    programs = frozenset(settings.programs or ("",))

    def parser(mask: Mask, program: str) -> Parse | None:
        return rule.parser(mask) if program in programs else None

    return Format(name, parser)
