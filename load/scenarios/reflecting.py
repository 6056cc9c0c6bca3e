"""Attacks: mail in our name, whose reports come to us (backscatter)."""

from load.scenarios.organisation import HOUR
from load.scenarios.stage import Stage
from load.scenarios.truth import Form


def _reports(stage: Stage, story: str, form: Form, count: int, hours: float) -> None:
    """Servers of others report to one of us on mail that somebody else sent in that name."""
    stage.begin(story)
    part = stage.attack("backscatter", form, story)
    reflectors = stage.innocent("servers that send reports to a victim of forgery")
    victim = stage.person().address
    first = stage.at(stage.days / 2, 7.0)
    servers = [
        stage.organisation.addresses.server(f"mx{n}.far{n}.example") for n in range(count // 2)
    ]
    for at in stage.times(first, min(first + hours * HOUR, stage.end), count):
        reflectors.bring(at, stage.random.choice(servers), "", [victim])
        part.molests(at, victim)


def joe_job(stage: Stage) -> None:
    _reports(stage, "a joe job: 600 reports to one address in two hours", "easy", 600, 2)


def joe_job_slowly(stage: Stage) -> None:
    _reports(stage, "a joe job: 90 reports to one address over two days", "slow", 90, 48)


def joe_job_small(stage: Stage) -> None:
    _reports(stage, "a joe job: 25 reports to one address in a day", "disguised", 25, 24)


def joe_job_invented(stage: Stage) -> None:
    """Forged senders that do not exist here: the reports are refused."""
    story = "a joe job in invented names of ours: 400 reports refused"
    stage.begin(story)
    reflectors = stage.innocent("servers that send reports to invented names")
    servers = [stage.organisation.addresses.server(f"mx{n}.near{n}.example") for n in range(120)]
    first = stage.at(stage.days / 3, 15.0)
    for at in stage.times(first, first + 5 * HOUR, 400):
        reflectors.refused(at, stage.random.choice(servers), "", stage.unheard_of(1))
