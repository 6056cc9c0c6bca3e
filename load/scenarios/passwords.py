"""Innocents: people and devices whose password is wrong."""

from load.scenarios.organisation import HOUR, Person
from load.scenarios.stage import Part, Stage


def _keeps_trying(
    part: Part, stage: Stage, person: Person, first: float, last: float, pace: float
) -> None:
    """A phone with the old password: always the same one, from where it is."""
    at = first
    gateway = stage.organisation.gateways[person.gateway]
    while at < min(last, stage.end):
        hour = (at - stage.start) / HOUR % 24
        abroad = person.starts - 0.7 < hour < person.ends + 0.7
        client = person.carrier if abroad and stage.random.random() < 0.6 else person.home
        part.fail(at, client, person.address, "old-secret", gateway=gateway)
        at += pace * (0.7 + 0.6 * stage.random.random())


def stale_phone(stage: Stage) -> None:
    story = "a phone keeps its old password for days"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    _keeps_trying(part, stage, person, stage.at(stage.days / 4, 9), stage.end, 900)


def stale_tablets(stage: Stage) -> None:
    story = "a household with three tablets that keep an old password, POP3 and IMAP"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    for pace, service in ((300, "imap"), (600, "pop3"), (1200, "submission")):
        at = stage.at(stage.days / 2, 8, pace)
        while at < stage.end:
            part.fail(at, person.home, person.address, "old-secret", service=service)
            at += pace


def change_day(stage: Stage) -> None:
    """Everybody gets a new password on one morning; devices learn it one after the other."""
    story = "the day on which all passwords change"
    stage.begin(story)
    people = stage.organisation.people
    part = stage.innocent(story, *people)
    day = stage.at(stage.days // 2)
    for person in people:
        changed = day + (person.starts + stage.random.random()) * HOUR
        learned = changed + stage.random.expovariate(1 / 2) * HOUR
        _keeps_trying(part, stage, person, changed, learned, 600)
        for attempt in range(stage.random.choice((0, 0, 1, 2, 4))):
            when = changed + 120 + attempt * 15
            part.fail(when, person.desk, person.address, f"new{attempt}", service="submission")
        part.login(changed + 300, person.desk, person.address)


def monday(stage: Stage) -> None:
    """After the weekend some forgot; all of them sit behind the office's address."""
    story = "a Monday morning at the office: forgotten passwords"
    stage.begin(story)
    people = [stage.person() for _ in range(min(14, len(stage.organisation.people) // 6))]
    part = stage.innocent(story, *people)
    days = [day for day in stage.workdays() if int(stage.at(day) // 86400 + 3) % 7 == 0]
    for person in people:
        at = stage.at(days[0] if days else 0, 7.8 + stage.random.random())
        for attempt in range(stage.random.choice((2, 3, 3, 5))):
            part.fail(at + attempt * 17, stage.organisation.office, person.address, f"hm{attempt}")
        part.login(at + 120, stage.organisation.office, person.address, lasts=3600)


def forgotten(stage: Stage) -> None:
    story = "somebody tries all passwords that he ever had, then calls for help"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    at = stage.at(stage.days / 2, 18.0)
    for attempt in range(14):
        part.fail(at + attempt * 22, person.home, person.address, f"mine{attempt}")
    part.login(at + 5400, person.home, person.address, lasts=100)


def password_manager(stage: Stage) -> None:
    story = "a password manager fills in the logins of other sites"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    at = stage.at(stage.days / 2, 10.5)
    domain = stage.organisation.domain
    name = person.address.partition("@")[0]
    for n, login in enumerate(
        (f"{name[0]}{name[-4:]}@{domain}", f"{name}1@{domain}", person.address)
    ):
        for attempt in range(3):
            when = at + n * 40 + attempt * 4
            part.fail(when, person.home, login, f"site{attempt}", known=login == person.address)
    part.login(at + 300, person.home, person.address, lasts=900)


def mistyped_login(stage: Stage) -> None:
    story = "a new telephone set up with a mistyped login: it tries all day"
    stage.begin(story)
    person = stage.person()
    part = stage.innocent(story, person)
    at = stage.at(stage.days / 2, 12.0)
    while at < min(stage.end, stage.at(stage.days / 2, 22.0)):
        part.fail(at, person.home, f"x{person.address}", "correct-one", known=False)
        at += 420


def departed(stage: Stage) -> None:
    story = "a phone of somebody who has left: its account is gone"
    stage.begin(story)
    part = stage.innocent(story)
    client, gone = stage.organisation.addresses.household(), stage.organisation.departed[0]
    at = stage.at(0, 0.5)
    while at < stage.end:
        part.fail(at, client, gone, "was-right-once", known=False)
        at += 1800


def directory_outage(stage: Stage) -> None:
    """The directory answers, but has lost its entries: nobody is known for 25 minutes."""
    story = "the directory is empty for 25 minutes: nobody can log in"
    stage.begin(story)
    people = stage.organisation.people
    part = stage.innocent(story, *people)
    first = stage.at(stage.days // 2, 11.0)
    for person in people:
        at = first + stage.random.random() * 120
        while at < first + 1500:
            service = stage.random.choice(("imap", "imap", "submission"))
            part.fail(at, person.desk, person.address, "right", known=False, service=service)
            at += 60 + stage.random.random() * 300


def auth_server_down(stage: Stage) -> None:
    """The auth server itself is down; the logs say so."""
    story = "the auth server is down for 15 minutes"
    stage.begin(story)
    people = stage.organisation.people
    part = stage.innocent(story, *people)
    first = stage.at(stage.days // 2, 14.0)
    for person in people:
        gateway = stage.organisation.gateways[person.gateway]
        for at in stage.times(first, first + 900, 4):
            part.note(at, person.desk)
            if stage.random.random() < 0.5:
                gateway.boxes.not_ready(at, person.desk)
            else:
                gateway.mail.cannot_check(at, person.desk, person.address)
