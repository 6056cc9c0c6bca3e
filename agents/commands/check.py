"""`mailwarden check`: are the settings valid, and what would be done with them? Its subcommands
look at the gateways from the inside, and ask our own servers, as a stranger would."""

import glob
import importlib
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
from msgspec import Struct

from agents import custom_rules
from agents.commands import options
from agents.commands.check_gateways import notes
from agents.commands.console_words import console
from agents.commands.domain_words import domains
from agents.configuration import Config, signing
from agents.edge.canary import Canary
from agents.intake.topics import wanted
from agents.operator import person, report
from agents.running import kafka_files, reading, state
from agents.running.console import require
from agents.words import many, span
from schemas import net
from schemas.findings import Action, Decision, Stage, Target, TargetKind
from schemas.settings import KafkaSettings, Settings, SettingsError
from streams.gateway import Gateway, Grade
from streams.parsers import PARSERS
from streams.sources.find import NothingFoundError

Verdict = Literal["good", "bad", "plain", "doubt", "unknown"]

MARKS = {
    "good": ("✓", "green"),
    "bad": ("✗", "red"),
    "doubt": ("!", "yellow"),
    "unknown": ("?", "yellow"),
    "plain": (" ", None),
}
VERDICTS: dict[Grade, Verdict] = {
    "ok": "good",
    "warning": "doubt",
    "failed": "bad",
    "unknown": "unknown",
}

USUAL: tuple[tuple[TargetKind, str, tuple[Action, ...]], ...] = (
    ("network", "192.0.2.1", ("drop", "reject", "tarpit")),
    ("account", "name@example.org", ("hold", "limit", "lock")),
    ("client_account", "192.0.2.1 name@example.org", ("reject",)),
    ("address", "name@example.org", ("reject",)),
    ("domain", "example.org", ("reject",)),
)
"""Decisions that detectors and people ask for."""


INDENT = 13  # columns of a line's topic and mark

ASKING = ("gateways", "host", "relay")
"""Subcommands, each in check_NAME.py."""


class Line(Struct, frozen=True):
    """Something that was found out."""

    topic: str
    text: str
    verdict: Verdict = "plain"
    remedy: tuple[str, ...] = ()


