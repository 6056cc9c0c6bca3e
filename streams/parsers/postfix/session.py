"""What the parsers of smtpd(8) have in common: a connection, and the key of its session."""

from schemas.events import Connection
from streams.parsers.part import Record


def session(record: Record, client: str) -> str:
    """A process serves one client after the other, each under its own memory."""
    return f"{record.pid} {client}"


def connection(
    record: Record, client: str, name: str, outcome: str, reason: str, helo: str = ""
) -> Connection:
    return Connection(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=client,
        name=name,
        helo=helo,
        outcome=outcome,
        reason=reason,
    )
