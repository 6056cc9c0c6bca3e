"""Traffic of mail servers whose truth is known: the demo's day, and the load of benchmarks.

The same seed gives the same lines, byte for byte, in every run and on every machine.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from msgspec import Struct

from agents.demo import addresses, ordinary
from agents.demo.attacks import ATTACKS
from agents.demo.company import BULK, DOMAIN, HONEYPOTS, Company
from agents.demo.innocents import INNOCENTS
from agents.demo.log import Log, Stamp
from agents.demo.scene import Scene
from agents.demo.truth import Truth

DAY = 86400.0
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)

SETTINGS = f"""\
# The company of the demo.
[site]
domains = ["{DOMAIN}"]
honeypots = [{", ".join(f'"{name}"' for name in HONEYPOTS)}]
bulk = ["{BULK}@{DOMAIN}"]

[network]
filters = ["{addresses.FILTER}"]
"""


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be generated."""

    seed: int = 1
    scale: float = 1.0  # of the company: 1.0 is 360 people, about 100,000 lines a day
    days: int = 1
    first: datetime = MONDAY
    past: int = 8  # days before, of which only the logins are written
    stamp: Stamp = "iso"


class Traffic:
    """The lines of a plan. `truth` and `people` are known once the lines are taken."""

    def __init__(self, plan: Plan) -> None:
        self.truth = Truth.empty()
        self.people = 0
        self._plan = plan

    def lines(self) -> Iterator[bytes]:
        """All lines by time, each with its line end."""
        plan = self._plan
        log = Log(plan.stamp)
        company = Company(log, Random(f"{plan.seed} company"), plan.scale)
        self.people = len(company.people)
        start = plan.first.timestamp()
        ordinary.week_before(company, start, plan.past)
        for day in range(plan.days):
            midnight = start + day * DAY
            company.random.seed(f"{plan.seed} day {day}")
            ordinary.workday(company, midnight)
            self._stage(Scene(company, midnight, day, Random(f"{plan.seed} scene {day}")))
            yield from log.take(midnight + DAY)
        yield from log.take(float("inf"))

    def _stage(self, scene: Scene) -> None:
        known = {innocent.name for innocent in self.truth.innocents}
        self.truth.attacks += [attack(scene) for attack in ATTACKS]
        for play in INNOCENTS:
            innocent = play(scene)
            if innocent.name not in known:
                self.truth.innocents.append(innocent)
