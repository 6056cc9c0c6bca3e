import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from schemas.findings import ACTIONS, Action, Decision
from streams.gateways.dovecot_deny import DovecotDeny, DovecotDenySettings
from streams.writing import HEADER
from tests.gateways.decided import decided
from tests.gateways.dovecot import Dovecot, logs_in
from tests.gateways.loop import HONEYPOT, Loop
from tools.kafka import free_ports

ALL = {"accounts": "accounts", "pairs": "pairs", "clients": "clients"}

ATTACKER, INNOCENT = "203.0.113.9", "203.0.113.10"
ALICE, BOB = "alice@example.org", "bob@example.org"

Until = Callable[[Callable[[], object]], None]


def keys(*decisions: Decision, **settings: str) -> dict[str, list[str]]:
    """The keys of each file."""
    gateway = DovecotDeny(DovecotDenySettings(**(ALL | settings)))
    found = {}
    for path, text in gateway.render(decisions).items():
        rows = text.removeprefix(HEADER).splitlines()
        assert all(row.endswith(":") for row in rows)
        found[path] = [row[:-1] for row in rows]
    return found


def test_each_file_has_its_own_kind_of_key() -> None:
    decisions = [
        decided(ALICE, "lock", kind="account"),
        decided(f"192.0.2.1 {BOB}", "reject", kind="client_account"),
        decided("192.0.2.2"),
    ]
    assert keys(*decisions) == {
        "accounts": [ALICE],
        "pairs": [f"192.0.2.1/{BOB}"],
        "clients": ["192.0.2.2"],
    }
    assert keys(*decisions, pairs="", clients="") == {"accounts": [ALICE]}
    assert keys(*decisions, accounts="") == {
        "pairs": [f"192.0.2.1/{BOB}"],
        "clients": ["192.0.2.2"],
    }


def test_logins_of_the_default_domain_are_denied_without_it_as_well() -> None:
    decisions = [
        decided(ALICE, "lock", kind="account"),
        decided(f"192.0.2.1 {BOB}", "reject", kind="client_account"),
    ]
    found = keys(*decisions, login_domain="example.org")
    assert found["accounts"] == [ALICE, "alice"]
    assert found["pairs"] == [f"192.0.2.1/{BOB}", "192.0.2.1/bob"]


def test_what_cannot_be_a_key_is_left_out() -> None:
    decisions = [
        decided("192.0.2.0/24"),
        decided("2001:db8::/64"),
        decided("2001:db8::1"),
        decided("2001:db8::/64 alice", "reject", kind="client_account"),
        decided("192.0.2.0/24 alice", "reject", kind="client_account"),
        decided("alice:{PLAIN}x", "lock", kind="account"),
        decided("a\nb", "lock", kind="account"),
        decided("192.0.2.1 a:b", "reject", kind="client_account"),
    ]
    assert set(map(tuple, keys(*decisions).values())) == {()}
    gateway = DovecotDeny(DovecotDenySettings(**ALL))
    assert not any(gateway.reaches(decision) for decision in decisions)


@pytest.mark.parametrize(
    ("kind", "value", "action", "reached"),
    [
        ("account", ALICE, "lock", True),
        ("account", ALICE, "reject", True),
        ("account", ALICE, "hold", False),
        ("account", ALICE, "limit", False),
        ("network", "192.0.2.1", "drop", True),
        ("network", "192.0.2.1", "tarpit", False),
        ("client_account", f"192.0.2.1 {ALICE}", "reject", True),
        ("address", ALICE, "reject", False),
    ],
)
def test_what_it_can_carry_out(kind: str, value: str, action: Action, reached: bool) -> None:
    gateway = DovecotDeny(DovecotDenySettings(**ALL))
    assert gateway.reaches(decided(value, action, kind=kind)) is reached


@given(
    st.lists(
        st.builds(
            decided,
            st.one_of(st.text(), st.from_regex(r"\A[\d.:a-f/]{1,20} [^ ]{1,20}\Z")),
            st.sampled_from(ACTIONS),
            kind=st.sampled_from(["network", "account", "address", "client_account"]),
            name=st.text(),
        ),
        max_size=5,
    )
)
def test_whatever_is_decided_each_row_is_one_key_and_nothing_more(
    decisions: list[Decision],
) -> None:
    for rows in keys(*decisions, login_domain="example.org").values():
        for row in rows:
            assert row
            assert row.isprintable()
            assert not set(row) & set(' :#\\"\t')


