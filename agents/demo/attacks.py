"""The attacks of the day: each one's lines, and its truth."""

from collections.abc import Callable

from agents.demo import addresses
from agents.demo.addresses import Client
from agents.demo.company import BRANCH, DOMAIN, HONEYPOTS
from agents.demo.filtered import around_the_filter
from agents.demo.postfix_lines import Outcome, bounced, exchanger_of
from agents.demo.scene import Scene, subjects
from agents.demo.truth import Attack, Expected

GUESSED = ("admin", "info", "sales", "contact", "support", "office")
"""Local parts that a dictionary of addresses begins with; nobody has them here."""


def guessing(scene: Scene) -> Attack:
    client, victim = scene.attacker(11), scene.person()
    for n in range(26):
        at = scene.at(9.4, n * 14)
        scene.company.dovecot.fail_login(at, client, victim.address, f"Spring{2000 + n}!")
    return Attack(
        name="one account, many passwords",
        story="26 passwords for one mailbox in six minutes, over IMAP",
        first=scene.at(9.4),
        clients=(client.subject,),
        targets=(victim.address,),
        expects=(Expected("auth_dictionary", client.subject),),
    )


def dictionary(scene: Scene) -> Attack:
    client, victims = scene.attacker(12), scene.names(18)
    for n, victim in enumerate(victims):
        for attempt in range(1 + n % 3):
            at = scene.at(3.2, n * 25 + attempt * 6)
            scene.fail_submission(at, client, victim, f"{victim[:4]}{attempt}123")
    return Attack(
        name="a dictionary at submission",
        story=f"{len(victims)} mailboxes, one to three tries each, in eight minutes",
        first=scene.at(3.2),
        clients=(client.subject,),
        targets=tuple(victims),
        expects=(Expected("auth_dictionary", client.subject),),
    )


def unknown_names(scene: Scene) -> Attack:
    client = scene.attacker(13)
    for n, name in enumerate(GUESSED):
        at = scene.at(1.7, n * 55)
        scene.fail_submission(at, client, f"{name}@{DOMAIN}", "P@ssw0rd", known=False)
    return Attack(
        name="names that do not exist",
        story="six usual names in five minutes; nobody here has them",
        first=scene.at(1.7),
        clients=(client.subject,),
        targets=tuple(f"{name}@{DOMAIN}" for name in GUESSED),
        expects=(Expected("auth_dictionary", client.subject),),
    )


def honeypot(scene: Scene) -> Attack:
    client = scene.attacker(14)
    name = HONEYPOTS[scene.day % len(HONEYPOTS)]
    scene.fail_submission(scene.at(4.9), client, f"{name}@{DOMAIN}", name, known=False)
    return Attack(
        name="a login that nobody has",
        story=f"one try at {name}, a name kept as bait",
        first=scene.at(4.9),
        clients=(client.subject,),
        targets=(f"{name}@{DOMAIN}",),
        expects=(Expected("auth_dictionary", client.subject),),
    )


def stuffing(scene: Scene) -> Attack:
    """From one host that takes a new address of its /64 for every try."""
    victims = scene.names(44)
    clients = [
        Client(f"2001:db8:66:{scene.day:x}:{scene.random.getrandbits(48) >> 32:x}::{n + 1:x}")
        for n in range(len(victims))
    ]
    for n, (client, victim) in enumerate(zip(clients, victims, strict=True)):
        password = f"leak-{scene.random.getrandbits(40):x}"
        scene.company.dovecot.fail_login(scene.at(14.1, n * 9), client, victim, password)
    return Attack(
        name="leaked passwords, one try each",
        story=f"{len(victims)} mailboxes once each, from ever new addresses of one IPv6 /64",
        first=scene.at(14.1),
        clients=subjects(clients),
        targets=tuple(victims),
        expects=(Expected("auth_dictionary", clients[0].subject),),
    )


def slow(scene: Scene) -> Attack:
    client, victims = scene.attacker(15), scene.names(5)
    for n in range(30):
        at = scene.at(4.5, n * 1900 + scene.random.random() * 200)
        scene.company.dovecot.fail_login(at, client, victims[n % 5], f"Winter{n}")
    return Attack(
        name="one try every half hour",
        story="five mailboxes in turn, all day long, never two tries close together",
        first=scene.at(4.5),
        clients=(client.subject,),
        targets=tuple(victims),
        expects=(Expected("auth_dictionary", client.subject),),
    )


