"""What a connection does with its transport, where no real one can be made to behave so."""

from streams.gateways.policy.answer import Mail
from streams.gateways.policy.connection import AT_ONCE, Connection
from streams.gateways.policy.protocol import Attributes

ANSWER = b"action=REJECT\n\n"


class Transport:
    """Its other side never reads: the buffer is full after `room` writes."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.protocol: Connection
        self.written: list[bytes] = []
        self.ended = ""

    def set_write_buffer_limits(self, high: int) -> None:
        assert high < 1 << 20

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if len(self.written) == self.room:
            self.protocol.pause_writing()

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Desk:
    def come(self, connection: Connection) -> bool:
        return True

    def go(self, connection: Connection) -> None:
        raise NotImplementedError

    def soon(self, connection: Connection) -> None:
        connection.say(connection.answers())

    def answer(self, attributes: Attributes, mail: Mail) -> bytes:
        return ANSWER

    def now(self) -> float:
        return 0.0


def connected(room: int = 1000) -> tuple[Connection, Transport]:
    connection, transport = Connection(Desk()), Transport(room)
    transport.protocol = connection
    connection.connection_made(transport)  # type: ignore[arg-type]
    return connection, transport


def test_who_asks_and_never_listens_is_let_go() -> None:
    connection, transport = connected(room=3)
    for _ in range(10):
        connection.data_received(b"request=a\n\n")
    assert transport.written == [ANSWER] * 3
    assert transport.ended == "aborted"


def test_who_does_not_wait_for_answers_is_let_go() -> None:
    connection, transport = connected()
    connection.data_received(b"request=a\n\n" * AT_ONCE)
    assert not transport.ended
    connection.data_received(b"request=a\n\n" * (AT_ONCE + 1))
    assert transport.written == [ANSWER * AT_ONCE] * 2
    assert transport.ended == "closed"
