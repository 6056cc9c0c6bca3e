"""`mailwarden run`: follow the logs of this server, detect, block; one process, no broker."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from rich.console import Console

from agents import configuration
from agents.commands import options
from agents.configuration import Config
from agents.operator import report
from agents.running import intakes, introduction, logs, reading, state
from agents.running.console import ConsoleProcess, require
from agents.running.control import Control
from agents.running.http import Server, serve
from agents.running.letters import DeadLetters
from agents.single.embedded import Embedded
from agents.single.store import Store, StoreError
from schemas.findings import Alert
from schemas.settings import SettingsError
from streams import tracing
from streams.sources.find import Found, NothingFoundError
from streams.sources.follow import Follow
from streams.sources.journal import Journal

log = logging.getLogger(__name__)


@click.command("run")
@options.config
@options.log_format
@options.host
@options.zone
@click.option("--once", is_flag=True, help="Read what is there, from its beginning; then end.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
def command(
    config: Path | None,
    format: str | None,  # noqa: A002 - the option's name
    host: str | None,
    zone: str | None,
    once: bool,
    files: tuple[Path, ...],
) -> None:
    """Follow mail logs, see attacks, and keep the attackers out where that is switched on.

    Without FILE, and with nothing configured, it finds the mail log or the journal by itself,
    and only observes. SIGHUP reads the settings again, SIGTERM ends it.

    \b
    mailwarden run
    mailwarden run /var/log/mail.log '/var/log/dovecot*.log'
    mailwarden run -c /etc/mailwarden/mailwarden.toml
    """
    logs.configure()
    given = Given(config, files, format, host, zone)
    missing = [str(path) for path in files if once and not path.is_file()]
    if missing:
        raise options.Unusable(f"no such file: {', '.join(missing)}")
    try:
        run(given, once=once)
    except (SettingsError, NothingFoundError) as error:
        raise options.Unusable(str(error)) from error
    except StoreError as error:
        raise click.ClickException(str(error)) from error


class Given(msgspec.Struct, frozen=True):
    """What the command line says; it outranks the settings file."""

    config: Path | None
    files: tuple[Path, ...] = ()
    format: str | None = None
    host: str | None = None
    zone: str | None = None

    def load(self) -> Config:
        """The configuration. Raises SettingsError."""
        config = configuration.load(self.config)
        settings = config.settings
        logs = msgspec.structs.replace(
            settings.logs,
            files=tuple(str(path.absolute()) for path in self.files) or settings.logs.files,
            journal="no" if self.files else settings.logs.journal,
            format=self.format or settings.logs.format,
        )
        site = msgspec.structs.replace(
            settings.site,
            host=self.host or settings.site.host,
            zone=self.zone or settings.site.zone,
        )
        sinks = settings.sinks or {"jsonl": {"path": str(state.alerts(settings))}}
        settings = msgspec.structs.replace(settings, logs=logs, site=site, sinks=sinks)
        return configuration.build(settings, config.path)

    def reload(self) -> Config:
        """The same for a program that runs: also raises SettingsError where there would be
        nothing to follow."""
        config = self.load()
        try:
            reading.found(config)
        except NothingFoundError as error:
            raise SettingsError(str(error)) from error
        return config


def run(given: Given, *, once: bool) -> None:
    """Until a signal ends it. Raises SettingsError, NothingFoundError or StoreError before it
    has begun."""
    config = given.load()
    require(config)
    found = reading.found(config)
    tracing.begin(config.settings.traces, "mailwarden-run", config.host)
    with Store(state.store(config.settings)) as store:
        store.own()
        letters = DeadLetters(state.dead_letters(config.settings))
        embedded = Embedded(
            config,
            store,
            lambda config, positions: open_sources(config, positions, once=once),
            lambda config, positions: intakes.opened(config, positions, once=once),
            dead=letters,
            tell=_teller(),
        )
        server = serve(config.settings.http.listen, embedded.pulse, "run")
        console = ConsoleProcess()
        if not once:
            console.follow(config)
        _introduce(config, found, store, server)

        def reload() -> Config:
            fresh = given.reload()
            require(fresh)
            console.follow(fresh)
            return fresh

        control = Control(reload)
        try:
            embedded.run(control, once=once)
        finally:
            console.close()
            embedded.close()
            tracing.end()
            letters.close()
            if server is not None:
                server.close()
    log.info("ended; what is enforced stays until mailwarden runs again")


def open_sources(config: Config, positions: dict[str, bytes], *, once: bool) -> Follow:
    """What the settings say is followed, at the positions of an earlier process."""
    found = reading.found(config)
    begin = once or config.settings.logs.history
    journal = Journal(positions.get(Journal.name, b""), begin=begin) if found.journal else None
    patterns = [str(Path(pattern).absolute()) for pattern in found.patterns]
    return Follow(patterns, journal=journal, positions=positions, begin=begin)


def _introduce(config: Config, found: Found, store: Store, server: Server | None) -> None:
    """Say in a few lines what is going on."""
    introduction.tell(
        f"mailwarden follows {followed(config, found)}",
        introduction.blocks(config, gateways=True),
        f"{introduction.settings(config)}; state: {store.path}",
        f"alerts to {', '.join(_where(config))}; `mailwarden alerts list` shows them",
        introduction.metrics(config.settings.http.listen, server),
        *introduction.console(config),
    )


def followed(config: Config, found: Found) -> str:
    """What is followed, and why."""
    intake = config.settings.intake
    follows = [*found.patterns, *(["the journal"] if found.journal else [])]
    follows += [f"mails by LMTP at {intake.lmtp.listen}"] if intake.lmtp else []
    follows += [f"mails in {intake.maildir.path}"] if intake.maildir else []
    return f"{', '.join(follows)} ({found.why})"


def _where(config: Config) -> list[str]:
    paths = ((sink.name, getattr(sink.settings, "path", "")) for sink in config.sinks)
    return [f"{name} {path}".strip() for name, path in paths]


def _teller() -> Callable[[Alert], None]:
    """Findings as readable lines on a terminal, as logs elsewhere."""
    if not sys.stdout.isatty():
        return _log_alert
    console = Console(highlight=False)
    return lambda alert: console.print(report.finding(alert, [], []))


def _log_alert(alert: Alert) -> None:
    fields = {
        "alert": alert.id,
        "revision": alert.revision,
        "state": alert.state,
        "detector": alert.detector,
        "shape": alert.shape,
        "severity": alert.severity,
        "subject": alert.subject.value,
        "summary": alert.summary,
        "decision": alert.decision,
    }
    log.info("finding", extra={"fields": fields})
