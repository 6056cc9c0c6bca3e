import re
import shutil
import smtplib
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from schemas.findings import ACTIONS, Action, Decision
from streams.gateways.exim_lists import EximLists, EximListsSettings
from streams.writing import HEADER
from tests.gateways.decided import decided, pardoned
from tests.gateways.exim_server import Exim
from tests.gateways.loop import HONEYPOT, Loop
from tools.kafka import free_ports

BOTH = {"clients": "clients", "accounts": "accounts"}

ATTACKER, INNOCENT = "203.0.113.9", "203.0.113.10"
ALICE, BOB = "alice@example.org", "bob@example.org"

Until = Callable[[Callable[[], object]], None]


def rows(*decisions: Decision, **settings: str) -> dict[str, list[str]]:
    gateway = EximLists(EximListsSettings(**(BOTH | settings)))
    return {
        path: text.removeprefix(HEADER).splitlines()
        for path, text in gateway.render(decisions).items()
    }


@pytest.mark.parametrize(
    ("action", "word"),
    [("drop", "drop"), ("reject", "reject"), ("tarpit", "defer"), ("greylist", "defer")],
)
def test_what_the_acl_is_told_about_a_client(action: Action, word: str) -> None:
    found = rows(decided("192.0.2.1", action))
    assert found["clients"] == [f'"192.0.2.1": {word} network:192.0.2.1:{action}']


@pytest.mark.parametrize(
    ("action", "word"),
    [("drop", "reject"), ("reject", "reject"), ("lock", "reject"), ("hold", "hold")],
)
def test_what_the_acl_is_told_about_a_login(action: Action, word: str) -> None:
    found = rows(decided(ALICE, action, kind="account", name="x"), login_domain="example.org")
    assert found["accounts"] == [f"{ALICE}: {word} x", f"alice: {word} x"]


def test_the_order_is_kept_and_pardons_are_written_down() -> None:
    decisions = [
        pardoned("192.0.2.7"),
        decided("192.0.2.0/24", name="x"),
        decided("2001:db8::/64", "reject", name="y"),
        pardoned(ALICE, kind="account"),
    ]
    assert rows(*decisions) == {
        "clients": [
            '"192.0.2.7": spared network:192.0.2.7:observe',
            '"192.0.2.0/24": drop x',
            '"2001:db8::/64": reject y',
        ],
        "accounts": [f"{ALICE}: spared account:{ALICE}:observe"],
    }


def test_only_files_that_are_named_are_written() -> None:
    assert set(rows(accounts="")) == {"clients"}
    assert set(rows(clients="")) == {"accounts"}


@pytest.mark.parametrize(
    ("kind", "value", "action", "reached"),
    [
        ("network", "192.0.2.1", "drop", True),
        ("network", "192.0.2.1", "hold", False),
        ("network", "nonsense", "drop", False),
        ("account", ALICE, "lock", True),
        ("account", ALICE, "limit", False),
        ("account", "a b", "lock", False),
        ("client_account", f"192.0.2.1 {ALICE}", "reject", False),
    ],
)
def test_what_it_can_carry_out(kind: str, value: str, action: Action, reached: bool) -> None:
    gateway = EximLists(EximListsSettings(**BOTH))
    assert gateway.reaches(decided(value, action, kind=kind)) is reached


@given(
    st.lists(
        st.builds(
            decided,
            st.one_of(st.text(), st.ip_addresses().map(str)),
            st.sampled_from(ACTIONS),
            kind=st.sampled_from(["network", "account"]),
            name=st.text(),
        ),
        max_size=5,
    )
)
def test_whatever_is_decided_each_row_is_one_key_one_word_and_one_reference(
    decisions: list[Decision],
) -> None:
    for found in rows(*decisions).values():
        for row in found:
            key, word, *reference = row.split(" ")
            assert key.endswith(":")
            assert word in ("drop", "reject", "defer", "hold", "spared")
            assert len(reference) == 1
            assert row.isprintable()


def test_an_exim_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = EximListsSettings(clients=str(tmp_path / "no" / "clients"), exim=("/none/exim",))
    [folder], [asked] = EximLists(settings).needs(), EximLists(settings).review()
    assert (folder.grade, asked.grade) == ("failed", "unknown")
    assert "there is no directory" in folder.text
    assert "/none/exim cannot be asked what is used" in asked.text


# -- with the real Exim -------------------------------------------------------------------------


@pytest.fixture
def exim(documented: Callable[..., str]) -> Iterator[Exim]:
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-exim-"))
    folder.chmod(0o755)  # Exim's own user must reach its spool
    (port,) = free_ports(1)
    shown = {"/etc/exim4": str(folder)}
    made = Exim(
        folder,
        port,
        documented("exim_lists", "main") + "acl_smtp_rcpt = accept\n",
        documented("exim_lists", "acl", shown),
    )
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


