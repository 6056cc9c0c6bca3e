"""Write the log, truth and settings of a mix: ``python -m load.scenarios NAME SEED FOLDER``."""

from pathlib import Path

import click

from load.scenarios import mixes
from load.scenarios.catalogue import ORGANISATIONS


@click.command()
@click.argument("name", type=click.Choice([make.__name__ for make in ORGANISATIONS]))
@click.argument("seed", type=int)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def main(name: str, seed: int, folder: Path) -> None:
    """Write mail.log, truth.jsonl and mailwarden.toml of organisation NAME into FOLDER. Any SEED
    gives another organisation; those in use are named in load/scenarios/catalogue.py."""
    make = next(make for make in ORGANISATIONS if make.__name__ == name)
    mixes.write(make(seed), folder)


if __name__ == "__main__":
    main()
