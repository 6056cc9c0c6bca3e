"""`mailwarden incidents`: what belongs together, as one story, and what people do about it."""

import time
from pathlib import Path

import click
from msgspec import structs
from rich.console import Console

from agents.commands import learning, options
from agents.commands.decisions import by_option, reason_option
from agents.commands.kept import opened
from agents.configuration import Config
from agents.incidents.assembling import Found, incidents
from agents.incidents.casework import ticked
from agents.incidents.incident import Incident
from agents.operator import casebook, incident_page, person, report
from agents.operator.casebook import LONGEST, LONGEST_NAME
from agents.operator.ledger import Ledger
from agents.words import many
from schemas import wire
from schemas.findings import SEVERITIES
from schemas.incidents import TASKS, Deed, Step, Task, Tick

MANY = 100_000  # alerts, and entries of the trail, that are looked through: the newest


@click.group("incidents")
def command() -> None:
    """Alerts that belong together, told as one story: who did what, to whom, what was decided.

    People take an incident on (`ack`), hand it on (`assign`), write down what they learn (`note`)
    and end it (`close`). Of an account in other hands, `steps` says what is to be done, and `tick`
    what is. A closed one that goes on is open again. Each ID may be its beginning.

    \b
    mailwarden incidents list
    mailwarden incidents show 5f0c1e9a
    mailwarden incidents close 5f0c1e9a --reason 'password changed'
    """


@command.command("list", short_help="list incidents, the newest first")
@options.config
@options.kafka
@options.listing
@click.option("--all", "everything", is_flag=True, help="Closed ones and false positives as well.")
@options.json_lines
def show_list(
    config: Path | None,
    kafka: bool,
    limit: int,
    since: float,
    least: str,
    everything: bool,
    as_json: bool,
) -> None:
    """List incidents that are not over, the newest first.

    \b
    mailwarden incidents list --since 24h --least high
    mailwarden incidents list --all --json | jq -r 'select(.state == "false_positive") | .reason'
    """
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        found = _found(kept, settings)
    severe = SEVERITIES[SEVERITIES.index(least) :]
    shown = [
        one
        for one in found.incidents
        if one.last >= since
        and one.severity in severe
        and (everything or one.state in ("open", "acknowledged"))
    ][:limit]
    if not options.for_eyes(as_json):
        for one in shown:
            told = structs.asdict(one)
            del told["timeline"], told["timeline_count"]  # `show` has it, with the decisions
            click.echo(wire.encode(told))
    elif shown:
        console = Console(highlight=False)
        console.print(incident_page.table(shown, console.width))
    else:
        click.echo("Nothing is open." if not everything else "Nothing was found.")
    left = found.count - len(found.incidents)
    if left:
        click.echo(f"{left:,} older ones were not looked at.", err=True)


@command.command("show", short_help="tell one incident as a story")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@options.json_lines
def show(config: Path | None, kafka: bool, id: str, as_json: bool) -> None:  # noqa: A002
    """Tell one incident: the story, who took part, what happened when, what was decided, and the
    commands that block, undo, release and close. ID may also be that of an alert in it.

    \b
    mailwarden incidents show 5f0c
    mailwarden incidents show 5f0c --json | jq -r '.accused[]'
    """
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        one = _one(_found(kept, settings, whole=True), id)
    if not options.for_eyes(as_json):
        click.echo(wire.encode(one))
    else:
        Console(highlight=False).print(incident_page.whole(one, kafka=kafka))


@command.command("ack", short_help="take an incident on")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@by_option
def ack(config: Path | None, kafka: bool, id: str, by: str) -> None:  # noqa: A002
    """Say that you have seen it. It is assigned to you, if it is to nobody.

    \b
    mailwarden incidents ack 5f0c
    """
    who = _who(by)
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        one = _one(_found(kept, settings), id)
        if one.state != "open":
            raise click.ClickException(f"{one.id} is {_state(one)}: there is nothing to take on")
        _record(kept, one, *casebook.taken_on(one, who, time.time()))
    click.echo(f"{one.id} is acknowledged by {report.printable(who)}")


