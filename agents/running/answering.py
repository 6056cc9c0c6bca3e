"""What the gateways of a process ask it and tell it (streams/gateway.py `Site`), from their own
threads, whether its decisions come from the bus or from the detectors beside them."""

from collections.abc import Callable, Iterable, Sequence

from agents.configuration import Config, build_blocklist
from agents.running.inbox import Inbox
from schemas import keys
from schemas.audit import Audit
from schemas.events import Fact
from schemas.findings import Decision


class Answering:
    """A process with gateways. It takes what they tell out of `_inbox` and `_audit`, and may
    replace `_blocklist`; `clock` is the wall clock, by which leases run."""

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self.config = config
        self._clock = clock
        self._blocklist = build_blocklist(config)
        self._inbox: Inbox[Fact] = Inbox()
        self._audit: Inbox[Audit] = Inbox()
        self._phishing: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    @property
    def host(self) -> str:
        return self.config.host

    @property
    def phishing(self) -> frozenset[str]:
        """A list of others may name whom it likes, but nobody is kept from writing to us."""
        known = self.config.phishing.known
        if known is not self._phishing[0]:
            local = self.config.site.local
            self._phishing = known, frozenset(one for one in known if not local(one))
        return self._phishing[1]

    def ruling(
        self,
        address: str = "",
        account: str = "",
        *,
        mailboxes: Iterable[str] = (),
        domains: Iterable[str] = (),
        ours: str = "",
    ) -> Decision | None:
        """The decision that rules these now: see Blocklist.lookup."""
        return self._blocklist.lookup(
            self._clock(),
            address,
            keys.mailbox(account, self.config.site.default_domain),
            mailboxes=mailboxes,
            domains=domains,
            ours=ours,
        )

    def publish(self, events: Sequence[Fact]) -> None:
        """On to the detectors."""
        self._inbox.put(events)

    def record(self, entries: Sequence[Audit]) -> None:
        """On to the trail of changes."""
        self._audit.put(entries)
