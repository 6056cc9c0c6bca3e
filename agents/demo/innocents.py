"""Those who look like an attack and are none: each one's lines, and its truth."""

from collections.abc import Callable

from agents.demo import addresses, ordinary
from agents.demo.company import BULK, DOMAIN
from agents.demo.postfix_lines import bounced
from agents.demo.scene import Scene, subjects
from agents.demo.truth import Innocent


def stale_phone(scene: Scene) -> Innocent:
    person = scene.person()
    phone = addresses.phone(person.number)
    for day in range(1, 9):  # it worked until the password was changed
        scene.company.dovecot.login(scene.at(7.5 - 24 * day), phone, person.address)
    for n in range(150):
        at = scene.at(9.0, n * 150)
        scene.company.dovecot.fail_login(at, phone, person.address, "what-it-used-to-be")
    return Innocent(
        name="a phone with a stale password",
        story="tries the same old password every 150 seconds, all day",
        clients=(phone.subject,),
        accounts=(person.address,),
    )


def office(scene: Scene) -> Innocent:
    """Everybody behind one address changes the password on Monday morning."""
    people = [p for p in scene.company.people if p.desk == addresses.OFFICE]
    for n, person in enumerate(people[: len(people) // 4]):
        at = scene.at(8.0, n * 41 + scene.random.random() * 20)
        for attempt in range(1 + n % 2):
            password = f"{person.address[:3]}-typo-{attempt}"
            scene.company.dovecot.fail_login(
                at + 5 * attempt, person.desk, person.address, password
            )
        scene.company.dovecot.login(at + 19, person.desk, person.address, lasts=900)
    for person in people:
        at = scene.at(7.9, scene.random.random() * 3600)
        scene.company.dovecot.login(at, person.desk, person.address, lasts=1200)
    return Innocent(
        name="the office behind one address",
        story="after a change of passwords a quarter of the colleagues mistypes, then gets in",
        clients=(addresses.OFFICE.subject,),
    )


def newsletter(scene: Scene) -> Innocent:
    client = addresses.NEWSLETTER
    readers = scene.company.people[::2]
    gone = scene.company.departed[: max(4, len(readers) // 8)]
    for n, person in enumerate(readers):
        at = scene.at(6.5, n * 3)
        sender = f"bounce+{n}@letters.example"
        scene.company.mx1.accept(at, client, sender, [person.address], size=48_000)
    for n, name in enumerate(gone):
        at = scene.at(6.5, n * 11 + 1)
        scene.company.mx1.refuse(at, client, f"bounce+g{n}@letters.example", [name])
    return Innocent(
        name="a newsletter",
        story="writes to half of the company and to some who have left it",
        clients=(client.subject,),
    )


def big_provider(scene: Scene) -> Innocent:
    count = len(scene.company.people) * 2
    for n in range(count):
        ordinary.carried(scene.company, scene.at(0.2, n * 85_000 / count), n)
    for n in range(60):
        client = addresses.provider(n % 6)
        recipient = f"{'abcdefghij'[n % 10]}.nobody{n}@{DOMAIN}"
        at = scene.at(12.0, n * 50)
        scene.company.mx().refuse(at, client, f"promo{n}@smallpost.example", [recipient])
    return Innocent(
        name="a big provider",
        story="carries the mail of thousands, some of them harvesters",
        clients=subjects(addresses.provider(n) for n in range(24)),
    )


def mailing_list(scene: Scene) -> Innocent:
    client = addresses.MAILING_LIST
    members = [person.address for person in scene.people(7)]
    dead = scene.company.departed[:6]
    for post in range(8):
        scene.company.mx2.accept(
            scene.at(9.5 + post * 1.3), client, "guild-bounces@guild.example", members, refused=dead
        )
    return Innocent(
        name="a mailing list with dead members",
        story="every post goes to seven members here and to six who have left",
        clients=(client.subject,),
    )


def callout(scene: Scene) -> Innocent:
    client = addresses.CALLOUT
    for n in range(45):
        name = scene.company.departed[n % 16] if n % 3 else f"forged{n}@{DOMAIN}"
        scene.company.mx().refuse(scene.at(0.6, n * 1800), client, "", [name])
    return Innocent(
        name="a callout of somebody's filter",
        story="asks for each sender that it sees whether it exists; forged ones do not",
        clients=(client.subject,),
    )


def probe(scene: Scene) -> Innocent:
    for n in range(288):
        at = scene.at(0, n * 300 + 7)
        scene.company.mx1.look(at, addresses.PROBE)
        scene.company.mx2.look(at + 1, addresses.PROBE)
        scene.company.dovecot.look(at + 2, addresses.PROBE)
    return Innocent(
        name="the monitoring",
        story="connects to three servers every five minutes and quits",
        clients=(addresses.PROBE.subject,),
    )


def own_mailing(scene: Scene) -> Innocent:
    """Our own mailing, from a mailbox that is declared to send much, with real bounces."""
    sender, desk = f"{BULK}@{DOMAIN}", addresses.OFFICE
    for n in range(420):
        at = scene.at(16.1, n * 6)
        recipient = f"reader{n}@org{n % 140}.example"
        verp = f"{BULK}+reader{n}=org{n % 140}.example@{DOMAIN}"
        scene.company.mail.accept(at, desk, verp, [recipient], login=sender)
        if n % 12 == 0:  # accepted there at first, and reported later
            report = addresses.exchanger(n % 140)
            scene.company.mx().accept(at + 60 + n % 40, report, "", [verp], size=6000)
    return Innocent(
        name="our own mailing",
        story="420 readers, 35 of them gone: their servers report it to us",
        accounts=(sender,),
    )


def invoices(scene: Scene) -> Innocent:
    person = scene.person()
    for n in range(260):
        at = scene.at(16.6, n * 11)
        recipient = f"accounts{n}@org{n % 140}.example"
        outcomes = [(recipient, bounced(recipient))] if n in (70, 190) else [recipient]
        scene.company.mail.accept(at, person.desk, person.address, outcomes, login=person.address)
    return Innocent(
        name="the invoice run",
        story="260 invoices in 48 minutes from one desk, two of them to addresses that are gone",
        accounts=(person.address,),
    )


def webmail(scene: Scene) -> Innocent:
    people = scene.people(24)
    for n, person in enumerate(people):
        at = scene.at(12.5, n * 33)
        if n % 3 == 0:
            password = f"typo{n}"
            scene.company.dovecot.fail_login(at, addresses.WEBMAIL, person.address, password)
        scene.company.dovecot.login(at + 12, addresses.WEBMAIL, person.address, lasts=200)
    return Innocent(
        name="the webmail on this host",
        story="everybody who uses it comes from the loopback address",
        clients=(addresses.WEBMAIL.subject,),
    )


def auth_server_down(scene: Scene) -> Innocent:
    """For a minute nobody can log in, and everybody's programs try."""
    company = scene.company
    people = [person for person in company.people if person.desk != addresses.OFFICE][:140]
    for n, person in enumerate(people):
        at = scene.at(10.5, n * 60 / len(people))
        if n % 3:
            company.dovecot.not_ready(at, person.desk)
        else:
            reason = "Connection lost to authentication server"
            company.mail.fail_login(at, person.desk, person.address, reason=reason)
    return Innocent(
        name="our login server is down",
        story="logins from every home fail within a minute, and none of it is the clients' fault",
        clients=subjects(person.desk for person in people),
    )


def vacation(scene: Scene) -> Innocent:
    company = scene.company
    people = scene.people(6)
    for n in range(60):
        person = people[n % 6]
        at = scene.at(8.0, n * 480)
        number = n * 13 % 140
        writer = f"office@org{number}.example"
        company.mx().accept(at, addresses.exchanger(number), writer, [person.address])
        company.mail.originate(at + 2, "", [writer])
    return Innocent(
        name="vacation replies",
        story="six people are away; their mailboxes answer ten writers each, with a null sender",
        accounts=tuple(person.address for person in people),
    )


def traveller(scene: Scene) -> Innocent:
    """A person in a place where nobody of the company ever was, and a new keyboard."""
    person, hotel, company = scene.person(), addresses.HOTEL, scene.company
    for attempt in range(2):
        at = scene.at(20.1, attempt * 20)
        company.dovecot.fail_login(at, hotel, person.address, f"czerty{attempt}")
    company.dovecot.login(scene.at(20.1, 50), hotel, person.address, lasts=2400)
    for n in range(7):
        recipient = f"office@org{n * 19 % 140}.example"
        at = scene.at(20.2, n * 300)
        company.mail.accept(at, hotel, person.address, [recipient], login=person.address)
    return Innocent(
        name="a colleague on a journey",
        story="mistypes twice in a hotel where none of us ever was, gets in, writes seven mails",
        clients=(hotel.subject,),
    )


def dmarc_reports(scene: Scene) -> Innocent:
    address = f"dmarc@{DOMAIN}"
    for n in range(90):
        number = n * 3 % 140
        client = addresses.exchanger(number)
        sender = "" if n % 10 == 0 else f"dmarc-noreply@org{number}.example"
        scene.company.mx().accept(scene.at(0.1, n * 95), client, sender, [address], size=9000)
    return Innocent(
        name="DMARC reports",
        story="90 receivers report at night what they saw of our domain",
        accounts=(address,),
    )


INNOCENTS: tuple[Callable[[Scene], Innocent], ...] = (
    stale_phone,
    office,
    newsletter,
    big_provider,
    mailing_list,
    callout,
    probe,
    own_mailing,
    invoices,
    webmail,
    auth_server_down,
    traveller,
    vacation,
    dmarc_reports,
)
