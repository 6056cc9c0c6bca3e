"""`mailwarden decisions`: list, add, remove, pardon and export blocks."""

import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from msgspec import structs
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.commands import options
from agents.commands.kept import opened
from agents.configuration import Config
from agents.operator import blocking, orders, person, report
from agents.operator.blocking import Who
from agents.operator.effect import Effect, effect, reached, ruling
from agents.operator.effect import shown as in_words
from agents.operator.listing import Column, listing
from agents.operator.orders import OrderError
from agents.running import state
from agents.words import many, span
from schemas import net, wire
from schemas.audit import Audit
from schemas.findings import ACTIONS, Action, Decision, Target


@click.group("decisions")
def command() -> None:
    """What is blocked, and what is not to be.

    A person's word outranks the machine's: `add` blocks whatever the detectors think, and
    `remove` leaves a pardon behind, so that a block does not come back at once. Whoever changes
    something says why; `log` shows who did, and what the machine decided.

    \b
    mailwarden decisions list
    mailwarden decisions add 192.0.2.1 --for 1h --reason 'scans us'
    mailwarden decisions remove 192.0.2.1 --reason 'it was the partner'
    mailwarden decisions log --since 1d
    """


def _asked(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """Why. A person who did not say is asked; a program cannot be."""
    if value is None and _asks():
        value = click.prompt("Why? Colleagues will ask")
    if not (value or "").strip():
        raise click.UsageError("--reason is missing: colleagues will ask why", ctx)
    return str(value).strip()


def _asks() -> bool:
    return click.get_text_stream("stdin").isatty()


reason_option = click.option("--reason", callback=_asked, help="Why: colleagues will ask.")
by_option = click.option("--by", default="", help="Who you are, where the login does not say.")


@command.command("list", short_help="show the decisions in force")
@options.config
@options.kafka
@click.option("--all", "everything", is_flag=True, help="Those that others outrank as well.")
@options.json_lines
def show(config: Path | None, kafka: bool, everything: bool, as_json: bool) -> None:
    """Show the decisions in force, what rules first above what it outranks.

    STATE says what comes of each: enforced by a gateway here; observed only; nobody can carry it
    out here; lifted by the kill switch; with --kafka, asked for from gateways elsewhere.

    \b
    mailwarden decisions list
    mailwarden decisions list --json | jq -r 'select(.state == "enforced") | .target.value'
    """
    settings = options.load(config)
    now = time.time()
    with opened(settings, kafka=kafka) as kept:
        decisions = kept.decisions(now)
    ruled = ruling(decisions, settings, now)
    found = [(d, effect(d, settings, ruling=True, kafka=kafka)) for d in ruled]
    if everything:
        outranked = (d for d in decisions if d not in ruled)
        found += [(d, effect(d, settings, ruling=False, kafka=kafka)) for d in outranked]
    if not options.for_eyes(as_json):
        for decision, effect_of_it in found:
            click.echo(wire.encode({**structs.asdict(decision), "state": effect_of_it}))
    elif found:
        console = Console(highlight=False)
        console.print(_table(found, now, console.width))
    else:
        click.echo("Nothing is in force.")


@command.command("add", short_help="block an address, a network, a login")
@options.config
@options.kafka
@click.argument("target")
@click.option("--for", "seconds", type=options.Span(), default="1h", help="As 30m, 1h, 2d.")
@reason_option
@by_option
@click.option("--force", is_flag=True, help="Mean what looks like a slip: see below.")
@click.option(
    "--action",
    type=click.Choice(ACTIONS[2:]),
    help="What to do; drop for networks, lock for logins, reject for others.",
)
def add(
    config: Path | None,
    kafka: bool,
    target: str,
    seconds: float,
    reason: str,
    by: str,
    force: bool,
    action: Action | None,
) -> None:
    """Block TARGET: an address, a network, a login, or KIND:VALUE.

    One IPv6 address stands for its /64. What is our own, allowed or trusted is refused. So are,
    without --force, networks wider than response.widest_v4 and widest_v6, and names that no
    domain or mailbox has. An action that needs two persons (response.approve) waits for the
    second: `approve`.

    \b
    mailwarden decisions add 192.0.2.1 --for 1h --reason 'scans us' --action drop
    mailwarden decisions add 2001:db8:7::/48 --for 2d --reason 'only spam from there'
    mailwarden decisions add alice@example.org --action hold --reason 'ticket 4711'
    mailwarden decisions add domain:example.net --for 12h --reason 'phishing'
    """
    settings = options.load(config)
    on = _target(target, settings)
    _bounded(seconds, kafka=kafka)
    with opened(settings, kafka=kafka) as kept, _ordered():
        decision, _ = blocking.add(
            kept,
            settings,
            on,
            who=_who(by),
            action=action,
            seconds=seconds,
            reason=reason,
            now=time.time(),
            force=force,
        )
    click.echo(f"{decision.action} {_name(on)} until {_clock(decision.until)}")
    if settings.lifted():
        click.echo(f"{_pulled(settings)}: it holds from `mailwarden resume` on.", err=True)
    if decision.needs:
        click.echo(f"It waits for another person: mailwarden decisions approve {decision.id}")
    if not reached(decision, settings):
        click.echo(
            f"No gateway of {settings.where} can {decision.action} {_a(on)}:"
            " nothing will come of it there.",
            err=True,
        )


@command.command("remove", short_help="lift what holds against a target")
@options.config
@options.kafka
@click.argument("target")
@click.option("--for", "seconds", type=options.Span(), default="1d", help="How long it is spared.")
@reason_option
def remove(config: Path | None, kafka: bool, target: str, seconds: float, reason: str) -> None:
    """Lift what holds against TARGET (as `add` takes it, or a decision's id).

    What a person decided is deleted. Against what the machine decided a pardon is left, for a
    day unless --for says otherwise, so that it does not come back at once. To remove it twice
    changes nothing; `pardon --end` takes a pardon back.

    \b
    mailwarden decisions remove 192.0.2.1 --reason 'it was the partner'
    mailwarden decisions remove account:alice@example.org --for 2d --reason 'new password'
    """
    settings = options.load(config)
    _bounded(seconds, kafka=kafka)
    now = time.time()
    with opened(settings, kafka=kafka) as kept:
        decisions = kept.decisions(now)
        by_id = next((d for d in decisions if d.id == target), None)
        # As it is written in alerts: an attacker's name may be one that nobody could type.
        known = (d.target for d in decisions if f"{d.target.kind}:{d.target.value}" == target)
        on = by_id.target if by_id else next(known, None) or _target(target, settings)
        found = [d for d in decisions if d.target == on]
        if not found:
            raise click.ClickException(
                f"nothing is in force about {_name(on)}{_around(on, decisions)}"
            )
        with _ordered():
            lifted = blocking.lift(
                kept,
                on,
                [one for one in found if one is by_id or not by_id or one.origin != "manual"],
                who=_who(),
                seconds=seconds,
                reason=reason,
                now=now,
            )
    for decision in lifted.removed:
        click.echo(f"{decision.action} of {_name(on)} removed")
    if lifted.pardon:
        click.echo(f"{_name(on)} is pardoned until {_clock(lifted.pardon.until)}")


@command.command("pardon", short_help="spare a target for a while")
@options.config
@options.kafka
@click.argument("target")
@click.option("--for", "seconds", type=options.Span(), default="1d", help="As 30m, 1h, 2d.")
@reason_option
@click.option("--end", is_flag=True, help="Take a pardon back.")
def pardon(
    config: Path | None, kafka: bool, target: str, seconds: float, reason: str, end: bool
) -> None:
    """Spare TARGET for a while, whatever the detectors conclude about it. Alerts go on.

    \b
    mailwarden decisions pardon 198.51.100.0/24 --for 2d --reason 'partner moves house'
    mailwarden decisions pardon 198.51.100.0/24 --end --reason 'they have moved'
    """
    settings = options.load(config)
    _bounded(seconds, kafka=kafka)
    on = _target(target, settings)
    now = time.time()
    with opened(settings, kafka=kafka) as kept:
        if not end:
            with _ordered():
                spared, _ = blocking.spare(
                    kept, on, who=_who(), seconds=seconds, reason=reason, now=now
                )
            click.echo(f"{_name(on)} is pardoned until {_clock(spared.until)}")
            return
        pardons = [d for d in kept.decisions(now) if d.target == on and d.origin == "pardon"]
        if not pardons:
            raise click.ClickException(f"{_name(on)} is not pardoned")
        blocking.end(kept, pardons[0], who=_who(), reason=reason, now=now)
        click.echo(f"pardon of {_name(on)} ended")


@command.command("approve", short_help="agree to an action that needs two persons")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@by_option
@click.option("--reason", default="approved", show_default=True, help="What you looked at.")
def approve(config: Path | None, kafka: bool, id: str, by: str, reason: str) -> None:  # noqa: A002
    """Approve of the decision ID (as `list` and the alert name it), which waits for that.

    What a detector decided needs two persons; what a person did, another one.

    \b
    mailwarden decisions approve account:alice@example.org:lock
    mailwarden decisions approve account:alice@example.org:lock:manual --by bob
    """
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        found = next((one for one in kept.decisions(time.time()) if one.id == id), None)
        if found is None:
            raise click.ClickException(f"nothing is in force under {report.printable(id)}")
        with _ordered():
            decision, _ = blocking.approve(
                kept, found, who=_who(by), reason=reason, now=time.time()
            )
    if decision.enforced:
        click.echo(f"{decision.action} {_name(decision.target)} until {_clock(decision.until)}")
    else:
        more = decision.needs - len(decision.approvals)
        click.echo(f"Noted; it waits for {many(more, 'more person')}.")


@command.command("log", short_help="show who changed what, and why")
@options.config
@options.kafka
@click.option("--since", type=options.Since(), default="0", help="A time, or how long ago: 24h.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@options.json_lines
@click.argument("target", default="")
def trail(
    config: Path | None, kafka: bool, since: float, limit: int, as_json: bool, target: str
) -> None:
    """Show the trail of changes, the newest first: what was decided, by whom, why, what gateways
    did about it. With TARGET (KIND:VALUE, or a decision's id) only what is about that.

    \b
    mailwarden decisions log --since 1d
    mailwarden decisions log account:alice@example.org
    """
    with opened(options.load(config), kafka=kafka) as kept:
        entries = kept.audit(limit=2**31 if target else limit, since=since)
    if target:
        entries = [one for one in entries if target in (one.target, one.decision)][:limit]
    if not options.for_eyes(as_json):
        for entry in entries:
            click.echo(wire.encode(entry))
    elif entries:
        Console(highlight=False).print(_trail(entries))
    else:
        click.echo("Nothing was changed.")


@command.command("export", short_help="print what is enforced, for other programs")
@options.config
@options.kafka
@click.option(
    "--format", "shape", type=click.Choice(["plain", "json"]), default="plain", show_default=True
)
def export(config: Path | None, kafka: bool, shape: str) -> None:
    """Print what is enforced, for programs that know nothing of us.

    plain: one refused network a line (reject, drop), what is pardoned cut out of it, nothing
    covered twice. json: all that is enforced, one decision a line.

    \b
    mailwarden decisions export > /srv/feed/mailwarden.txt
    mailwarden decisions export --format json --kafka
    """
    settings = options.load(config)
    now = time.time()
    with opened(settings, kafka=kafka) as kept:
        decisions = kept.decisions(now)
    enforced = [d for d in ruling(decisions, settings, now) if d.enforced]
    if settings.lifted():
        enforced = []
        click.echo(f"{_pulled(settings)}: nothing is blocked.", err=True)
    if shape == "json":
        for decision in enforced:
            click.echo(wire.encode(decision))
    else:
        for network in refused(enforced):
            click.echo(network)


def refused(ruling: list[Decision]) -> Iterator[net.Network]:
    """The networks that are refused, given the decisions with those that rule first first."""
    spared: list[net.Network] = []
    found: list[net.Network] = []
    for decision in ruling:
        if decision.target.kind != "network" or decision.domain:
            continue
        network = net.parse_network(decision.target.value)
        if decision.action in ("reject", "drop"):
            found += _without(network, spared)
        else:
            spared.append(network)
    yield from ipaddress.collapse_addresses(n for n in found if n.version == 4)
    yield from ipaddress.collapse_addresses(n for n in found if n.version == 6)


def _without(network: net.Network, spared: list[net.Network]) -> list[net.Network]:
    left = [network]
    for hole in spared:
        if hole.version == network.version:
            left = [piece for whole in left for piece in _cut(whole, hole)]
    return left


def _cut(whole: net.Network, hole: net.Network) -> list[net.Network]:
    if not whole.overlaps(hole):
        return [whole]
    if hole.prefixlen <= whole.prefixlen:
        return []
    return list(whole.address_exclude(hole))  # type: ignore[arg-type]


def signed(reason: str) -> str:
    """The reason and who gave it."""
    return _who().signed(reason)


# -- what they share ----------------------------------------------------------------------------


def _target(text: str, config: Config) -> Target:
    try:
        return orders.target(text, config)
    except OrderError as error:
        raise options.Unusable(str(error)) from error


def _bounded(seconds: float, *, kafka: bool) -> None:
    try:
        blocking.bounded(seconds, kafka=kafka)
    except OrderError as error:
        raise options.Unusable(f"--for: {error}") from error


@contextmanager
def _ordered() -> Iterator[None]:
    """What cannot be done ends the command with exit 2."""
    try:
        yield
    except OrderError as error:
        raise options.Unusable(str(error)) from error


def _who(by: str = "") -> Who:
    return Who(by, person.login(), person.host())


def _pulled(config: Config) -> str:
    return f"The kill switch is pulled ({state.panic(config.settings)} exists)"


def _around(on: Target, decisions: list[Decision]) -> str:
    """Names the networks that hold this one and that something is in force about."""
    if on.kind != "network":
        return ""
    wider = {
        decision.target.value
        for decision in decisions
        if decision.target.kind == "network" and on.value in net.Networks([decision.target.value])
    }
    if not wider:
        return ""
    names = ", ".join(sorted(wider))
    return f", but about {names} around it: remove that, or pardon {on.value} alone"


COLUMNS = (
    Column("TARGET", "folded"),
    Column("ACTION"),
    Column("ENDS IN"),
    Column("BY"),
    Column("STATE"),
    Column("REASON", "cut"),
)


def _table(decisions: list[tuple[Decision, Effect]], now: float, width: int) -> Table:
    rows = [
        (
            Text(report.printable(decision.target.value), style="cyan"),
            Text("" if decision.origin == "pardon" else decision.action),
            Text(span(decision.until - now)),
            Text("machine" if decision.origin == "automatic" else "person"),
            in_words(effect_of_it),
            Text(report.printable(_reason(decision))),
        )
        for decision, effect_of_it in decisions
    ]
    return listing(COLUMNS, rows, width)


def _reason(decision: Decision) -> str:
    """Why, without the name that stands beside it already."""
    name = decision.target.value
    return decision.reason.removeprefix(f"{name}:").removeprefix(name).lstrip()


def _trail(entries: list[Audit]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("WHEN", no_wrap=True, min_width=19)
    for name in ("WHAT", "BY"):
        table.add_column(name, no_wrap=True, min_width=len(name))
    table.add_column("DECISION", no_wrap=True, overflow="ellipsis", max_width=48)
    table.add_column("WHY", overflow="fold")
    for one in entries:
        why = f"{one.reason}; {one.detail}" if one.detail else one.reason
        table.add_row(
            _clock(one.at).removesuffix(" UTC"),
            one.what,
            Text(report.printable(one.by)),
            Text(report.printable(one.decision), style="cyan"),
            Text(report.printable(why)),
        )
    return table


def _name(on: Target) -> str:
    return report.printable(on.value)


def _a(on: Target) -> str:
    return f"{'an' if on.kind[0] in 'aeiou' else 'a'} {on.kind.replace('_', ' and ')}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
