"""Block lists that a server of ours relies on, and is judged by: do they work, are their data
fresh, and is the server on one of them?

A list whose data stand still lets every new spammer pass and keeps refusing whoever was cured; it
still passes its own test (RFC 5782, 5). Its age is in the serial of its zone, where that is a
Unix time or a date (RFC 1912, 2.2); of other serials nothing is known.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import dns.asyncresolver

from agents.listed.asker import Asker
from agents.probing.grades import Graded
from agents.resolver import Unanswered, records
from agents.words import span

DAY = 86400.0
STALE = 3 * DAY  # public lists change by the hour; a weekend without a change is long
OLDEST = 1_000_000_000  # a serial below is a count


async def check(
    resolver: dns.asyncresolver.Resolver, address: str, zones: Iterable[str], now: float
) -> list[Graded]:
    """`address` is the server's. `now` is in Unix seconds."""
    asker = Asker(resolver)
    found = []
    for zone in zones:
        answer = await asker.ask(address, zone)
        name = f"block list {zone}"
        if answer.state == "listed":
            text = f"{address} is on it, {' and '.join(answer.codes)}: {answer.text}"
            cure = "find the cause, then ask the list to take it off"
            found.append(Graded(name, "critical", text, cure))
        elif answer.state == "unknown" and not answer.text.startswith("no answer"):
            cure = "take it out of the server's settings, or ask through a resolver that may"
            found.append(Graded(name, "warning", answer.text, cure))
        elif answer.state == "unknown":
            found.append(Graded(name, "unknown", answer.text))
        else:
            found.append(await _fresh(resolver, name, zone, now))
    return found


async def _fresh(resolver: dns.asyncresolver.Resolver, name: str, zone: str, now: float) -> Graded:
    try:
        said = await records(resolver, zone, "SOA")
    except Unanswered:
        said = []
    made = moment(said[0].split()[2], now) if said else 0.0
    if not made:
        return Graded(name, "ok", "it passes its test; how old its data are is not known")
    age = max(0.0, now - made)
    if age > STALE:
        cure = "see why it is no longer fetched; where it is not yours, do without it"
        return Graded(name, "warning", f"its data are stale: {span(age)} old", cure)
    return Graded(name, "ok", f"it passes its test; its data are {span(age)} old")


def moment(serial: str, now: float) -> float:
    """When a zone was made, by its serial: Unix seconds, or YYYYMMDDnn. 0 where it is neither."""
    if not serial.isascii() or not serial.isdigit():
        return 0.0
    if OLDEST <= int(serial) <= now + DAY:
        return float(serial)
    try:
        made = datetime.strptime(serial[:8], "%Y%m%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
    return made if len(serial) == 10 and OLDEST <= made <= now + DAY else 0.0
