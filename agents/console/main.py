"""The console as a process: it follows, serves, and ends or begins anew when it is told to."""

import asyncio
import logging
import os
import signal
import ssl
import sys
import threading
from importlib.metadata import version
from typing import Literal

from agents.configuration import Config, signing
from agents.console import desk as desks
from agents.console.access.guard import Guard
from agents.console.desk import Desk
from agents.console.follower import Follower
from agents.console.from_bus import FromBus
from agents.console.from_store import FromStore
from agents.console.pages.pages import Pages
from agents.console.server import Console, serving
from agents.console.shelf import Shelf
from agents.console.source import Source
from agents.console.work import Work
from agents.running import state
from schemas.settings import ConsoleSettings, SettingsError
from streams.http_serving import tls_context
from streams.said import said

log = logging.getLogger(__name__)

Why = Literal["end", "reload"]


def settings(config: Config) -> ConsoleSettings:
    """Those of the console; the defaults where the file has no such section."""
    return config.settings.console or ConsoleSettings()


def guarded(config: Config) -> Guard:
    """Raises SettingsError, with the file."""
    try:
        return Guard(settings(config))
    except SettingsError as error:
        raise SettingsError(f"{config.where}: {error}") from error


def source(config: Config, shelf: Shelf, closing: threading.Event, *, kafka: bool) -> Source:
    """What is followed. Raises StoreError, BusError."""
    if not kafka:
        dead = state.dead_letters(config.settings)
        return FromStore(state.store(config.settings), shelf, dead, closing)
    from streams.kafka_bus import KafkaBus  # noqa: PLC0415 - slow to load

    bus = KafkaBus(config.settings.kafka)
    try:
        return FromBus(bus, shelf, config.settings.kafka, signing(config))
    except BaseException:
        bus.close()
        raise


async def serve(config: Config, *, kafka: bool, child: bool) -> Why:
    """Until a signal says otherwise; as a child, until whoever began it is gone. Raises
    SettingsError, OSError and ValueError before it has begun."""
    own = settings(config)
    guard = guarded(config)
    tls: ssl.SSLContext | None = tls_context(own.certificate, own.certificate_key)
    loop, why = asyncio.get_running_loop(), asyncio.Future[Why]()
    _listen_to_signals(loop, why, child=child)
    path = desks.path(config)
    changed = threading.Event()
    console: Console | None = None

    def tell() -> None:
        changed.set()
        if console is not None:
            console.live.changed()

    follower = Follower(
        path,
        lambda shelf, closing: source(config, shelf, closing, kafka=kafka),
        window=config.settings.incidents.window,
        storage=config.settings.storage,
        changed=tell,
    )
    work = Work(Desk(config, follower, path, desks.opener(config, kafka=kafka), kafka=kafka))
    try:
        console = Pages(guard, work, version("mailwarden"))
        runner, port = await serving(console, console.app(), own.listen, tls)
        log.info(
            said(
                "console serves",
                address=f"{'https' if tls else 'http'}://{own.listen.rpartition(':')[0]}:{port}/",
                users=len(guard.people),
                follows="Kafka" if kafka else state.store(config.settings),
            )
        )
        try:
            return await why
        finally:
            console.live.end()
            await runner.cleanup()
    finally:
        follower.close()
        work.close()


def _listen_to_signals(
    loop: asyncio.AbstractEventLoop, why: "asyncio.Future[Why]", *, child: bool
) -> None:
    def end(reason: Why) -> None:
        if not why.done():
            why.set_result(reason)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, "end")
    loop.add_signal_handler(signal.SIGHUP, end, "reload")
    if child:
        # Its parent holds the other end: when that is gone, so is the parent.
        def look() -> None:
            if not os.read(sys.stdin.fileno(), 4096):
                loop.remove_reader(sys.stdin.fileno())
                end("end")

        loop.add_reader(sys.stdin.fileno(), look)
