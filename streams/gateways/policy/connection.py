"""One connection of a mail server's, on the loop that all servers share.

Nothing here waits: an answer is made from memory, in the turn of the loop in which its question
came. So what makes it late is a loop that has too much to do; then the desk answers neutrally
without looking.
"""

import asyncio
from typing import Final, Protocol

from streams.gateways.policy import protocol
from streams.gateways.policy.answer import Mail
from streams.gateways.policy.protocol import Attributes, Questions

AT_ONCE = 64  # questions in one read: Postfix waits for each answer, and sends one
UNREAD = 16_384  # bytes of answers that nobody fetches

NEUTRAL: Final = protocol.answer("DUNNO")


class Desk(Protocol):
    """Who answers."""

    def come(self, connection: "Connection") -> bool:
        """Whether there is room for one more."""

    def go(self, connection: "Connection") -> None: ...

    def soon(self, connection: "Connection") -> None:
        """Something has come: ask for its `answers` and let it `say` them."""

    def answer(self, attributes: Attributes, mail: Mail) -> bytes: ...

    def now(self) -> float: ...


class Connection(asyncio.Protocol):
    """All questions of one process of the mail server's, which is about one message at a time:
    a new instance means that the one before is done (SMTPD_POLICY_README)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._questions = Questions()
        self._mail = Mail()
        self._came = b""
        self._ends = False  # after what is said next
        self._transport: asyncio.Transport
        self.heard = desk.now()  # when it spoke last

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.set_write_buffer_limits(high=UNREAD)
        if not self._desk.come(self):
            transport.write(NEUTRAL)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._desk.go(self)

    def data_received(self, data: bytes) -> None:
        self.heard = self._desk.now()
        self._came += data
        self._desk.soon(self)

    def eof_received(self) -> None:
        """Exim has asked, and waits: it is answered, then the transport closes itself."""
        self.say(self.answers() + self._answers(self._questions.end()))

    def answers(self) -> bytes:
        """What is to be said about all that has come."""
        came, self._came = self._came, b""
        return self._answers(self._questions.feed(came))

    def say(self, answers: bytes) -> None:
        if self._transport.is_closing():
            return
        if answers:
            self._transport.write(answers)
        if self._ends:
            self._transport.close()

    def pause_writing(self) -> None:
        """It asks and does not listen."""
        self._transport.abort()

    def close(self) -> None:
        """Let go of it."""
        self._transport.close()

    def _answers(self, questions: list[Attributes | None]) -> bytes:
        said = []
        for question in questions[:AT_ONCE]:
            if question is None:
                self._ends = True
                said.append(NEUTRAL)
                break
            instance = question.get("instance", "")
            if not instance or instance != self._mail.instance:
                self._mail = Mail(instance)
            said.append(self._desk.answer(question, self._mail))
        self._ends |= len(questions) > AT_ONCE
        return b"".join(said)
