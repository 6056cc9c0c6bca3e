"""What the gateways tell of themselves, read by a thread beside Faust: every worker hears of all of
them, and speaks of those whose keys lie in its partitions."""

import logging
import threading
from collections.abc import Callable

from agents.enforcing import Progress, best
from schemas import wire
from schemas.gateways import GatewayState
from streams.bus import Bus, Message
from streams.said import said

log = logging.getLogger(__name__)

TOPIC = "mail.gateways"
POLL = 0.5  # seconds
PAUSE = 5.0  # until another try to connect


class Hearing:
    """Reads until `close`. `overdue` is the time in which every gateway has to follow."""

    def __init__(self, connect: Callable[[], Bus], overdue: float) -> None:
        self.states: dict[str, GatewayState] = {}  # the newest of each, by its name
        self.complete = False  # all is read; until then nobody is missing
        self.progress = Progress(overdue)
        self._connect = connect
        self._trouble = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateways", daemon=True)
        self._thread.start()

    def expected(self, now: float) -> int:
        """The generation that no gateway must be below. Call it about once a second."""
        self.progress.note(best(list(self.states.values())), now)
        return self.progress.expected(now)

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                bus = self._connect()
                try:
                    self._listen(bus)
                finally:
                    bus.close()
            except Exception as error:
                # Whatever the bus does, it is asked again.
                self.complete = False
                if str(error) != self._trouble:
                    self._trouble = str(error)
                    log.warning(said("gateways are not heard", reason=error))
                self._closing.wait(PAUSE)

    def _listen(self, bus: Bus) -> None:
        subscription = bus.subscribe([TOPIC], None)
        while not self._closing.is_set():
            for message in subscription.poll(POLL):
                self._take(message)
            if not self.complete and subscription.caught_up():
                self.complete, self._trouble = True, ""

    def _take(self, message: Message) -> None:
        name = message.key.decode(errors="replace")
        if message.value is None:
            self.states = {key: state for key, state in self.states.items() if key != name}
            return
        try:
            state = wire.decode_state(message.value)
        except ValueError as error:
            log.warning(said("word of a gateway unreadable", gateway=name, reason=error))
            return
        if state.gateway == name:
            self.states = {**self.states, name: state}  # others walk over the old ones meanwhile
