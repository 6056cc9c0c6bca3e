"""What went wrong with a request, as RFC 9457 (Problem Details for HTTP APIs) has it."""

from http import HTTPStatus

from msgspec import Struct


class ProblemDetails(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """``application/problem+json``. The type is always ``about:blank``: the status says which
    problem it is, the detail says what to do about it."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"


class ProblemError(Exception):
    """A request that is not answered as it was meant to be. `headers` go with the answer."""

    def __init__(
        self, status: int, detail: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    @property
    def details(self) -> ProblemDetails:
        title = HTTPStatus(self.status).phrase
        return ProblemDetails(title=title, status=self.status, detail=self.detail)


def missing(what: str) -> ProblemError:
    return ProblemError(404, f"{what} is not known")
