"""Whom people know to be innocent: named one by one, in a list, or pardoned from a decision."""

from collections.abc import Iterable

from schemas import keys, net
from schemas.audit import Audit
from schemas.findings import Alert, Decision, Subject

MOST = 100_000  # that are remembered


class Innocents:
    """Clients, networks, and names of accounts, domains or gateways."""

    def __init__(self, default_domain: str = "") -> None:
        self.networks = net.Networks()
        self.names: set[str] = set()
        self._default = default_domain
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, text: str) -> None:
        """An address, a network or a name."""
        text = text.strip()
        if not text or self._count >= MOST or self.concerns(text):
            return
        self._count += 1
        try:
            self.networks.add(text)
        except ValueError:
            self.names.add(self._name(text))

    def read(self, lines: Iterable[str]) -> None:
        """One a line; what follows ``#`` is a remark."""
        for line in lines:
            self.add(line.partition("#")[0])

    def pardoned(self, decisions: Iterable[Decision], audit: Iterable[Audit]) -> None:
        """Whom people pardoned, now or once; a pardon that was taken back does not count."""
        targets: dict[str, None] = {}
        for entry in sorted(audit, key=lambda one: one.at):
            if entry.what == "pardoned":
                targets[entry.target] = None
            elif entry.what == "removed" and entry.origin == "pardon":
                targets.pop(entry.target, None)
        for decision in decisions:
            if decision.origin == "pardon":
                targets[f"{decision.target.kind}:{decision.target.value}"] = None
        for target in targets:
            self.add(target.partition(":")[2].partition(" ")[0])

    def concerns(self, text: str) -> bool:
        return text in self.networks or self._name(text) in self.names

    def accused(self, alert: Alert) -> bool:
        """Whether a finding stands against one of them."""
        if alert.severity == "info" or alert.state != "open":
            return False
        return self._is_subject(alert.subject)

    def _is_subject(self, subject: Subject) -> bool:
        if subject.kind in ("client", "network"):
            return bool(self.networks.overlapping(subject.value))
        return self._name(subject.value) in self.names

    def _name(self, text: str) -> str:
        text = text.lower()
        bare = "@" not in text and "." in text  # a domain or a gateway, not a login
        return text if bare else keys.mailbox(text, self._default)