class Checks(click.Group):
    """Loads a subcommand when it is called: most need no client for SMTP and DNS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(ASKING)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in ASKING:
            return None
        module = importlib.import_module(f"agents.commands.check_{cmd_name}")
        found: click.Command = module.command
        return found


@click.command("check", cls=Checks, invoke_without_command=True)
@options.config
@click.pass_context
def command(ctx: click.Context, config: Path | None) -> None:
    """Validate the settings, and say what would be done with them: what is followed, which
    detectors are on, whether anything is blocked, and what each gateway really reaches.
    With a subcommand: look at the gateways of this machine alone, or ask a server of ours.

    Exit status: 0 all is well, 1 something will not work as it is set, 2 the settings are wrong.

    \b
    mailwarden check
    mailwarden check -c /etc/mailwarden/mailwarden.toml
    mailwarden check gateways
    mailwarden check relay mx1.example.org
    """
    settings = options.load(config)
    ctx.obj = settings
    if ctx.invoked_subcommand is not None:
        return
    try:
        wanted(settings.settings)
    except SettingsError as error:
        raise options.Unusable(f"{settings.where}: {error}") from error
    try:
        require(settings)
    except SettingsError as error:
        raise options.Unusable(str(error)) from error
    names = (*PARSERS, *(each.name for each in settings.formats))
    if settings.settings.logs.format not in ("auto", *names):
        raise options.Unusable(
            f"{settings.where}: logs.format: expected auto or one of {', '.join(names)}"
        )
    topic = ""
    bad = 0
    for line in lines(settings):
        mark, colour = MARKS[line.verdict]
        name = line.topic if line.topic != topic else ""
        topic = line.topic
        text = click.style(mark, fg=colour) + " " + _wrapped(report.printable(line.text))
        click.echo(f"{click.style(f'{name:<10}', bold=True)} {text}")
        for command_line in line.remedy:
            click.echo(f"{'':<15}{report.printable(command_line)}")
        bad += line.verdict == "bad"
    if bad:
        click.echo(f"\n{bad} {'things need' if bad > 1 else 'thing needs'} attention.")
        ctx.exit(1)


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def _wrapped(text: str) -> str:
    """For a terminal, lines that stay in their column; commands below them are left whole."""
    if not _on_terminal():
        return text
    width = max(shutil.get_terminal_size().columns - INDENT, INDENT)
    return f"\n{'':<{INDENT}}".join(
        textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    )


def lines(config: Config) -> Iterator[Line]:
    """All that there is to say about a configuration."""
    named = f"{config.path}: valid" if config.path else "none found: these are the defaults"
    yield Line("settings", named, "good")
    yield from _followed(config)
    yield from _custom(config)
    yield from _topics(config)
    yield from _intake(config)
    yield from _site(config)
    yield from _listed(config)
    yield _hosts(config)
    yield from _detectors(config)
    yield from _response(config)
    for text in domains(config):
        yield Line("domains", text)
    yield from _care(config)
    for gateway in config.gateways:
        yield from _gateway(gateway)
    yield from _unreached(config)
    for sink in config.sinks:
        yield Line("sinks", f"{sink.name} ({type(sink).__name__}): {sink.about()}; {sink.of()}")
    if not config.sinks:
        yield Line("sinks", f"none; `run` writes JSON lines to {state.alerts(config.settings)}")
    for grade, text, remedy in console(config):
        yield Line("console", text, VERDICTS[grade], remedy)
    yield from _kafka(config.settings.kafka)
    yield from _state(config.settings)


def _kafka(kafka: KafkaSettings) -> Iterator[Line]:
    """How the commands that talk to Kafka would reach it. It is not asked: that takes a broker."""
    if kafka == KafkaSettings():
        yield Line("kafka", "not configured; `run` needs none")
        return
    ways = [f"kafka.security is {kafka.security}"]
    if kafka.security.startswith("SASL"):
        ways.append(f"{kafka.mechanism} as {kafka.username}")
    if kafka.prefix:
        ways.append(f"topics begin with {kafka.prefix}")
    yield Line("kafka", f"{', '.join(kafka.bootstrap)}: {', '.join(ways)}")
    for wrong in kafka_files.unusable(kafka):
        yield Line("kafka", wrong, "bad")
    named = [name for name in ("ca", "certificate", "key") if getattr(kafka, name)]
    if named and not kafka.security.endswith("SSL"):
        unused = f"{' and '.join(named)} {'are' if len(named) > 1 else 'is'} not used"
        yield Line("kafka", f"nothing is encrypted: {unused}", "bad", ('security = "SSL"',))
    if (kafka.username or kafka.password_file) and not kafka.security.startswith("SASL"):
        remedy = ('security = "SASL_SSL"',)
        yield Line("kafka", "nobody logs in: username and password are not used", "bad", remedy)


def _state(settings: Settings) -> Iterator[Line]:
    """Where what outlives the process lies, and whether it can."""
    store = state.store(settings)
    others = (state.dead_letters(settings), state.panic(settings))
    for path in (store, *(other for other in others if other.parent != store.parent)):
        why = state.unwritable(path)
        yield Line("state", f"{path}: {why}" if why else str(path), "bad" if why else "good")


def _followed(config: Config) -> Iterator[Line]:
    try:
        found = reading.found(config)
    except NothingFoundError as error:
        yield Line("follows", str(error), "bad")
        return
    for pattern in found.patterns:
        paths = sorted(glob.glob(pattern)) or [pattern]
        for path in paths:
            yield _readable(path)
    if found.journal:
        yield Line("follows", f"the journal, {found.why}", "good")


def _custom(config: Config) -> Iterator[Line]:
    """Formats of the site's own: whether their cases hold."""
    for name, rule in config.custom.items():
        wrong = custom_rules.failing(name, rule)
        for text in wrong:
            yield Line("formats", f"{name}: {text}", "bad")
        if not wrong:
            cases = f"its {many(len(rule.cases), 'case')} hold" if rule.cases else "it has no cases"
            yield Line("formats", f"{name}: {cases}", "good" if rule.cases else "plain")


def _intake(config: Config) -> Iterator[Line]:
    lmtp, maildir = config.settings.intake.lmtp, config.settings.intake.maildir
    if lmtp is not None:
        host = lmtp.listen.rpartition(":")[0].strip("[]")
        if host == "localhost" or net.address(host) in net.Networks(net.LOOPBACK):
            transport = f"reports@example.org  lmtp:inet:{lmtp.listen}"
            yield Line("intake", f"mails by LMTP at {lmtp.listen}", "good", (transport,))
        else:
            told = f"mails by LMTP at {lmtp.listen}: whoever reaches it can tell of bounces"
            yield Line("intake", told, "bad", ('listen = "127.0.0.1:8024"',))
    if maildir is not None:
        for name in ("new", "cur"):
            path = os.path.join(maildir.path, name)
            if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                yield Line("intake", f"{path}: must be there, for this user to write", "bad")
                return
        yield Line("intake", f"mails in {maildir.path}: from new into cur", "good")


def _topics(config: Config) -> Iterator[Line]:
    """What `mailwarden intake` would read, where that is said."""
    if not config.settings.intake.topics:
        return
    for name, topic in wanted(config.settings).items():
        way = "each message as it says" if topic.format == "auto" else f"lines of {topic.format}"
        host = f", of {topic.host} where nothing says whose" if topic.host else ""
        zone = f", times in {topic.zone} where they do not say" if topic.zone else ""
        yield Line("intake", f"topic {name}: {way}{host}{zone}")


def _readable(path: str) -> Line:
    if not os.path.exists(path):
        return Line("follows", f"{path}: not there yet; it is followed as soon as it is", "bad")
    if not os.access(path, os.R_OK):
        remedy = "add the user that runs mailwarden to the group that may read it (adm, often)"
        return Line("follows", f"{path}: may not be read by this user", "bad", (remedy,))
    return Line("follows", path, "good")


