"""Microsoft 365, by Microsoft Graph: clients that are refused become a named location, which a
policy of Conditional Access blocks; sessions of an account end; an account is disabled.

It was tried against a stand-in that answers as the published schema says, never against a tenant.
The tenant's allow and block list cannot be written by Graph: a script does that
(packaging/exchange).
"""

import time
from collections.abc import Callable, Sequence

from schemas import net
from schemas.findings import Decision
from streams.done import Entry
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.gateways.m365.graph import Graph, user
from streams.gateways.m365.settings import M365Settings
from streams.stepping import Stepping, Taken

__all__ = ["M365", "M365Settings"]

NOBODY = "192.0.2.255/32"  # a location must have a range; nobody comes from there (RFC 5737)
TYPES = {4: "#microsoft.graph.iPv4CidrRange", 6: "#microsoft.graph.iPv6CidrRange"}
LOCATION = "#microsoft.graph.ipNamedLocation"
REFUSED = ("reject", "drop")
LOCKED = "locked"  # remembered as a step: we disabled the account, and enable it again


class M365(Stepping):
    """The list of clients is written whole, at a bounded rate."""

    Settings = M365Settings
    steps = ("kick", "lock")
    blind_to = "mail from these clients: a named location refuses logins only"
    settings: M365Settings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "m365",
        lifted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings, name, lifted, clock)
        self._graph = Graph(self.settings)
        self._ranges: list[str] = []  # as they should be
        self._written: list[str] | None = None
        self._at = float("-inf")  # when it was written

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        if self.settings.location:
            self._ranges = ranges(decisions, self.settings.ranges)
        return super().enforce(decisions) and not self._changed

    def reaches(self, decision: Decision) -> bool:
        listed = self.settings.location and decision.action in REFUSED and network(decision)
        return bool(listed) or super().reaches(decision)

    def names(self, decision: Decision, step: str) -> bool:
        target = decision.target
        ours = target.value.rpartition("@")[2] in self.settings.domains
        return (
            target.kind == "account" and not decision.domain and ours and bool(user(target.value))
        )

    def take(self, step: str, entries: Sequence[Entry]) -> Taken:
        for found in entries:
            who = user(found.decision.target.value)
            if not self.settings.act:
                yield found, "would have been done: act is off"
            elif step == "kick":
                answer = self._graph.call("POST", f"{who}/revokeSignInSessions", missing=True)
                yield found, "no such user" if answer.status == 404 else "sessions end"
            else:
                yield found, self._lock(who, found)

    def undo(self, found: Entry, step: str) -> str:
        """Only what was enabled before is enabled again."""
        if step != "lock" or LOCKED not in found.steps:
            return ""
        who = user(found.decision.target.value)
        self._graph.call("PATCH", who, {"accountEnabled": True}, missing=True)
        found.steps.remove(LOCKED)
        return "the account is enabled again"

    def pending(self) -> bool:
        due = self._clock() - self._at >= self.settings.interval or not self._ranges
        return self._changed and due

    def work(self) -> None:
        """Write the list of clients."""
        wanted = self._ranges
        path = f"identity/conditionalAccess/namedLocations/{self.settings.location}"
        found = self._graph.call("GET", path).body
        if found.get("@odata.type") != LOCATION or found.get("isTrusted") is not False:
            raise GatewayError(f"{path}: it must be an IP location that is not trusted")
        body = {"@odata.type": LOCATION, "ipRanges": [_range(one) for one in [NOBODY, *wanted]]}
        self._graph.call("PATCH", path, body)
        self._written, self._at = wanted, self._clock()

    def review(self) -> list[Note]:
        settings = self.settings
        missing = [n for n in ("tenant", "client", "secret_file") if not getattr(settings, n)]
        if missing:
            return [Note("failed", f"not set: {', '.join(missing)}")]
        notes = (
            [] if settings.act else [Note("warning", "act is off: it only says what it would do")]
        )
        try:
            if settings.location:
                path = f"identity/conditionalAccess/namedLocations/{settings.location}"
                name = self._graph.call("GET", path).body.get("displayName", "")
                notes.append(Note("ok", f"refused clients are the named location {name}"))
            else:
                self._graph.call("GET", "organization?$select=id")
                notes.append(Note("ok", "Graph answers; no named location is set"))
        except GatewayError as error:
            notes.append(Note("failed", str(error)))
        return notes

    @property
    def _changed(self) -> bool:
        """Whether the list must be written anew, sooner or later."""
        settings = self.settings
        return bool(settings.location and settings.act) and self._ranges != self._written

    def _lock(self, who: str, found: Entry) -> str:
        """Disable a user."""
        answer = self._graph.call("GET", f"{who}?$select=id,accountEnabled", missing=True)
        if answer.status == 404:
            return "no such user"
        if answer.body.get("accountEnabled") is not True:
            return "it was disabled already"
        self._graph.call("PATCH", who, {"accountEnabled": False})
        if LOCKED not in found.steps:
            found.steps.append(LOCKED)
        return "the account is disabled"


def ranges(decisions: Sequence[Decision], most: int) -> list[str]:
    """The networks that are refused, sorted; what overlaps a pardon is left out. The decisions
    come with the ruling ones first."""
    spared = net.Networks(network(d) for d in decisions if d.origin == "pardon" and network(d))
    found: dict[str, None] = {}
    for decision in decisions:
        text = network(decision)
        if decision.action in REFUSED and text and not spared.overlapping(text):
            found.setdefault(text)
        if len(found) >= most - 1:
            break
    return sorted(found)


def network(decision: Decision) -> str:
    """The network that a decision is about, with its prefix length; "" where it is about none."""
    if decision.target.kind != "network" or decision.domain:
        return ""
    try:
        return str(net.parse_network(decision.target.value))
    except ValueError:
        return ""


def _range(text: str) -> dict[str, str]:
    return {"@odata.type": TYPES[net.parse_network(text).version], "cidrAddress": text}