def test_a_doveconf_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = DovecotDenySettings(
        accounts=str(tmp_path / "no" / "accounts"), doveconf=("/none/doveconf",)
    )
    [folder], [asked] = DovecotDeny(settings).needs(), DovecotDeny(settings).review()
    assert (folder.grade, asked.grade) == ("failed", "unknown")
    assert "there is no directory" in folder.text
    assert "/none/doveconf cannot be asked what is used" in asked.text


# -- with the real Dovecot ----------------------------------------------------------------------


@pytest.fixture
def dovecot() -> Iterator[Dovecot]:
    made = Dovecot(*free_ports(1))
    yield made
    made.stop()


@pytest.fixture
def passdbs(documented: Callable[..., str], dovecot: Dovecot) -> str:
    return documented("dovecot_deny", "10-auth.conf", {"/etc/dovecot": str(dovecot.folder)})


@pytest.fixture
def section(documented: Callable[..., str], dovecot: Dovecot) -> str:
    shown = documented("dovecot_deny", "mailwarden.toml", {"/etc/dovecot": str(dovecot.folder)})
    return f'{shown}doveconf = ["doveconf", "-c", "{dovecot.folder}/dovecot.conf"]\n'


def made(section: str) -> DovecotDeny:
    table = tomllib.loads(section)["gateways"]["dovecot_deny"]
    return DovecotDeny(convert(table, DovecotDenySettings))


@pytest.mark.servers
def test_what_the_page_shows_denies_logins_clients_and_the_two_together(
    dovecot: Dovecot, passdbs: str, section: str, until: Until
) -> None:
    gateway = made(section)
    assert gateway.apply([])
    dovecot.start(passdbs)
    until(dovecot.ready)
    assert [note.good for note in gateway.review()] == [True, True, True]

    def may(account: str, client: str = INNOCENT) -> bool:
        return logs_in(account, port=dovecot.port, client=client)

    assert may(ALICE)
    decisions = [
        decided(ALICE, "lock", kind="account"),
        decided(f"{ATTACKER} {BOB}", "reject", kind="client_account"),
        decided("203.0.113.11"),
    ]
    assert gateway.apply(decisions)
    until(lambda: not may(ALICE))
    until(lambda: not may(BOB, ATTACKER))
    until(lambda: not may("carol@example.org", "203.0.113.11"))
    assert not any(may(name) for name in ("alice", "Alice@Example.org"))
    assert may(BOB)
    assert may("carol@example.org", ATTACKER)
    assert gateway.apply([])
    until(lambda: may(ALICE))
    assert "unknown user" not in dovecot.log.read_text()


@pytest.mark.servers
def test_a_guesser_is_denied_until_its_lease_ends_and_nobody_else(
    dovecot: Dovecot, passdbs: str, section: str, tmp_path: Path, until: Until
) -> None:
    """The closed loop: Dovecot logs, Mailwarden sees and decides, Dovecot denies."""
    dovecot.start(passdbs)
    until(dovecot.ready)
    loop = Loop(tmp_path, dovecot.log, section)
    try:

        def may(client: str) -> bool:
            return logs_in(ALICE, port=dovecot.port, client=client)

        assert may(ATTACKER)
        assert not logs_in(HONEYPOT, "guess", port=dovecot.port, client=ATTACKER)
        until(lambda: not may(ATTACKER))
        assert may(INNOCENT)
        loop.end_leases()
        until(lambda: may(ATTACKER))
    finally:
        loop.close()


@pytest.mark.servers
def test_a_file_that_is_not_looked_into_in_time_is_said(
    dovecot: Dovecot, passdbs: str, section: str
) -> None:
    gateway = made(section)
    static = "passdb {\n driver = static\n args = password=x\n}\n"
    wrong: dict[str, Any] = {
        "": "does not look into",
        static + passdbs: "does not look into",
        passdbs.replace("deny = yes", "deny = no"): "lacks deny = yes",
    }
    for first, text in wrong.items():
        dovecot.write(first)
        notes = gateway.review()
        assert len(notes) == 3
        assert not any(note.good for note in notes)
        assert text in notes[0].text
    assert "before the others" in gateway.review()[1].remedy
    dovecot.write(passdbs)
    assert all(note.good for note in gateway.review())


def test_a_dovecot_without_any_passdb_is_said(tmp_path: Path) -> None:
    settings = DovecotDenySettings(accounts=str(tmp_path / "accounts"), doveconf=("true",))
    [note] = DovecotDeny(settings).review()
    assert "does not look into" in note.text
