"""`mailwarden topics`: make and list the Kafka topics."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from agents.commands import options
from agents.operator import topic_list
from agents.operator.topic_list import Row, all_topics, wanted
from schemas.settings import KafkaSettings
from schemas.topics import Topic
from streams.bus import Bus, BusError
from streams.kafka_bus import KafkaBus


@click.group("topics")
def command() -> None:
    """Make and list the Kafka topics: those of schemas/topics.py, and the workers' changelog.

    \b
    mailwarden topics create
    mailwarden topics list -c /etc/mailwarden/mailwarden.toml
    """


@command.command("create")
@options.config
def create(config: Path | None) -> None:
    """Make the topics that are missing. Those that are there stay as they are.

    How many partitions and replicas they get is set by kafka.partitions and kafka.replication.
    The number of partitions cannot be changed later: it says where the workers' records lie.

    \b
    mailwarden topics create -c /etc/mailwarden/mailwarden.toml
    """
    settings = options.load_for_kafka(config).settings.kafka
    with _connected(settings) as bus:
        for topic in make(bus, settings):
            click.echo(f"{settings.prefix}{topic.name}: made, partitions={wanted(topic, settings)}")


@command.command("list")
@options.config
@click.option("--json", "as_json", is_flag=True, help="One object a line.")
def show(config: Path | None, as_json: bool) -> None:
    """Show each topic, what it holds, and whether it is there.

    \b
    mailwarden topics list
    mailwarden topics list --json | jq -r .topic
    """
    settings = options.load_for_kafka(config).settings.kafka
    with _connected(settings) as bus:
        found = topic_list.rows(bus, settings)
    if as_json or not Console().is_terminal:
        for row in found:
            click.echo(msgspec.json.encode(row))
    else:
        Console(highlight=False).print(_table(found))


def make(bus: Bus, settings: KafkaSettings) -> list[Topic]:
    """Make what is missing; returns that. Raises BusError, before anything was made, where a
    topic has another number of partitions than it should have."""
    found = bus.topics()
    wrong = [
        f"{settings.prefix}{topic.name} has {found[topic.name]}"
        for topic in all_topics(settings)
        if topic.fixed and found.get(topic.name, wanted(topic, settings)) != wanted(topic, settings)
    ]
    if wrong:
        raise BusError(
            f"kafka.partitions is {settings.partitions}, but {', '.join(wrong)}.\n"
            "Where a record lies follows from the number of partitions: changed under live "
            "state, workers would look for what they know in the wrong place.\n"
            "Set kafka.partitions to what is there; or stop all workers and shippers, delete "
            "the topics, and begin with nothing remembered."
        )
    missing = [topic for topic in all_topics(settings) if topic.name not in found]
    for topic in missing:
        bus.create(topic, wanted(topic, settings), settings.replication)
    return missing


@contextmanager
def _connected(settings: KafkaSettings) -> Iterator[Bus]:
    bus = KafkaBus(settings)
    try:
        yield bus
    except BusError as error:
        raise click.ClickException(str(error)) from error
    finally:
        bus.close()


def _table(rows: list[Row]) -> Table:
    table = Table("topic", "partitions", "key", "holds", box=None, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(row.topic, _partitions(row), row.key, row.holds)
    return table


def _partitions(row: Row) -> str:
    if not row.partitions:
        return "[red]missing[/red]"
    if row.partitions != row.wanted:
        return f"{row.partitions} [yellow](not {row.wanted})[/yellow]"
    return str(row.partitions)
