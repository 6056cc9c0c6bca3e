"""One SMTP session with a server that is asked, told command by command.

A reply of any kind is an answer; only a session that ends, or an answer that does not come,
is an error: `NoAnswerError`.
"""

import re
import ssl
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from aiosmtplib import SMTP, SMTPException, SMTPResponseException
from aiosmtplib.response import SMTPResponse
from msgspec import Struct

from schemas import net

_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")


class Target(Struct, frozen=True):
    """Which server is asked, and as whom."""

    host: str
    port: int = 25
    helo: str = "localhost"
    source: str = ""  # address of ours to ask from; "" is the system's choice
    timeout: float = 30.0  # seconds for an answer


def place(text: str) -> tuple[str, int]:
    """Host and port of ``name``, ``name:port``, ``192.0.2.1``, ``[2001:db8::1]:25``."""
    if net.address(text) or ":" not in text:
        return net.address(text) or text, 25
    host, _, port = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


class Reply(Struct, frozen=True):
    """What the server said (RFC 5321, 4.2), and how long it took."""

    code: int
    text: str
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return 200 <= self.code < 400

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 3463); "" where it gave none."""
        found = _ENHANCED.match(self.text)
        return found[1] if found else ""


class NoAnswerError(Exception):
    """No answer: the session could not begin, ended early, or fell silent."""


class Session:
    """Use as an asynchronous context manager. Opening it raises NoAnswerError."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._smtp = SMTP(
            hostname=target.host,
            port=target.port,
            local_hostname=target.helo,
            timeout=target.timeout,
            source_address=(target.source, 0) if target.source else None,
            start_tls=False,
        )
        self.greeting = Reply(0, "")

    async def __aenter__(self) -> "Session":
        self.greeting = await self._timed(self._smtp.connect(), "no session")
        if not self.greeting.good:
            raise NoAnswerError(f"the server greets with {self.greeting.code} {self.greeting.text}")
        return self

    async def __aexit__(self, *_: object) -> None:
        with suppress(SMTPException, OSError):
            if self._smtp.is_connected:
                await self._smtp.quit(timeout=min(5.0, self._target.timeout))
        self._smtp.close()

    @property
    def peer(self) -> str:
        """The server's IP address."""
        found = self._smtp.get_transport_info("peername")
        return str(found[0]) if found else ""

    @property
    def extensions(self) -> dict[str, str]:
        """What the server's last answer to EHLO offers, by its keyword in lower case."""
        return self._smtp.esmtp_extensions

    async def hello(self) -> Reply:
        """EHLO, and HELO where that is not understood."""
        reply = await self._timed(self._smtp.ehlo(), "EHLO")
        return reply if reply.good else await self._timed(self._smtp.helo(), "HELO")

    async def say(self, command: str) -> Reply:
        """One command and its reply. Raises NoAnswerError."""
        verb = command.partition(" ")[0]
        return await self._timed(self._smtp.execute_command(command.encode()), verb)

    async def mail(self, sender: str) -> Reply:
        return await self.say(f"MAIL FROM:<{sender}>")

    async def rcpt(self, recipient: str) -> Reply:
        return await self.say(f"RCPT TO:<{recipient}>")

    async def data(self, letter: bytes) -> Reply:
        """Hand over a letter, after RCPT."""
        protocol = self._smtp.protocol
        if protocol is None:
            raise NoAnswerError("DATA: the session has ended")
        sent = protocol.execute_data_command(letter, timeout=self._target.timeout)
        return await self._timed(sent, "DATA")

    async def starttls(self, context: ssl.SSLContext, name: str) -> Reply:
        """`name` is whose certificate is expected. Raises NoAnswerError where there is no TLS
        after it, ssl.SSLError where `context` refuses the server's certificate."""
        begun = self._smtp.starttls(tls_context=context, server_hostname=name)
        return await self._timed(begun, "STARTTLS")

    @property
    def tls(self) -> ssl.SSLObject | None:
        found: Any = self._smtp.get_transport_info("ssl_object")
        return found if isinstance(found, ssl.SSLObject) else None

    async def _timed(self, asked: Awaitable[SMTPResponse], verb: str) -> Reply:
        begun = time.monotonic()
        try:
            answer = await asked
        except SMTPResponseException as refused:
            answer = SMTPResponse(refused.code, refused.message)
        except ssl.SSLError:
            raise
        except TimeoutError as error:
            seconds = time.monotonic() - begun
            raise NoAnswerError(f"{verb}: no answer in {seconds:.0f} s") from error
        except (SMTPException, OSError) as error:
            raise NoAnswerError(f"{verb}: {error}") from error
        text = " ".join(answer.message.split())
        return Reply(answer.code, text, round(time.monotonic() - begun, 3))
