"""Write the log, truth and settings of a mix: ``python -m load.scenarios NAME SEED FOLDER``."""

from pathlib import Path

import click
from msgspec.structs import replace

from load.scenarios import mixes
from load.scenarios.carriers import CARRIERS
from load.scenarios.catalogue import ORGANISATIONS
from load.scenarios.organisation import Form
from load.scenarios.servers import SERVERS


@click.command()
@click.argument("name", type=click.Choice([make.__name__ for make in ORGANISATIONS]))
@click.argument("seed", type=int)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--days", type=click.IntRange(1, 366), help="So many, instead of its own.")
@click.option("--history", type=click.IntRange(0, 366), help="Ordinary days before them.")
@click.option("--gateways", type=click.IntRange(1, 8), help="So many, instead of its own.")
@click.option("--server", type=click.Choice(sorted(SERVERS)), help="What the gateways run.")
@click.option("--carrier", type=click.Choice(sorted(CARRIERS)), help="What carries their lines.")
def main(
    name: str,
    seed: int,
    folder: Path,
    days: int | None,
    history: int | None,
    gateways: int | None,
    server: str | None,
    carrier: str | None,
) -> None:
    """Write mail.log, truth.jsonl and mailwarden.toml of organisation NAME into FOLDER. Any SEED
    gives another organisation; those in use are named in load/scenarios/catalogue.py."""
    mix = next(make for make in ORGANISATIONS if make.__name__ == name)(seed)
    if days is not None:
        mix = replace(mix, days=days)
    if history is not None:
        mix = replace(mix, history=history)
    if gateways is not None:
        mix = replace(mix, nature=replace(mix.nature, gateways=gateways))
    if server or carrier:
        mix = replace(mix, form=Form(server or "postfix", carrier or ""))
    mixes.write(mix, folder)


if __name__ == "__main__":
    main()
