"""What a Postfix does with us, by what postconf(1) says of its configuration."""

import re
import subprocess
from collections.abc import Iterable, Sequence

from msgspec import Struct

PATIENCE = 20.0  # seconds for one call of postconf

FAILURES = (OSError, subprocess.SubprocessError)
"""What `services` raises where postconf cannot be asked."""


class Service(Struct, frozen=True):
    """A line of master.cf that serves SMTP, with what holds for it."""

    key: str  # "submission/inet"
    program: str  # smtpd, postscreen
    parameters: dict[str, str]

    def __getitem__(self, parameter: str) -> str:
        return self.parameters.get(parameter, "")

    def items(self, parameter: str) -> list[str]:
        return split(self[parameter])

    @property
    def takes_logins(self) -> bool:
        return self["smtpd_sasl_auth_enable"] == "yes"


def services(command: Sequence[str], asked: Iterable[str]) -> list[Service]:
    """The services of master.cf that are smtpd or postscreen, each with the parameters that are
    `asked` about. `command` is postconf, with the instance that is meant."""
    common = _parameters(_ask(command, "-x", *asked))
    overrides = _parameters(_ask(command, "-P", "-x"))
    found = []
    for line in _ask(command, "-M").splitlines():
        fields = line.split()
        if len(fields) < 8 or fields[7] not in ("smtpd", "postscreen"):
            continue
        key = f"{fields[0]}/{fields[1]}"
        own = {
            name.removeprefix(f"{key}/"): value
            for name, value in overrides.items()
            if name.startswith(f"{key}/")
        }
        found.append(Service(key, fields[7], {**common, **own}))
    return found


def split(restrictions: str) -> list[str]:
    """The items of a restriction list: by commas and white space, which mean the same to Postfix;
    ``{...}`` is one item."""
    return re.findall(r"\{[^}]*\}|[^\s,{}]+", restrictions)


def _ask(command: Sequence[str], *options: str) -> str:
    done = subprocess.run(
        [*command, *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.decode(errors="replace")


def _parameters(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
