"""What is found wrong with real servers, and that nothing is with one that is kept well."""

import asyncio
import shutil
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult
from click.testing import CliRunner, Result

from agents.commands.check import command
from agents.probing import certificate
from agents.probing.conversation import tarpit
from agents.probing.grades import Graded, worst
from agents.probing.session import Session, Target
from tests.probing.certificates import self_signed
from tests.probing.dns import NameServer
from tests.probing.postfix import OURS, Postfix

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("relay")]

DAY = 86400.0
NAME = "mail.example.org"
GUARDED = """\
127.0.0.1:{guarded} inet n - n - - smtpd
    -o smtpd_tls_security_level=may
    -o smtpd_tls_chain_files={folder}/tls/chain.pem
    -o disable_vrfy_command=yes
    -o smtpd_hard_error_limit=5
    -o virtual_mailbox_maps=inline:{{postmaster@example.org=there,abuse@example.org=there}}
127.0.0.1:{extra} inet n - n - - smtpd
    -o smtpd_soft_error_limit=1
    -o smtpd_error_sleep_time=1
"""


def kept(days: float) -> Iterator[Postfix]:
    """A server that is kept well, with a certificate for so many days to come."""
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-host-"))
    folder.chmod(0o755)  # Postfix's own user must reach its sockets
    self_signed(folder / "tls", NAME, time.time() - 100 * DAY, time.time() + days * DAY)
    server = Postfix(folder, GUARDED)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Postfix]:
    yield from kept(90)


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    made = NameServer(
        {
            ("1.0.0.127.in-addr.arpa", "PTR"): [f"{NAME}."],
            (NAME, "A"): ["127.0.0.1"],
            (OURS, "TXT"): ['"v=spf1 ip4:127.0.0.1 -all"'],
        }
    )
    yield made
    made.close()


def call(names: NameServer, port: int, *more: str) -> Result:
    arguments = ["host", f"127.0.0.1:{port}", "--domain", OURS, "--pause", "0", "--timeout", "10"]
    asking = ["--helo", "client.example.net", "--dns", names.address]
    return CliRunner().invoke(command, [*arguments, *asking, *more])


def read(result: Result) -> dict[str, Graded]:
    found = [msgspec.json.decode(line, type=Graded) for line in result.stdout.splitlines()]
    return {graded.check: graded for graded in found}


def test_a_server_that_is_kept_well(guarded: Postfix, names: NameServer) -> None:
    trusted = str(guarded.folder / "tls" / "chain.pem")
    result = call(names, guarded.guarded, "--ca", trusted)
    found = read(result)
    assert {check: graded.grade for check, graded in found.items()} == {
        "auth without TLS": "ok",
        "VRFY": "ok",
        "EXPN": "ok",
        "unknown recipients": "ok",
        "tarpit": "ok",
        "postmaster": "ok",
        "abuse": "ok",
        "STARTTLS": "ok",
        "open relay": "ok",
        "PTR": "ok",
        "greeting": "ok",
        "SPF": "ok",
    }, result.output
    assert result.exit_code == 0
    assert "good for mail.example.org, for 89 days more" in found["STARTTLS"].text
    assert not any(graded.cure for graded in found.values())


def test_a_server_as_it_was_installed(postfix: Postfix, names: NameServer) -> None:
    result = call(names, postfix.closed)
    found = read(result)
    wrong = {check for check, graded in found.items() if graded.grade != "ok"}
    assert wrong == {"VRFY", "tarpit", "abuse", "STARTTLS"}
    assert {found[check].grade for check in wrong} == {"warning"}
    assert all(found[check].cure for check in wrong)
    assert "252 for postmaster, 550 for nobody" in found["VRFY"].text
    assert result.exit_code == 1


def test_an_open_relay_is_critical(postfix: Postfix, names: NameServer) -> None:
    result = call(names, postfix.open)
    assert result.exit_code == 2
    assert read(result)["open relay"].text.startswith("open: 9 forms of 14 accepted: plain,")


