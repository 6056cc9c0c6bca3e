"""The kill switch of the site, as this edge knows it. It outlives a restart without the broker."""

import logging
from pathlib import Path

from agents.edge.admission import Alarm
from schemas import wire
from schemas.gateways import SWITCH, Switch
from streams import atomic
from streams.bus import Message
from streams.said import said
from streams.signing import Keys, SigningError

log = logging.getLogger(__name__)


class KillSwitch:
    """`path` is where the newest word is kept; `keys` verify it, if there are any."""

    def __init__(self, path: Path, alarm: Alarm, keys: Keys | None) -> None:
        self.trouble = ""  # why it cannot be kept
        self._path = path
        self._alarm = alarm
        self._keys = keys
        self.word: Switch | None = self._load()

    @property
    def pulled(self) -> bool:
        return self.word is not None and self.word.pulled

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
        if self.word is not None and switch.at <= self.word.at:
            return False
        self.word = switch
        event = "kill switch pulled" if switch.pulled else "kill switch goes back"
        log.warning(said(event, by=switch.by, reason=switch.reason))
        self._keep(switch)
        return True

    def _load(self) -> Switch | None:
        try:
            return wire.decode_switch(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning(said("switch passed over", switch=self._path, reason=error))
            return None

    def _keep(self, switch: Switch) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._path, wire.encode(switch).decode(), 0o600)
        except OSError as error:
            self.trouble = f"{self._path}: {error.strerror}"
            log.error(said("switch not kept", reason=self.trouble))
        else:
            self.trouble = ""