def _site(config: Config) -> Iterator[Line]:
    domains = config.settings.site.domains
    if domains:
        yield Line("site", f"mail for {', '.join(domains)} is ours")
    else:
        yield Line("site", "site.domains names none of ours: what is local is guessed")


def _listed(config: Config) -> Iterator[Line]:
    """Which block lists would be asked about whom."""
    listed = config.settings.listed
    if not listed.gateways or not listed.lists:
        lacking = "gateways names none of ours" if not listed.gateways else "lists is empty"
        yield Line("listed", f"no block list is asked: listed.{lacking}")
        return
    whom = ", ".join(listed.resolvers) or "the system's resolver"
    yield Line(
        "listed",
        f"{', '.join(listed.lists)} asked about {', '.join(listed.gateways)}"
        f" every {span(listed.interval)}, through {whom}",
    )


def _hosts(config: Config) -> Line:
    """Which servers of ours would be looked at from outside."""
    hosts = config.settings.hosts
    if not hosts.names:
        return Line("hosts", "no server of ours is checked at an interval: hosts.names is empty")
    names, often = ", ".join(hosts.names), span(hosts.interval)
    domain = hosts.domain or config.site.default_domain
    about = f" with addresses at {domain}" if domain else ""
    return Line("hosts", f"{names} asked what strangers may ask, every {often}{about}")


def _detectors(config: Config) -> Iterator[Line]:
    groups = (
        ("decisions enforced", _at_stage(config, "enforce")),
        ("told, nothing enforced", _at_stage(config, "alert")),
        ("on trial, only kept", _at_stage(config, "observe")),
        ("off", [d.name for d in config.detectors if not d.enabled]),
    )
    for words, names in groups:
        if names:
            yield Line("detectors", f"{words}: {', '.join(names)}")
    for name, of_domains in config.variants.items():
        yield Line("detectors", f"{name} has settings of its own for {', '.join(of_domains)}")


def _at_stage(config: Config, stage: Stage) -> list[str]:
    return [d.name for d in config.detectors if d.enabled and d.stage == stage]


def _response(config: Config) -> Iterator[Line]:
    response = config.settings.response
    enforcing = _at_stage(config, "enforce")
    if not response.enforce:
        yield Line("response", "only observes: response.enforce is off")
    elif not enforcing:
        yield Line(
            "response",
            "enforces only what people decide: no detector is switched on for it",
            remedy=("[detectors.auth_dictionary]", 'stage = "enforce"'),
        )
    else:
        yield Line(
            "response",
            f"blocks for {span(response.first)} at first, {span(response.longest)}"
            f" at most; up to {response.budget} new decisions a minute",
            "good",
        )
    if config.lifted():
        switch = state.panic(config.settings)
        yield Line("response", f"the kill switch is pulled: {switch} exists", "bad")
    if response.enforce and not any(g.settings.enabled for g in config.gateways):
        yield Line(
            "response",
            "response.enforce is on, but there is no gateway: nothing is blocked here",
            "bad",
            ("[gateways.postfix]",),
        )


def _care(config: Config) -> Iterator[Line]:
    """What makes decisions safer than they are by themselves, where it is switched on."""
    response = config.settings.response
    if response.signing_key_file:
        try:
            signing(config)
        except SettingsError as error:
            yield Line("response", str(error), "bad")
        else:
            yield Line(
                "response", "decisions on Kafka are signed; unsigned ones are refused", "good"
            )
    if response.approve:
        waits = ", ".join(response.approve)
        yield Line("response", f"{waits}: only when two persons have approved")
    if response.canary or response.canary_gateways:
        name = config.settings.site.host or person.host()
        turn = "first" if Canary(response, name).first else f"{span(response.canary_seconds)} later"
        yield Line("response", f"a gateway on {name} enforces new decisions {turn} (canary)")


def _gateway(gateway: Gateway) -> Iterator[Line]:
    if not gateway.settings.enabled:
        yield Line("gateways", f"{gateway.name}: off; it lifts what it enforced")
        return
    for note in notes(gateway):
        text = f"{gateway.name}: {note.text}"
        yield Line("gateways", text, VERDICTS[note.grade], note.remedy)
    if gateway.blind_to:
        yield Line("gateways", f"{gateway.name}: does not see {gateway.blind_to}")


def _unreached(config: Config) -> Iterator[Line]:
    """What is decided and nobody can carry out."""
    gateways = [gateway for gateway in config.gateways if gateway.settings.enabled]
    if not gateways:
        return
    beyond = []
    for kind, value, actions in USUAL:
        missed = [
            action
            for action in actions
            if not any(gateway.reaches(_decision(kind, value, action)) for gateway in gateways)
        ]
        if missed:
            beyond.append(f"{' and '.join(missed)} ({kind.replace('_', ' and ')})")
    if beyond:
        yield Line("gateways", f"no gateway can carry out: {', '.join(beyond)}")


def _decision(kind: TargetKind, value: str, action: Action) -> Decision:
    return Decision(id="", target=Target(kind, value), action=action, enforced=True)
