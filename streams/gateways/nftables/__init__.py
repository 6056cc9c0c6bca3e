"""nftables: the clients of decisions in sets of the kernel's firewall (nft(8)).

One table of ours, and nothing else on the machine is touched. Each change is one transaction,
with what is left of each lease as the element's timeout: the kernel ends it by itself, also when
we are gone. Where only hosts come and go, and the sets are as this process left them, the
transaction has these alone; in all other cases it replaces the content of all sets.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import orjson
from msgspec import Meta

from schemas.findings import Decision
from streams import needs, targets
from streams.gateway import Gateway, GatewayError, GatewaySettings, Note
from streams.gateways.nftables import ruleset
from streams.metrics import REFUSED_PACKETS

__all__ = ["Nftables", "NftablesSettings"]

MAIL = (25, 110, 143, 465, 587, 993, 995, 4190)
PATIENCE = 30.0  # seconds for one call of nft
LOOK = 5.0  # seconds between two looks at the counters
QUICK = 0.25  # seconds; a load that takes longer
REST = 4.0  # is followed by a rest of so many times as long


class NftablesSettings(GatewaySettings, frozen=True):
    """One table of the family inet, which is ours alone."""

    table: Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = "mailwarden"
    # TCP ports at which clients are refused
    ports: Annotated[tuple[Annotated[int, Meta(ge=1, le=65535)], ...], Meta(min_length=1)] = MAIL
    forward: bool = False  # also on the way to servers behind this machine, or in containers
    nft: Annotated[tuple[str, ...], Meta(min_length=1)] = ("nft",)  # the command


class Nftables(Gateway):
    """Loads the sets. Now and then it looks at its counters: they tell how much was refused,
    and that the table is still there, which a reload of the machine's own rules may remove."""

    Settings = NftablesSettings
    blind_to = "what comes by loopback, and who is behind a proxy or a NAT of ours"
    settings: NftablesSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "nftables",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """Leases end by `clock`; `ticks` only measures."""
        super().__init__(settings, name, lifted)
        self._clock = clock
        self._ticks = ticks
        self._made = False  # by this process, and as this version makes it
        self._held: ruleset.Content = {}  # then
        self._refused: dict[str, int] = {}  # packets, as the counters said last
        self._next_look = 0.0
        self._next_load = 0.0

    def apply(self, decisions: Sequence[Decision]) -> bool:
        if self._made and self._ticks() >= self._next_look:
            self._next_look = self._ticks() + LOOK
            if not self._look():
                self._made, self._given = False, None
        return super().apply(decisions)

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        began = self._ticks()
        if decisions and began < self._next_load:  # to lift everything waits for nothing
            return False
        now = self._clock()
        wanted = ruleset.content(decisions, now)
        if not self._change(wanted, now):
            self._replace(wanted, now)
        self._held = wanted
        took = self._ticks() - began
        self._next_load = began + (1 + REST) * took if took > QUICK else 0.0
        return True

    def reaches(self, decision: Decision) -> bool:
        return decision.action in ruleset.REFUSALS and targets.prefix(decision) is not None

    def needs(self) -> list[Note]:
        ours = f"table inet {self.settings.table}"
        program = needs.program(self.settings.nft, "the kernel's firewall")
        if not program.good:
            return [msgspec.structs.replace(program, remedy=("apt-get install nftables",))]
        try:
            self._load(self._structure(), "-c")
        except GatewayError as error:
            remedy = ("run mailwarden as root, or give it CAP_NET_ADMIN",)
            return [Note("failed", f"{ours} cannot be made: {error}", remedy)]
        return [program, Note("ok", f"{ours} can be made")]

    def review(self) -> list[Note]:
        ours = f"table inet {self.settings.table}"
        try:
            found = self._content("list", "ruleset", "inet")
        except GatewayError as error:
            return [Note("unknown", f"what {ours} holds: {error}")]
        if not found["table"]:
            return [Note("warning", f"{ours} is not there: mailwarden makes it when it runs")]
        if not self._whole(found):
            return [Note("failed", f"{ours} is not as mailwarden makes it: is it running?")]
        loaded = sum(len(each.get("elem", ())) for each in found["set"])
        ports = ", ".join(map(str, self.settings.ports))
        counted = ", ".join(
            f"{each['packets']} packets {each['name']}" for each in found["counter"]
        )
        return [
            Note("ok", f"{ours} refuses {loaded} networks at the ports {ports}"),
            Note("ok", f"{ours}: {counted} so far"),
        ]

    # -- what lies in the kernel --------------------------------------------------------------

    def _structure(self) -> list[ruleset.Command]:
        chains = ("input", "forward") if self.settings.forward else ("input",)
        return ruleset.structure(self.settings.table, self.settings.ports, chains)

    def _look(self) -> bool:
        """Count what was refused since the last look; whether the table is as we made it.
        Raises GatewayError."""
        # Of all that can be listed, only this does not fetch what is in the sets (nft 1.0.6).
        found = self._content("-t", "list", "ruleset", "inet")
        for counter in found["counter"]:
            name, packets = counter["name"], counter["packets"]
            more = packets - self._refused.get(name, 0)
            # One that went back was made anew.
            REFUSED_PACKETS.labels(self.name, name).inc(more if more >= 0 else packets)
            self._refused[name] = packets
        return self._whole(found)

    def _whole(self, found: dict[str, list[Any]]) -> bool:
        """Whether nothing of ours is missing, and nothing was added."""
        made = [what for command in self._structure() for what in command.get("add", ())]
        return all(len(found[what]) == made.count(what) for what in found)

    def _content(self, *question: str) -> dict[str, list[Any]]:
        """What a listing says of our table, by kind."""
        found: dict[str, list[Any]] = {
            kind: [] for kind in ("table", "counter", "set", "chain", "rule")
        }
        for item in orjson.loads(self._nft("-j", *question))["nftables"]:
            for kind, each in item.items():
                table = each["name"] if kind == "table" else each.get("table")
                if kind in found and table == self.settings.table:
                    found[kind].append(each)
        return found

    def _change(self, wanted: ruleset.Content, now: float) -> bool:
        """Load what came, and take out what went; whether that could be done."""
        if not self._made or not wanted:
            return False
        commands = ruleset.changes(self.settings.table, self._held, wanted, now)
        if commands is None:
            return False
        self._made = False
        try:
            if commands:
                self._load(commands)
        except GatewayError:  # somebody has changed our sets: they are made anew
            return False
        self._made = True
        return True

    def _replace(self, wanted: ruleset.Content, now: float) -> None:
        """Load everything. Raises GatewayError."""
        commands = self._structure()
        if not self._made:
            # What lies there may be of another version. It gives way within the transaction.
            ours = ruleset.table(self.settings.table)
            commands = [{"add": ours}, {"delete": ours}, *commands]
        commands += ruleset.elements(self.settings.table, wanted, now)
        self._made = False
        self._load(commands)
        self._made = True

    def _load(self, commands: list[ruleset.Command], *options: str) -> None:
        """One transaction: all of it or nothing."""
        self._nft(*options, "-j", "-f", "-", said=orjson.dumps({"nftables": commands}))

    def _nft(self, *arguments: str, said: bytes = b"") -> bytes:
        program = self.settings.nft[0]
        try:
            done = subprocess.run(
                [*self.settings.nft, *arguments],
                input=said,
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except OSError as error:
            raise GatewayError(f"{program}: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise GatewayError(f"{program}: no end within {PATIENCE:.0f} s") from error
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").splitlines()
            raise GatewayError(f"{program}: {lines[0][:200] if lines else 'failed'}")
        return done.stdout
