"""What persons say about an incident, written down: by the command line and the console alike."""

from collections.abc import Callable, Iterable

from agents.incidents.casework import after
from agents.incidents.incident import Incident
from agents.operator.ledger import Ledger
from schemas.audit import Audit
from schemas.incidents import Case, Deed

LONGEST = 4000  # characters of a note or a reason
LONGEST_NAME = 100


def record(
    kept: Ledger,
    one: Incident,
    deeds: Iterable[Deed],
    host: str,
    more: Callable[[Case], Case] = lambda case: case,
) -> list[Audit]:
    """Write the deeds down, said at `host`, with what else changes by each; returns their entries
    in the trail of changes. Errors: those of the ledger."""
    entries = []
    for deed in deeds:
        said = Audit(
            at=deed.at,
            what=deed.what,
            by=deed.by,
            reason=deed.text or deed.what,
            target=f"incident:{one.id}",
            alert=one.id,
            host=host,
        )
        kept.change_case(
            one.id,
            lambda case, deed=deed: more(after(case, deed, one.extent)),  # type: ignore[misc]
            said,
        )
        entries.append(said)
    return entries


def taken_on(one: Incident, who: str, now: float) -> list[Deed]:
    """That somebody has seen it: it is theirs, if it is nobody's."""
    deeds = [Deed(at=now, what="acknowledged", by=who)]
    if not one.assignee:
        deeds.append(Deed(at=now, what="assigned", by=who, text=who))
    return deeds
