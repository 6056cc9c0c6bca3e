"""Who has which address. None of them is anybody's: they are set aside for documentation
(RFC 5737, 3849, 9637), for benchmarks (RFC 2544), or were never given out (240/4, RFC 1112).

================  ==========================================================
192.0.2.0/24      the office's way out, the monitoring
192.168.10.0/24   our servers
198.51.100.0/24   those who look like an attack and are none; a hosted filter
203.0.113.0/24    a network of attackers
198.18.0.0/16     attackers, each in a /24 of its own
198.19.0.0/16     employees' homes that have IPv4, a mobile carrier
3fff::/20         employees' homes and phones that have IPv6
2001:db8::/32     an attacker who has a /64
240.0.0.0/4       the mail servers of others (240 to 247), a botnet (250 to 254)
================  ==========================================================
"""

from random import Random

from msgspec import Struct

from schemas import net


class Client(Struct, frozen=True):
    """A host that connects to us, with its reverse name (``unknown`` where it has none)."""

    ip: str
    name: str = "unknown"
    helo: str = ""

    @property
    def subject(self) -> str:
        """As findings name it."""
        return net.client(self.ip)

    @property
    def namaddr(self) -> str:
        """As Postfix writes it."""
        return f"{self.name}[{self.ip}]"

    @property
    def greeting(self) -> str:
        return self.helo or (f"[{self.ip}]" if self.name == "unknown" else self.name)


OFFICE = Client("192.0.2.10", "office.lindhafen.example", "[192.168.20.31]")
PROBE = Client("192.0.2.200", "probe.uptime.example", "probe.uptime.example")
WEBMAIL = Client("127.0.0.1", "localhost", "webmail.lindhafen.example")
NEWSLETTER = Client("198.51.100.20", "out1.letters.example", "out1.letters.example")
MAILING_LIST = Client("198.51.100.40", "lists.guild.example", "lists.guild.example")
HOTEL = Client("198.51.100.60", "guest.hotel.example", "[10.4.0.17]")
CALLOUT = Client("198.51.100.90", "verify.antispam.example", "verify.antispam.example")


def provider(number: int) -> Client:
    """One of the outgoing servers of a provider that carries the mail of many domains."""
    name = f"mail-{number:02d}.bigpost.example"
    return Client(f"198.51.100.{128 + number}", name, name)


FILTER = "198.51.100.224/28"


def hosted_filter(number: int) -> Client:
    """One of the servers that deliver what a hosted filter lets pass."""
    name = f"out{number % 4}.sieve.example"
    return Client(f"198.51.100.{225 + number % 4}", name, name)


def carrier(number: int) -> Client:
    """A mobile carrier's address, behind which many phones are."""
    return Client(f"198.19.200.{1 + number % 24}", f"m{1 + number % 24}.mobile.example")


def home(number: int) -> Client:
    """The household of employee `number`; four of ten have IPv6."""
    if number % 10 < 4:
        return Client(f"3fff:{number % 4096:x}:{number // 4096:x}:1::{number % 251 + 2:x}")
    high, low = divmod(number, 250)
    name = f"dsl-{high}-{low + 2}.access.example"
    return Client(f"198.19.{high % 190}.{low + 2}", name)


def phone(number: int) -> Client:
    """The phone of employee `number` in its own mobile network."""
    return Client(f"3fff:{(number * 7 + 1) % 4096:x}:a0:{number:x}::{number % 199 + 1:x}")


def exchanger(number: int) -> Client:
    """The outgoing mail server of another organisation."""
    name = f"mail.org{number}.example"
    return Client(f"{240 + number % 8}.{number * 31 % 250}.{number * 7 % 256}.25", name, name)


def attacker(number: int, host: int = 66) -> Client:
    """An attacker alone in a /24."""
    return Client(f"198.18.{number % 256}.{host}")


def bots(random: Random, count: int) -> list[Client]:
    """So many members of a botnet, each in a /16 of its own as far as there are enough."""
    networks = random.sample(range(5 * 256), min(count, 5 * 256))
    return [
        Client(
            f"{250 + networks[n % len(networks)] // 256}.{networks[n % len(networks)] % 256}"
            f".{random.randrange(256)}.{random.randrange(1, 255)}"
        )
        for n in range(count)
    ]
