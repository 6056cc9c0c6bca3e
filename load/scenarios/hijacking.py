"""Attacks: an account in other hands, and what is done with it."""

from collections.abc import Sequence

from agents.demo.addresses import Client
from agents.demo.postfix_lines import Outcome, bounced
from load.scenarios.organisation import HOUR, Person
from load.scenarios.stage import Part, Stage

Recipients = Sequence[str | tuple[str, Outcome]]


def _addressed(stage: Stage, count: int, dead: float) -> Recipients:
    """Strangers, of whom a share is not known to their servers."""
    return [
        (to, bounced(to)) if stage.random.random() < dead else to for to in stage.outside(count)
    ]


def _spam(
    stage: Stage,
    part: Part,
    victim: Person,
    clients: Sequence[Client],
    times: Sequence[float],
    *,
    each: int,
    dead: float,
    forged: bool = False,
) -> None:
    """A message at each time with `each` recipients, clients in turn."""
    for n, at in enumerate(times):
        if at > stage.end:
            return
        sender = f"accounts{n % 40}@bank{n % 9}.example" if forged else ""
        recipients = _addressed(stage, each, dead)
        part.send(at, clients[n % len(clients)], victim.address, recipients, sender=sender)
        part.holds(at, victim.address)


def after_guessing(stage: Stage) -> None:
    story = "40 guesses, one right, then 600 spams in an hour"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "easy", story), stage.person()
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 9.5)
    for n in range(40):
        part.fail(first + n * 20, host, victim.address, f"Pass{n}", service="submission")
    opened = first + 900
    part.login(opened, host, victim.address, lasts=20)
    part.holds(opened, victim.address)
    _spam(
        stage, part, victim, [host], stage.times(opened + 300, opened + 3900, 40), each=15, dead=0.2
    )


def phished_burst(stage: Stage) -> None:
    story = "phished, no failure: 1,200 spams in an hour at night, many bounce"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "easy", story), stage.person()
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 2.3)
    _spam(stage, part, victim, [host], stage.times(first, first + 3600, 60), each=20, dead=0.25)


def phished_in_hours(stage: Stage) -> None:
    story = "phished: 120 spams an hour in office hours, one recipient each, no bounce"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "disguised", story), stage.person()
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days // 2, 9.3)
    _spam(stage, part, victim, [host], stage.times(first, first + 4 * HOUR, 480), each=1, dead=0)


def phished_drip(stage: Stage) -> None:
    story = "phished: eight spams an hour for days, from one host abroad"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "slow", story), stage.person()
    host, first = stage.organisation.addresses.bots(1)[0], stage.at(stage.days / 3, 1.0)
    count = int((stage.end - first) / HOUR * 8)
    _spam(stage, part, victim, [host], stage.times(first, stage.end, count), each=1, dead=0.08)


def phished_many_clients(stage: Stage) -> None:
    story = "phished: 60 members of a botnet send 5 messages each in six hours"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "spread", story), stage.person()
    bots, first = stage.organisation.addresses.bots(60), stage.at(stage.days / 2, 11.0)
    _spam(stage, part, victim, bots, stage.times(first, first + 6 * HOUR, 300), each=3, dead=0.1)


def phished_forged(stage: Stage) -> None:
    story = "phished: 200 mails in the names of banks, in two hours"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "disguised", story), stage.person()
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 15.0)
    times = stage.times(first, first + 2 * HOUR, 200)
    _spam(stage, part, victim, [host], times, each=1, dead=0.05, forged=True)


def phishes_colleagues(stage: Stage) -> None:
    """The next step of most break-ins: the same mail to everybody inside."""
    story = "phished: 150 mails to colleagues in 20 minutes from a client abroad"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "disguised", story), stage.person()
    host, first = stage.organisation.addresses.bots(1)[0], stage.at(stage.days // 2, 10.2)
    part.login(first - 600, host, victim.address, lasts=200)
    for at in stage.times(first, first + 1200, 150):
        part.send(at, host, victim.address, [stage.organisation.someone().address])
        part.holds(at, victim.address)


def only_read(stage: Stage) -> None:
    """Nothing is sent: the mailbox is read from a second country, between the owner's logins."""
    story = "phished: read every hour from abroad for days, nothing sent"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "disguised", story), stage.person()
    host, at = stage.organisation.addresses.bots(1)[0], stage.at(stage.days / 2, 1.0)
    while at < stage.end:
        part.login(at, host, victim.address, lasts=8)
        part.holds(at, victim.address)
        at += 3000 + stage.random.random() * 1200


def infected_desktop(stage: Stage) -> None:
    """Malware with the stored password, from where its owner always is."""
    story = "malware on the owner's own machine: 500 spams in three hours"
    stage.begin(story)
    part, victim = stage.attack("hijacked", "disguised", story), stage.person()
    times = stage.times(stage.at(stage.days // 2, 19.0), stage.at(stage.days // 2, 22.0), 250)
    for at in times:
        mail = stage.organisation.gateways[victim.gateway].mail
        recipients = _addressed(stage, 2, 0.15)
        mail.accept(at, victim.home, victim.address, recipients, login=victim.address)
        part.holds(at, victim.address)


def infected_inside(stage: Stage) -> None:
    """A machine of our own network, which may relay without a login."""
    story = "an infected machine inside: 900 spams in invented names"
    stage.begin(story)
    part = stage.attack("infected", "easy", story)
    machine = Client("192.0.2.77", f"pc77.{stage.organisation.domain}", "pc77")
    first = stage.at(stage.days / 2, 13.0)
    for n, at in enumerate(stage.times(first, first + 3 * HOUR, 300)):
        part.bring(at, machine, f"winner{n}@lottery{n % 7}.example", _addressed(stage, 3, 0.2))


def infected_slow(stage: Stage) -> None:
    story = "an infected machine inside: twelve spams an hour in invented names, for days"
    stage.begin(story)
    part = stage.attack("infected", "slow", story)
    machine = Client("192.0.2.79", f"pc79.{stage.organisation.domain}", "pc79")
    first = stage.at(stage.days / 3, 8.0)
    count = int((stage.end - first) / HOUR * 12)
    for n, at in enumerate(stage.times(first, stage.end, count)):
        part.bring(at, machine, f"prize{n}@gifts{n % 5}.example", _addressed(stage, 1, 0.1))
