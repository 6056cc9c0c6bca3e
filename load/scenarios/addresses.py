"""Who gets which address: each is given out once, at random, so that a number betrays nothing.

Households and members of botnets come from the same networks of access providers, as they do
everywhere. All networks are set aside for documentation or benchmarks (RFC 5737, 3849, 9637,
2544), or were never given out (240/4).
"""

from random import Random

from agents.demo.addresses import Client

ACCESS = tuple(f"{first}.{second}" for first in (248, 249) for second in range(3, 51, 2))
ABROAD = tuple(f"{first}.{second}" for first in range(250, 255) for second in range(256))
HOSTING = tuple(f"198.18.{third}" for third in range(256))


class Addresses:
    """Gives out addresses; none twice."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._given: set[str] = set()

    def _draw(self, networks: tuple[str, ...]) -> str:
        random = self._random
        while True:
            network = random.choice(networks)
            missing = 3 - network.count(".")
            hosts = (str(random.randrange(1, 255)) for _ in range(missing))
            address = ".".join((network, *hosts))
            if address not in self._given:
                self._given.add(address)
                return address

    def household(self) -> Client:
        """Four of ten have IPv6; an access provider names the others."""
        if self._random.random() < 0.4:
            return self.six()
        address = self._draw(ACCESS)
        return Client(address, f"dsl-{address.replace('.', '-')}.access.example")

    def carrier(self) -> Client:
        """A mobile carrier's address: behind it are many phones."""
        address = self._draw(("198.19.200", "198.19.201"))
        return Client(address, f"nat-{address.replace('.', '-')}.mobile.example")

    def six(self) -> Client:
        """A host alone in its /64."""
        random = self._random
        prefix = f"3fff:{random.randrange(1, 4096):x}:{random.randrange(1, 65536):x}"
        return Client(f"{prefix}:{random.randrange(1, 4096):x}::{random.randrange(2, 999):x}")

    def place(self) -> Client:
        """A hotel, a station, a conference: one address for all its guests."""
        address = self._draw(("198.51.100",))
        return Client(address, f"guest-{address.rpartition('.')[2]}.places.example", "[10.4.0.17]")

    def server(self, name: str) -> Client:
        """A mail server or another machine of somebody else."""
        return Client(self._draw(tuple(f"{first}" for first in range(240, 247))), name, name)

    def hosted(self) -> Client:
        """A rented machine; seven of ten have no name."""
        address = self._draw(HOSTING)
        name = f"vps-{address.replace('.', '-')}.hosting.example"
        return Client(address, "unknown" if self._random.random() < 0.7 else name)

    def rented(self, count: int) -> list[Client]:
        """So many machines in one /24."""
        network = self._random.choice(HOSTING)
        return [Client(self._draw((network,))) for _ in range(count)]

    def sixty_four(self, count: int) -> list[Client]:
        """One host that takes so many addresses of its /64."""
        random = self._random
        prefix = f"2001:db8:{random.randrange(1, 65536):x}:{random.randrange(1, 65536):x}"
        return [Client(_interface(prefix, random.getrandbits(64))) for _ in range(count)]

    def bots(self, count: int) -> list[Client]:
        """Members of a botnet: half at home with the same providers as our people."""
        return [self._bot() for _ in range(count)]

    def _bot(self) -> Client:
        if self._random.random() < 0.5:
            address = self._draw(ACCESS)
            return Client(address, f"dsl-{address.replace('.', '-')}.access.example")
        return Client(self._draw(ABROAD))


def _interface(prefix: str, number: int) -> str:
    """The address of a /64 (its four groups) with an interface number."""
    groups = (number >> 48 & 0xFFFF, number >> 32 & 0xFFFF, number >> 16 & 0xFFFF, number & 0xFFFF)
    return f"{prefix}:" + ":".join(f"{group | 1:x}" for group in groups)
