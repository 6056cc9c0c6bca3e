"""What a request says, as the struct that its operation takes; ProblemError where it does not
fit."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from agents.console.access.guard import Asking
from agents.console.operations import Operation
from agents.console.problems import ProblemError

T = TypeVar("T")

HEADERS = web.RequestKey("headers", dict[str, str])
"""Of the answer to a request, whatever it is."""
ASKED = web.RequestKey("asked", Asking)
"""Who asks."""

LARGEST = 65536  # bytes of a body
PATIENCE = 10.0  # seconds for it


def of_query(one: Operation, request: web.Request) -> Struct:
    """From path and query: text is read as what is wanted. What is left empty counts as not
    given, as forms send it."""
    said: dict[str, Any] = {}
    for name, value in request.query.items():
        if name in said:
            raise ProblemError(400, f"{name[:100]} is given twice")
        if value:
            said[name] = value
    known = {field.name for field in one.fields}
    for name in said:
        if name not in known:
            raise ProblemError(400, f"no such parameter: {name[:100]}")
    return _converted(one, {**said, **request.match_info}, strict=False)


async def of_body(one: Operation, request: web.Request) -> Struct:
    """From path and a JSON object."""
    if request.content_type != "application/json":
        raise ProblemError(400, "expected a body of application/json")
    data = await _in_time(request.read())
    try:
        said = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProblemError(400, f"the body is no JSON object: {error}") from error
    for name in one.in_path:
        if name in said:
            raise ProblemError(400, f"{name} is said by the path")
    known = {field.name for field in one.fields}
    for name in said:
        if name not in known:
            raise ProblemError(400, f"no such field: {name[:100]}")
    return _converted(one, {**said, **request.match_info}, strict=True)


async def of_form(one: Operation, request: web.Request) -> tuple[Struct, dict[str, str]]:
    """From a form of a page, and what else the form says."""
    if request.content_type != "application/x-www-form-urlencoded":
        raise ProblemError(400, "expected a form")
    form = await form_fields(request)
    known = {field.name for field in msgspec.structs.fields(one.given)}
    said = {name: value for name, value in form.items() if name in known and value}
    rest = {name: value for name, value in form.items() if name not in known}
    return _converted(one, said, strict=False), rest


async def form_fields(request: web.Request) -> dict[str, str]:
    try:
        form = await _in_time(request.post())
    except (ValueError, LookupError) as error:
        raise ProblemError(400, "the form cannot be read") from error
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _in_time(reading: Awaitable[T]) -> T:
    """What is sent, within a bounded time."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await reading
    except TimeoutError:
        raise ProblemError(408, f"the body did not come within {PATIENCE:g} s") from None


def _converted(one: Operation, said: dict[str, Any], *, strict: bool) -> Struct:
    try:
        found: Struct = msgspec.convert(said, one.given, strict=strict)
    except msgspec.ValidationError as error:
        raise ProblemError(400, _words(str(error))) from error
    for name, value in said.items():
        if isinstance(value, str) and not _is_text(value):
            raise ProblemError(400, f"{name}: expected text: whole characters, none of them NUL")
    return found


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _words(text: str) -> str:
    """msgspec's words as ``field: what was expected``."""
    message, _, path = text.partition(" - at `$.")
    key = path.rstrip("`")
    return f"{key}: {message[:1].lower()}{message[1:]}" if key else message
