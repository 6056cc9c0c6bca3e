"""`mailwarden ship`: follow logs and publish their events to Kafka."""

import socket
from pathlib import Path

import click

from agents.commands import options
from agents.commands.run import Given, followed, open_sources
from agents.running import intakes, introduction, kafka_files, logs, reading, state
from agents.running.control import Control
from agents.running.http import serve
from agents.ship import Shipper
from schemas.settings import Settings, SettingsError
from streams.kafka_bus import KafkaBus
from streams.shipping.outbox import Outbox, OutboxError
from streams.sources.find import NothingFoundError


@click.command("ship")
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
    """Follow mail logs, and publish their events to the workers on Kafka.

    What was read and no broker has taken waits in an outbox on disk (kafka.outbox), up to
    kafka.outbox_bytes; then reading waits. SIGHUP reads the settings again, SIGTERM ends it.

    \b
    mailwarden ship -c /etc/mailwarden/mailwarden.toml
    mailwarden ship /var/log/mail.log '/var/log/dovecot*.log'
    mailwarden ship --once old-mail.log
    """
    logs.configure()
    given = Given(config, files, format, host, zone)
    missing = [str(path) for path in files if once and not path.is_file()]
    if missing:
        raise options.Unusable(f"no such file: {', '.join(missing)}")
    try:
        all_sent = ship(given, once=once)
    except (SettingsError, NothingFoundError) as error:
        raise options.Unusable(str(error)) from error
    except OutboxError as error:
        raise click.ClickException(str(error)) from error
    if once and not all_sent:
        raise click.ClickException(
            "the broker has not taken everything; the next start sends what waits in the outbox"
        )


def ship(given: Given, *, once: bool) -> bool:
    """Until a signal ends it, or, with `once`, until all is sent. Whether all was sent. Raises
    SettingsError, NothingFoundError or OutboxError before it has begun."""
    config = given.load()
    settings = config.settings
    found = reading.found(config)
    kafka_files.require(config)
    outbox = Outbox(
        path(settings), settings.kafka.partitions, settings.site.host or socket.gethostname()
    )
    try:
        shipper = Shipper(
            config,
            outbox,
            lambda config, places: open_sources(config, places, once=once),
            lambda: KafkaBus(settings.kafka),
            lambda config, places: intakes.opened(config, places, once=once),
        )
        server = serve(settings.http.listen, shipper.pulse, "ship")
        introduction.tell(
            f"mailwarden ships {followed(config, found)}",
            f"to Kafka at {introduction.broker(settings.kafka)},"
            f" topic {introduction.topics(settings.kafka, 'mail.facts')}",
            _begins(settings, once=once),
            f"{introduction.settings(config)}; what no broker has taken waits in {path(settings)}",
            introduction.metrics(settings.http.listen, server),
        )
        try:
            return shipper.run(Control(given.reload), once=once)
        finally:
            shipper.close()
            if server is not None:
                server.close()
    finally:
        outbox.close()


def _begins(settings: Settings, *, once: bool) -> str:
    """Where reading begins."""
    if once:
        return "reads what is there, from its beginning, and ends"
    if settings.logs.history:
        return "reads the older files as well at the first start, then goes on where it was"
    return (
        "reads on where it was; a log that is new to it from its end"
        " (logs.history = true reads what was before)"
    )


def path(settings: Settings) -> Path:
    """The outbox's file."""
    named = settings.kafka.outbox
    return Path(named) if named else state.store(settings).with_name("outbox.db")
