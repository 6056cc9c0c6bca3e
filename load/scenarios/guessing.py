"""Attacks: passwords are guessed by one host, or by the addresses that one host has."""

from collections.abc import Sequence

from agents.demo.addresses import Client
from load.scenarios.organisation import DAY, HOUR
from load.scenarios.stage import Stage
from load.scenarios.truth import Form

SERVICES = ("imap", "submission", "pop3")


def _tries(
    stage: Stage,
    form: Form,
    story: str,
    clients: Sequence[Client],
    accounts: Sequence[str],
    *,
    first: float,
    pace: float,
    count: int,
    service: str = "imap",
    known: bool = True,
) -> None:
    """`count` tries about `pace` seconds apart, accounts and clients in turn."""
    stage.begin(story)
    part, at = stage.attack("guessing", form, story), first
    for n in range(count):
        if at > stage.end:
            return
        client, account = clients[n % len(clients)], accounts[n % len(accounts)]
        part.fail(at, client, account, f"Guess{n}!", known=known, service=service)
        at += pace * (0.6 + 0.8 * stage.random.random())


def one_account(stage: Stage) -> None:
    story = "200 passwords for one mailbox in half an hour"
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 3.1)
    _tries(stage, "easy", story, [host], stage.names(1), first=first, pace=9, count=200)


def dictionary(stage: Stage) -> None:
    story = "a dictionary over many mailboxes at submission, in an hour"
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 2, 1.4)
    names = stage.names(40)
    _tries(
        stage, "easy", story, [host], names, first=first, pace=30, count=120, service="submission"
    )


def unknown_names(stage: Stage) -> None:
    story = "usual names that nobody has here, at POP3, one in two minutes"
    host, first = stage.organisation.addresses.hosted(), stage.at(stage.days / 3, 5.2)
    names = stage.invented(60)
    _tries(
        stage, "easy", story, [host], names, first=first, pace=120, count=60, known=False,
        service="pop3",
    )  # fmt: skip


def half_hourly(stage: Stage) -> None:
    story = "one try every half hour for days, three mailboxes in turn"
    host, first = stage.organisation.addresses.hosted(), stage.at(0, 2.2)
    _tries(stage, "slow", story, [host], stage.names(3), first=first, pace=1800, count=400)


def every_four_hours(stage: Stage) -> None:
    story = "one try every four hours for days, another mailbox each time"
    host, first = stage.organisation.addresses.hosted(), stage.at(0, 1.2)
    names = stage.names(60)
    _tries(stage, "slow", story, [host], names, first=first, pace=4 * HOUR, count=400)


def below_the_limit(stage: Stage) -> None:
    """As tools do that know the usual limit of five in ten minutes."""
    story = "four tries, then twelve minutes of silence, for a day"
    stage.begin(story)
    part = stage.attack("guessing", "disguised", story)
    host, names = stage.organisation.addresses.hosted(), stage.names(12)
    first = stage.at(stage.days / 2, 0.5)
    for round_ in range(100):
        at = first + round_ * 720
        for attempt in range(4):
            when = at + attempt * 3
            if when < stage.end:
                part.fail(when, host, names[round_ % 12], f"Summer{round_}{attempt}")


def in_a_sixty_four(stage: Stage) -> None:
    story = "a new IPv6 address of one /64 for each of 150 tries"
    clients = stage.organisation.addresses.sixty_four(150)
    first, names = stage.at(stage.days / 2, 14.0), stage.names(50)
    _tries(stage, "disguised", story, clients, names, first=first, pace=40, count=150)


def with_own_account(stage: Stage) -> None:
    """It has a mailbox of its own here, and logs in to it now and then to look honest."""
    story = "guesses between logins to a mailbox that was taken over long ago"
    stage.begin(story)
    part = stage.attack("guessing", "disguised", story)
    host, names = stage.organisation.addresses.hosted(), stage.names(15)
    mule = stage.person()
    first = stage.at(stage.days / 2, 9.0)
    for n in range(90):
        at = first + n * 240
        if at > stage.end:
            break
        if n % 6 == 5:
            part.login(at, host, mule.address, lasts=3)
            part.holds(at, mule.address)
        else:
            part.fail(at, host, names[n % len(names)], f"Hello{n}")


def across_gateways(stage: Stage) -> None:
    """No gateway sees more than a few of them."""
    story = "a dictionary in turns over all gateways, one try in four minutes"
    stage.begin(story)
    part = stage.attack("guessing", "spread", story)
    host, names = stage.organisation.addresses.hosted(), stage.names(30)
    gateways = stage.organisation.gateways
    first = stage.at(stage.days / 2, 20.0)
    for n in range(60):
        at = first + n * 240
        if at < stage.end:
            part.fail(at, host, names[n % 30], f"W1nter{n}", gateway=gateways[n % len(gateways)])


def rented_network(stage: Stage) -> None:
    story = "40 machines of one rented /24, six tries each over a day"
    clients = stage.organisation.addresses.rented(40)
    first, names = stage.at(stage.days / 2, 2.0), stage.names(60)
    pace = min(DAY, stage.end - first) / 240
    _tries(stage, "spread", story, clients, names, first=first, pace=pace, count=240)
