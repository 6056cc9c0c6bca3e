"""Alerts by syslog: RFC 5424 with structured data, or CEF or LEEF in it, by UDP, TCP or TLS.

Streams use octet counting (RFC 6587, RFC 5425). Syslog acknowledges nothing, so each batch has a
connection of its own that is closed in order: the batch is told when the receiver has closed its
side as well, or its kernel has acknowledged every byte. Whatever else happens, the batch is sent
again; receivers tell a repetition by the alert's id and revision. UDP promises nothing.
"""

import fcntl
import socket
import ssl
import struct
import termios
from collections.abc import Sequence
from typing import Literal

from schemas.findings import Alert
from schemas.settings import SettingsError
from streams import server_place, tls
from streams.rendering import cef, leef, rfc5424
from streams.sink import Sink, SinkError, SinkSettings

PORTS = {"udp": 514, "tcp": 514, "tls": 6514}
LEAST = 480  # bytes that every receiver takes (RFC 5424, 6.1)
LARGEST = {"udp": 2048, "tcp": 8192, "tls": 8192}
DATAGRAM = 65_000  # bytes that fit into one


class SyslogSettings(SinkSettings, frozen=True):
    """``[sinks.syslog]``"""

    server: str = ""  # host or host:port (514, with TLS 6514); must be set
    transport: Literal["udp", "tcp", "tls"] = "tls"
    format: Literal["rfc5424", "cef", "leef"] = "rfc5424"
    facility: int = 10  # 0 to 23; 10 is authpriv, 16 is local0
    host: str = ""  # the name that we send; "" is this machine's
    largest: int = 0  # bytes of a message; 0: 8192, by UDP 2048
    timeout: float = 10.0  # seconds for one batch
    ca: str = ""  # PEM file of authorities, in place of the system's
    certificate: str = ""  # PEM files, where the server asks for a certificate
    key: str = ""


class Syslog(Sink):
    """The server's certificate must be that of the name in `server`."""

    Settings = SyslogSettings
    settings: SyslogSettings

    def __init__(self, settings: SinkSettings, name: str = "syslog") -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name)
        chosen = self.settings
        self._place = server_place.parsed(chosen.server, PORTS[chosen.transport])
        if not 0 <= chosen.facility <= 23:
            raise SettingsError("facility: expected a number from 0 to 23")
        if chosen.timeout <= 0:
            raise SettingsError("timeout: expected a number of seconds above 0")
        self._largest = chosen.largest or LARGEST[chosen.transport]
        most = DATAGRAM if chosen.transport == "udp" else 1 << 20
        if not LEAST <= self._largest <= most:
            raise SettingsError(f"largest: expected 0, or {LEAST} to {most} bytes")
        self._host = chosen.host or socket.gethostname()
        self._tls = None
        if chosen.transport == "tls":
            self._tls = tls.to_server(chosen.ca, chosen.certificate, chosen.key)

    def about(self) -> str:
        chosen = self.settings
        return f"{chosen.format} by {chosen.transport} to {server_place.shown(self._place)}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        messages = [self.message(alert) for alert in alerts]
        try:
            if self.settings.transport == "udp":
                self._cast(messages)
            else:
                self._stream(b"".join(b"%d %b" % (len(each), each) for each in messages))
        except TimeoutError as error:
            wait = self.settings.timeout
            raise SinkError(
                f"{server_place.shown(self._place)}: no answer within {wait:g} s"
            ) from error
        except OSError as error:
            raise SinkError(
                f"{server_place.shown(self._place)}: {error.strerror or error}"
            ) from error

    def message(self, alert: Alert) -> bytes:
        """The alert as one message, without the framing."""
        chosen, largest = self.settings, self._largest
        if chosen.format == "rfc5424":
            return rfc5424.message(alert, chosen.facility, self._host, largest)
        # No byte order mark: receivers look for "CEF:" right behind the header.
        head = f"{rfc5424.header(alert, chosen.facility, self._host)} - "
        render = cef.payload if chosen.format == "cef" else leef.payload
        return (head + render(alert, largest - len(head))).encode("utf-8", "replace")

    def _cast(self, messages: Sequence[bytes]) -> None:
        host, port = self._place
        kind = socket.SOCK_DGRAM
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
        with socket.socket(family, kind) as sender:
            sender.settimeout(self.settings.timeout)
            # Connected, so that a port where nobody listens is an error at the next message.
            sender.connect(address)
            for each in messages:
                sender.send(each)
            # And that of the last, if the answer is here already.
            fault = sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if fault:
                raise OSError(fault, "nobody listens there")

    def _stream(self, data: bytes) -> None:
        timeout = self.settings.timeout
        with socket.create_connection(self._place, timeout) as plain:
            if self._tls is None:
                plain.sendall(data)
                _finish(plain)
                return
            with self._tls.wrap_socket(plain, server_hostname=self._place[0]) as secure:
                secure.sendall(data)
                _farewell(secure)


def _finish(connection: socket.socket) -> None:
    """Close our side, and wait until the other has read all. A reset says that it has not."""
    connection.shutdown(socket.SHUT_WR)
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        if _unacknowledged(connection):
            raise


def _farewell(connection: ssl.SSLSocket) -> None:
    """The same with TLS, whose own word for it many servers do not answer."""
    try:
        plain = connection.unwrap()
    except ssl.SSLError:
        return  # it closed, having read what came before our close_notify
    except TimeoutError:
        if _unacknowledged(connection):
            raise
        return
    _finish(plain)


def _unacknowledged(connection: socket.socket) -> int:
    """Bytes that the other machine has not taken yet (SIOCOUTQ)."""
    held = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", held)[0])
