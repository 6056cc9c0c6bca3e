"""The kill switch of the site, as this edge knows it. It outlives a restart without the broker."""

import logging
from pathlib import Path

from agents.edge.admission import Alarm
from schemas import wire
from schemas.gateways import SWITCH, Switch
from streams import atomic
from streams.bus import Message
from streams.signing import Keys, SigningError

log = logging.getLogger(__name__)


class KillSwitch:
    """`path` is where the newest word is kept; `keys` verify it, if there are any."""

    def __init__(self, path: Path, alarm: Alarm, keys: Keys | None) -> None:
        self.trouble = ""  # why it cannot be kept
        self._path = path
        self._alarm = alarm
        self._keys = keys
        self.said: Switch | None = self._load()

    @property
    def pulled(self) -> bool:
        return self.said is not None and self.said.pulled

    def hear(self, message: Message) -> bool:
        """Take a message of mail.switch; whether it is news. A word that is older than the
        known one is none. Raises ValueError where it cannot be read."""
        if message.key != SWITCH or message.value is None:
            return False
        if self._keys is not None:
            try:
                self._keys.verify(message.topic, message.key, message.value, message.headers)
            except SigningError as error:
                self._alarm.sound("unsigned", message, str(error))
                return False
        switch = wire.decode_switch(message.value)
        if self.said is not None and switch.at <= self.said.at:
            return False
        self.said = switch
        log.warning(
            'kill switch %s by="%s" reason="%s"',
            "pulled: everything is lifted" if switch.pulled else "goes back",
            _quoted(switch.by),
            _quoted(switch.reason),
        )
        self._keep(switch)
        return True

    def _load(self) -> Switch | None:
        try:
            return wire.decode_switch(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning('switch=%s passed over reason="%s"', self._path, error)
            return None

    def _keep(self, switch: Switch) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._path, wire.encode(switch).decode(), 0o600)
        except OSError as error:
            self.trouble = f"{self._path}: {error.strerror}"
            log.error('switch not kept reason="%s"', self.trouble)
        else:
            self.trouble = ""


def _quoted(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text).replace('"', "'")
