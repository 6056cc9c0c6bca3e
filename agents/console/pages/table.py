"""The pages, one row each: which operation of the API a page shows, and by which template."""

from msgspec import Struct

from agents.console.operations import BY_NAME, OPERATIONS, Operation
from schemas.settings import Role


class Page(Struct, frozen=True, kw_only=True):
    path: str
    template: str
    operation: str
    title: str
    key: str = ""  # accesskey, of pages in the navigation
    shared: bool = False  # its live part is the same for everybody

    @property
    def shows(self) -> Operation:
        return BY_NAME[self.operation]

    @property
    def role(self) -> Role:
        return self.shows.role


def _page(path: str, operation: str, key: str = "", *, shared: bool = False) -> Page:
    title = operation.title()
    return Page(
        path=path, template=operation, operation=operation, title=title, key=key, shared=shared
    )


PAGES: tuple[Page, ...] = (
    _page("/", "now", "n", shared=True),
    _page("/incidents", "incidents", "i"),
    _page("/incidents/{id}", "incident"),
    _page("/subject", "subject"),
    _page("/blocks", "blocks", "b"),
    _page("/rules", "rules", "r", shared=True),
    _page("/rules/{name}/backtest", "backtest"),
    _page("/health", "health", "h", shared=True),
    _page("/trail", "trail", "t"),
)

FORMS: tuple[Operation, ...] = tuple(one for one in OPERATIONS if one.method == "POST")
"""What forms of the pages send to, each at /do/NAME, with its fields."""
