"""What a staged part of the day has at hand: the company, the day, and people of its own."""

from collections.abc import Iterable
from random import Random

from agents.demo import addresses
from agents.demo.addresses import Client
from agents.demo.company import Company, Person

HOUR = 3600.0


class Scene:
    """One day. Each person is cast once, so that no two stories are about the same mailbox;
    who is not cast may be one of many that an attacker tries."""

    def __init__(self, company: Company, midnight: float, day: int, random: Random) -> None:
        self.company = company
        self.midnight = midnight
        self.day = day
        self.random = random
        people = list(company.people)
        random.shuffle(people)
        self._cast, self._crowd = people[: len(people) // 4 * 3], people[len(people) // 4 * 3 :]

    def at(self, hour: float, seconds: float = 0.0) -> float:
        """Unix seconds of an hour of this day, and so many seconds more."""
        return self.midnight + hour * HOUR + seconds

    def person(self) -> Person:
        """Somebody who is in no other story of this day."""
        return self._cast.pop()

    def people(self, count: int) -> list[Person]:
        return [self.person() for _ in range(count)]

    def names(self, count: int) -> list[str]:
        """Up to so many mailboxes, each once: what an attacker found on a web page."""
        found = self.random.sample(self._crowd, min(count, len(self._crowd)))
        return [person.address for person in found]

    def attacker(self, number: int) -> Client:
        """Number `number` of this day, alone in its /24."""
        return addresses.attacker(number + 23 * self.day, 66 + self.day)

    def fail_submission(
        self,
        at: float,
        client: Client,
        account: str,
        password: str,
        *,
        known: bool = True,
    ) -> None:
        """An attempt at the submission port: Dovecot's auth process and Postfix both tell."""
        company = self.company
        company.dovecot.refuse_for_postfix(at + 0.1, client, account, password, known=known)
        company.mail.fail_login(at, client, account)


def subjects(clients: Iterable[Client]) -> tuple[str, ...]:
    """The clients as findings name them, each once."""
    return tuple(dict.fromkeys(client.subject for client in clients))