def test_a_server_that_takes_any_name(postfix: Postfix, names: NameServer) -> None:
    found = read(call(names, postfix.anybody))
    assert found["unknown recipients"].grade == "warning"
    assert found["tarpit"].grade == "unknown"


def test_a_server_that_hangs_up(postfix: Postfix, names: NameServer) -> None:
    found = read(call(names, postfix.shut))
    assert found["tarpit"].text.startswith("it hangs up after ")
    assert found["tarpit"].grade == "ok"


def test_a_domain_that_is_not_the_servers_is_told(postfix: Postfix, names: NameServer) -> None:
    found = read(call(names, postfix.closed, "--domain", "example.com"))
    for check in ("unknown recipients", "postmaster", "abuse"):
        assert found[check].grade == "unknown"
        assert "--domain" in found[check].cure


def test_nobody_there_is_unknown(postfix: Postfix, names: NameServer) -> None:
    result = call(names, postfix.extra)
    assert result.exit_code == 3
    assert list(read(result)) == ["session"]


def test_a_certificate_that_nobody_trusts_is_a_warning(guarded: Postfix, names: NameServer) -> None:
    found = read(call(names, guarded.guarded))["STARTTLS"]
    assert found.grade == "warning"
    assert "self-signed" in found.text


def judged(server: Postfix, now: float) -> Graded:
    trusted = ssl.create_default_context(cafile=str(server.folder / "tls" / "chain.pem"))
    target = Target("127.0.0.1", server.guarded, "client.example.net", timeout=10)
    (found,) = asyncio.run(certificate.starttls(target, trusted, now))
    return found


def test_a_certificate_at_its_end(guarded: Postfix) -> None:
    found = judged(guarded, time.time() + 80 * DAY)
    assert found.grade == "warning"
    assert "for 9 days more" in found.text
    assert found.cure.startswith("renew it")


def test_a_certificate_that_has_expired() -> None:
    for server in kept(-1):
        found = judged(server, time.time())
        assert (found.grade, found.cure) == ("critical", "renew it")
        assert "expired" in found.text


def test_logins_on_the_port_of_servers_are_told_apart(
    guarded: Postfix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "PORT_25", guarded.guarded)
    trusted = ssl.create_default_context(cafile=str(guarded.folder / "tls" / "chain.pem"))
    target = Target("127.0.0.1", guarded.guarded, "client.example.net", timeout=10)
    found = asyncio.run(certificate.starttls(target, trusted, time.time()))
    assert [(each.check, each.grade) for each in found[1:]] == [("auth on port 25", "ok")]


def test_a_server_that_slows_down_is_measured(guarded: Postfix) -> None:
    async def ask() -> list[Graded]:
        target = Target("127.0.0.1", guarded.extra, "client.example.net", timeout=10)
        async with Session(target) as session:
            await session.hello()
            return await tarpit(session, OURS)

    (found,) = asyncio.run(ask())
    assert found.grade == "ok"
    assert "unknown name took 1.0 s" in found.text


def test_logins_in_clear_are_critical(postfix: Postfix, names: NameServer) -> None:
    controller = Controller(
        Sink(),
        hostname="127.0.0.1",
        port=postfix.extra,
        auth_require_tls=False,
        authenticator=lambda *_: AuthResult(success=False),
    )
    controller.start()
    try:
        found = read(call(names, postfix.extra))
    finally:
        controller.stop()
    assert found["auth without TLS"].grade == "critical"
    assert "PLAIN" in found["auth without TLS"].text
    assert found["open relay"].grade == "critical"


def test_the_worst_decides() -> None:
    assert worst([Graded("a", "ok", ""), Graded("b", "unknown", "")]) == "unknown"
    assert worst([Graded("a", "warning", ""), Graded("b", "unknown", "")]) == "warning"
    assert worst([Graded("a", "warning", ""), Graded("b", "critical", "")]) == "critical"
    assert worst([]) == "unknown"
