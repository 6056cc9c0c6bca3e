"""What single answers of a server mean, each given by one that says nothing else."""

import asyncio
from collections.abc import Callable

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from agents.probing.forms import Form
from agents.probing.relay import Plan, Try, probe
from agents.probing.session import Target
from tools.kafka import free_ports

PLAIN = Form("plain", "a@example.net", "b@example.com")
OWN = Form("own sender", "postmaster@example.org", "b@example.com")
OK = "250 2.0.0 Ok"


class Says:
    """Refuses names of ours, and gives fixed answers to the rest."""

    def __init__(self, mail: str = OK, rcpt: str = OK, data: str = OK) -> None:
        self.mail, self.rcpt, self.data = mail, rcpt, data

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.mail

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.endswith("@example.org"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        return self.data


def tried(handler: Says, form: Form = PLAIN, *, deliver: bool = False) -> Try:
    (port,) = free_ports(1)
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        target = Target("127.0.0.1", port, "client.example.net", timeout=10)
        (found,) = asyncio.run(probe(target, Plan((form,), "example.org", deliver, pause=0)))
    finally:
        controller.stop()
    return found


REFUSED = "550 5.7.1 <b@example.com>: Relay access denied"


@pytest.mark.parametrize(
    ("handler", "form", "verdict", "step"),
    [
        (Says(rcpt=REFUSED), PLAIN, "refused", "RCPT"),
        (Says(rcpt="454 4.7.1 Relaying denied"), PLAIN, "refused", "RCPT"),
        (Says(rcpt="451 4.7.1 Greylisted, try again later"), PLAIN, "unknown", "RCPT"),
        (Says(rcpt="554 5.7.1 Client host blocked using list.example"), PLAIN, "unknown", "RCPT"),
        (Says(mail="550 5.1.8 no such domain"), PLAIN, "unknown", "MAIL"),
        (Says(mail="550 5.7.1 that is us"), OWN, "refused", "MAIL"),
        (Says(rcpt="550 5.7.1 Sender address rejected: not found"), PLAIN, "unknown", "RCPT"),
        (Says(rcpt="554 5.7.1 Client host rejected: Access denied"), PLAIN, "unknown", "RCPT"),
        (Says(rcpt="550 5.7.1 Sender address rejected: ours"), OWN, "refused", "RCPT"),
        (Says(), PLAIN, "accepted", "RCPT"),
    ],
)
def test_an_answer_says_something_of_the_form_or_of_who_asks(
    handler: Says, form: Form, verdict: str, step: str
) -> None:
    found = tried(handler, form)
    assert (found.verdict, found.step) == (verdict, step)
    assert found.token == ""


@pytest.mark.parametrize(
    ("data", "verdict", "sent"),
    [
        (OK, "accepted", True),
        ("554 5.7.1 Relaying denied", "refused", False),
        ("451 4.3.0 later", "unknown", False),
    ],
)
def test_a_letter_has_a_token_once_it_is_taken(data: str, verdict: str, sent: bool) -> None:
    found = tried(Says(data=data), deliver=True)
    assert (found.verdict, found.step) == (verdict, "DATA")
    assert bool(found.token) == sent


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"554 go away\r\n")
    await writer.drain()
    writer.close()


async def _say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("server", "words"), [(_hang_up, "greets with 554"), (_say_nothing, "no session")]
)
def test_a_server_that_does_not_talk_is_unknown(server: Callable[..., None], words: str) -> None:
    async def ask() -> Try:
        async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:  # type: ignore[arg-type]
            port = listening.sockets[0].getsockname()[1]
            target = Target("127.0.0.1", port, "client.example.net", timeout=0.3)
            (found,) = await probe(target, Plan((PLAIN,), "example.org", pause=0))
            return found

    found = asyncio.run(ask())
    assert found.verdict == "unknown"
    assert words in found.reply
