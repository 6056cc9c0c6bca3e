"""A console on a store of its own, served on a free port, and a browser without a window."""

import asyncio
import http.client
import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from agents import configuration
from agents.configuration import Config
from agents.console import desk as desks
from agents.console.access.guard import Guard
from agents.console.access.people import hashed
from agents.console.desk import Desk, Opener
from agents.console.follower import Follower
from agents.console.main import settings, source
from agents.console.pages.pages import Pages
from agents.console.server import Console, serving
from agents.console.shelf import Shelf
from agents.console.work import Work
from agents.single.store import Changes, Store
from schemas import wire
from schemas.audit import Audit
from schemas.findings import Alert, Decision
from schemas.gateways import GatewayState
from schemas.settings import ConsoleSettings, ProxySettings, UserSettings
from tests.waiting import wait_for

PASSWORD = "correct horse battery"
HASH = hashed(PASSWORD)
USERS = {
    "vera": UserSettings(role="viewer", password=HASH),
    "anton": UserSettings(role="analyst", password=HASH),
    "ada": UserSettings(role="admin", password=HASH),
}
NOBODY = "nobody"
ROLES = {"viewer": "vera", "analyst": "anton", "admin": "ada"}
NOT_SERVED = '[http]\nlisten = ""'


class Answer:
    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Browser:
    """Keeps cookies and the token that changes must show."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}
        self.csrf = ""
        self.headers: dict[str, str] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {**self.headers, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        try:
            connection.request(method, path, body=body, headers=sent)
            reply = connection.getresponse()
            found = Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()
        for line in found.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        return found

    def get(self, path: str, **query: Any) -> Answer:
        return self.ask("GET", f"{path}?{urlencode(query)}" if query else path)

    def api(self, path: str, **query: Any) -> Any:
        found = self.get(f"/api/v1{path}", **query)
        assert found.status == 200, found.text
        return found.json()

    def order(self, path: str, **body: Any) -> Answer:
        headers = {"Content-Type": "application/json", "X-CSRF-Token": self.csrf}
        return self.ask("POST", f"/api/v1{path}", json.dumps(body).encode(), headers)

    def form(self, path: str, **fields: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        data = urlencode({"csrf": self.csrf, **fields}).encode()
        return self.ask("POST", path, data, headers)

    def log_in(self, name: str, password: str = PASSWORD) -> Answer:
        found = self.order("/session", name=name, password=password)
        if found.status == 200:
            self.csrf = found.json()["csrf"]
        return found

    def enter(self) -> "Browser":
        """Where nobody need log in."""
        self.csrf = self.api("/session")["csrf"]
        return self


class Place:
    """A store, and a console that shows it."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self.config = config
        self.port = 0
        self.console: Console
        self.follower: Follower

    def browser(self, name: str = "") -> Browser:
        browser = Browser(self.port)
        if name and name != NOBODY:
            assert browser.log_in(name).status == 200
        elif not name:
            browser.enter()
        return browser

    def store(self) -> Store:
        return Store(self.folder / "mailwarden.db")

    def tell(
        self,
        *alerts: Alert,
        decisions: tuple[Decision, ...] = (),
        gateways: GatewayState | None = None,
    ) -> None:
        memory = {"gateways": wire.encode(gateways)} if gateways else {}
        with self.store() as store:
            store.commit(
                Changes(alerts=list(alerts), decisions=list(decisions), memory=memory), time.time()
            )
        self.settle()

    def settle(self) -> None:
        """Until the console knows what the store has."""
        with self.store() as store:
            newest = {alert.id: alert.revision for alert in store.alerts(limit=100_000)}
            trail = store.audit(limit=1)

        def same() -> bool:
            known = {alert.id: alert.revision for alert in self.follower.picture.alerts}
            return newest.items() <= known.items()

        wait_for(same, "the alerts")
        wait_for(lambda: not trail or trail[0] in self.trail(), "the trail")

    def trail(self) -> list[Audit]:
        """As the console has it, the newest first."""
        shelf = Shelf(desks.path(self.config))
        try:
            return shelf.audit(50)
        finally:
            shelf.close()


def configured(
    folder: Path,
    console: ConsoleSettings | None = None,
    toml: str = "",
    response: str = "",
    http: str = "",
) -> Config:
    text = f"""
[site]
domains = ["example.org"]
[storage]
path = "{folder}/mailwarden.db"
[response]
enforce = true
panic = "{folder}/panic"
{response}
{http or NOT_SERVED}
{toml}
"""
    path = folder / "mailwarden.toml"
    path.write_text(text)
    found = configuration.load(path)
    own = console or ConsoleSettings(listen="127.0.0.1:0", users=USERS)
    return configuration.build(msgspec.structs.replace(found.settings, console=own), path)


@contextmanager
def serving_place(
    folder: Path,
    config: Config | None = None,
    *,
    ledger: Opener | None = None,
    kafka: bool = False,
    begin: Any = None,
    empty: bool = False,
) -> Iterator[Place]:
    """A console in a thread of its own."""
    config = config or configured(folder)
    if not kafka and not empty:
        Store(folder / "mailwarden.db").close()
    place = Place(folder, config)
    path = desks.path(config)
    begun: Future[int] = Future()
    stop: list[Any] = []

    async def main() -> None:
        def changed() -> None:
            if hasattr(place, "console"):
                place.console.live.changed()

        place.follower = Follower(
            path,
            begin or (lambda shelf, closing: source(config, shelf, closing, kafka=kafka)),
            window=config.settings.incidents.window,
            storage=config.settings.storage,
            changed=changed,
        )
        opened = ledger or desks.opener(config, kafka=kafka)
        work = Work(Desk(config, place.follower, path, opened, kafka=kafka))
        place.console = Pages(Guard(settings(config)), work, "test")
        runner: web.AppRunner | None = None
        try:
            runner, port = await serving(
                place.console, place.console.app(), settings(config).listen, None
            )
            event = asyncio.Event()
            stop.extend([asyncio.get_running_loop(), event])
            begun.set_result(port)
            await event.wait()
        except BaseException as error:
            if not begun.done():
                begun.set_exception(error)
            raise
        finally:
            place.console.live.end()
            if runner is not None:
                await runner.cleanup()
            place.follower.close()
            work.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        place.port = begun.result(60)
        wait_for(lambda: place.follower.around.complete or empty, "the start")
        yield place
    finally:
        if stop:
            stop[0].call_soon_threadsafe(stop[1].set)
        thread.join(60)


def proxied(**more: Any) -> ConsoleSettings:
    proxy = ProxySettings(addresses=("127.0.0.1",), **more)
    users = {"vera": UserSettings(role="viewer"), "ada": UserSettings(role="admin")}
    return ConsoleSettings(listen="127.0.0.1:0", users=users, proxy=proxy)


def open_to_all() -> ConsoleSettings:
    return ConsoleSettings(listen="127.0.0.1:0")


def token(html: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', html)
    assert found, "no form on the page"
    return found[1]
