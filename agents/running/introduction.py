"""What a program that begins says of itself: what it follows and serves, and where things lie."""

import logging
import sys

import click

from agents.configuration import Config
from agents.running import state
from agents.running.http import Server
from agents.words import printable
from schemas.settings import KafkaSettings
from streams.said import said

log = logging.getLogger(__name__)


def tell(what: str, *lines: str) -> None:
    """A few lines on a terminal, one event in a log."""
    if sys.stderr.isatty():
        click.echo("\n  ".join(map(printable, (what, *lines))), err=True)
    else:
        log.info(said("begins", what=what, more="; ".join(lines)))


def broker(kafka: KafkaSettings) -> str:
    """Where Kafka is, and how it is reached."""
    whose = f" as {kafka.username}" if kafka.security.startswith("SASL") else ""
    return f"{', '.join(kafka.bootstrap)} ({kafka.security}{whose})"


def topics(kafka: KafkaSettings, *names: str) -> str:
    """Topics as they are called on the broker."""
    return ", ".join(f"{kafka.prefix}{name}" for name in names)


def blocks(config: Config, *, gateways: bool) -> str:
    """What becomes of decisions; `gateways` says that they would be carried out here."""
    enforcing = [d.name for d in config.detectors if d.enabled and d.stage == "enforce"]
    if not config.settings.response.enforce:
        return "only observes: nothing is blocked (response.enforce is off)"
    if not enforcing or (gateways and not config.gateways):
        what = "no detector enforces" if not enforcing else "no gateway is configured"
        return f"only observes: {what}"
    if not gateways:
        return f"what {', '.join(enforcing)} decide is carried out where `mailwarden gateway` runs"
    return f"blocks what {', '.join(enforcing)} decide, at {named(config)}"


def named(config: Config) -> str:
    """The gateways that are configured; whether they do anything."""
    names = ", ".join(gateway.name for gateway in config.gateways)
    switch = f" (lifted: {state.panic(config.settings)} exists)" if config.lifted() else ""
    return f"{names}{switch}"


def metrics(listen: str, server: Server | None) -> str:
    if server is None:
        return "no metrics are served"
    return f"metrics at http://{listen.rpartition(':')[0]}:{server.port}/metrics"


def console(config: Config) -> list[str]:
    """Where the console is, if there is to be one."""
    own = config.settings.console
    if own is None:
        return []
    return [f"console at {'https' if own.certificate else 'http'}://{own.listen}/"]


def settings(config: Config) -> str:
    return f"settings: {config.path or 'the defaults'}"
