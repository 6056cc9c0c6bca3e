"""The pages as HTTP: each shows what an operation of the API says, each form orders what one
does."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web
from markupsafe import Markup

from agents.console import requests
from agents.console.access.guard import FIELD, PART, Asking, proven, same_origin
from agents.console.operations import Operation
from agents.console.pages.render import Templates
from agents.console.pages.table import FORMS, PAGES, Page
from agents.console.problems import ProblemError
from agents.console.server import Console
from schemas.settings import Role

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BACK = "back"
LONGEST_BACK = 2000
FOREVER = "public, max-age=31536000, immutable"  # the name changes with the content
HTML = "text/html"


class Pages(Console):
    """The console with its pages."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._templates = Templates()

    def app(self) -> web.Application:
        app = super().app()
        for page in PAGES:
            app.router.add_get(page.path, self._page(page))
        for one in FORMS:
            app.router.add_post(f"/do/{one.name}", self._form(one))
        app.router.add_get("/login", self._login_page)
        app.router.add_post("/login", self._login)
        app.router.add_post("/logout", self._logout)
        app.router.add_get("/static/{name}", self._static)
        return app

    def failed(self, request: web.Request, problem: ProblemError) -> web.StreamResponse:
        """As a page to who looks at pages."""
        if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
            return super().failed(request, problem)
        if problem.status == 401 and request.method == "GET":
            return self._to_login(request)
        text = self._templates.page("problem", **self._around(request), problem=problem.details)
        return web.Response(text=text, status=problem.status, content_type=HTML)

    # -- pages ----------------------------------------------------------------------------------

    def _page(self, page: Page) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.admit(request, page.role)
            operation = page.shows
            if page.operation == "subject" and not request.query.get("value"):
                return self._whole(request, page, {"it": None, "given": None})
            given = requests.of_query(operation, request)
            part = request.headers.get(PART) == "live"
            if page.shared:
                body = await self.work.see(
                    self.work.shared(f"page {page.template}", lambda desk: self._part(page, desk))
                )
                text = body if part else self._shared(request, page, body)
                return web.Response(text=text, content_type=HTML)
            it = await self.work.view(operation, given)
            name = f"{page.template}_live" if part else page.template
            context = self._around(request, page) | {"it": it, "given": given}
            text = await self.work.see(lambda desk: self._templates.page(name, **context))
            return web.Response(text=text, content_type=HTML)

        return handle

    def _part(self, page: Page, desk: Any) -> str:
        """What changes on a page, the same for everybody."""
        view = page.shows.view
        assert view is not None  # noqa: S101 - of a page
        it = view(desk, page.shows.given())
        return self._templates.page(f"{page.template}_live", it=it, now=desk.clock())

    def _shared(self, request: web.Request, page: Page, live: str) -> str:
        """The whole page around it."""
        return self._templates.page("shared", **self._around(request, page), live=Markup(live))  # noqa: S704 - of our template

    def _whole(self, request: web.Request, page: Page, more: dict[str, Any]) -> web.Response:
        text = self._templates.page(page.template, **self._around(request, page), **more)
        return web.Response(text=text, content_type=HTML)

    def _around(self, request: web.Request, page: Page | None = None) -> dict[str, Any]:
        """What every page shows beside its own."""
        asked = request.get(requests.ASKED)
        desk = self.work.desk
        part = request.headers.get(PART) == "live"
        return {
            "page": page,
            "pages": [one for one in PAGES if one.key],
            "me": asked.session.person if asked else None,
            "may": asked.session.person.may if asked else lambda role: False,
            "csrf": asked.session.csrf if asked else "",
            "said": asked.session.told() if asked and not part else [],
            "open": self.guard.open,
            "now": desk.clock(),
            "lifted": desk.lifted(),
            "trouble": desk.around.trouble,
            "known_at": desk.around.at,
            "here": request.path_qs if request.method == "GET" else "/",
        }

    # -- forms ----------------------------------------------------------------------------------

    def _form(self, one: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            asked = await self._sent(request, one.role)
            form = await requests.form_fields(request)
            back = _back(form.get(BACK, "/"))
            try:
                given, _ = await requests.of_form(one, request)
                done = await self.order(one, asked.session.person, given)
            except ProblemError as problem:
                asked.session.tell("failed", f"Not done: {problem.detail}")
                return _to(back)
            asked.session.tell("done", done.said)
            for warning in done.warnings:
                asked.session.tell("warning", warning)
            return _to(back)

        return handle

    async def _sent(self, request: web.Request, role: Role) -> Asking:
        """Who sends a form of ours. Raises ProblemError."""
        asked = self.admit(request, role)
        same_origin(request)
        form = await requests.form_fields(request)
        proven(asked, form.get(FIELD, ""))
        return asked

    # -- login ----------------------------------------------------------------------------------

    def _to_login(self, request: web.Request) -> web.StreamResponse:
        """To the login, and from there back here. Who comes from another site's link sends no
        cookie with the first request: the page asks again by itself (RFC 6265bis, 5.2)."""
        if request.headers.get("Sec-Fetch-Site") == "cross-site":
            response = web.Response(text="One moment.", content_type="text/plain")
            response.headers["Refresh"] = f"0; url={request.path_qs}"
            return response
        return _to(f"/login?{BACK}={quote(request.path_qs, safe='/')}")

    async def _login_page(self, request: web.Request) -> web.StreamResponse:
        back = _back(request.query.get(BACK, "/"))
        if self.guard.asking(request) is not None:
            return _to(back)
        return self._login_form(back, "", 200)

    def _login_form(self, back: str, wrong: str, status: int) -> web.Response:
        can = self.guard.people.with_password
        text = self._templates.page("login", back=back, wrong=wrong, can=can)
        return web.Response(text=text, status=status, content_type=HTML)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        same_origin(request)
        form = await requests.form_fields(request)
        back = _back(form.get(BACK, "/"))
        try:
            await self.log_in(request, form.get("name", ""), form.get("password", ""))
        except ProblemError as problem:
            response = self._login_form(back, problem.detail, problem.status)
            response.headers.update(problem.headers)
            return response
        return _to(back)

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        await self._sent(request, "viewer")
        return self.log_out(request, _to("/login"))

    # -- files ----------------------------------------------------------------------------------

    async def _static(self, request: web.Request) -> web.StreamResponse:
        try:
            body, kind = self._templates.static(request.match_info["name"])
        except KeyError:
            raise ProblemError(404, "there is no such file") from None
        headers = {"Cache-Control": FOREVER}
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)


def _to(place: str) -> web.Response:
    """Another page: to load it again sends no form again."""
    return web.Response(status=303, headers={"Location": place})


def _back(place: str) -> str:
    """A page of ours to go back to: never another site's."""
    found = urlsplit(place)
    own = place.startswith("/") and not place.startswith(("//", "/\\")) and not found.netloc
    if not own or len(place) > LONGEST_BACK or not place.isprintable():
        return "/"
    return quote(place, safe="/?&=%:@+,.-_~[]")