def nameless(scene: Scene) -> Attack:
    """A relay whose Postfix is older than 3.9 and asks its own Cyrus SASL."""
    client = scene.attacker(16)
    for n in range(34):
        scene.company.mx2.fail_login(
            scene.at(5.6, n * 16),
            client,
            "",
            reason="UGFzc3dvcmQ6",  # base64 of the server's own prompt, "Password:"
            service="smtpd",
            named=False,
        )
    return Attack(
        name="guesses that no log names",
        story="34 failed logins in nine minutes at an old relay that does not log the account",
        first=scene.at(5.6),
        clients=(client.subject,),
        expects=(Expected("auth_dictionary", client.subject),),
    )


def breach(scene: Scene) -> Attack:
    client, victim = scene.attacker(17), scene.person()
    names = [*scene.names(14), victim.address]
    for n, name in enumerate(names):
        scene.fail_submission(scene.at(10.6, n * 20), client, name, "Lindhafen2026")
    opened = scene.at(10.6, 420)
    scene.company.dovecot.login(opened, client, victim.address, lasts=40)
    for n in range(34):
        at = opened + 600 + n * 55
        recipients = [f"r{n * 24 + k}@org{(n * 7 + k) % 140}.example" for k in range(24)]
        outcomes = [
            (r, bounced(r)) if k % 6 == 0 else (r, Outcome(exchanger_of(r.rpartition("@")[2])))
            for k, r in enumerate(recipients)
        ]
        scene.company.mail.accept(at, client, victim.address, outcomes, login=victim.address)
    return Attack(
        name="a guess that was right",
        story=f"{len(names)} mailboxes guessed at, one opened, 816 spams from it in half an hour",
        first=scene.at(10.6),
        clients=(client.subject,),
        accounts=(victim.address,),
        targets=tuple(names),
        expects=(
            Expected("auth_dictionary", client.subject),
            Expected("auth_breach", victim.address),
            Expected("account_burst", victim.address),
        ),
    )


def distributed(scene: Scene) -> Attack:
    victim = scene.person()
    clients = addresses.bots(scene.random, 14)
    for n in range(42):
        client = clients[n % len(clients)]
        password = f"{victim.address[:5]}{1900 + n}"
        scene.company.dovecot.fail_login(scene.at(19.3, n * 60), client, victim.address, password)
    return Attack(
        name="a botnet at one mailbox",
        story="14 hosts all over the world, three tries each, within 42 minutes",
        first=scene.at(19.3),
        clients=subjects(clients),
        targets=(victim.address,),
        expects=(
            Expected("auth_distributed", victim.address),
            *(Expected("auth_distributed", client) for client in subjects(clients)),
        ),
    )


def one_network(scene: Scene) -> Attack:
    clients = [Client(f"203.0.113.{10 + 9 * n + scene.day % 9}") for n in range(9)]
    victims = scene.names(30)
    for n in range(45):
        at = scene.at(0.4, n * 1500 + scene.random.random() * 400)
        client, victim = clients[n % 9], victims[n * 7 % len(victims)]
        scene.company.dovecot.fail_login(at, client, victim, f"Harbour{n}")
    return Attack(
        name="neighbours who take turns",
        story="nine addresses of one /24, five tries each in 19 hours: none of them alone is much",
        first=scene.at(0.4),
        clients=subjects(clients),
        targets=tuple(victims),
        expects=(Expected("auth_distributed", "203.0.113.0/24"),),
    )


def spray(scene: Scene) -> Attack:
    client, victims = scene.attacker(18), scene.names(9)
    for n in range(27):
        at = scene.at(6.2, n * 720 + scene.random.random() * 60)
        scene.company.dovecot.fail_login(at, client, victims[n % 9], f"Password{n // 9}")
    return Attack(
        name="three passwords for everybody",
        story="nine mailboxes, three tries each, twelve minutes apart: under every lockout",
        first=scene.at(6.2),
        clients=(client.subject,),
        targets=tuple(victims),
        expects=(Expected("auth_distributed", client.subject),),
    )


def campaign(scene: Scene) -> Attack:
    clients = addresses.bots(scene.random, 120)
    victims = scene.names(60)
    for n, client in enumerate(clients):
        for attempt in range(1 + n % 2):
            at = scene.at(13.2, n * 75 + attempt * 900)
            victim = victims[(n * 7 + attempt) % len(victims)]
            scene.company.mail.fail_login(at, client, victim, mechanism="CRAM-MD5")
    return Attack(
        name="a campaign against everybody",
        story="120 hosts, one or two tries each within two and a half hours: none of them alone"
        " is worth a word",
        first=scene.at(13.2),
        clients=subjects(clients),
        targets=tuple(victims),
        expects=(
            Expected("auth_campaign", "site"),
            *(Expected("auth_campaign", client) for client in subjects(clients)),
        ),
    )


