"""Microsoft 365, by a stand-in for Graph that answers as its published schema says."""

import asyncio
import json
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.audit import Audit
from schemas.findings import Action, Decision, Target, decision_id
from streams.gateway import GatewayError
from streams.gateways.m365 import M365, NOBODY, M365Settings, ranges
from streams.gateways.m365.graph import user

NOW = 1_800_000_000.0
ALICE = "alice@example.org"
PLACE = "0854951d-5fc0-4eb1-b392-9b2c9d7949c2"
Until = Callable[[Callable[[], object]], None]


class Tenant:
    """Users and a named location, behind an application's token. Bodies and statuses are those of
    https://learn.microsoft.com/graph/api/ (user-get, user-update, user-revokesigninsessions,
    ipnamedlocation-get, ipnamedlocation-update)."""

    def __init__(self) -> None:
        self.users = {ALICE: True, "bob@example.org": True, "gone@example.org": False}
        self.location: dict[str, Any] = {
            "@odata.type": "#microsoft.graph.ipNamedLocation",
            "id": PLACE,
            "displayName": "Refused",
            "isTrusted": False,
            "ipRanges": [],
        }
        self.calls: list[str] = []
        self.tokens = 0
        self.valid = ""
        self.ends = 3599
        self.refuses: dict[str, tuple[int, str]] = {}  # by method
        self.answers = b""  # instead of JSON
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.post("/login/{tenant}/oauth2/v2.0/token", self.token),
                web.get("/v1.0/organization", self.organization),
                web.get("/v1.0/users/{name}", self.user),
                web.patch("/v1.0/users/{name}", self.update),
                web.post("/v1.0/users/{name}/revokeSignInSessions", self.revoke),
                web.get("/v1.0/identity/conditionalAccess/namedLocations/{id}", self.place),
                web.patch("/v1.0/identity/conditionalAccess/namedLocations/{id}", self.replace),
            ]
        )
        runner = web.AppRunner(app)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", 0).start())
        self.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if "/oauth2/" in request.path:
            return await handler(request)  # type: ignore[no-any-return]
        self.calls.append(f"{request.method} {request.path_qs.removeprefix('/v1.0/')}")
        if request.headers.get("Authorization") != f"Bearer {self.valid}":
            return self.error(401, "InvalidAuthenticationToken", "Access token has expired.")
        if self.answers:
            return web.Response(body=self.answers)
        if request.method in self.refuses:
            status, code = self.refuses[request.method]
            return self.error(status, code, "refused\nhere")
        return await handler(request)  # type: ignore[no-any-return]

    def error(self, status: int, code: str, message: str) -> web.Response:
        inner = {"date": "2026-11-30T00:00:00", "request-id": PLACE}
        body = {"error": {"code": code, "message": message, "innerError": inner}}
        return web.json_response(body, status=status)

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        right = {
            "grant_type": "client_credentials",
            "client_id": "app",
            "client_secret": "hush",
            "scope": f"{self.root}/.default",
        }
        if dict(form) != right or request.match_info["tenant"] != "example":
            return web.json_response({"error": "invalid_client"}, status=401)
        self.tokens += 1
        self.valid = f"token{self.tokens}"
        body = {"token_type": "Bearer", "expires_in": self.ends, "access_token": self.valid}
        return web.json_response(body)

    async def organization(self, request: web.Request) -> web.Response:
        return web.json_response({"value": [{"id": "example"}]})

    async def user(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.users:
            return self.error(404, "Request_ResourceNotFound", f"Resource '{name}' does not exist")
        return web.json_response({"id": PLACE, "accountEnabled": self.users[name]})

    async def update(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert set(body) == {"accountEnabled"}
        self.users[request.match_info["name"]] = body["accountEnabled"]
        return web.Response(status=204)

    async def revoke(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.users:
            return self.error(404, "Request_ResourceNotFound", f"Resource '{name}' does not exist")
        return web.json_response({"@odata.context": "x", "value": True})

    async def place(self, request: web.Request) -> web.Response:
        return web.json_response(self.location)

    async def replace(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["@odata.type"] == "#microsoft.graph.ipNamedLocation"
        for one in body["ipRanges"]:
            kind = "iPv6CidrRange" if ":" in one["cidrAddress"] else "iPv4CidrRange"
            assert one["@odata.type"] == f"#microsoft.graph.{kind}"
            assert "/" in one["cidrAddress"]
        if not body["ipRanges"]:
            return self.error(400, "badRequest", "ipRanges must not be empty")
        self.location |= body
        return web.Response(status=204)

    def listed(self) -> list[str]:
        return [one["cidrAddress"] for one in self.location["ipRanges"]]


class Site:
    def __init__(self) -> None:
        self.said: list[str] = []

    def record(self, entries: Sequence[Audit]) -> None:
        self.said += [f"{entry.what} {entry.detail}" for entry in entries]


@pytest.fixture(scope="module")
def shared() -> Iterator[Tenant]:
    made = Tenant()
    yield made
    made.close()


@pytest.fixture
def tenant(shared: Tenant) -> Tenant:
    shared.users = {ALICE: True, "bob@example.org": True, "gone@example.org": False}
    shared.location |= {"ipRanges": [], "isTrusted": False}
    shared.calls, shared.tokens, shared.ends, shared.refuses = [], 0, 3599, {}
    shared.answers, shared.valid = b"", ""
    return shared


class Stage:
    def __init__(self, tenant: Tenant, folder: Path) -> None:
        self.tenant = tenant
        self.folder = folder
        self.now = NOW
        self.site = Site()
        self.gateways: list[M365] = []
        (folder / "secret").write_text("hush\n")

    def gateway(self, **settings: Any) -> M365:
        given = {
            "act": True,
            "tenant": "example",
            "client": "app",
            "secret_file": str(self.folder / "secret"),
            "domains": ("example.org",),
            "folder": str(self.folder / "state"),
            "graph": f"{self.tenant.root}/v1.0",
            "login": f"{self.tenant.root}/login",
        } | settings
        made = M365(M365Settings(**given), clock=lambda: self.now)
        made.connect(self.site)  # type: ignore[arg-type]
        self.gateways.append(made)
        return made


@pytest.fixture
def stage(tenant: Tenant, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tenant, tmp_path)
    yield made
    for gateway in made.gateways:
        gateway.close()


def decided(
    value: str = ALICE, action: Action = "lock", *, kind: str = "account", **more: Any
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    fields: dict[str, Any] = {"until": NOW + 600, "enforced": True} | more
    return Decision(id=decision_id(target, action), target=target, action=action, **fields)


def client(value: str, action: Action = "drop", **more: Any) -> Decision:
    return decided(value, action, kind="network", **more)


def failing(gateway: M365, *decisions: Decision) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert not gateway.apply(decisions)
        except GatewayError as error:
            return str(error)
    raise AssertionError("it does not fail")


# -- accounts ---------------------------------------------------------------------------------


def test_an_account_is_put_out_and_disabled_and_enabled_again(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(kick="hold", lock="lock")
    until(lambda: gateway.apply([decided()]))
    assert stage.tenant.users == {ALICE: False, "bob@example.org": True, "gone@example.org": False}
    assert stage.tenant.calls == [
        f"POST users/{ALICE}/revokeSignInSessions",
        f"GET users/{ALICE}?$select=id,accountEnabled",
        f"PATCH users/{ALICE}",
    ]
    assert stage.tenant.tokens == 1
    until(lambda: gateway.apply([]))
    assert stage.tenant.users[ALICE]
    assert stage.site.said == [
        "done kick: sessions end",
        "done lock: the account is disabled",
        "undone lock: the account is enabled again",
    ]
    until(lambda: gateway.apply([decided()]))  # the kill switch went back
    assert not stage.tenant.users[ALICE]
    assert len(stage.tenant.calls) == 6


def test_what_others_disabled_stays_disabled(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(lock="lock")
    until(lambda: gateway.apply([decided("gone@example.org")]))
    until(lambda: gateway.apply([]))
    assert stage.tenant.users["gone@example.org"] is False
    assert stage.site.said == ["done lock: it was disabled already"]


def test_a_restart_knows_what_it_disabled(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(lock="lock")
    until(lambda: gateway.apply([decided()]))
    again = stage.gateway(lock="lock")
    assert again.apply([decided()])
    until(lambda: again.apply([]))
    assert stage.tenant.users[ALICE]


def test_without_the_switch_it_only_says_what_it_would_do(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(act=False, kick="hold", lock="lock", location=PLACE)
    until(lambda: gateway.apply([decided(), client("198.51.100.7")]))
    assert stage.tenant.calls == []
    assert stage.site.said == [
        "done kick: would have been done: act is off",
        "done lock: would have been done: act is off",
    ]


def test_a_user_who_is_not_there_is_no_failure(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(kick="hold", lock="lock")
    until(lambda: gateway.apply([decided("nobody@example.org")]))
    assert stage.site.said == ["done kick: no such user", "done lock: no such user"]


@pytest.mark.parametrize(
    "one",
    [
        decided("alice@example.net"),
        decided("alice"),
        decided("../groups@example.org"),
        decided("a?b@example.org"),
        decided("a%2fb@example.org"),
        decided("$batch@example.org"),
        decided(domain="example.org"),
        decided(kind="address"),
        decided(action="limit"),
    ],
)
def test_nobody_else_is_touched(stage: Stage, one: Decision) -> None:
    gateway = stage.gateway(kick="hold", lock="lock")
    assert not gateway.reaches(one)
    assert gateway.apply([one])
    assert stage.tenant.calls == []


def test_names_are_paths_only_where_they_are_harmless() -> None:
    assert user("o'neil+x@example.org") == "users/o'neil+x@example.org"
    assert user("a/b@example.org") == user("$x@example.org") == user("a b@example.org") == ""


# -- clients ----------------------------------------------------------------------------------


def test_refused_clients_become_the_location_at_a_bounded_rate(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(location=PLACE)
    assert gateway.reaches(client("198.51.100.7"))
    assert not gateway.reaches(client("198.51.100.7", "tarpit"))
    first = [
        client("198.51.100.7"),
        client("2001:db8::/64", "reject"),
        client("192.0.2.1", "limit"),
    ]
    until(lambda: gateway.apply(first))
    assert stage.tenant.listed() == [NOBODY, "198.51.100.7/32", "2001:db8::/64"]
    assert stage.tenant.location["isTrusted"] is False
    gateway.apply(first[:1])
    assert len(stage.tenant.calls) == 2
    stage.now += 60
    until(lambda: gateway.apply(first[:1]))
    assert len(stage.tenant.listed()) == 2
    stage.now += 1
    until(lambda: gateway.apply([]))  # to lift everything waits for no rate
    assert stage.tenant.listed() == [NOBODY]


def test_a_location_that_is_trusted_is_never_written(stage: Stage) -> None:
    stage.tenant.location["isTrusted"] = True
    gateway = stage.gateway(location=PLACE)
    assert "it must be an IP location that is not trusted" in failing(gateway, client("1.2.3.4"))
    assert stage.tenant.listed() == []


def test_what_overlaps_a_pardon_is_left_out_and_the_list_is_bounded() -> None:
    pardon = client("198.51.100.9", "observe", origin="pardon")
    wide, other = client("198.51.100.0/24"), client("203.0.113.5")
    assert ranges([pardon, wide, other], 2000) == ["203.0.113.5/32"]
    many = [client(f"203.0.113.{n}") for n in range(9)]
    assert len(ranges(many, 5)) == 4
    assert ranges([client("nonsense"), client("203.0.113.5", domain="example.org")], 9) == []


# -- what goes wrong --------------------------------------------------------------------------


def test_a_call_that_is_refused_is_tried_again(stage: Stage, until: Until) -> None:
    stage.tenant.refuses["POST"] = (403, "Authorization_RequestDenied")
    gateway = stage.gateway(kick="hold")
    path = f"users/{ALICE}/revokeSignInSessions"
    said = f"kick: POST {path}: 403 Authorization_RequestDenied refused?here"
    assert failing(gateway, decided()) == said
    stage.tenant.refuses.clear()
    stage.now += 1
    until(lambda: gateway.apply([decided()]))
    assert stage.site.said == ["done kick: sessions end"]


def test_one_user_who_cannot_be_changed_keeps_no_other_back(stage: Stage) -> None:
    stage.tenant.refuses["PATCH"] = (429, "TooManyRequests")
    gateway = stage.gateway(lock="lock")
    both = (decided(), decided("gone@example.org"))
    assert "429 TooManyRequests" in failing(gateway, *both)
    assert stage.site.said == ["done lock: it was disabled already"]


def test_a_token_that_ends_or_is_taken_back_is_asked_for_anew(stage: Stage, until: Until) -> None:
    stage.tenant.ends = 30
    gateway = stage.gateway(kick="hold")
    until(lambda: gateway.apply([decided()]))
    stage.tenant.ends = 3599
    until(lambda: gateway.apply([decided(generation=2)]))
    assert stage.tenant.tokens == 2
    stage.tenant.valid = "another"
    assert "401 InvalidAuthenticationToken" in failing(gateway, decided(generation=3))
    stage.now += 1
    until(lambda: gateway.apply([decided(generation=3)]))
    assert stage.tenant.tokens == 3


def test_a_wrong_secret_is_said_without_saying_it(stage: Stage) -> None:
    (stage.folder / "secret").write_text("wrong")
    gateway = stage.gateway(kick="hold")
    assert failing(gateway, decided()) == "kick: no token for app: 401 invalid_client"
    (stage.folder / "secret").unlink()
    stage.now += 1
    gateway.apply([decided()])
    assert "kick: secret_file: " in failing(stage.gateway(kick="hold"), decided())


def test_a_graph_that_is_away_is_said(stage: Stage) -> None:
    gateway = stage.gateway(kick="hold", login="http://127.0.0.1:1")
    assert failing(gateway, decided()).startswith("kick: ")


def test_answers_that_are_none_are_survived(stage: Stage) -> None:
    for answers in (b"<html>", b"[]", b'{"accountEnabled": "yes"}'):
        stage.tenant.answers = answers
        gateway = stage.gateway(location=PLACE)
        assert "must be an IP location" in failing(gateway, client("203.0.113.5"))
    stage.tenant.answers = b" " * (1 << 23)
    gateway = stage.gateway(location=PLACE)
    assert "too long" in failing(gateway, client("203.0.113.5"))


def test_an_error_without_words_is_its_status(stage: Stage) -> None:
    stage.tenant.answers = b""
    stage.tenant.refuses["POST"] = (503, "")
    gateway = stage.gateway(kick="hold")
    assert "503 refused?here" in failing(gateway, decided())


# -- what is said of it -----------------------------------------------------------------------


def test_the_review_asks_graph(stage: Stage) -> None:
    def said(**settings: Any) -> list[tuple[bool, str]]:
        return [(note.good, note.text) for note in stage.gateway(**settings).review()]

    assert said(client="") == [(False, "not set: client")]
    assert said() == [(True, "Graph answers; no named location is set")]
    assert said(location=PLACE, act=False) == [
        (False, "act is off: it only says what it would do"),
        (True, "refused clients are the named location Refused"),
    ]
    stage.tenant.refuses["GET"] = (403, "Forbidden")
    assert "403 Forbidden" in said()[0][1]


def test_the_documented_settings_are_settings(documented: Callable[..., str]) -> None:
    from agents import configuration
    from schemas.settings import Settings, convert

    text = documented("m365", "mailwarden.toml")
    config = configuration.build(convert(tomllib.loads(text), Settings, "docs"))
    [gateway] = config.gateways
    assert isinstance(gateway, M365)
    assert not gateway.settings.act
    assert json.dumps(gateway.settings.domains)
    assert gateway.reaches(decided())