@command.command("close", short_help="end an incident")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@click.option("--false-positive", is_flag=True, help="Nobody did anything wrong.")
@reason_option
@by_option
def close(
    config: Path | None,
    kafka: bool,
    id: str,  # noqa: A002
    false_positive: bool,
    reason: str,
    by: str,
) -> None:
    """Say that it is over. It opens again where it goes on; a false positive, where alerts are new
    in it or more severe. What is in force stays in force: `mailwarden decisions remove`.

    \b
    mailwarden incidents close 5f0c --reason 'password changed'
    mailwarden incidents close 5f0c --false-positive --reason 'newsletter of the press office'
    """
    who = _who(by)
    step: Step = "false_positive" if false_positive else "closed"
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        found = _found(kept, settings)
        one = _one(found, id)
        _record(kept, one, _deed(step, who, _short(reason, LONGEST, "--reason")))
        alerts = kept.alerts(limit=MANY) if false_positive else []
    click.echo(f"{one.id} is {step.replace('_', ' ')}: {report.printable(reason)}")
    if false_positive and options.for_eyes(as_json=False):
        told = learning.lesson(settings, found, one, alerts, time.time())
        click.echo("\nWhat it teaches:")
        Console(highlight=False).print(learning.shown(told))
    if one.decisions_count:
        click.echo(
            f"still in force: {many(one.decisions_count, 'decision')};"
            f" mailwarden incidents show {one.id}",
            err=True,
        )


@command.command("learn", short_help="what a false positive teaches")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@options.json_lines
def learn(config: Path | None, kafka: bool, id: str, as_json: bool) -> None:  # noqa: A002
    """Propose what would have kept an incident silent that was none: an entry of a list, or another
    threshold, each with what it would have cost in the last 7 days. By the counts of the alerts
    that are kept; the logs say it exactly, by the command at the end. Nothing is changed.

    \b
    mailwarden incidents learn 5f0c
    mailwarden incidents learn 5f0c --json | jq -r .settings
    """
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        found = _found(kept, settings)
        one = _one(found, id)
        alerts = kept.alerts(limit=MANY)
    told = learning.lesson(settings, found, one, alerts, time.time())
    if options.for_eyes(as_json):
        Console(highlight=False).print(learning.shown(told))
        return
    for each in told.proposals:
        click.echo(wire.encode(learning.brief(each)))


@command.command("note", short_help="write down what you learnt")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@click.argument("text")
@by_option
def note(config: Path | None, kafka: bool, id: str, text: str, by: str) -> None:  # noqa: A002
    """Write down what colleagues should know.

    \b
    mailwarden incidents note 5f0c 'called her: she had opened the attachment'
    """
    who, said = _who(by), _short(text, LONGEST, "TEXT")
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        one = _one(_found(kept, settings), id)
        _record(kept, one, _deed("noted", who, said))
    click.echo(f"noted at {one.id}")


@command.command("assign", short_help="hand an incident to somebody")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@click.argument("whom", default="", metavar="[WHOM]")
@by_option
def assign(config: Path | None, kafka: bool, id: str, whom: str, by: str) -> None:  # noqa: A002
    """Say who cares for it; without WHOM, nobody any more.

    \b
    mailwarden incidents assign 5f0c dora
    mailwarden incidents assign 5f0c
    """
    who = _who(by)
    to = _short(whom, LONGEST_NAME, "WHOM") if whom else ""
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        one = _one(_found(kept, settings), id)
        _record(kept, one, _deed("assigned", who, to))
    click.echo(f"{one.id} is assigned to {report.printable(to) or 'nobody'}")


