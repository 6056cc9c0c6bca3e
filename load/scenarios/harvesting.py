"""Attacks: who is known here, who gets our reports, and whom we relay for."""

from agents.demo.addresses import Client
from load.scenarios.organisation import GIVEN, HOUR
from load.scenarios.stage import Stage
from load.scenarios.truth import Form

DENIED = "554 5.7.1 <{}>: Relay access denied"


def _guessed(stage: Stage, count: int) -> list[str]:
    """Likely addresses that nobody has."""
    random = stage.random
    return [
        f"{random.choice(GIVEN)}{random.choice('abcdefghij')}{random.randrange(99)}"
        f"@{stage.organisation.domain}"
        for _ in range(count)
    ]


def harvest(stage: Stage) -> None:
    story = "a directory harvest: 300 names in ten connections"
    stage.begin(story)
    part = stage.attack("harvest", "easy", story)
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 4.0)
    for n in range(10):
        part.refused(first + n * 90, host, "a@mailer.example", _guessed(stage, 30))


def harvest_slowly(stage: Stage) -> None:
    story = "a directory harvest: one name in six minutes for days"
    stage.begin(story)
    part = stage.attack("harvest", "slow", story)
    host, at = stage.organisation.addresses.hosted(), stage.at(stage.days / 4, 2.0)
    while at < stage.end:
        part.refused(at, host, f"n{int(at) % 97}@mailer.example", _guessed(stage, 1))
        at += 240 + stage.random.random() * 240


def harvest_spread(stage: Stage, members: int = 80) -> None:
    story = f"a directory harvest by {members} members, five names each in a day"
    stage.begin(story)
    part = stage.attack("harvest", "spread", story)
    first = stage.at(stage.days / 2, 1.0)
    last = min(first + 24 * HOUR, stage.end)
    for bot in stage.organisation.addresses.bots(members):
        for at in stage.times(first, last, 5):
            part.refused(at, bot, f"k{stage.random.randrange(900)}@mailer.example",
                         _guessed(stage, 1))  # fmt: skip


def harvest_with_mail(stage: Stage) -> None:
    """Spam to a list half of which is guessed: known recipients get it."""
    story = "a directory harvest within spam: each message to one known, four guessed"
    stage.begin(story)
    part = stage.attack("harvest", "disguised", story)
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 12.0)
    for at in stage.times(first, first + 3 * HOUR, 40):
        to = [stage.organisation.someone().address]
        part.bring(at, host, "deals@shopping.example", to, refused=_guessed(stage, 4))


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
        reflectors.refused(at, stage.random.choice(servers), "", _guessed(stage, 1))


def relay_probe(stage: Stage) -> None:
    story = "a relay probe: twelve forms of address in a minute"
    stage.begin(story)
    part = stage.attack("relay probe", "easy", story)
    host, at = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 6.0)
    ours = stage.organisation.domain
    for n, to in enumerate(
        ("probe@test.example", f"probe%test.example@{ours}", "test.example!probe",
         f"probe@test.example@{ours}", '"probe@test.example"', f"@{ours}:probe@test.example")
    ):  # fmt: skip
        for sender in ("", f"postmaster@{ours}"):
            part.refused(at + n * 5, host, sender, [to], DENIED)


def relay_slowly(stage: Stage) -> None:
    story = "a relay probe: two tries a day to a mailbox elsewhere"
    stage.begin(story)
    part = stage.attack("relay probe", "slow", story)
    host, at = stage.organisation.addresses.hosted(), stage.at(0, 3.0)
    while at < stage.end:
        part.refused(at, host, "probe@relay.example", ["probe@box.example"], DENIED)
        at += 10 * HOUR + stage.random.random() * 4 * HOUR


def relay_spread(stage: Stage) -> None:
    story = "a relay probe by 30 hosts of one /24, one try each in a night"
    stage.begin(story)
    part = stage.attack("relay probe", "spread", story)
    hosts: list[Client] = stage.organisation.addresses.rented(30)
    first = stage.at(stage.days / 2, 0.0)
    for host, at in zip(hosts, stage.times(first, first + 6 * HOUR, 30), strict=True):
        part.refused(at, host, "check@mail.example", ["box77@free.example"], DENIED)
