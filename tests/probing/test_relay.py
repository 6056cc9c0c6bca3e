"""Whether a real Postfix relays, asked form by form."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session
from click.testing import CliRunner, Result

from agents.commands.check import command
from agents.probing.forms import forms
from agents.probing.relay import Plan, Try, outcome, probe
from agents.probing.session import Target
from tests.probing.postfix import OURS, Postfix

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("relay")]

FORMS = tuple(
    forms(
        sender="a@example.net",
        recipient="relay-test@example.com",
        domain=OURS,
        address="127.0.0.1",
    )
)


def tried(port: int, **more: object) -> dict[str, Try]:
    target = Target("127.0.0.1", port, "client.example.net", timeout=10)
    plan = Plan(FORMS, OURS, pause=0, **more)  # type: ignore[arg-type]
    return {each.form: each for each in asyncio.run(probe(target, plan))}


def called(port: int, *more: str) -> Result:
    arguments = ["relay", f"127.0.0.1:{port}", "--domain", OURS, "--pause", "0"]
    return CliRunner().invoke(command, [*arguments, "--helo", "client.example.net", *more])


def test_a_closed_server_refuses_every_form(postfix: Postfix) -> None:
    tries = tried(postfix.closed)
    assert {name: each.verdict for name, each in tries.items()} == {
        form.name: "refused" for form in FORMS
    }
    assert tries["plain"].reply.startswith("454 4.7.1 <relay-test@example.com>: Relay access")
    assert tries["plain"].step == "RCPT"
    assert outcome(tries.values()) == "closed"


def test_an_open_server_takes_what_it_understands(postfix: Postfix) -> None:
    tries = tried(postfix.open)
    taken = ("plain", "null sender", "own sender", "source route", "quoted", "bare name")
    assert {tries[name].verdict for name in taken} == {"accepted"}
    assert not any(each.token for each in tries.values()), "it stops before DATA"
    assert outcome(tries.values()) == "open"


class BelievesRoutes:
    """Refuses strangers, and names that nobody has, but not a percent sign before our domain."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "%" in address and address.endswith(OURS):
            return "250 2.1.5 Ok"
        return "550 5.7.1 Relaying denied"


def test_one_form_is_enough(postfix: Postfix) -> None:
    server = Controller(BelievesRoutes(), hostname="127.0.0.1", port=postfix.extra)
    server.start()
    try:
        tries = tried(postfix.extra)
    finally:
        server.stop()
    open_by = {name for name, each in tries.items() if each.verdict == "accepted"}
    assert open_by == {"percent route"}
    assert outcome(tries.values()) == "open"


def test_a_server_that_takes_any_name_of_ours_proves_nothing_by_it(postfix: Postfix) -> None:
    tries = tried(postfix.anybody)
    assert tries["plain"].verdict == "refused"
    assert tries["encapsulated"].verdict == "unknown"
    assert "it accepts any name" in tries["encapsulated"].reply
    assert outcome(tries.values()) == "unknown"


def test_a_server_that_says_later_leaves_it_unknown(postfix: Postfix) -> None:
    tries = tried(postfix.later)
    assert tries["plain"].verdict == "unknown"
    assert tries["plain"].reply.startswith("450")
    assert outcome(tries.values()) == "unknown"


def test_a_server_that_hangs_up_after_errors_is_called_again(postfix: Postfix) -> None:
    assert outcome(tried(postfix.shut).values()) == "closed"


def test_nobody_there_is_unknown(postfix: Postfix) -> None:
    tries = tried(postfix.extra)
    assert {each.verdict for each in tries.values()} == {"unknown"}


class Elsewhere:
    """Another server, with the mailbox that proves it."""

    def __init__(self, port: int, folder: Path) -> None:
        self.maildir = folder / "maildir"
        self.controller = Controller(Mailbox(str(self.maildir)), hostname="127.0.0.1", port=port)


@pytest.fixture
def elsewhere(postfix: Postfix, tmp_path: Path) -> Iterator[Elsewhere]:
    made = Elsewhere(postfix.elsewhere, tmp_path)
    made.controller.start()
    yield made
    made.controller.stop()


def test_what_arrives_elsewhere_is_the_proof(postfix: Postfix, elsewhere: Elsewhere) -> None:
    more = ("--deliver", "proof@example.net", "--maildir", str(elsewhere.maildir), "--wait", "20s")
    result = called(postfix.open, *more)
    assert result.exit_code == 1, result.output
    tries = [msgspec.json.decode(line, type=Try) for line in result.stdout.splitlines()]
    verdicts = {each.form: each.verdict for each in tries}
    assert verdicts["plain"] == verdicts["null sender"] == "relayed"
    assert verdicts["bang path"] == verdicts["source route"] == "relayed"
    assert verdicts["percent route"] == "refused"


def test_the_command_says_it_with_its_exit_status(postfix: Postfix) -> None:
    closed = called(postfix.closed)
    assert closed.exit_code == 0, closed.output
    first = msgspec.json.decode(closed.stdout.splitlines()[0])
    assert (first["form"], first["verdict"]) == ("plain", "refused")
    assert called(postfix.open).exit_code == 1
    assert called(postfix.later).exit_code == 2
    assert called(postfix.closed, "--source", "127.0.0.7").exit_code == 0
    assert "127.0.0.7" in (postfix.folder / "postfix.log").read_text()
