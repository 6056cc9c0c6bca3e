"""The questions of detectors are asked in a thread of its own: no event waits for the DNS.

The thread begins with the first question: where no detector asks, nothing is sent. What there is
no room for is dropped and counted; its detector asks again, an hour later.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Iterable
from contextlib import suppress

from agents.detector import Question
from schemas.events import Signal
from streams import metrics
from streams.said import said

log = logging.getLogger(__name__)

ROOM = 1_000  # questions that wait
AT_ONCE = 8  # that are asked
LONGEST = 60.0  # seconds for one, with all that it asks
LOOK = 0.2  # seconds between two looks for new ones


class Questions:
    """`resolvers` are asked, else those of the system."""

    def __init__(self, resolvers: tuple[str, ...]) -> None:
        self._resolvers = resolvers
        self._waiting: queue.Queue[Question] = queue.Queue(ROOM)
        self._answers: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def ask(self, questions: Iterable[Question]) -> None:
        """Take questions, without waiting."""
        for question in questions:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="questions", daemon=True)
                self._thread.start()
            try:
                self._waiting.put_nowait(question)
            except queue.Full:
                metrics.QUESTIONS_DROPPED.inc()

    def take(self) -> list[Signal]:
        """The answers since the last call."""
        found: list[Signal] = []
        with suppress(queue.Empty):
            while True:
                found.append(self._answers.get_nowait())
        return found

    def close(self) -> None:
        """Ask no more. What is on its way is not waited for."""
        self._closing.set()

    def _run(self) -> None:
        try:
            asyncio.run(self._ask_forever())
        except Exception:
            # Nobody depends on it: judgements rest on the logs alone from here on.
            log.exception("the DNS is asked about clients no more")

    async def _ask_forever(self) -> None:
        # Here, for it brings the DNS library, which few need.
        from agents import resolver  # noqa: PLC0415
        from agents.reputation.asker import answer  # noqa: PLC0415

        asked = resolver.new(self._resolvers)

        told: set[type[Exception]] = set()

        async def ask(question: Question) -> None:
            try:
                for signal in await asyncio.wait_for(answer(asked, question), LONGEST):
                    self._answers.put(signal)
            except TimeoutError:
                log.debug(said("question not answered", about=question.about))
            except Exception as error:
                # A name that an attacker chose must end nothing but its own question.
                if type(error) not in told:
                    told.add(type(error))
                    log.warning(said("question failed", about=question.about), exc_info=error)

        running: set[asyncio.Task[None]] = set()
        while not self._closing.is_set():
            while len(running) < AT_ONCE:
                try:
                    question = self._waiting.get_nowait()
                except queue.Empty:
                    break
                metrics.QUESTIONS.inc()
                running.add(asyncio.create_task(ask(question)))
            if running:
                _, running = await asyncio.wait(
                    running, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED
                )
            else:
                await asyncio.sleep(LOOK)
