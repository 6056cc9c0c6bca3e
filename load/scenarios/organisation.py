"""An organisation: its people and their habits, its gateways, and the servers it deals with."""

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from agents.demo.addresses import Client
from agents.demo.log import Stamp
from agents.demo.postfix_lines import MAILBOXES, Outcome
from load.scenarios.addresses import Addresses
from load.scenarios.log import CarriedLog
from load.scenarios.servers import SERVERS
from load.scenarios.servers.roles import Gateway, House

OWN = "192.0.2.0/24"  # the network of its office
HOUR = 3600.0
DAY = 86400.0

# fmt: off
GIVEN = (
    "agnes", "albin", "amira", "bruno", "celia", "cyril", "dalia", "derek", "elsa", "emil",
    "farid", "fiona", "gerda", "henri", "ilse", "isak", "joana", "kamil", "lars", "lidia",
    "malik", "mona", "nele", "oskar", "petra", "quirin", "rafael", "rosa", "silas", "stella",
    "tamar", "theo", "uma", "vera", "walter", "xenia", "ylva", "zeno",
)
FAMILY = (
    "abel", "berg", "crane", "dahl", "eder", "frost", "grund", "holm", "iversen", "jansen",
    "kramer", "lund", "marsh", "noll", "orban", "pohl", "quist", "reuter", "sand", "thorn",
    "unger", "voss", "wolff", "zander",
)
# fmt: on


class Nature(Struct, frozen=True, kw_only=True):
    """What an organisation is like."""

    domain: str
    people: int = 120
    gateways: int = 1
    partners: int = 60  # organisations that it writes with
    mail: float = 1.0  # how much is written; 1 is seven mails sent, eleven received a day
    shifts: float = 0.15  # share of people who work in shifts
    remote: float = 0.4  # share that works at home
    zones: Sequence[int] = (0,)  # hours between our people's clocks and the servers'
    talkative: bool = True  # Dovecot says why a login failed, and a hash of the password
    stamp: Stamp = "iso"


class Person(Struct, frozen=True):
    """Hours are those of the servers; a night shift ends after 24."""

    address: str
    gateway: int
    desk: Client
    home: Client
    carrier: Client  # of the phone
    starts: float
    ends: float
    diligence: float  # how much this one writes, about 1
    restless: float  # hours between two looks of the phone


class Form(Struct, frozen=True):
    """What the gateways run (a name of SERVERS), what carries their lines (one of CARRIERS; empty:
    syslog, as the nature says), and how many digits of a second that tells."""

    server: str = "postfix"
    carrier: str = ""
    digits: int = 6


class Organisation:
    """Its people, gateways and partners. `log` is what all gateways write to.

    With a `form` their programs draw ids and sizes apart from all else: the same seed then has
    the same truth in every form.
    """

    def __init__(self, nature: Nature, seed: int, form: Form | None = None) -> None:
        random = Random(f"{seed} {nature.domain}")
        self._programs = random if form is None else Random(f"{seed} programs")
        self._form = form or Form()
        self.nature = nature
        self.random = random
        self.domain = nature.domain
        self.log = CarriedLog(self._form.carrier or nature.stamp, self._form.digits)
        self.addresses = Addresses(random)
        self.gateways = [self.gateway(f"gw{number + 1}") for number in range(nature.gateways)]
        self.office = Client("192.0.2.10", f"office.{self.domain}", "[192.168.20.31]")
        self._carriers = [self.addresses.carrier() for _ in range(max(4, nature.people // 25))]
        self.partners = [
            (f"partner{n}.example", self.addresses.server(f"mail.partner{n}.example"))
            for n in range(nature.partners)
        ]
        self.provider = [self.addresses.server(f"out-{n}.bigpost.example") for n in range(12)]
        self.people = [self._person(n) for n in range(nature.people)]
        self.departed = [f"{given}.former@{self.domain}" for given in GIVEN]

    def gateway(self, host: str) -> Gateway:
        """One of that name, which writes to the log."""
        nature = self.nature
        house = House(self.log, host, self._programs, nature.domain, nature.talkative)
        return SERVERS[self._form.server](house)

    def any_gateway(self) -> Gateway:
        return self.random.choice(self.gateways)

    def someone(self) -> Person:
        return self.random.choice(self.people)

    def partner(self) -> tuple[str, Client]:
        """A domain and its mail server; a few write most of the mail."""
        return self.partners[min(int(self.random.expovariate(0.08)), len(self.partners) - 1)]

    def inside(self, recipient: str) -> tuple[str, Outcome]:
        """A recipient of another domain whose mailbox is here all the same."""
        return recipient, Outcome(MAILBOXES)

    def _person(self, number: int) -> Person:
        random, nature = self.random, self.nature
        name = f"{GIVEN[number % len(GIVEN)]}.{FAMILY[number * 7 % len(FAMILY)]}"
        repeated = number // (len(GIVEN) * len(FAMILY) // 2)
        address = f"{name}{repeated or ''}@{nature.domain}"
        home = self.addresses.household()
        zone = nature.zones[number % len(nature.zones)]
        starts = random.gauss(8.4, 0.7) - zone
        if random.random() < nature.shifts:
            starts = random.choice((5.8, 13.8, 21.7)) + random.random() * 0.3
        remote = zone != 0 or random.random() < nature.remote
        return Person(
            address,
            random.randrange(nature.gateways),
            home if remote else self.office,
            home,
            random.choice(self._carriers),
            starts % 24,
            starts % 24 + 7.5 + random.random() * 1.5,
            random.lognormvariate(0, 0.6),
            0.3 + random.random() * 1.2,
        )
