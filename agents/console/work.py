"""Where views are made and orders are carried out: threads of their own, one thing after the
other, so that the loop that answers never waits."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from msgspec import Struct

from agents.console.desk import Desk
from agents.console.operations import Operation
from agents.console.problems import ProblemError
from agents.console.views.now import Asked
from agents.operator.blocking import Who
from agents.single.store import StoreError
from schemas.settings import SettingsError
from streams.bus import BusError

T = TypeVar("T")

WAITING = 200  # views that may wait; more are refused
PATIENCE = 30.0  # seconds for an order
SETTLED = 5.0  # seconds until what was ordered is to be seen
SECOND = 1.0


class Work:
    """`desk` is used in its threads only."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._views = ThreadPoolExecutor(1, "views")
        self._orders = ThreadPoolExecutor(1, "orders")
        self._waiting = 0
        self._kept: dict[str, tuple[tuple[int, float, int], Any]] = {}

    async def see(self, work: Callable[[Desk], T]) -> T:
        """What a view, or the page that is made of it, is now. Raises ProblemError."""
        if self._waiting >= WAITING:
            raise ProblemError(503, "too many look at the same time", {"Retry-After": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._views, lambda: _explained(lambda: work(self.desk))
            )
        finally:
            self._waiting -= 1

    def shared(self, name: str, make: Callable[[Desk], T]) -> Callable[[Desk], T]:
        """The same for all who look within a second, until something has changed."""

        def found(desk: Desk) -> T:
            mark = (desk.picture.version, desk.around.at, int(desk.clock() / SECOND))
            kept = self._kept.get(name)
            if kept is None or kept[0] != mark:
                kept = self._kept[name] = mark, make(desk)
            return kept[1]

        return found

    async def view(self, one: Operation, given: Struct) -> Any:
        view = one.view
        assert view is not None  # noqa: S101 - of a GET
        if isinstance(given, Asked):
            return await self.see(self.shared(one.name, lambda desk: view(desk, given)))
        return await self.see(lambda desk: view(desk, given))

    async def order(self, one: Operation, who: Who, given: Struct) -> Any:
        """Carry it out, and wait until it is to be seen. Raises ProblemError."""
        order = one.order
        assert order is not None  # noqa: S101 - of a POST
        desk = self.desk

        def carry_out() -> Any:
            with desk.ledger() as kept:
                done, entries = order(desk, kept, who, given)
            for entry in entries:
                desk.follower.wait_for(entry, SETTLED)
            return done

        loop = asyncio.get_running_loop()
        if self._waiting >= WAITING:
            raise ProblemError(503, "too much is ordered at the same time", {"Retry-After": "2"})
        self._waiting += 1
        try:
            return await loop.run_in_executor(self._orders, lambda: _explained(carry_out))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        self._orders.shutdown(cancel_futures=True)
        self._views.submit(self.desk.close)
        self._views.shutdown()


def _explained(work: Callable[[], T]) -> T:
    try:
        return work()
    except (StoreError, BusError, SettingsError, sqlite3.Error) as error:
        raise ProblemError(503, str(error)) from error
