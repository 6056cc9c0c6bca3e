"""Where an account's mail comes from: its clients of a day, who was there before, who guessed."""

from msgspec import Struct, field

from agents.windows import DAY, Distinct, Past, Window
from schemas import net

WINDOW = Window(DAY, 480)  # slices of 3 min, so that an hour can be read from it
HOUR = 3600.0
NAMED = 64  # clients that it sends through, by name
INTRUDERS = 8  # clients that opened the account by guessing, by name
ARRIVED = 8  # networks that are new today, by name


class Places(Struct, array_like=True):
    clients: Distinct = field(default_factory=Distinct)  # that it sends through, in a day
    networks: Distinct = field(default_factory=Distinct)  # their /16 or /32
    through: list[str] = field(default_factory=list)  # the newest of the clients by name
    intruders: list[str] = field(default_factory=list)  # who opened it by guessing
    arrived: dict[str, float] = field(default_factory=dict)  # networks: its first login there
    tested: float = 0.0  # its first message from a new place, in a day
    lone: bool = False  # that had one recipient, and nothing has followed it at once

    def login(self, client: str, at: float, past: Past) -> None:
        """Remember when it first came from where it never was."""
        network, arrived = net.network(client), self.arrived
        if network in arrived or past.earlier(network, at):
            return
        if len(arrived) >= ARRIVED:
            for known in [name for name in arrived if past.earlier(name, at)]:
                del arrived[known]
        if len(arrived) < ARRIVED:  # of a botnet the rest needs no time of arrival
            arrived[network] = at

    def guessed(self, client: str) -> None:
        """The client opened the account by guessing."""
        if client and client not in self.intruders:
            self.intruders = [*self.intruders[1 - INTRUDERS :], client]

    def excuse(self, client: str) -> None:
        """It did not."""
        self.intruders = [name for name in self.intruders if name != client]

    def sends(self, client: str, place: str, at: float) -> tuple[int, int]:
        """A message came from there; how many clients and places there were in a day."""
        if client not in self.through:
            self.through = [*self.through[1 - NAMED :], client]
        return WINDOW.see(self.clients, client, at), WINDOW.see(self.networks, place, at)

    def hour(self, at: float) -> tuple[int, int]:
        """How many clients and places there were in an hour."""
        return WINDOW.since(self.clients, at, HOUR), WINDOW.since(self.networks, at, HOUR)

    def count(self, at: float) -> int:
        """How many clients there were in a day."""
        return WINDOW.distinct(self.clients, at)

    def named(self, at: float) -> list[str]:
        """The clients of a day that are known by name."""
        return [client for client in self.through if WINDOW.holds(self.clients, client, at)]

    def are_old(self, at: float, past: Past) -> bool:
        """Whether the account was in all of them on a day before."""
        return all(past.earlier(net.network(client), at) for client in self.named(at))

    def new(self, since: float, at: float, past: Past) -> list[str]:
        """Those where the account was not used before `since`, neither there nor near by."""
        return [client for client in self.named(at) if not self._was(client, since, past)]

    def _was(self, client: str, before: float, past: Past) -> bool:
        network = net.network(client)
        return (
            past.earlier(network, before)
            or self.arrived.get(network, before + 1) <= before
            or WINDOW.first(self.clients, client) <= before
        )

    def follows_a_test(self, at: float, recipients: int, pause: float) -> bool:
        """Whether, before this message from a new place, one went to a single recipient, and
        nothing for `pause` seconds: a thief looks whether mail arrives."""
        if at - self.tested > DAY:
            self.tested, self.lone = at, recipients <= 1
            return False
        self.lone = self.lone and at - self.tested >= pause
        return self.lone