def harvest(scene: Scene) -> Attack:
    client = scene.attacker(19)
    at = scene.at(2.3)
    names = [f"{chr(97 + n % 26)}{chr(97 + n * 7 % 26)}.meyer{n}@{DOMAIN}" for n in range(66)]
    for batch in range(0, 66, 11):
        sender = f"post{batch}@bulk.example"
        at = scene.company.mx1.refuse(at, client, sender, names[batch : batch + 11]) + 30
    return Attack(
        name="a directory harvest",
        story="66 invented addresses in three minutes, not one of them right",
        first=scene.at(2.3),
        clients=(client.subject,),
        expects=(Expected("directory_harvest", client.subject),),
    )


def harvest_slow(scene: Scene) -> Attack:
    client = scene.attacker(20)
    for n in range(36):
        at = scene.at(7.0, n * 1500 + scene.random.random() * 300)
        sender = f"a{n}@bulk.example"
        scene.company.mx().refuse(at, client, sender, [f"{_syllables(n)}@{DOMAIN}"])
    return Attack(
        name="a patient harvest",
        story="36 invented addresses in 15 hours, one at a time",
        first=scene.at(7.0),
        clients=(client.subject,),
        expects=(Expected("directory_harvest", client.subject),),
    )


def harvest_spread(scene: Scene) -> Attack:
    client = scene.attacker(21)
    network = client.ip.rpartition(".")[0]
    clients = [Client(f"{network}.{5 + 3 * n}") for n in range(16)]
    for n in range(80):
        at = scene.at(11.0, n * 420 + scene.random.random() * 90)
        sender = f"s{n}@promo{n % 5}.example"
        recipient = f"{_syllables(n + 300)}@{DOMAIN}"
        scene.company.mx().refuse(at, clients[n % 16], sender, [recipient])
    return Attack(
        name="a harvest by neighbours",
        story="16 addresses of one /24, five unknown recipients each, over nine hours",
        first=scene.at(11.0),
        clients=subjects(clients),
        expects=(Expected("directory_harvest", f"{network}.0/24"),),
    )


def joe_job(scene: Scene) -> Attack:
    victim = scene.person()
    for n in range(140):
        client = addresses.exchanger(300 + n % 70)
        scene.company.mx().accept(
            scene.at(15.2, n * 24 + scene.random.random() * 9),
            client,
            "",
            [victim.address],
            message_id=f"{scene.random.getrandbits(48):x}@{client.name}",
            size=5200,
        )
    return Attack(
        name="bounces of somebody else's spam",
        story="140 delivery reports in an hour from 70 servers, to a mailbox that wrote none of it",
        first=scene.at(15.2),
        targets=(victim.address, DOMAIN),
        expects=(Expected("backscatter_received", victim.address),),
    )


def reverse_ndr(scene: Scene) -> Attack:
    clients = [scene.attacker(22), scene.attacker(23)]
    company = scene.company
    for n in range(64):
        recipient = f"{_syllables(n + 700)}@{BRANCH}"
        reply = (
            f"host {BRANCH}[192.168.30.5] said: 550 5.1.1 <{recipient}>: Recipient address "
            "rejected: User unknown (in reply to RCPT TO command)"
        )
        outcome = Outcome(f"{BRANCH}[192.168.30.5]:25", "bounced", "5.1.1", reply)
        sender = f"victim{n}@org{n % 140}.example"
        company.mx2.accept(scene.at(20.6, n * 45), clients[n % 2], sender, [(recipient, outcome)])
    return Attack(
        name="our relay as a bounce cannon",
        story="64 mails to invented addresses of a branch that mx2 relays for; it bounces each "
        "to a forged sender",
        first=scene.at(20.6),
        clients=subjects(clients),
        expects=(Expected("backscatter_made", "mx2"),),
    )


def burst_of_clients(scene: Scene) -> Attack:
    victim = scene.person()
    clients = addresses.bots(scene.random, 26)
    for n, client in enumerate(clients):
        recipients = [f"w{n * 12 + k}@org{(n + 3 * k) % 140}.example" for k in range(12)]
        outcomes = [
            (r, bounced(r)) if k % 5 == 0 else (r, Outcome(exchanger_of(r.rpartition("@")[2])))
            for k, r in enumerate(recipients)
        ]
        scene.company.mail.accept(
            scene.at(21.5, n * 100), client, victim.address, outcomes, login=victim.address
        )
    return Attack(
        name="one mailbox in the hands of many",
        story="a stolen password used by 26 hosts within 43 minutes, one mail each",
        first=scene.at(21.5),
        clients=subjects(clients),
        accounts=(victim.address,),
        expects=(Expected("account_burst", victim.address),),
    )


