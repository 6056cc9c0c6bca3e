"""An ordinary day, and the week before it: people read and write mail, others write to them,
and what every mail exchanger refuses all day long."""

from agents.demo import addresses
from agents.demo.addresses import Client
from agents.demo.company import Company, Person
from agents.demo.postfix_lines import Outcome, bounced, exchanger_of

HOUR = 3600.0
DAY = 86400.0

ORGANISATIONS = 140
BLOCKED = (
    "554 5.7.1 Service unavailable; Client host [{}] blocked using zen.dnsbl.example; "
    "https://dnsbl.example/query/ip/{}"
)
GREYLISTED = (
    "450 4.2.0 <{}>: Recipient address rejected: Greylisted, see https://greylist.example/help"
)
DEFERRED = "connect to {}: Connection timed out"


def week_before(company: Company, midnight: float, days: int = 8) -> None:
    """The logins of the days before, without the rest of their traffic: each person's desktop
    and phone. With them a silence that rests on the past is proven."""
    random = company.random
    for day in range(1, days + 1):
        weekend = _weekday(midnight - day * DAY) >= 5
        for person in company.people:
            start = midnight - day * DAY
            at = start + (person.starts + random.random()) % 24 * HOUR
            company.dovecot.login(at, person.phone, person.address)
            if not weekend:
                later = start + (person.starts + 0.3 + random.random()) % 24 * HOUR
                company.dovecot.login(later, person.desk, person.address)


def workday(company: Company, midnight: float) -> None:
    """What 360 people do in 24 hours; a tenth of it at the weekend."""
    busy = 0.1 if _weekday(midnight) >= 5 else 1.0
    for person in company.people:
        _phone(company, midnight, person)
        if company.random.random() < busy:
            _desktop(company, midnight, person)
            _writes(company, midnight, person)
    count = int(len(company.people) * 11 * busy)
    for _ in range(count):
        _is_written_to(company, midnight)
    for _ in range(len(company.people) * 2):
        _refused(company, midnight)


def _weekday(at: float) -> int:
    """Monday is 0: the first day of 1970 was a Thursday."""
    return int(at // DAY + 3) % 7


def _phone(company: Company, midnight: float, person: Person) -> None:
    """Polls by IMAP while its owner is awake."""
    random = company.random
    hour = 6.0 + random.random()
    while hour < 23:
        lasts = 1 + random.random() * 6
        company.dovecot.login(midnight + hour * HOUR, person.phone, person.address, lasts=lasts)
        hour += 0.4 + random.random() * 0.4


def _desktop(company: Company, midnight: float, person: Person) -> None:
    random = company.random
    hour = person.starts
    while hour < min(person.ends, 23.9):
        lasts = (0.3 + random.random()) * HOUR
        at = midnight + hour * HOUR
        company.dovecot.login(at, person.desk, person.address, lasts=lasts)
        hour += lasts / HOUR + random.random() * 0.5


def _writes(company: Company, midnight: float, person: Person) -> None:
    random = company.random
    for _ in range(random.randrange(10)):
        hour = person.starts + random.random() * (person.ends - person.starts)
        at = midnight + min(hour, 23.9) * HOUR
        if random.random() < 0.4:
            colleagues = {company.someone().address for _ in range(random.choice((1, 1, 2, 5)))}
            company.mail.accept(
                at, person.desk, person.address, sorted(colleagues), login=person.address
            )
        else:
            _writes_outside(company, at, person)


def _writes_outside(company: Company, at: float, person: Person) -> None:
    random = company.random
    domain = f"org{random.randrange(ORGANISATIONS)}.example"
    recipient = f"{random.choice(('office', 'info', 'sales', 'ines', 'ali'))}@{domain}"
    chance = random.random()
    if chance < 0.015:  # a typing mistake in the address: the report comes to the writer
        recipient = f"ofice@{domain}"
        company.mail.accept(
            at, person.desk, person.address, [(recipient, bounced(recipient))], login=person.address
        )
    elif chance < 0.03:
        relay = exchanger_of(domain).partition(":")[0]
        wait = Outcome("none", "deferred", "4.4.1", DEFERRED.format(f"{relay}:25"))
        company.mail.accept(
            at, person.desk, person.address, [(recipient, wait)], login=person.address
        )
    else:
        company.mail.accept(at, person.desk, person.address, [recipient], login=person.address)


def _is_written_to(company: Company, midnight: float) -> None:
    random = company.random
    number = random.randrange(ORGANISATIONS)
    client = addresses.exchanger(number)
    at = midnight + _office_hours(company) * HOUR
    to = company.someone().address
    sender = f"{random.choice(('office', 'info', 'sales', 'ines', 'ali'))}@org{number}.example"
    if random.random() < 0.008:  # a typing mistake, or somebody who has left
        wrong = random.choice(company.departed) if random.random() < 0.5 else _mistyped(to)
        company.mx().refuse(at, client, sender, [wrong])
    else:
        company.mx().accept(at, client, sender, [to])


def _office_hours(company: Company) -> float:
    random = company.random
    if random.random() < 0.15:
        return random.random() * 24
    return min(max(random.gauss(13, 3), 0.0), 23.98)


def _mistyped(address: str) -> str:
    name, _, domain = address.partition("@")
    return f"{name[:2]}{name[1:]}@{domain}"


def _refused(company: Company, midnight: float) -> None:
    """The noise of every day: listed hosts, greylisting, hosts that come and go."""
    random = company.random
    at = midnight + random.random() * 24 * HOUR
    ip = f"{241 + random.randrange(7)}.{random.randrange(250)}.{random.randrange(250)}.7"
    client = Client(ip, helo=f"host{random.randrange(999)}.example")
    to = company.someone().address
    chance = random.random()
    if chance < 0.55:
        reply = BLOCKED.format(ip, ip)
        company.mx().refuse(
            at, client, f"offer@shop{random.randrange(90)}.example", [to], reply=reply
        )
    elif chance < 0.8:
        number = random.randrange(ORGANISATIONS)
        exchanger = addresses.exchanger(number)
        company.mx().refuse(at, exchanger, f"info@org{number}.example", [to], reply=GREYLISTED)
    else:
        company.mx().look(at, client)


def carried(company: Company, at: float, number: int) -> None:
    """A message that a big provider brings, from one of its many customers."""
    client = addresses.provider(number % 24)
    sender = f"customer{number * 37 % 4000}@{('bigpost', 'smallpost')[number % 2]}.example"
    company.mx().accept(at, client, sender, [company.someone().address])
