"""Events of Windows' event log, however they are shipped -> `Event`.

Shapes: winlogbeat (ECS and before), NXLog's JSON (im_msvistalog), Fluent Bit's winevtlog, the
event's XML as JSON or as text (Windows' event schema), Snare's tabs and OSSEC's colons over
syslog, and the rendered message under the provider's name. Ids and data count, for the message is
in the server's language; the message is read where there is nothing else.
"""

import html
import re
from collections.abc import Container
from typing import Any

from msgspec import Struct

from streams.parsers import fields
from streams.parsers.moments import moment

LONGEST = 8192  # characters of a message that are looked at
MOST_DATA = 100  # values of an event

_XML_ID = re.compile(r"<EventID[^<>]{0,60}>(?P<id>\d{1,6})</EventID>")
_XML_PROVIDER = re.compile(r"<Provider Name=['\"](?P<name>[^'\"<>]{1,200})['\"]")
_XML_COMPUTER = re.compile(r"<Computer>(?P<name>[^<>]{1,255})</Computer>")
_XML_TIME = re.compile(r"<TimeCreated SystemTime=['\"](?P<time>[^'\"<>]{1,40})['\"]")
_XML_DATA = re.compile(
    r"<Data(?: Name=['\"](?P<name>[^'\"<>]{1,100})['\"])?>(?P<value>[^<]*)</Data>"
)
_OSSEC = re.compile(
    r"\w{1,60}: [A-Z_]{1,30}\((?P<id>\d{1,6})\): (?P<provider>[^:]{1,100}): (?P<rest>.*)"
)
_NUMBERED = re.compile(r"(?P<id>\d{3,5}): ")


class Event(Struct, frozen=True):
    """An event. `id` is 0 where only the message is known."""

    id: int
    provider: str  # lower case
    computer: str
    named: dict[str, str]  # data by name, in lower case
    data: list[str]  # data in order
    message: str
    at: float  # 0.0 where the carrier told it


def of_json(found: dict[str, Any], wanted: Container[int]) -> Event | None:
    """The event in a JSON object; None where that is no event of Windows. Of those whose id is
    not `wanted`, only id and provider are read."""
    winlog = found.get("winlog")
    if isinstance(winlog, dict):
        event = fields.record(found.get("event"))
        return _event(
            winlog.get("event_id", event.get("code")), winlog, found, "event_data", wanted
        )
    if "EventID" in found:
        return _event(found["EventID"], found, found, "EventData", wanted)
    if "event_id" in found and ("event_data" in found or "source_name" in found):
        return _event(found["event_id"], found, found, "event_data", wanted)
    whole = found.get("Event")
    if isinstance(whole, dict) and isinstance(whole.get("System"), dict):
        return _event(whole["System"].get("EventID"), whole["System"], whole, "EventData", wanted)
    return None


_PROVIDERS = ("provider_name", "SourceName", "ProviderName", "source_name", "Source")
_PARAMS = tuple(f"param{number}" for number in range(1, 12))
_COMPUTERS = ("computer_name", "Hostname", "Computer", "ComputerName", "host_name")


def _event(
    number: Any, system: dict[str, Any], found: dict[str, Any], data: str, wanted: Container[int]
) -> Event:
    number = _number(number)
    provider = fields.text(_first(system, _PROVIDERS))
    if not provider:
        provider = _inner(system.get("Provider"), ("Name", "@Name", "name"))
    provider = provider.lower()
    if number not in wanted:
        return Event(number, provider, "", {}, [], "", 0.0)
    named: dict[str, str] = {}
    values: list[str] = []
    _gather(found.get(data, system.get(data)), named, values)
    _gather(found.get("StringInserts"), named, values)
    if system is found:  # NXLog puts the data beside the rest
        for name, value in list(found.items())[:MOST_DATA]:
            if isinstance(value, str | int) and name != data:
                named.setdefault(name.lower(), str(value))
    if not values and "param1" in named:
        values = [named[name] for name in _PARAMS if name in named]
    return Event(
        number,
        provider,
        fields.text(_first(system, _COMPUTERS)),
        named,
        values,
        fields.text(found.get("message") or found.get("Message"))[:LONGEST],
        moment(_inner(system.get("TimeCreated"), ("SystemTime", "@SystemTime"))),
    )


def _first(found: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        value = found.get(name)
        if value:
            return value
    return ""


def _inner(value: Any, names: tuple[str, ...]) -> str:
    """A value that an XML attribute was; the attributes may lie a level deeper."""
    inner = fields.record(value)
    inner = fields.record(inner.get("#attributes")) or inner
    return fields.text(_first(inner, names))


def _number(value: Any) -> int:
    if isinstance(value, dict):
        value = _first(value, ("#text", "Value", "$", "_"))
    return fields.number(value)


def _gather(value: Any, named: dict[str, str], values: list[str]) -> None:
    """An event's data: an object, a list of texts, or a list of objects with a name each."""
    if isinstance(value, dict):
        if isinstance(value.get("Data"), list | str):
            return _gather(value["Data"], named, values)
        for name, inner in list(value.items())[:MOST_DATA]:
            if isinstance(inner, str | int):
                named[name.lower()] = str(inner)
    elif isinstance(value, str):
        values.append(value)
    elif isinstance(value, list):
        for inner in value[:MOST_DATA]:
            if isinstance(inner, dict):
                name = fields.text(_first(inner, ("Name", "@Name", "name")))
                said = fields.text(_first(inner, ("#text", "Value", "text", "$")))
                if name:
                    named[name.lower()] = said
                values.append(said)
            elif isinstance(inner, str | int):
                values.append(str(inner))
    return None


def of_text(program: str, text: str) -> Event | None:
    """The event in a line of text; None where that is none."""
    if text.startswith("<Event "):
        return _of_xml(text)
    if program == "MSWinEventLog" or text.startswith("MSWinEventLog"):
        return _of_snare(text)
    if program == "WinEvtLog" or text.startswith("WinEvtLog: "):
        found = _OSSEC.match(text.removeprefix("WinEvtLog: "))
        if found is None:
            return None
        return Event(int(found["id"]), found["provider"].lower(), "", {}, [], found["rest"], 0.0)
    found = _NUMBERED.match(text)
    number = int(found["id"]) if found else 0
    return Event(number, program.lower(), "", {}, [], text[found.end() :] if found else text, 0.0)


def _of_snare(text: str) -> Event | None:
    """MSWinEventLog, criticality, log, counter, time, id, source, user, kind, type, computer,
    category, data, message."""
    values = text.replace("#011", "\t").split("\t", 13)
    if values[0] != "MSWinEventLog":
        values = ["", *values][:14]
    if len(values) < 14 or not values[5].isdecimal():
        return None
    return Event(int(values[5][:6]), values[6].lower(), values[10], {}, [], values[13], 0.0)


def _of_xml(text: str) -> Event | None:
    number = _XML_ID.search(text)
    if number is None:
        return None
    system, _, rest = text.partition("</System>")
    provider, computer = _XML_PROVIDER.search(system), _XML_COMPUTER.search(system)
    time = _XML_TIME.search(system)
    named: dict[str, str] = {}
    values: list[str] = []
    for name, value in _XML_DATA.findall(rest)[:MOST_DATA]:
        said = html.unescape(value)
        values.append(said)
        if name:
            named[name.lower()] = said
    return Event(
        int(number["id"]),
        provider["name"].lower() if provider else "",
        computer["name"] if computer else "",
        named,
        values,
        "",
        moment(time["time"]) if time else 0.0,
    )
