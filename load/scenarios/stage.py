"""What a story is told with: days, people, and lines whose authors are noted in the truth."""

from collections.abc import Iterable, Sequence
from random import Random

from agents.demo.addresses import Client
from load.scenarios.organisation import DAY, GIVEN, HOUR, Organisation, Person
from load.scenarios.servers.roles import Gateway, Recipients, Refusal, Transfer
from load.scenarios.truth import Attack, Form, Innocent, Noise, Record, Truth

FILTERED = 60  # messages a day that a hosted filter lets pass


class Part:
    """A part in a story: writes lines, and notes who took part from when on."""

    def __init__(self, stage: "Stage", record: Record) -> None:
        self.stage = stage
        self.record = record

    def note(self, at: float, client: Client) -> None:
        clients, name = self.record.clients, client.subject
        if not client.ip.startswith(("127.", "192.168.")):
            clients[name] = min(at, clients.get(name, at))

    def holds(self, at: float, account: str) -> None:
        """Of an attacker: it has the account from now on. Of an innocent: it is theirs."""
        accounts = self.record.accounts
        accounts[account] = min(at, accounts.get(account, at))

    # -- what they do ---------------------------------------------------------------------------

    def fail(
        self,
        at: float,
        client: Client,
        account: str,
        password: str,
        *,
        known: bool = True,
        service: str = "imap",
        gateway: Gateway | None = None,
    ) -> None:
        """A login that fails; `service` is imap, pop3 or submission."""
        self.note(at, client)
        gateway = gateway or self.stage.organisation.any_gateway()
        if service != "submission":
            gateway.boxes.fail_login(at, client, account, password, known=known, service=service)
        else:
            gateway.mail.fail_login(at, client, account, password, known=known)

    def login(
        self,
        at: float,
        client: Client,
        account: str,
        *,
        lasts: float = 0.0,
        service: str = "imap",
        gateway: Gateway | None = None,
    ) -> None:
        self.note(at, client)
        gateway = gateway or self.stage.organisation.any_gateway()
        gateway.boxes.login(at, client, account, lasts=lasts, service=service)

    def send(
        self, at: float, client: Client, account: str, recipients: Recipients, *, sender: str = ""
    ) -> None:
        """A message that is submitted with a login."""
        self.note(at, client)
        mail = self.stage.organisation.any_gateway().mail
        mail.accept(at, client, sender or account, recipients, login=account)

    def bring(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Recipients,
        *,
        refused: Sequence[str] = (),
    ) -> None:
        """A message from another server, for us or (from our own networks) for anybody."""
        self.note(at, client)
        mail = self.stage.organisation.any_gateway().mail
        mail.accept(at, client, sender, recipients, refused=refused)

    def refused(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        """A connection all of whose recipients are refused."""
        self.note(at, client)
        self.stage.organisation.any_gateway().mail.refuse(at, client, sender, recipients, why)

    def look(self, at: float, client: Client) -> None:
        self.note(at, client)
        self.stage.organisation.any_gateway().mail.look(at, client)


class Assault(Part):
    """An attacker's part."""

    record: Attack

    def molests(self, at: float, victim: str) -> None:
        """The address gets reports on mail that it never sent."""
        victims = self.record.victims
        victims[victim] = min(at, victims.get(victim, at))


class Stage:
    """Some days of an organisation. `random` is the story's own."""

    def __init__(self, organisation: Organisation, start: float, days: int, seed: int) -> None:
        self.organisation = organisation
        self.start = start
        self.days = days
        self.truth = Truth()
        self.bulk: list[str] = []  # mailboxes whose owner told the admin that they send much
        self.filters: list[str] = []  # addresses of the hosted filter, where there is one
        self._filtered: Transfer | None = None
        self._seed = seed
        self.random = Random(f"{seed} stage")
        self._cast = list(organisation.people)
        self.random.shuffle(self._cast)

    def begin(self, story: str) -> None:
        """Draw as this story does, whatever others drew before; only people and addresses are
        given out in turn."""
        self.random.seed(f"{self._seed} {story}")

    def behind_filter(self) -> Transfer:
        """One more gateway, to which a hosted filter delivers. Its ordinary mail is written when
        it is first asked for."""
        if self._filtered is None:
            self._filtered = self.organisation.gateway("gwf").mail
            part = self.innocent("everyday: the hosted filter in front of a gateway")
            hosts = [self.organisation.addresses.server(f"f{n}.filter.example") for n in range(3)]
            self.filters += [host.ip for host in hosts]
            for day in range(self.days):
                for at in self.times(self.at(day, 5.0), self.at(day, 22.0), FILTERED):
                    domain, _ = self.organisation.partner()
                    host = self.random.choice(hosts)
                    part.note(at, host)
                    self._filtered.accept(at, host, f"office@{domain}", self.names(1))
        return self._filtered

    @property
    def end(self) -> float:
        return self.start + self.days * DAY

    def at(self, day: float, hour: float = 0.0, seconds: float = 0.0) -> float:
        """Unix seconds; the first day is 0."""
        return self.start + day * DAY + hour * HOUR + seconds

    def workdays(self) -> Iterable[int]:
        """The days that are no weekend, from the first on."""
        return (day for day in range(self.days) if int(self.at(day) // DAY + 3) % 7 < 5)

    def person(self) -> Person:
        """Somebody whom no other story is about."""
        return self._cast.pop()

    def names(self, count: int) -> list[str]:
        """So many mailboxes, each once: a list that an attacker bought."""
        everyone = [person.address for person in self.organisation.people]
        return self.random.sample(everyone, min(count, len(everyone)))

    def invented(self, count: int) -> list[str]:
        """So many addresses of ours that nobody has."""
        words = ("test", "admin", "info1", "postgres", "user", "mail", "demo", "root", "shop", "it")
        found = [f"{self.random.choice(words)}{n if n >= len(words) else ''}" for n in range(count)]
        return list(dict.fromkeys(f"{name}@{self.organisation.domain}" for name in found))

    def unheard_of(self, count: int) -> list[str]:
        """So many likely addresses of ours that nobody has, as a dictionary of names gives."""
        random, domain = self.random, self.organisation.domain
        return [
            f"{random.choice(GIVEN)}{random.choice('abcdefghij')}{random.randrange(99)}@{domain}"
            for _ in range(count)
        ]

    def outside(self, count: int) -> list[str]:
        """So many recipients elsewhere."""
        return [
            f"user{self.random.randrange(90000)}@domain{self.random.randrange(900)}.example"
            for _ in range(count)
        ]

    def times(self, first: float, last: float, count: int) -> list[float]:
        """So many moments between two, in order."""
        return sorted(first + self.random.random() * (last - first) for _ in range(count))

    def attack(self, group: str, form: Form, story: str) -> Assault:
        record = Attack(group=group, form=form, story=story)
        self.truth.attacks.append(record)
        return Assault(self, record)

    def innocent(self, story: str, *people: Person) -> Part:
        record = Innocent(story=story)
        self.truth.innocents.append(record)
        part = Part(self, record)
        for person in people:
            part.holds(self.start, person.address)
        return part

    def noise(self, story: str) -> Part:
        record = Noise(story=story)
        self.truth.noise.append(record)
        return Part(self, record)