@pytest.fixture
def section(documented: Callable[..., str], exim: Exim) -> str:
    return documented("exim_lists", "mailwarden.toml", {"/etc/exim4": str(exim.folder)})


def made(section: str, exim: Exim) -> EximLists:
    table = tomllib.loads(section)["gateways"]["exim_lists"]
    return EximLists(convert(table | {"exim": asking(exim)}, EximListsSettings))


def asking(exim: Exim) -> list[str]:
    """The command that runs this Exim, with more arguments behind it."""
    *before, script = exim.command()
    libraries = exim.environment["LD_LIBRARY_PATH"]
    return ["env", f"LD_LIBRARY_PATH={libraries}", *before, f'{script} "$@"', "exim"]


def greeting(exim: Exim, client: str) -> int:
    try:
        with smtplib.SMTP("127.0.0.1", exim.port, "client.example.net", 30, (client, 0)) as session:
            return session.noop()[0]
    except smtplib.SMTPConnectError as error:
        return error.smtp_code


def mail(exim: Exim, client: str, login: str) -> int:
    with exim.speak(client) as session:
        session.login(login, "right", initial_response_ok=True)
        return session.mail("a@example.org")[0]


@pytest.mark.servers
def test_exim_does_what_each_row_says(exim: Exim, section: str, until: Until) -> None:
    gateway = made(section, exim)
    exim.start(until)
    assert greeting(exim, "127.0.0.9") == 250  # without any file
    decisions = [
        pardoned("127.0.0.5"),
        decided("127.0.0.9", "drop"),
        decided("127.0.0.10", "reject"),
        decided("127.0.0.11", "greylist"),
        decided("127.0.0.0/29", "drop"),
        decided("2001:db8::/64"),
        decided(ALICE, "lock", kind="account"),
        decided(BOB, "hold", kind="account"),
    ]
    assert gateway.apply(decisions)
    codes = {n: greeting(exim, f"127.0.0.{n}") for n in (4, 5, 8, 9, 10, 11)}
    assert codes == {4: 550, 5: 250, 8: 250, 9: 550, 10: 550, 11: 451}
    log = exim.log.read_text()
    assert "5.7.1 Refused [network:127.0.0.9:drop]" in log
    assert [mail(exim, "127.0.0.8", name) for name in (ALICE, "Alice", BOB, "carol")] == [
        550,
        550,
        250,
        250,
    ]
    assert [note.good for note in gateway.review()] == [True, True]
    assert gateway.apply([])
    assert greeting(exim, "127.0.0.9") == 250
    assert mail(exim, "127.0.0.8", ALICE) == 250


@pytest.mark.servers
def test_mail_of_an_account_is_held(exim: Exim, section: str, until: Until) -> None:
    gateway = made(section, exim)
    gateway.apply([decided(BOB, "hold", kind="account")])
    exim.start(until)
    for login in (BOB, "carol"):
        with exim.speak("127.0.0.8") as session:
            session.login(login, "right", initial_response_ok=True)
            session.sendmail("a@example.org", ["bob@example.org"], "Subject: x\r\n\r\nx\r\n")
    headers = list((exim.folder / "spool" / "input").rglob("*-H"))
    texts = [path.read_text() for path in headers]
    frozen = {re.findall(r"--auth_id (.*)", text)[0]: "-frozen" in text for text in texts}
    assert frozen == {BOB: True, "carol": False}


@pytest.mark.servers
def test_an_ipv6_client_is_refused(exim: Exim, section: str) -> None:
    made(section, exim).apply([decided("2001:db8::/64")])
    with pytest.raises(smtplib.SMTPConnectError, match=r"5\.7\.1 Refused"):
        exim.speak_as("2001:db8::9")
    exim.speak_as("2001:db8:1::9").close()


@pytest.mark.servers
def test_files_that_no_acl_names_are_said(exim: Exim, section: str) -> None:
    text = exim.config.read_text()
    exim.config.write_text(text.replace("mailwarden-clients", "other-clients"))
    clients, accounts = made(section, exim).review()
    assert not clients.good
    assert "does not look into" in clients.text
    assert accounts.good


@pytest.mark.servers
def test_a_guesser_is_refused_until_its_lease_ends_and_nobody_else(
    exim: Exim, section: str, tmp_path: Path, until: Until
) -> None:
    """The closed loop: Exim logs, Mailwarden sees and decides, Exim refuses."""

    def refused(client: str) -> bool:
        try:
            exim.speak_as(client).close()
        except smtplib.SMTPConnectError:
            return True
        return False

    exim.log.touch()
    shutil.chown(exim.log, "nobody")
    loop = Loop(tmp_path, exim.log, section)
    try:
        session = exim.speak_as(ATTACKER)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.login(HONEYPOT, "guess", initial_response_ok=True)
        session.close()
        until(lambda: refused(ATTACKER))
        assert not refused(INNOCENT)
        loop.end_leases()
        until(lambda: not refused(ATTACKER))
    finally:
        loop.close()
