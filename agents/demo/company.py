"""The company: its people, where they read their mail, and its four mail servers."""

from random import Random

from msgspec import Struct

from agents.demo import addresses
from agents.demo.addresses import Client
from agents.demo.dovecot_lines import Dovecot
from agents.demo.log import Log
from agents.demo.postfix_lines import Postfix

DOMAIN = "lindhafen.example"
BRANCH = "werft.lindhafen.example"  # relayed to a server of its own, whose mailboxes mx2 ignores
HONEYPOTS = ("scanner", "copier", "fax", "backup")
BULK = "news"
PEOPLE = 360

# fmt: off
_GIVEN = (
    "ada", "anton", "bea", "ben", "carla", "chris", "dana", "david", "edda", "elias", "fatma",
    "felix", "greta", "gustav", "hanna", "hugo", "ida", "ivan", "jana", "jonas", "kaja", "karl",
    "lena", "leo", "mara", "max", "nadia", "nils", "olga", "omar", "paula", "peter", "rita",
    "robin", "sara", "simon", "tara", "tom", "ursula", "viktor", "wanda", "willem", "yara",
    "yusuf", "zoe",
)
# fmt: on


class Person(Struct, frozen=True):
    """An employee. `starts` and `ends` are hours of the day; a night shift ends after 24."""

    number: int
    address: str
    desk: Client  # where the desktop program is: at the office or at home
    phone: Client
    starts: float
    ends: float


class Company:
    """Its people and its servers, which write to one log.

    ``mx1`` and ``mx2`` take mail from outside, ``mx3`` takes what a hosted filter lets pass,
    ``mail`` has submission and the mailboxes.
    """

    def __init__(self, log: Log, random: Random, scale: float = 1.0) -> None:
        self.random = random
        self.dovecot = Dovecot(log, "mail", random)
        self.mx1, self.mx2, self.mail = (
            Postfix(log, host, random, domain=DOMAIN, dovecot=self.dovecot)
            for host in ("mx1", "mx2", "mail")
        )
        self.mx3 = Postfix(log, "mx3", Random("mx3"), domain=DOMAIN, dovecot=self.dovecot)
        self.people = [_person(n, random) for n in range(max(60, round(PEOPLE * scale)))]
        self.departed = [f"{given}.old@{DOMAIN}" for given in _GIVEN]

    def mx(self) -> Postfix:
        """The one that the sender happened to choose."""
        return self.mx1 if self.random.random() < 0.55 else self.mx2

    def someone(self) -> Person:
        return self.random.choice(self.people)


def _person(number: int, random: Random) -> Person:
    given, round_ = _GIVEN[number % len(_GIVEN)], number // len(_GIVEN)
    address = f"{given}.{_letters(round_)}@{DOMAIN}"
    starts = random.gauss(8.2, 0.6)
    if number % 5 == 4:  # shifts
        starts = (5.8, 13.8, 21.8)[number // 5 % 3] + random.random() * 0.3
    at_home = number % 20 < 11
    phone = addresses.carrier(number) if number % 2 else addresses.phone(number)
    desk = addresses.home(number) if at_home else addresses.OFFICE
    return Person(number, address, desk, phone, starts, starts + 8 + random.random())


def _letters(number: int) -> str:
    return chr(97 + number) if number < 26 else _letters(number // 26 - 1) + chr(97 + number % 26)
