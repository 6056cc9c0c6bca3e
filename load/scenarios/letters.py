"""Innocents: those who write much, are written to much, or write to people who are gone."""

from agents.demo.postfix_lines import bounced
from load.scenarios.organisation import HOUR
from load.scenarios.stage import Stage


def newsletter_out(stage: Stage) -> None:
    story = "our monthly newsletter: 1,200 subscribers, one in thirty gone"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    first = stage.at(stage.days // 2, 10.0)
    stage.bulk.append(person.address)
    for at in stage.times(first, first + HOUR, 120):
        to = stage.outside(10)
        known = [(r, bounced(r)) if stage.random.random() < 0.033 else r for r in to]
        part.send(at, person.desk, person.address, known)


def seller(stage: Stage) -> None:
    story = "a seller writes to 150 prospects in two hours, one in nine bounces"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    first = stage.at(stage.days // 2, 13.0)
    for at in stage.times(first, first + 2 * HOUR, 150):
        to = stage.outside(1)[0]
        given = bounced(to) if stage.random.random() < 0.11 else None
        part.send(at, person.desk, person.address, [(to, given) if given else to])


def invitation(stage: Stage) -> None:
    story = "an invitation to everybody at once, from home in the evening"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    everyone = [one.address for one in stage.organisation.people]
    part.send(stage.at(stage.days // 2, 21.5), person.home, person.address, everyone)


def tickets(stage: Stage) -> None:
    """A ticket system answers and reminds all day and night, in the name of one mailbox."""
    story = "a ticket system that writes by day and night"
    stage.begin(story)
    part, person = stage.innocent(story), stage.person()
    part.holds(stage.start, person.address)
    host = stage.organisation.addresses.server("app.tickets.example")
    stage.bulk.append(person.address)
    for day in range(stage.days):
        for at in stage.times(stage.at(day), stage.at(day + 1), 160):
            part.send(at, host, person.address, stage.outside(1))


def newsletter_in(stage: Stage) -> None:
    """Somebody else's newsletter, to a list of ours that is years old."""
    story = "a newsletter to an old list of ours: half of it is gone"
    stage.begin(story)
    part = stage.innocent(story)
    host = stage.organisation.addresses.server("out1.letters.example")
    first = stage.at(stage.days // 2, 9.0)
    gone = set(stage.organisation.departed[:25])
    subscribers = [*sorted(gone), *stage.names(30)]
    stage.random.shuffle(subscribers)
    times = stage.times(first, first + 1200, len(subscribers))
    for n, (at, name) in enumerate(zip(times, subscribers, strict=True)):
        sender = f"bounce-{n}@letters.example"
        if name in gone:
            part.refused(at, host, sender, [name])
        else:
            part.bring(at, host, sender, [name])


def mailing_list(stage: Stage) -> None:
    story = "a mailing list with four members who are gone, six posts a day"
    stage.begin(story)
    part = stage.innocent(story)
    host = stage.organisation.addresses.server("lists.guild.example")
    members = stage.names(6)
    for day in range(stage.days):
        for n, at in enumerate(stage.times(stage.at(day, 7), stage.at(day, 22), 6)):
            part.bring(
                at, host, f"guild-bounces+{n}@lists.guild.example", members,
                refused=stage.organisation.departed[26:30],
            )  # fmt: skip


def provider(stage: Stage) -> None:
    """A big provider's servers bring the mistakes of thousands of customers."""
    story = "a big provider whose customers write to people who are gone"
    stage.begin(story)
    part = stage.innocent(story)
    for day in range(stage.days):
        for at in stage.times(stage.at(day, 6), stage.at(day, 23), 90):
            host = stage.random.choice(stage.organisation.provider)
            sender = f"customer{stage.random.randrange(5000)}@bigpost.example"
            if stage.random.random() < 0.35:
                wrong = stage.random.choice(stage.organisation.departed)
                part.refused(at, host, sender, [wrong])
            else:
                part.bring(at, host, sender, stage.names(1))


def callout(stage: Stage) -> None:
    """It asks with the null sender whether senders exist: spammers forge many of ours."""
    story = "a server that checks whether senders in our name exist"
    stage.begin(story)
    part = stage.innocent(story)
    host = stage.organisation.addresses.server("verify.antispam.example")
    for day in range(stage.days):
        for n, at in enumerate(stage.times(stage.at(day), stage.at(day + 1), 15)):
            part.refused(at, host, "", [f"forged{day}{n}@{stage.organisation.domain}"])


def old_partner(stage: Stage) -> None:
    story = "a partner still sends us mail for a domain that we gave up"
    stage.begin(story)
    part = stage.innocent(story)
    domain, host = stage.organisation.partners[3]
    for day in stage.workdays():
        for at in stage.times(stage.at(day, 7), stage.at(day, 19), 8):
            given_up = f"info@former-{stage.organisation.domain}"
            part.refused(at, host, f"office@{domain}", [given_up], "relay")


def forwarder(stage: Stage) -> None:
    """All mail goes on to a big provider that refuses some: reports go to the writers."""
    story = "a mailbox that forwards everything to a full one elsewhere"
    stage.begin(story)
    part, person = stage.innocent(story), stage.person()
    full = f"private{stage.random.randrange(900)}@bigpost.example"
    for day in range(stage.days):
        for at in stage.times(stage.at(day, 7), stage.at(day, 21), 20):
            domain, host = stage.organisation.partner()
            part.bring(at, host, f"sales@{domain}", [person.address, (full, bounced(full))])


def vacation(stage: Stage) -> None:
    story = "vacation replies of eight people for days"
    stage.begin(story)
    people = [stage.person() for _ in range(8)]
    stage.innocent(story, *people)
    for person in people:
        mail = stage.organisation.gateways[person.gateway].mail
        for day in range(stage.days):
            for at in stage.times(stage.at(day, 7), stage.at(day, 20), 7):
                mail.originate(at, "", stage.outside(1))


def own_list(stage: Stage) -> None:
    """The server's own list manager: reports on dead members come to its owner address."""
    story = "our own mailing list, whose dead members are reported to its owner"
    stage.begin(story)
    part, person = stage.innocent(story), stage.person()
    part.holds(stage.start, person.address)
    mail = stage.organisation.gateways[0].mail
    stage.bulk.append(person.address)
    members = stage.outside(40)
    reporters = [stage.organisation.addresses.server(f"mx.dead{n}.example") for n in range(5)]
    for day in stage.workdays():
        for at in stage.times(stage.at(day, 8), stage.at(day, 18), 3):
            mail.originate(at, person.address, members)
            for n, reporter in enumerate(reporters):
                part.bring(at + 60 + n * 20, reporter, "", [person.address])
