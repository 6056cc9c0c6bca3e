"""What comes of a decision here: it is not enforced because somebody wished so."""

from collections.abc import Iterable
from typing import Literal

from rich.text import Text

from agents.configuration import Config, build_blocklist
from schemas.findings import Decision

Effect = Literal[
    "enforced", "observed", "waits", "nobody_can", "asked_for", "lifted", "spared", "outranked"
]

WORDS: dict[Effect, tuple[str, str]] = {
    "enforced": ("enforced", "bold red"),
    "observed": ("observed", "yellow"),
    "waits": ("waits for approval", "magenta"),  # of two persons
    "nobody_can": ("nobody can", "magenta"),  # no gateway that is configured here
    "asked_for": ("asked for", "bold red"),  # of gateways elsewhere: these settings name none
    "lifted": ("lifted (panic)", "yellow"),
    "spared": ("spared", "green"),
    "outranked": ("outranked", "dim"),
}


def effect(decision: Decision, config: Config, *, ruling: bool, kafka: bool) -> Effect:
    """`ruling` says that no other decision outranks it; `kafka`, that it is also for gateways
    of other hosts, of which these settings need not know."""
    if not ruling:
        return "outranked"
    if decision.origin == "pardon":
        return "spared"
    if not decision.enforced:
        return "waits" if decision.needs else "observed"
    if not reached(decision, config):
        return "asked_for" if kafka else "nobody_can"
    return "lifted" if config.lifted() else "enforced"


def ruling(decisions: Iterable[Decision], config: Config, now: float) -> list[Decision]:
    """Those in force at `now` that no other of them outranks, the ruling ones first."""
    blocklist = build_blocklist(config)
    for decision in decisions:
        blocklist.put(decision)
    return list(blocklist.in_force(now))


def reached(decision: Decision, config: Config) -> bool:
    """Whether a gateway that is configured, and on, can carry it out."""
    return any(
        gateway.settings.enabled and gateway.reaches(decision) for gateway in config.gateways
    )


def shown(found: Effect) -> Text:
    text, style = WORDS[found]
    return Text(text, style=style)
