"""Every day: people read and write mail, others write to them, and the noise of the Internet."""

from random import Random

from agents.demo.addresses import Client
from agents.demo.postfix_lines import Outcome, bounced, exchanger_of
from load.scenarios.organisation import DAY, HOUR, Organisation, Person
from load.scenarios.stage import Stage

NAMES = ("office", "info", "sales", "support", "billing", "hr", "press", "desk")


class Everyday:
    """The days of an organisation, one at a time."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._people = stage.innocent("everyday: people at work", *stage.organisation.people)
        self._partners = stage.innocent("everyday: other mail servers")
        self._noise = stage.noise("hosts on block lists, and passers-by")

    def day(self, midnight: float) -> None:
        stage = self._stage
        stage.begin(f"day {midnight}")
        organisation = stage.organisation
        weekend = int(midnight // DAY + 3) % 7 >= 5
        busy = 0.12 if weekend else 1.0
        for person in organisation.people:
            works = stage.random.random() < busy
            self._phone(midnight, person, works=works)
            if works:
                self._desk(midnight, person)
                self._writes(midnight, person)
        mails = len(organisation.people) * organisation.nature.mail * max(busy, 0.3)
        for _ in range(int(mails * 11)):
            self._is_written_to(midnight)
        for _ in range(int(len(organisation.people) * 1.2)):
            self._passes_by(midnight)

    def _phone(self, midnight: float, person: Person, *, works: bool) -> None:
        """It looks while its owner is awake: at home by WLAN, else by the carrier's network, or
        that of the office."""
        random = self._stage.random
        hour = person.starts - 2 + random.random()
        while hour < person.starts + 15:
            client = person.home
            if works and person.starts - 0.7 < hour < person.ends + 0.7:
                inside = person.starts < hour < person.ends
                client = person.desk if inside and random.random() < 0.7 else person.carrier
            elif random.random() < 0.2:
                client = person.carrier
            self._session(midnight + hour * HOUR, client, person, 1 + random.random() * 9)
            hour += person.restless * (0.5 + random.random())

    def _desk(self, midnight: float, person: Person) -> None:
        random = self._stage.random
        hour = person.starts + random.random() * 0.3
        if random.random() < 0.02:
            for attempt in range(random.choice((1, 1, 1, 2, 2, 3))):
                at = midnight + hour * HOUR - 60 + attempt * 14
                self._people.fail(at, person.desk, person.address, f"tyop{attempt}")
        while hour < person.ends:
            lasts = (0.3 + random.random() * 2) * HOUR
            self._session(midnight + hour * HOUR, person.desk, person, lasts)
            hour += lasts / HOUR + random.random() * 0.5

    def _session(self, at: float, client: Client, person: Person, lasts: float) -> None:
        gateway = self._stage.organisation.gateways[person.gateway]
        self._people.login(at, client, person.address, lasts=lasts, gateway=gateway)

    def _writes(self, midnight: float, person: Person) -> None:
        random, organisation = self._stage.random, self._stage.organisation
        for _ in range(
            int(random.expovariate(1 / 7) * person.diligence * organisation.nature.mail)
        ):
            at = midnight + (person.starts + random.random() * 8) * HOUR
            if random.random() < 0.45:
                count = random.choice((1, 1, 1, 2, 3, 6))
                to = sorted({organisation.someone().address for _ in range(count)})
                self._people.send(at, person.desk, person.address, to)
            else:
                self._people.send(at, person.desk, person.address, [_outside(organisation, random)])

    def _is_written_to(self, midnight: float) -> None:
        random, organisation = self._stage.random, self._stage.organisation
        hour = random.random() * 24 if random.random() < 0.2 else random.gauss(13, 3) % 24
        at = midnight + hour * HOUR
        to = organisation.someone().address
        if random.random() < 0.25:
            client = random.choice(organisation.provider)
            sender = f"customer{random.randrange(5000)}@bigpost.example"
        else:
            domain, client = organisation.partner()
            sender = f"{random.choice(NAMES)}@{domain}"
        chance = random.random()
        if chance < 0.008:
            wrong = random.choice(organisation.departed) if chance < 0.004 else f"x{to}"
            self._partners.refused(at, client, sender, [wrong])
        elif chance < 0.012:  # a report on a mail of ours
            self._partners.bring(at, client, "", [to])
        else:
            self._partners.bring(at, client, sender, [to])

    def _passes_by(self, midnight: float) -> None:
        random, organisation = self._stage.random, self._stage.organisation
        at = midnight + random.random() * DAY
        to = organisation.someone().address
        chance = random.random()
        if chance < 0.3:
            domain, client = organisation.partner()
            self._partners.refused(at, client, f"{NAMES[0]}@{domain}", [to], "greylisted")
            self._partners.bring(at + 400, client, f"{NAMES[0]}@{domain}", [to])
            return
        client = organisation.addresses.bots(1)[0]
        if chance < 0.8:
            sender = f"offer@shop{random.randrange(90)}.example"
            self._noise.refused(at, client, sender, [to], "listed")
        else:
            self._noise.look(at, client)


def _outside(organisation: Organisation, random: Random) -> str | tuple[str, Outcome]:
    """Somebody elsewhere; one in seventy is mistyped, one in seventy not to be reached now."""
    domain, _ = organisation.partner()
    recipient = f"{random.choice(NAMES)}@{domain}"
    chance = random.random()
    if chance < 0.015:
        return f"x{recipient}", bounced(f"x{recipient}")
    if chance < 0.03:
        relay = exchanger_of(domain)
        reason = f"connect to {relay}: Connection timed out"
        return recipient, Outcome("none", "deferred", "4.4.1", reason)
    return recipient
