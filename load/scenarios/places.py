"""Innocents: many people behind one address, and one person behind many."""

from load.scenarios.organisation import DAY, HOUR
from load.scenarios.stage import Stage


def campus(stage: Stage) -> None:
    """A training centre: thirty of ours behind one address; some mistype."""
    story = "thirty people behind one address at a training, mistakes included"
    stage.begin(story)
    people = stage.random.sample(stage.organisation.people, 30)
    part, place = stage.innocent(story, *people), stage.organisation.addresses.place()
    day = stage.at(stage.days // 2)
    for person in people:
        at = day + (9 + stage.random.random() * 0.7) * HOUR
        for attempt in range(stage.random.choice((0, 0, 1, 1, 2, 3))):
            part.fail(at - 70 + attempt * 15, place, person.address, f"hm{attempt}")
        while at < day + 17 * HOUR:
            part.login(at, place, person.address, lasts=60)
            at += (0.5 + stage.random.random()) * HOUR


def traveller(stage: Stage) -> None:
    """A week from train to hotel to airport, each with its own address, and mail from there."""
    story = "a traveller: hotels, trains and carriers of three countries"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    at = stage.at(stage.days / 3, 6.0)
    while at < stage.end:
        place = stage.organisation.addresses.place()
        if stage.random.random() < 0.5:
            place = stage.organisation.addresses.bots(1)[0]
        for when in stage.times(at, at + 5 * HOUR, 8):
            part.login(when, place, person.address, lasts=30)
        for when in stage.times(at, at + 5 * HOUR, 6):
            part.send(when, place, person.address, stage.outside(1))
        if stage.random.random() < 0.3:
            part.fail(at - 20, place, person.address, "tyop")
        at += 6 * HOUR


def commuter_behind_proxy(stage: Stage) -> None:
    story = "a privacy service gives a phone another address for each connection"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    for day in range(stage.days):
        for at in stage.times(stage.at(day, 7), stage.at(day, 22), 25):
            part.login(at, stage.organisation.addresses.hosted(), person.address, lasts=5)


def mover(stage: Stage) -> None:
    story = "somebody moves to another country for good"
    stage.begin(story)
    person = stage.person()
    part, flat = stage.innocent(story, person), stage.organisation.addresses.bots(1)[0]
    at = stage.at(stage.days / 2, 15.0)
    while at < stage.end:
        part.login(at, flat, person.address, lasts=900)
        if stage.random.random() < 0.3:
            part.send(at + 60, flat, person.address, stage.outside(1))
        at += 1.5 * HOUR


def migration(stage: Stage) -> None:
    """A tool copies all mailboxes; a tenth of the passwords on its list are old."""
    story = "a migration tool logs in to 60 mailboxes, six with old passwords"
    stage.begin(story)
    part, host = stage.innocent(story), stage.organisation.addresses.hosted()
    at = stage.at(stage.days // 2, 1.0)
    for n, name in enumerate(stage.names(60)):
        if n % 10 == 7:
            for retry in range(3):
                part.fail(at + retry * 10, host, name, "old-one")
        else:
            part.login(at, host, name, lasts=200)
        at += 60


def merger(stage: Stage) -> None:
    """Forty people of another firm come: they log in with their old names first."""
    story = "a merger: forty people at a new site use their old logins at first"
    stage.begin(story)
    people = stage.random.sample(stage.organisation.people, min(40, len(stage.organisation.people)))
    part, site = stage.innocent(story, *people), stage.organisation.addresses.place()
    day = stage.at(stage.days // 2)
    for person in people:
        at = day + (8 + stage.random.random() * 2) * HOUR
        old = person.address.replace("@", "@old-")
        for attempt in range(stage.random.choice((1, 2, 3))):
            part.fail(at + attempt * 30, site, old, "right", known=False, service="submission")
        part.login(at + 200, site, person.address, lasts=3600)
        part.send(at + 900, site, person.address, [stage.organisation.someone().address])


def monitoring(stage: Stage) -> None:
    """A probe every two minutes; the password of its IMAP check was changed half way."""
    story = "monitoring whose password has expired"
    stage.begin(story)
    part, person = stage.innocent(story), stage.person()
    probe, at = stage.organisation.addresses.server("probe.uptime.example"), stage.at(0, 0.1)
    while at < stage.end:
        part.look(at, probe)
        if at < stage.at(stage.days / 2):
            part.login(at + 1, probe, person.address, lasts=1)
        else:
            part.fail(at + 1, probe, person.address, "probe-secret")
        at += 300


def scanner(stage: Stage) -> None:
    """It sends what it scanned, and knows only the password before last."""
    story = "an office scanner with an old password"
    stage.begin(story)
    part = stage.innocent(story)
    person, office = stage.person(), stage.organisation.office
    for day in stage.workdays():
        for at in stage.times(stage.at(day, 8), stage.at(day, 17), 20):
            part.fail(at, office, person.address, "scan-2024", service="submission")


def webmail(stage: Stage) -> None:
    """Its users' mistakes all come from its own address."""
    story = "a webmail server elsewhere: mistakes of all its users"
    stage.begin(story)
    part, host = stage.innocent(story), stage.organisation.addresses.server("webmail.host.example")
    people = stage.organisation.people[: len(stage.organisation.people) // 2]
    for day in range(stage.days):
        midnight = stage.at(day)
        for person in people:
            at = midnight + (person.starts + stage.random.random() * 8) * HOUR
            for attempt in range(stage.random.choice((0,) * 12 + (1, 1, 2))):
                part.fail(at - 40 + attempt * 12, host, person.address, f"oh{attempt}")
            for when in stage.times(at, min(at + 4 * HOUR, midnight + DAY + 8 * HOUR), 4):
                part.login(when, host, person.address, lasts=4)
