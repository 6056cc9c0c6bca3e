"""What the figures say, in sentences and tables that both pages show alike."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from agents.reporting.figures import Account, Count, Report
from agents.words import many, span

ACTIONS = {
    "lock": "accounts locked",
    "kick": "sessions ended",
    "drop": "clients kept out by firewalls",
    "reject": "clients or senders rejected",
    "hold": "senders' mail held",
    "limit": "senders slowed down",
    "greylist": "clients asked to come again",
    "tarpit": "clients kept waiting",
    "stamp": "senders' mail marked",
    "notify": "told to somebody",
    "observe": "only watched",
}
PERSONS = {
    "added": "blocks added by persons",
    "pardoned": "pardons given",
    "removed": "blocks removed by persons",
    "approved": "approvals",
    "panic": "times that the kill switch was pulled",
    "resumed": "times that it was released",
}


class Table(Struct, frozen=True):
    """Rows of words, the last of each a number; bars of `values` beside them, if there are any."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    values: Sequence[int] = ()
    empty: str = ""  # what is said where there are no rows; "": nothing at all


def period(report: Report) -> str:
    return f"{moment(report.since)} to {moment(report.until)} UTC, from {report.source}"


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def soon(seconds: float) -> str:
    return "at once" if seconds < 1 else f"within {span(seconds)}"


def headline(report: Report) -> list[str]:
    """The few sentences that somebody reads who reads no more."""
    if not report.findings:
        found = "No attack was found."
    else:
        found = (
            f"{many(report.findings, 'attack')} found, in {many(report.incidents, 'incident')};"
            f" {report.severe} of high or critical severity."
        )
    made = sum(acted.enforced for acted in report.decisions)
    seen = sum(acted.observed for acted in report.decisions)
    if report.replayed:
        stopped = f"{many(seen, 'decision')} would have been made: a replay only shows."
    elif made:
        stopped = f"{many(made, 'decision')} enforced, {report.in_force} in force now."
        stopped += f" {seen} only observed." if seen else ""
    elif seen:
        stopped = f"Nothing was enforced: {many(seen, 'decision')} only observed."
    else:
        stopped = "Nothing had to be decided."
    out = [found, stopped]
    times = report.detection
    if times.median is not None and times.nine_of_ten is not None:
        out.append(
            f"Half of the incidents were told {soon(times.median)} after their first event,"
            f" nine of ten {soon(times.nine_of_ten)}"
            f" (known for {times.known} of {report.incidents})."
        )
    total = report.findings + report.withdrawn
    if total:
        share = 100 * report.withdrawn / total
        out.append(f"{report.withdrawn} of {total} findings were withdrawn ({share:.1f} %).")
    if report.served is not None and (report.served.requests or report.served.packets):
        requests = sum(report.served.requests.values())
        packets = sum(report.served.packets.values())
        out.append(
            f"Since {moment(report.served.begun)} the gateways here have refused"
            f" {many(requests, 'request')} and {many(packets, 'packet')}."
        )
    if report.to_look_after:
        out.append(f"{many(report.to_look_after, 'account')} to look after now: see below.")
    if report.notes:
        out.append(f"Besides, {many(report.notes, 'note')} without an accusation.")
    if report.on_trial:
        out.append(f"{many(report.on_trial, 'finding')} of detectors on trial not counted.")
    return out


def tables(report: Report) -> list[Table]:
    """All tables, in their order."""
    detectors = Table(
        "What was attacked",
        ("detector", "severest", "withdrawn", "half told", "attacks"),
        [
            (
                kind.detector,
                kind.severest or "-",
                str(kind.withdrawn),
                soon(kind.median) if kind.median is not None else "-",
                str(kind.findings),
            )
            for kind in report.detectors
        ],
        [kind.findings for kind in report.detectors],
        "Nothing.",
    )
    decisions = Table(
        "What was stopped",
        ("action", "only observed", "enforced"),
        [
            (ACTIONS.get(acted.action, acted.action), str(acted.observed), str(acted.enforced))
            for acted in report.decisions
        ],
        [acted.enforced or acted.observed for acted in report.decisions],
        "Nothing was decided.",
    )
    return [
        _counts("How severe", "severity", report.severities),
        detectors,
        decisions,
        _counts(
            "What persons changed",
            "change",
            [Count(PERSONS[each.name], each.count) for each in report.by_persons],
        ),
        _accounts("Accounts in other hands", report.hijacked),
        _accounts("Accounts that were broken into", report.breached),
        _accounts("Accounts most attacked", report.attacked),
        _counts("Where it came from: networks", "network", report.networks, "attacks"),
        _counts("Providers", "autonomous system", report.systems, "clients"),
        _counts("Countries", "country", report.countries, "clients"),
    ]


def _counts(title: str, what: str, counts: list[Count], unit: str = "count") -> Table:
    rows = [(each.name, str(each.count)) for each in counts]
    return Table(title, (what, unit), rows, [each.count for each in counts])


def _accounts(title: str, accounts: list[Account]) -> Table:
    return Table(
        title,
        ("account", "severest", "last seen (UTC)", "attacks"),
        [(a.account, a.severest, moment(a.last), str(a.findings)) for a in accounts],
    )
