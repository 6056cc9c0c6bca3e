"""What all clients of Kafka share: how they connect, and what their failures mean in words.

kafka-python is imported in streams/kafka_*.py only.
"""

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from schemas.settings import KafkaSettings
from streams.bus import BusError

T = TypeVar("T")


class _Overheard(logging.Handler):
    """What the library last complained of. It logs every attempt to connect, several times, and
    raises only that time is up: who uses the bus says once that it is away, and why."""

    reason = ""

    def emit(self, record: logging.LogRecord) -> None:
        for said in record.args or ():
            if isinstance(said, KafkaConnectionError):
                self.reason = self.reason or str(said)  # what led to it says more
            elif isinstance(said, Exception) and not isinstance(said, KafkaTimeoutError):
                self.reason = str(said)


_overheard = _Overheard(logging.WARNING)
logging.getLogger("kafka").addHandler(_overheard)
logging.getLogger("kafka").propagate = False

CONNECT = 4.0  # seconds until a broker that does not answer is said to be away
REQUEST = 10.0  # seconds for any one request
CLOSE = 2.0
LARGEST = 1_000_000  # bytes of a message; brokers take 1,048,588 with all that is around it
BATCH = 400_000  # bytes
# OSError: TLS files that cannot be read; the others: settings that the library rejects.
FAILURES = (KafkaError, OSError, ValueError, AssertionError, RuntimeError)


def connected(settings: KafkaSettings, make: Callable[[], T]) -> T:
    """A client. The library's own are left half-made, with open sockets, where no broker answers:
    look for one first. Raises BusError."""
    answers(settings)
    where = ", ".join(settings.bootstrap)
    _overheard.reason = ""
    try:
        return make()
    except FAILURES as error:
        # A broker may hang up on a wrong password without its reason being read in time.
        how = settings.security
        why = _overheard.reason or reason(error)
        raise BusError(
            f"no Kafka broker lets us in at {where} by kafka.security = {how}: {why}"
        ) from error


def answers(settings: KafkaSettings) -> None:
    """Raises BusError where no broker takes a connection."""
    servers = settings.bootstrap
    with explained(f"no Kafka broker answers at {', '.join(servers)}"):
        _find_any(servers)


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """What all clients are told: https://kafka-python.readthedocs.io/, KafkaClient."""
    found: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap),
        "client_id": settings.group,
        "bootstrap_timeout_ms": int(CONNECT * 1000),
        "request_timeout_ms": int(REQUEST * 1000),
        "security_protocol": settings.security,
        "ssl_cafile": settings.ca or None,
        "ssl_certfile": settings.certificate or None,
        "ssl_keyfile": settings.key or None,
    }
    if settings.security.startswith("SASL"):
        found["sasl_mechanism"] = settings.mechanism
        found["sasl_plain_username"] = settings.username
        found["sasl_plain_password"] = password(settings)
    return found


def password(settings: KafkaSettings) -> str:
    """The password of the settings, or the first line of the file that holds it."""
    if not settings.password_file:
        return settings.password
    try:
        text = Path(settings.password_file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BusError(f"kafka.password_file: {error}") from error
    return text.partition("\n")[0]


def close_consumer(consumer: Any) -> None:
    """Without waiting for a group that cannot be left: its members notice by themselves."""
    try:
        consumer.close(autocommit=False, timeout_ms=int(CLOSE * 1000))
    except FAILURES:
        # close() gives up in leaving the group, and leaves its connections open (kafka-python 3.0).
        consumer._client.close()


def close_producer(producer: Any) -> None:
    """Without waiting for a broker that may never come back."""
    try:
        producer.close(timeout=CLOSE)
    except KafkaError:
        # close() has given up in its flush and left the producer open (kafka-python 3.0): drop
        # what is not sent, then it can.
        producer._sender.force_close()
        producer.close(timeout=CLOSE)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns what the library raises into a BusError that begins with `what`."""
    try:
        yield
    except FAILURES as error:
        raise BusError(f"{what}: {reason(error)}") from error


def _find_any(servers: Sequence[str]) -> None:
    """Raises OSError where none of the servers accepts a connection."""
    error = OSError("none is configured")
    for server in servers:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT / len(servers)).close()
        except OSError as failure:
            error = failure
        else:
            return
    raise error


def reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
