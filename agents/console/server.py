"""The console as an HTTP server: guard, API and live events, registered from their tables."""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from agents.console import openapi, requests
from agents.console.access.attempts import Attempts
from agents.console.access.guard import (
    EVENTS,
    HEADER,
    Asking,
    Guard,
    allow,
    proven,
    same_origin,
)
from agents.console.access.people import Person
from agents.console.live import Live
from agents.console.operations import BASE, OPERATIONS, Operation
from agents.console.problems import ProblemError
from agents.console.work import Work
from agents.operator import person
from agents.operator.blocking import Who
from schemas.settings import Role
from streams.said import said

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}
HASHING = 2  # passwords that are looked at at the same time: each takes 64 MiB


class Console:
    """What the handlers share. `version` is the program's."""

    def __init__(self, guard: Guard, work: Work, version: str) -> None:
        self.guard = guard
        self.work = work
        self.version = version
        self.live = Live(lambda: work.desk.picture.version)
        self.attempts = Attempts()
        self._hashing = asyncio.Semaphore(HASHING)
        self._document = msgspec.json.encode(openapi.document(version))

    def app(self) -> web.Application:
        """The application with all its routes."""
        app = web.Application(
            client_max_size=requests.LARGEST,
            middlewares=[self._outer],
        )
        for one in OPERATIONS:
            handler = self._seen(one) if one.view else self._ordered(one)
            app.router.add_route(one.method, BASE + one.path, handler)
        app.router.add_get(f"{BASE}/openapi.json", self._openapi)
        app.router.add_get(f"{BASE}/session", self._who)
        app.router.add_post(f"{BASE}/session", self._log_in)
        app.router.add_post(f"{BASE}/session/end", self._log_out)
        app.router.add_get(EVENTS, self._events)
        return app

    # -- what every request goes through --------------------------------------------------------

    @web.middleware
    async def _outer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = dict(SAFE)
        if self.guard.over_tls(request):
            headers |= OVER_TLS
        request[requests.HEADERS] = headers
        try:
            response = await handler(request)
        except ProblemError as problem:
            response = self.failed(request, problem)
        except web.HTTPRequestEntityTooLarge:
            response = self.failed(request, ProblemError(413, f"{requests.LARGEST} bytes at most"))
        except web.HTTPException as error:
            response = self.failed(request, _problem(error))
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            log.exception(said("console cannot answer", path=request.path, reason=error))
            response = self.failed(request, ProblemError(500, "it is logged"))
        if not response.prepared:
            response.headers.update(headers | dict(response.headers))
            asked = request.get(requests.ASKED)
            if asked is not None and asked.fresh:
                self.remember(request, response, asked.fresh)
        return response

    def failed(self, request: web.Request, problem: ProblemError) -> web.StreamResponse:
        """The answer to what went wrong."""
        return answer(problem.details, problem.status, "application/problem+json", problem.headers)

    def remember(self, request: web.Request, response: web.StreamResponse, token: str) -> None:
        """The session, in a cookie that scripts cannot read and other sites' pages do not send."""
        response.set_cookie(
            self.guard.cookie(request),
            token,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self.guard.over_tls(request),
        )

    def admit(self, request: web.Request, role: Role) -> Asking:
        """Who asks, if they may. Raises ProblemError."""
        asked = self.guard.asking(request)
        if asked is not None:
            request[requests.ASKED] = asked
        return allow(asked, role)

    # -- the API --------------------------------------------------------------------------------

    def _seen(self, one: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.admit(request, one.role)
            given = requests.of_query(one, request)
            return answer(await self.work.view(one, given))

        return handle

    def _ordered(self, one: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = self.admit(request, one.role)
            same_origin(request)
            proven(asked, request.headers.get(HEADER, ""))
            given = await requests.of_body(one, request)
            return answer(await self.order(one, asked.session.person, given))

        return handle

    async def order(self, one: Operation, who: Person, given: msgspec.Struct) -> Any:
        """Carry out what a person ordered."""
        done = await self.work.order(one, Who("", who.name, f"console {person.host()}"), given)
        log.info(said("ordered at the console", order=one.name, by=who.name, done=done.said))
        return done

    async def _openapi(self, request: web.Request) -> web.StreamResponse:
        self.admit(request, "viewer")
        return web.Response(body=self._document, content_type="application/json")

    async def _who(self, request: web.Request) -> web.StreamResponse:
        asked = self.admit(request, "viewer")
        return answer(_me(asked))

    async def _log_in(self, request: web.Request) -> web.StreamResponse:
        same_origin(request)
        if request.content_type != "application/json":
            raise ProblemError(400, "expected a body of application/json")
        try:
            login = msgspec.json.decode(await request.read(), type=openapi.Login)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProblemError(400, str(error)) from error
        asked = await self.log_in(request, login.name, login.password)
        return answer(_me(asked))

    async def log_in(self, request: web.Request, name: str, password: str) -> Asking:
        """Begin a session. Raises ProblemError where name or password are wrong."""
        client = self.guard.client(request)
        wait = self.attempts.wait(client, name)
        if wait:
            log.warning(said("console login refused", name=name[:100], client=client))
            again = {"Retry-After": str(int(wait) + 1)}
            raise ProblemError(429, "too many wrong passwords: wait some minutes", again)
        async with self._hashing:
            found = await asyncio.get_running_loop().run_in_executor(
                None, self.guard.people.check, name, password
            )
        if found is None:
            self.attempts.failed(client, name)
            log.warning(said("console login failed", name=name[:100], client=client))
            header = {"WWW-Authenticate": 'Cookie realm="mailwarden"'}
            raise ProblemError(401, "name or password are wrong", header)
        self.guard.sessions.end(request.cookies.get(self.guard.cookie(request), ""))
        token, session = self.guard.sessions.begin(found)
        log.info(said("console login", name=found.name, client=client))
        asked = request[requests.ASKED] = Asking(session, token)
        return asked

    async def _log_out(self, request: web.Request) -> web.StreamResponse:
        asked = self.admit(request, "viewer")
        same_origin(request)
        proven(asked, request.headers.get(HEADER, ""))
        return self.log_out(request, web.Response(status=204))

    def log_out(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """End the session of a request, with its answer."""
        name = self.guard.cookie(request)
        self.guard.sessions.end(request.cookies.get(name, ""))
        request.pop(requests.ASKED, None)
        response.del_cookie(name, path="/", secure=self.guard.over_tls(request), httponly=True)
        return response

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self.admit(request, "viewer")
        return await self.live.stream(request)


async def serving(
    console: Console, app: web.Application, listen: str, tls: ssl.SSLContext | None
) -> tuple[web.AppRunner, int]:
    """Begin to serve at `listen` (host:port); the runner ends it by `cleanup`. Returns the port as
    well. Raises OSError where it cannot be bound."""
    host, _, port = listen.rpartition(":")
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    console.live.begin()
    try:
        site = web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=tls, reuse_address=True)
        await site.start()
    except BaseException:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])


def answer(
    body: Any,
    status: int = 200,
    kind: str = "application/json",
    headers: dict[str, str] | None = None,
) -> web.Response:
    data = msgspec.json.encode(body)
    return web.Response(body=data, status=status, content_type=kind, headers=headers)


def _me(asked: Asking) -> openapi.Me:
    session = asked.session
    return openapi.Me(name=session.person.name, role=session.person.role, csrf=session.csrf)


def _problem(error: web.HTTPException) -> ProblemError:
    if not isinstance(error, web.HTTPMethodNotAllowed):
        return ProblemError(error.status)
    allowed = ", ".join(sorted(error.allowed_methods))
    return ProblemError(405, f"allowed: {allowed}", {"Allow": allowed})
