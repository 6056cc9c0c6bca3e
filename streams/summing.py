"""Several alerts told as one."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import structs

from schemas.findings import LISTED, SEVERITIES, Alert, Evidence, Subject

NAMED = 8  # detectors that the text of a digest names


def digest(alerts: Sequence[Alert], why: str) -> Alert:
    """One alert in the place of many of all kinds, or the only one as itself. `why` they come
    together is said in it. The same alerts make the same digest, with the same id."""
    if len(alerts) == 1:
        return alerts[0]
    known = " ".join(sorted(f"{one.id}-{one.revision}" for one in alerts))
    worst = max(alerts, key=lambda one: SEVERITIES.index(one.severity))
    first = min(one.first for one in alerts)
    severities = Counter(one.severity for one in alerts)
    of_each = ", ".join(f"{severities[s]} {s}" for s in reversed(SEVERITIES) if severities[s])
    detectors = Counter(one.detector for one in alerts).most_common()
    names = ", ".join(f"{count} {name}" for name, count in detectors[:NAMED])
    names += f" and {len(detectors) - NAMED} more kinds" if len(detectors) > NAMED else ""
    withdrawn = sum(one.state == "withdrawn" for one in alerts)
    gone = f", {withdrawn} of them withdrawn" if withdrawn else ""
    clients, clients_count = whom(alerts, alerts, "clients", ("client", "network"))
    accounts, accounts_count = whom(alerts, alerts, "accounts", ("account",))
    targets, targets_count = whom(alerts, alerts, "targets", ())
    return structs.replace(
        worst,
        id=hashlib.blake2b(known.encode(), digest_size=8).hexdigest(),
        shape=common(alerts, "shape") or "several",
        subject=Subject("site", "site"),
        first=first,
        last=max(one.last for one in alerts),
        at=max(one.at for one in alerts),
        summary=f"{len(alerts)} alerts {why} ({of_each}{gone}): {names};"
        " `mailwarden alerts list` shows them",
        technique=common(alerts, "technique"),
        clients=clients,
        clients_count=clients_count,
        accounts=accounts,
        accounts_count=accounts_count,
        targets=targets,
        targets_count=targets_count,
        evidence=[Evidence("alerts", len(alerts), 0)],
        rule=common(alerts, "rule"),
        window=0.0,
        samples=[],
        events=sum(one.events for one in alerts),
        checks=[],
        origins=union(one.origins for one in alerts),
        domains=union(one.domains for one in alerts),
        decision=common(alerts, "decision"),
        undo="",
        revision=1,
        state="withdrawn" if withdrawn == len(alerts) else "open",
        blind_to="",
        incident=common(alerts, "incident"),
    )


def whom(
    every: Sequence[Alert], fresh: Sequence[Alert], name: str, kinds: tuple[str, ...]
) -> tuple[list[str], int]:
    """Whom the alerts list, with their own subjects where these are of such a kind; and how many
    there are at least."""
    found = union(
        (each.subject.value, *getattr(each, name))
        if each.subject.kind in kinds
        else getattr(each, name)
        for each in every
    )
    subjects = sum(each.subject.kind in kinds for each in fresh)
    if every[0] not in fresh:  # the last summary
        subjects += getattr(every[0], f"{name}_count")
    return found, max(len(found), subjects, *(getattr(a, f"{name}_count") for a in every))


def union(lists: Iterable[Iterable[str]], most: int = LISTED) -> list[str]:
    """What stands in any of them, the first `most`, in order."""
    found: dict[str, None] = {}
    for values in lists:
        for value in values:
            if len(found) >= most:
                return list(found)
            found[value] = None
    return list(found)


def common(alerts: Sequence[Alert], name: str) -> str:
    """What all of them say alike; else nothing."""
    values = {getattr(each, name) for each in alerts}
    return str(values.pop()) if len(values) == 1 else ""
