"""Mailwarden in this process, between a log that a real server writes and a gateway."""

import threading
import time
import tomllib
from pathlib import Path

from agents import configuration
from agents.configuration import Config
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.settings import Settings, convert
from streams.sources.follow import Follow

HONEYPOT = "trap@example.org"
"""A login that nobody has: who tries it is an attacker at once."""

SETTINGS = f"""
[site]
domains = ["example.org"]
honeypots = ["{HONEYPOT}"]

[response]
enforce = true

[detectors.auth_dictionary]
enforce = true
"""


class Loop:
    """Follows `log` until it is closed. `more` is TOML: the gateway's section, as shown to
    people. Leases run by a clock that can be put forward."""

    def __init__(self, folder: Path, log: Path, more: str) -> None:
        self.panic = folder / "panic"
        table = tomllib.loads(SETTINGS + more)
        table["logs"] = {"files": [str(log)]}
        table["response"]["panic"] = str(self.panic)
        self._config = configuration.build(convert(table, Settings, "settings"))
        self._folder = folder
        self._ahead = 0.0
        self._stops = False
        self._follows = threading.Event()
        log.touch()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._follows.wait(30)

    def end_leases(self) -> None:
        """A week and more goes by."""
        self._ahead += 8 * 86400

    def close(self) -> None:
        self._stops = True
        self._thread.join(60)

    # -- what the loop asks of who controls it ----------------------------------------------

    def stopped(self) -> bool:
        self._follows.set()
        return self._stops

    def reloaded(self) -> Config | None:
        return None

    def _run(self) -> None:
        with Store(self._folder / "mailwarden.db") as store:
            embedded = Embedded(
                self._config,
                store,
                lambda config, positions: Follow(config.settings.logs.files, positions=positions),
                clock=lambda: time.time() + self._ahead,
            )
            try:
                embedded.run(self)
            finally:
                embedded.close()
