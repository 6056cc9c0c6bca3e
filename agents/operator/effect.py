"""What comes of a decision here: it is not enforced because somebody wished so."""

from typing import Literal

from rich.text import Text

from agents.configuration import Config
from schemas.findings import Decision

Effect = Literal["enforced", "observed", "nobody_can", "asked_for", "lifted", "spared", "outranked"]

WORDS: dict[Effect, tuple[str, str]] = {
    "enforced": ("enforced", "bold red"),
    "observed": ("observed", "yellow"),
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
        return "observed"
    if not reached(decision, config):
        return "asked_for" if kafka else "nobody_can"
    return "lifted" if config.lifted() else "enforced"


def reached(decision: Decision, config: Config) -> bool:
    """Whether a gateway that is configured, and on, can carry it out."""
    return any(
        gateway.settings.enabled and gateway.reaches(decision) for gateway in config.gateways
    )


def shown(found: Effect) -> Text:
    text, style = WORDS[found]
    return Text(text, style=style)
