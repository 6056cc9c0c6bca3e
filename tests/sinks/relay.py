"""A relay for mails, of aiosmtpd: with TLS and logins where it is asked for them."""

import email
import ssl
import time
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from streams.sinks.email import Email, EmailSettings
from tests.probing.certificates import self_signed
from tools.kafka import free_ports

DAY = 86400.0
SOC = "soc@example.org"
DESK = "desk@example.net"


class Relay:
    """Takes mails, unless told otherwise."""

    def __init__(self, folder: Path, transport: str = "plain", *, login: bool = False) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.answers: dict[str, str] = {}  # to a recipient
        self.data: list[str] = []  # answers to the next mails
        self.logins: list[tuple[bytes, bytes]] = []
        self.chain = self_signed(folder / "tls", "localhost", time.time() - DAY, time.time() + DAY)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain)
        [self.port] = free_ports(1)
        more: dict[str, Any] = {}
        if transport == "starttls":
            more = {"tls_context": context, "require_starttls": True}
        if login:
            more |= {"authenticator": self.authenticate, "auth_required": True}
            more |= {"auth_require_tls": transport == "starttls"}
        if transport == "tls":
            more |= {"ssl_context": context}
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port, **more)
        self.controller.start()

    def authenticate(
        self, server: SMTP, s: Session, e: Envelope, how: str, data: Any
    ) -> AuthResult:
        given = cast(LoginPassword, data)
        self.logins.append((given.login, given.password))
        return AuthResult(success=given.password == b"right", handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.data.pop(0) if self.data else "250 2.0.0 Ok"
        if answer.startswith("250"):
            content = cast(bytes, envelope.content)
            assert all(len(line) <= 998 for line in content.split(b"\r\n"))
            assert content.isascii()
            message = email.message_from_bytes(content, policy=default)
            self.mails.append(cast(EmailMessage, message))
            self.envelopes.append(envelope)
        return answer

    def sink(self, **settings: Any) -> Email:
        usual = {
            "server": f"localhost:{self.port}",
            "transport": "plain",
            "sender": "mailwarden@example.org",
            "recipients": (SOC, DESK),
        }
        return Email(EmailSettings(**{**usual, **settings}), clock=lambda: 1_700_000_000.0)
