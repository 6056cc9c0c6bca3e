"""The trail of changes: who did what, when and why."""

from typing import Annotated

from msgspec import Meta, Struct

from agents.console.desk import Desk
from agents.console.views.fields import Limit
from schemas.audit import Audit


class TrailWanted(Struct, frozen=True, kw_only=True):
    target: Annotated[str, Meta(max_length=1200)] = ""  # KIND:VALUE; "": of everybody
    limit: Limit = 50


class Trail(Struct, frozen=True):
    entries: list[Audit]  # the newest first


def trail(desk: Desk, wanted: TrailWanted) -> Trail:
    targets = [wanted.target] if wanted.target else []
    return Trail(desk.shelf.audit(wanted.limit, targets=targets))
