"""What signals ask of a running program: SIGTERM and SIGINT to end, SIGHUP to read its settings
again."""

import logging
import signal
from collections.abc import Callable

from agents.configuration import Config
from schemas.settings import SettingsError
from streams.metrics import RELOADS
from streams.said import said

log = logging.getLogger(__name__)


class Reload:
    """SIGHUP. The handler does no more than note it. `load` reads the settings, or raises
    SettingsError."""

    def __init__(self, load: Callable[[], Config]) -> None:
        self._load = load
        self._reload = False
        signal.signal(signal.SIGHUP, self._on_reload)

    def reloaded(self) -> Config | None:
        """The new configuration, if one is asked for and can be used; else the old one stays."""
        if not self._reload:
            return None
        self._reload = False
        try:
            config = self._load()
        except SettingsError as error:
            RELOADS.labels("failed").inc()
            log.error(said("reload failed", reason=error, meanwhile="the old settings stay"))
            return None
        RELOADS.labels("ok").inc()
        log.info(said("reloaded", settings=config.where))
        return config

    def _on_reload(self, *_: object) -> None:
        self._reload = True


class Control(Reload):
    """SIGHUP, SIGTERM and SIGINT."""

    def __init__(self, load: Callable[[], Config]) -> None:
        super().__init__(load)
        self._stop = False
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)

    def stopped(self) -> bool:
        """Whether to end."""
        return self._stop

    def _on_stop(self, *_: object) -> None:
        self._stop = True
