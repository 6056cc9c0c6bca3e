"""Options that several commands share, and the errors that all of them report alike."""

import math
import re
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from agents import configuration
from agents.running import kafka_files
from schemas.findings import SEVERITIES
from schemas.settings import SettingsError

F = TypeVar("F", bound=Callable[..., Any])

YEAR_10000 = 253402300800.0  # Unix seconds; beyond it there is no calendar


class Unusable(click.ClickException):
    """What the user gave cannot be used; exit 2."""

    exit_code = 2


def load(path: Path | None) -> configuration.Config:
    """The configuration; wrong settings end the command with exit 2, naming file and key."""
    try:
        return configuration.load(path)
    except SettingsError as error:
        raise Unusable(str(error)) from error


def load_for_kafka(path: Path | None) -> configuration.Config:
    """The same for a command that talks to Kafka: the files that [kafka] names must be there."""
    found = load(path)
    require_kafka(found)
    return found


def require_kafka(config: configuration.Config) -> None:
    try:
        kafka_files.require(config)
    except SettingsError as error:
        raise Unusable(str(error)) from error


def for_eyes(as_json: bool) -> bool:
    """Whether a person reads it: a terminal, and no --json."""
    return not as_json and sys.stdout.isatty()


class Moment(click.ParamType):
    """A point in time: ISO 8601 (UTC where it names no offset), or Unix seconds."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        try:
            seconds = float(value)
        except ValueError:
            seconds = _iso(value)
        if not 0 <= seconds < YEAR_10000:
            self.fail(f"{value!r} is neither ISO 8601 nor Unix seconds", param, ctx)
        return seconds


def _iso(text: str) -> float:
    """Unix seconds; NaN where it is no ISO 8601."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class Span(click.ParamType):
    """A duration in seconds, from ``90s``, ``30m``, ``1h30m``, ``2d``, ``1w``; at most a year."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        found = _SPAN.fullmatch(value.strip())
        seconds = sum(
            int(count) * size
            for count, size in zip(found.groups(default=0) if found else (), _SIZES, strict=False)
        )
        if not 0 < seconds <= 366 * 86400:
            self.fail(f"{value!r} is no time such as 90s, 30m, 1h, 2d or 1w (at most a year)")
        return float(seconds)


_SPAN = re.compile(
    r"(?:(\d{1,9})w)?(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII
)
_SIZES = (7 * 86400, 86400, 3600, 60, 1)


class Since(Moment):
    """A point in time, or how long ago: ``24h``."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, str) and _SPAN.fullmatch(value.strip()):
            return time.time() - Span().convert(value, param, ctx)
        return super().convert(value, param, ctx)


class Zone(click.ParamType):
    """An IANA zone, as Europe/Berlin."""

    name = "zone"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return ZoneInfo(value).key
        except (ValueError, OSError, KeyError):
            self.fail(f"{value!r} is no IANA zone, such as Europe/Berlin", param, ctx)


class Format(click.ParamType):
    """A log format's name, ``auto``, or one of `others`."""

    name = "format"

    def __init__(self, *others: str) -> None:
        self._others = ("auto", *others)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from streams.parsers import PARSERS

        if value not in self._others and value not in PARSERS:
            names = [*self._others, *sorted(PARSERS)]
            self.fail(f"no format {value!r}; there are: {', '.join(names)}")
        return str(value)


config = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path),
    help=f"The settings; else ${configuration.ENVIRONMENT}, ./mailwarden.toml, "
    "/etc/mailwarden/mailwarden.toml.",
)
log_format = click.option("--format", type=Format(), help="Log format, or auto.")
year = click.option("--year", type=click.IntRange(1970, 9999), help="Year of stamps without one.")
now = click.option(
    "--now", type=Moment(), help="The time that counts as now: ISO 8601 or Unix seconds."
)
kafka = click.option(
    "--kafka",
    is_flag=True,
    envvar="MAILWARDEN_KAFKA",
    help="Ask Kafka, not the state of this server; $MAILWARDEN_KAFKA=1 always does.",
)
json_lines = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object a line, as where output is piped."
)
zone = click.option("--zone", type=Zone(), help="Zone of stamps without one, as Europe/Berlin.")
host = click.option("--host", help="Gateway name for lines that name no host.")

_limit = click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="At most."
)
_since = click.option(
    "--since",
    type=Since(),
    default="7d",
    show_default=True,
    help="With events since then: a time ago (24h), ISO 8601, Unix seconds.",
)
_least = click.option(
    "--least", type=click.Choice(SEVERITIES), default="info", help="No milder ones."
)


def reading(command: F) -> F:
    """--format, --year, --now, --zone and --host: how lines are to be read. Each is None where
    it was not given."""
    for option in (host, zone, now, year, log_format):
        command = option(command)
    return command


def listing(command: F) -> F:
    """--limit, --since and --least: which alerts, or what is made of them, are listed."""
    for option in (_least, _since, _limit):
        command = option(command)
    return command
