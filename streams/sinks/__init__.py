"""The sinks, one line each."""

from streams.sink import Sink

SINKS: dict[str, type[Sink]] = {}
