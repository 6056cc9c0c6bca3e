"""Attacks: which addresses exist here?"""

from load.scenarios.organisation import HOUR
from load.scenarios.stage import Stage


def harvest(stage: Stage) -> None:
    story = "a directory harvest: 300 names in ten connections"
    stage.begin(story)
    part = stage.attack("harvest", "easy", story)
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 4.0)
    for n in range(10):
        part.refused(first + n * 90, host, "a@mailer.example", stage.unheard_of(30))


def harvest_slowly(stage: Stage) -> None:
    story = "a directory harvest: one name in six minutes for days"
    stage.begin(story)
    part = stage.attack("harvest", "slow", story)
    host, at = stage.organisation.addresses.hosted(), stage.at(stage.days / 4, 2.0)
    while at < stage.end:
        part.refused(at, host, f"n{int(at) % 97}@mailer.example", stage.unheard_of(1))
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
                         stage.unheard_of(1))  # fmt: skip


def harvest_with_mail(stage: Stage) -> None:
    """Spam to a list half of which is guessed: known recipients get it."""
    story = "a directory harvest within spam: each message to one known, four guessed"
    stage.begin(story)
    part = stage.attack("harvest", "disguised", story)
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 12.0)
    for at in stage.times(first, first + 3 * HOUR, 40):
        to = [stage.organisation.someone().address]
        part.bring(at, host, "deals@shopping.example", to, refused=stage.unheard_of(4))