def burst_of_senders(scene: Scene) -> Attack:
    client, victim = scene.attacker(24), scene.person()
    for n in range(48):
        sender = f"billing{n % 8}@bank{n % 8}.example"
        recipient = f"q{n}@org{n * 3 % 140}.example"
        bad = [(recipient, bounced(recipient))]
        outcomes = bad if n % 4 == 0 else [recipient]
        scene.company.mail.accept(
            scene.at(22.3, n * 70), client, sender, outcomes, login=victim.address
        )
    return Attack(
        name="one login, eight senders",
        story="48 mails under forged bank senders; a quarter of them is refused",
        first=scene.at(22.3),
        clients=(client.subject,),
        accounts=(victim.address,),
        expects=(Expected("account_burst", victim.address),),
    )


def burst_of_volume(scene: Scene) -> Attack:
    client, victim = scene.attacker(25), scene.person()
    for n in range(12):
        recipients = [f"v{n * 60 + k}@org{(n * 11 + k) % 140}.example" for k in range(60)]
        scene.company.mail.accept(
            scene.at(2.9, n * 150), client, victim.address, recipients, login=victim.address
        )
    return Attack(
        name="a burst by night",
        story="12 mails with 60 recipients each from a mailbox that sleeps at that hour",
        first=scene.at(2.9),
        clients=(client.subject,),
        accounts=(victim.address,),
        expects=(Expected("account_burst", victim.address),),
    )


def relay_probe(scene: Scene) -> Attack:
    client = scene.attacker(26)
    forms = (
        ("spam@forged.example", "drop@collector.example"),
        ("", "drop@collector.example"),
        (f"postmaster@{DOMAIN}", "drop%collector.example@relay.example"),
        ("spam@forged.example", "collector.example!drop"),
    )
    for n, (sender, recipient) in enumerate(forms):
        reply = "554 5.7.1 <{}>: Relay access denied"
        at = scene.at(5.3, n * 20)
        scene.company.mx1.refuse(at, client, sender, [recipient], reply=reply)
    return Attack(
        name="a search for an open relay",
        story="four forms of address by which servers have been talked into relaying",
        first=scene.at(5.3),
        clients=(client.subject,),
        expects=(Expected("relay_probe", client.subject),),
    )


def open_relay(scene: Scene) -> Attack:
    client = scene.attacker(27)
    for n in range(40):
        recipient = f"t{n}@org{n * 9 % 140}.example"
        scene.company.mx2.accept(
            scene.at(4.4, n * 30), client, "winner@lottery.example", [recipient]
        )
    return Attack(
        name="a relay left open",
        story="a slip in mx2's configuration: 40 mails of a stranger leave for other strangers",
        first=scene.at(4.4),
        clients=(client.subject,),
        expects=(Expected("open_relay", client.subject),),
    )


def rude(scene: Scene) -> Attack:
    client = scene.attacker(28)
    for n in range(5):
        scene.company.mx1.speak_http(scene.at(10.6, n * 50), client)
    return Attack(
        name="a program that speaks no SMTP",
        story="five requests of the web sent to the mail port in four minutes",
        first=scene.at(10.6),
        clients=(client.subject,),
        expects=(Expected("protocol_abuse", client.subject),),
    )


def infected(scene: Scene) -> Attack:
    client = Client(f"192.168.20.{100 + scene.day % 100}")
    for n in range(60):
        recipient = f"h{n}@org{n * 13 % 140}.example"
        scene.company.mail.accept(
            scene.at(15.1, n * 40), client, f"offer{n % 20}@shop{n % 20}.example", [recipient]
        )
    return Attack(
        name="an infected computer of ours",
        story="60 mails under 20 names within 40 minutes, straight from a desk",
        first=scene.at(15.1),
        clients=(client.subject,),
        expects=(Expected("internal_mailer", client.subject),),
    )


def _syllables(number: int) -> str:
    """A name that looks like one, and is nobody's: the fifth digit sees to that."""
    parts = ("ka", "mi", "ro", "le", "su", "ta", "ne", "vo")
    return "".join(parts[number >> shift & 7] for shift in (0, 3, 6)) + f"{number}"


ATTACKS: tuple[Callable[[Scene], Attack], ...] = (
    guessing,
    dictionary,
    unknown_names,
    honeypot,
    stuffing,
    slow,
    nameless,
    breach,
    distributed,
    one_network,
    spray,
    campaign,
    harvest,
    harvest_slow,
    harvest_spread,
    joe_job,
    reverse_ndr,
    burst_of_clients,
    burst_of_senders,
    burst_of_volume,
    relay_probe,
    open_relay,
    rude,
    infected,
    around_the_filter,
)
