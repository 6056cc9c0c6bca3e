"""How every program that reads logs begins to: by the settings, where an earlier process stood."""

import logging
from collections.abc import Callable

from agents.configuration import Config
from streams.reader import DeadLine, Reader, ReadOptions
from streams.said import said
from streams.sources.find import Found, NothingFoundError, find

log = logging.getLogger(__name__)


def host(config: Config) -> str:
    """The gateway of lines that name none."""
    return config.host


def found(config: Config) -> Found:
    """The logs that are followed. Raises NothingFoundError where there are none, and no mails
    come in either."""
    try:
        return find(config.settings.logs)
    except NothingFoundError:
        intake = config.settings.intake
        if intake.lmtp is None and intake.maildir is None:
            raise
        return Found((), False, "only mails: there is no log")


def new_reader(config: Config, dead: Callable[[DeadLine], None] | None, memory: bytes) -> Reader:
    """A reader that goes on with the half-joined lines of `memory`, a packed reader or b"".

    What another version or a damaged disk has left there stops nothing: it is logged, and the
    lines that are still to come are joined anew.
    """
    settings = config.settings
    options = ReadOptions(
        format=settings.logs.format,
        host=host(config),
        zone=settings.site.zone,
        custom=config.formats,
    )
    reader = Reader(options, dead)
    if memory:
        try:
            reader.restore(memory)
        except ValueError as error:
            log.error(said("state unreadable", reason=error, meanwhile="joins lines anew"))
            return Reader(options, dead)
    return reader
