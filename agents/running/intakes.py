"""Which mails a running program reads beside the logs."""

from collections.abc import Callable, Mapping
from pathlib import Path

from agents.configuration import Config
from agents.running import reading
from streams.sources.intake import Intake, Intakes
from streams.sources.intake.maildir import Maildir

Opener = Callable[[Config, Mapping[str, bytes]], Intakes]
"""Opens the intakes that a configuration names, at the positions of an earlier process."""


def none(config: Config, positions: Mapping[str, bytes]) -> Intakes:
    """Logs only."""
    return Intakes()


def opened(config: Config, positions: Mapping[str, bytes], *, once: bool = False) -> Intakes:
    """All that the settings name; with `once` only those where mails lie already."""
    lmtp, maildir = config.settings.intake.lmtp, config.settings.intake.maildir
    gateway = reading.host(config)
    found: list[Intake] = []
    if maildir is not None:
        position = positions.get(f"intake {maildir.path}", b"")
        found.append(Maildir(Path(maildir.path), position, gateway=gateway))
    if lmtp is not None and not once:
        # Here, for it brings a server's library, which few need.
        from streams.sources.intake.lmtp import Lmtp  # noqa: PLC0415

        found.append(
            Lmtp(
                lmtp.listen,
                positions.get(f"intake {Lmtp.name}", b""),
                gateway=gateway,
                largest=lmtp.largest,
                connections=lmtp.connections,
            )
        )
    return Intakes(found)