@command.command("steps", short_help="what is to be done about an account in other hands")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@options.json_lines
def steps(config: Path | None, kafka: bool, id: str, as_json: bool) -> None:  # noqa: A002
    """Show the playbook of an incident in which an account was in other hands: what is done, by
    whom, and what is left.

    \b
    mailwarden incidents steps 5f0c
    mailwarden incidents steps 5f0c --json | jq -r 'select(.done == null) | .task'
    """
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        one = _one(_found(kept, settings, whole=True), id)
    if not options.for_eyes(as_json):
        for entry in one.playbook:
            click.echo(wire.encode(entry))
    elif one.playbook:
        Console(highlight=False).print(incident_page.steps(one))
    else:
        click.echo(f"{one.id}: no account was in other hands.")


@command.command("tick", short_help="say that a step of the playbook is done")
@options.config
@options.kafka
@click.argument("id", metavar="ID")
@click.argument("step", type=click.Choice(TASKS))
@click.option("--account", default="", help="Only for this account; else for all of them.")
@click.option("--note", "text", default="", help="What colleagues should know.")
@click.option("--undo", is_flag=True, help="It is not done after all.")
@by_option
def tick(
    config: Path | None,
    kafka: bool,
    id: str,  # noqa: A002
    step: Task,
    account: str,
    text: str,
    undo: bool,
    by: str,
) -> None:
    """Say that a step of the playbook is done, or, with --undo, that it is not.

    \b
    mailwarden incidents tick 5f0c password --note 'told her by phone'
    mailwarden incidents tick 5f0c sessions --account anna@example.org
    """
    who = _who(by)
    said = _short(text, LONGEST, "--note") if text else ""
    settings = options.load(config)
    with opened(settings, kafka=kafka) as kept:
        one = _one(_found(kept, settings), id)
        if not one.hijacked:
            raise click.ClickException(f"{one.id}: no account was in other hands")
        if account and account not in one.hijacked:
            raise click.ClickException(f"{one.id}: {report.printable(account)} is not one of them")
        done = Tick(task=step, account=account, at=time.time(), by=who, note=said)
        words = " ".join(filter(None, (step, account))) + (f": {said}" if said else "")
        deed = _deed("unticked" if undo else "ticked", who, words)
        casebook.record(
            kept, one, [deed], person.host(), lambda case: ticked(case, done, done=not undo)
        )
    click.echo(f"{one.id}: {step} is {'not ' if undo else ''}done")


# -- what they share ----------------------------------------------------------------------------


def _found(kept: Ledger, config: Config, *, whole: bool = False) -> Found:
    """All incidents; `whole`, with what was decided in their course."""
    return incidents(
        kept.alerts(limit=MANY),
        kept.cases(),
        kept.decisions(time.time()),
        kept.audit(limit=MANY) if whole else (),
        kept.turns() if whole else (),
        window=config.settings.incidents.window,
    )


def _one(found: Found, id: str) -> Incident:  # noqa: A002
    """The incident whose id is, or alone begins with, `id`, or of an alert of that id."""
    for one in found.incidents:
        if one.id == id:
            return one
    alike = [one for one in found.incidents if one.id.startswith(id)]
    alike = alike or [one for one in found.incidents if any(a.startswith(id) for a in one.alerts)]
    if len(alike) == 1 and id:
        return alike[0]
    why = f"{len(alike)} incidents begin so" if alike else "there is no such incident"
    raise click.ClickException(f"{report.printable(id)}: {why}")


def _record(kept: Ledger, one: Incident, *deeds: Deed) -> None:
    casebook.record(kept, one, deeds, person.host())


def _deed(what: Step, by: str, text: str = "") -> Deed:
    return Deed(at=time.time(), what=what, by=by, text=text)


def _who(by: str) -> str:
    """Who says so: what they call themselves, and their login where that is another."""
    own = person.login()
    name = _short(by, LONGEST_NAME, "--by") if by else own
    return name if name == own or own in person.UNNAMED else f"{name} ({own})"


def _short(text: str, longest: int, what: str) -> str:
    text = text.strip()
    if not text or len(text) > longest:
        raise options.Unusable(f"{what}: expected 1 to {longest} characters, not {len(text)}")
    return text


def _state(one: Incident) -> str:
    return one.state.replace("_", " ")
