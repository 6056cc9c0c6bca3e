"""A mix: an organisation, some days of it, the stories that happen, and what becomes of them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from load.scenarios import truth
from load.scenarios.ordinary import Everyday
from load.scenarios.organisation import OWN, Form, Nature, Organisation
from load.scenarios.stage import Stage

Story = Callable[[Stage], None]
LAST_LINE = 10.0  # seconds: who begins later than this before the end has written no whole story


class Mix(Struct, frozen=True, kw_only=True):
    """An organisation, some days, and what happens on them. `history` ordinary days come before:
    without them nothing is known of anybody, and nothing that rests on a past can be seen."""

    name: str
    seed: int
    nature: Nature
    first: datetime
    days: int
    stories: tuple[Story, ...]
    history: int = 0
    form: Form | None = None

    @property
    def title(self) -> str:
        return f"{self.name}-{self.seed}"

    @property
    def tuning(self) -> bool:
        """Whether detectors may be tuned on it."""
        return self.seed < 100


class Performance:
    """The lines of a mix; `truth` is known once they are taken."""

    def __init__(self, mix: Mix) -> None:
        self._mix = mix
        self._organisation = Organisation(mix.nature, mix.seed, mix.form)
        start = mix.first.timestamp()
        self.stage = Stage(self._organisation, start, mix.days, mix.seed)
        self.truth = self.stage.truth

    def lines(self) -> Iterator[bytes]:
        """All lines by time, each with its line end; they stop at the end of the last day."""
        stage, log = self.stage, self._organisation.log
        everyday = Everyday(stage)
        for story in self._mix.stories:
            story(stage)
        for day in range(-self._mix.history, self._mix.days):
            everyday.day(stage.at(day))
            yield from log.take(stage.at(day))
        yield from log.take(stage.end)
        self._forget_later(stage.end - LAST_LINE)

    def _forget_later(self, end: float) -> None:
        for record in self.truth.records:
            record.clients = {name: at for name, at in record.clients.items() if at < end}
            record.accounts = {name: at for name, at in record.accounts.items() if at < end}
        for attack in self.truth.attacks:
            attack.victims = {name: at for name, at in attack.victims.items() if at < end}


def write(mix: Mix, folder: Path) -> None:
    """Leave in `folder` the log of a mix, its truth, and the settings that its admin would make:
    the domain, the own network, who may send much, and the hosted filter."""
    folder.mkdir(parents=True, exist_ok=True)
    performance = Performance(mix)
    with (folder / "mail.log").open("wb") as file:
        file.writelines(performance.lines())
    truth.write(performance.truth, folder / "truth.jsonl")
    stage = performance.stage
    (folder / "mailwarden.toml").write_text(
        f'[site]\ndomains = ["{mix.nature.domain}"]\nbulk = {_list(stage.bulk)}\n'
        f'[network]\nown = ["{OWN}"]\nfilters = {_list(stage.filters)}\n'
    )


def _list(names: list[str]) -> str:
    """As TOML writes it."""
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"[{quoted}]"
