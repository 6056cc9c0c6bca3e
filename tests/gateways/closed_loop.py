"""`mailwarden run` without the process, on the log of a real server."""

import time
import tomllib
from pathlib import Path
from typing import Any

from agents import configuration
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.events import Fact
from schemas.settings import Settings, convert
from streams.sources.follow import Follow


class Clock:
    """The wall clock, which a test can put forward: leases end by it."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Mailwarden:
    """Follows `log`, with the documented sections of gateways. A guess at a honeypot, and ten
    guessed addresses, are answered; so is who goes on after that."""

    def __init__(self, log: Path, folder: Path, gateways: str, **policy: Any) -> None:
        self.panic = folder / "panic"
        self.clock = Clock()
        self.folded: list[Fact] = []
        self.store = Store(folder / "mailwarden.db")
        table = tomllib.loads(gateways)
        table["gateways"]["policy"] |= policy
        table |= {
            "site": {"domains": ["example.org"], "honeypots": ["trap@example.org"], "host": "mx"},
            "logs": {"files": [str(log)]},
            "response": {"enforce": True, "panic": str(self.panic)},
            "detectors": {
                "directory_harvest": {"enforce": True, "patience": 0.5},
                "auth_dictionary": {"enforce": True},
            },
        }
        self.embedded = Embedded(
            configuration.build(convert(table, Settings, "test")),
            self.store,
            lambda config, positions: Follow(
                config.settings.logs.files, positions=positions, begin=True
            ),
            clock=self.clock,
        )
        fold = self.embedded._shard.fold

        def noted(event: Fact, **more: Any) -> None:
            self.folded.append(event)
            fold(event, **more)

        self.embedded._shard.fold = noted  # type: ignore[method-assign]

    def turn(self) -> None:
        self.embedded.turn()

    def close(self) -> None:
        self.embedded.close()
        self.store.close()
