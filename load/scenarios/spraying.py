"""Attacks: a botnet tries few passwords from each of its many members."""

from load.scenarios.organisation import HOUR
from load.scenarios.stage import Stage
from load.scenarios.truth import Form


def spray(stage: Stage, members: int, hours: float, tries: int, day: float) -> None:
    """Members take turns over mailboxes with a few usual passwords."""
    story = f"a spray: {members} members, {tries} tries each in {hours:g} h"
    stage.begin(story)
    form: Form = "easy" if hours < 4 else "slow" if hours > 30 else "spread"
    part = stage.attack("spray", form, story)
    bots = stage.organisation.addresses.bots(members)
    names = stage.names(len(stage.organisation.people))
    first = stage.at(day, 0.5)
    last = min(first + hours * HOUR, stage.end)
    for bot in bots:
        service = stage.random.choice(("imap", "submission", "submission"))
        for at in stage.times(first, last, tries):
            password = stage.random.choice(("Welcome1", "Company2026", "Spring2026!"))
            part.fail(at, bot, stage.random.choice(names), password, service=service)


def half_unknown(stage: Stage, members: int, hours: float, day: float) -> None:
    """The list is old: half of its names are nobody's."""
    story = f"a spray with an old list: {members} members in {hours:g} h"
    stage.begin(story)
    part = stage.attack("spray", "disguised", story)
    bots = stage.organisation.addresses.bots(members)
    names, invented = stage.names(60), stage.invented(80)
    first = stage.at(day, 6.0)
    last = min(first + hours * HOUR, stage.end)
    for bot in bots:
        for at in stage.times(first, last, stage.random.choice((1, 1, 2))):
            known = stage.random.random() < 0.5
            name = stage.random.choice(names if known else invented)
            part.fail(at, bot, name, f"x{stage.random.getrandbits(30):x}", known=known)


def in_office_hours(stage: Stage, members: int) -> None:
    """Only between 8 and 17 on workdays, where most mistakes of people are."""
    story = f"a spray in office hours only: {members} members over the days"
    stage.begin(story)
    part = stage.attack("spray", "disguised", story)
    bots = stage.organisation.addresses.bots(members)
    names = stage.names(len(stage.organisation.people))
    days = list(stage.workdays())
    for bot in bots:
        at = stage.at(stage.random.choice(days), 8 + stage.random.random() * 9)
        name = stage.random.choice(names)
        part.fail(at, bot, name, "Autumn2025", service="submission")
        if stage.random.random() < 0.4:
            part.fail(at + 9, bot, name, "Autumn2026", service="submission")


def at_one_account(stage: Stage, members: int, hours: float) -> None:
    story = f"one mailbox guessed at by {members} members in {hours:g} h"
    stage.begin(story)
    part = stage.attack("one account by many", "easy" if hours < 12 else "slow", story)
    victim = stage.person().address
    first = stage.at(stage.days / 3, 2.0)
    last = min(first + hours * HOUR, stage.end)
    for bot in stage.organisation.addresses.bots(members):
        for at in stage.times(first, last, stage.random.choice((1, 2, 2))):
            part.fail(at, bot, victim, f"p{stage.random.getrandbits(30):x}")


def stuffing(stage: Stage) -> None:
    """A leaked list: each mailbox once, with the password that its owner had elsewhere."""
    story = "a leaked list from one host: each mailbox once, in two hours"
    stage.begin(story)
    part = stage.attack("stuffing", "easy", story)
    host, names = stage.organisation.addresses.hosted(), stage.names(80)
    first = stage.at(stage.days / 2, 22.0)
    for name, at in zip(names, stage.times(first, first + 2 * HOUR, 80), strict=False):
        part.fail(at, host, name, f"own{stage.random.getrandbits(40):x}", service="submission")


def stuffing_slowly(stage: Stage) -> None:
    story = "a leaked list from one host: each mailbox once, over all days"
    stage.begin(story)
    part = stage.attack("stuffing", "slow", story)
    host, names = stage.organisation.addresses.hosted(), stage.names(60)
    for name, at in zip(names, stage.times(stage.at(0, 3), stage.end, 60), strict=False):
        part.fail(at, host, name, f"own{stage.random.getrandbits(40):x}")


def stuffing_through_proxies(stage: Stage, members: int = 120) -> None:
    """Each member tries one mailbox once. Two passwords are right; their mailboxes are read."""
    story = f"a leaked list through {members} proxies; two passwords are right"
    stage.begin(story)
    part = stage.attack("stuffing", "spread", story)
    names = stage.names(members)
    first = stage.at(stage.days / 2, 4.0)
    bots = stage.organisation.addresses.bots(members)
    for n, (bot, at) in enumerate(
        zip(bots, stage.times(first, first + 8 * HOUR, members), strict=True)
    ):
        name = names[n % len(names)]
        if n in (members // 3, members // 2):
            account = stage.person().address
            part.login(at, bot, account, lasts=40)
            part.holds(at, account)
        else:
            part.fail(at, bot, name, f"own{stage.random.getrandbits(40):x}")
