"""`mailwarden worker`: everything around Faust in one process."""

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import faust

from agents.configuration import Config
from agents.operator.ledger import LONGEST
from agents.running import http, state
from agents.running.control import Reload
from agents.worker import app, broker
from agents.worker.gateways import Hearing
from agents.worker.quiet import quieten
from agents.worker.watchdog import Watchdog
from agents.worker.worker import Worker
from schemas.settings import KafkaSettings, SettingsError
from streams import kafka_client, tracing
from streams.bus import BusError
from streams.kafka_bus import KafkaBus

log = logging.getLogger(__name__)

PAUSE = 2.0  # seconds before a worker that failed begins again
GENERATION_0 = 100_000  # objects between two garbage collections: records are no cycles


def run(config: Config, load: Callable[[], Config]) -> None:
    """Work until SIGTERM or SIGINT; on SIGHUP go on with what `load` gives. A worker that fails
    begins anew. Raises SettingsError.

    The loop is asyncio's own. Under uvloop a write to a connection that the broker has just closed
    raises RuntimeError, which aiokafka 0.14.0 takes for no failure of Kafka's (aiokafka/client.py,
    `_md_synchronizer`): the task that looks for brokers ends, and the worker idles for ever.
    """
    settings = config.settings
    if settings.response.longest > LONGEST:
        raise SettingsError("response.longest: on Kafka a decision holds for 7 days at most")
    reload = Reload(load)
    tracing.begin(settings.traces, "mailwarden-worker", config.host)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until Faust listens to it
    topic = broker.ready(settings.kafka)
    gc.set_threshold(GENERATION_0, 50, 100)
    hearing = Hearing(lambda: KafkaBus(settings.kafka), settings.response.overdue)
    worker = Worker(
        config, app.make(settings.kafka, _folder(config)), topic, reload.reloaded, hearing=hearing
    )
    server = _serve(settings.http.listen, worker)
    watchdog = Watchdog(worker, begin_anew, end, lambda: _answers(settings.kafka))
    watchdog.start()
    quieten(logging.getLogger().handlers, "faust", "mode", "aiokafka", app.__name__)
    logging.getLogger("mode.timers").setLevel(logging.ERROR)  # a flush may take over a second
    shell = faust.Worker(worker.app, override_logging=False, quiet=True)
    shell.spinner = None
    try:
        shell.execute_from_commandline()
    except SystemExit as ended:
        if ended.code:
            begin_anew("it ended with an error")
    except Exception:
        log.exception("the worker failed")
        begin_anew("it failed")
    finally:
        watchdog.stop()
        hearing.close()
        tracing.end()
        if server is not None:
            server.close()


def begin_anew(reason: str) -> NoReturn:
    """Replace the process by a new one, with its pid and streams: what was not flushed is read
    again. Its membership ends by itself after the session timeout."""
    log.critical("the worker begins anew: %s", reason)
    time.sleep(PAUSE)
    os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def end() -> NoReturn:
    """End at once: no broker takes the last flush."""
    log.warning("ended without a last flush; what it would have made safe is read again")
    logging.shutdown()
    os._exit(0)


def _answers(settings: KafkaSettings) -> bool:
    try:
        kafka_client.answers(settings)
    except BusError:
        return False
    return True


def _folder(config: Config) -> Path:
    folder = state.worker(config.settings)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"storage.path: cannot make {folder}: {error.strerror}") from error
    return folder


def _serve(listen: str, worker: Worker) -> http.Server | None:
    if not listen:
        return None
    try:
        return http.Server(listen, worker.pulse.health, "worker")
    except OSError as error:
        # Several workers on one machine share a configuration; the first one has the port.
        log.warning("http.listen: cannot serve at %s: %s", listen, error.strerror)
        return None
