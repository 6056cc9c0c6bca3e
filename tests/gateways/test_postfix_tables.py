import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import ACTIONS, Action, Decision, Target, decision_id
from streams.gateways.postfix import tables
from streams.writing import HEADER

KINDS = ("network", "account", "address", "domain", "client_account")


def decided(
    value: str,
    action: Action = "drop",
    *,
    kind: str = "network",
    origin: str = "automatic",
    domain: str = "",
    name: str = "",
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    return Decision(
        id=name or decision_id(target, action),
        target=target,
        action=action,
        origin=origin,  # type: ignore[arg-type]
        domain=domain,
        enforced=True,
        until=1.0,
    )


def clients(decisions: list[Decision], tarpit: int) -> str:
    return tables.cidr(decisions, lambda decision: tables.client_action(decision, tarpit))


def rows(text: str) -> list[str]:
    assert text.startswith(HEADER)
    return text.removeprefix(HEADER).splitlines()


@pytest.mark.parametrize(
    ("action", "row"),
    [
        ("drop", "192.0.2.1/32 521 5.7.1 Refused [network:192.0.2.1:drop]"),
        ("reject", "192.0.2.1/32 REJECT 5.7.1 Refused [network:192.0.2.1:reject]"),
        ("hold", "192.0.2.1/32 HOLD [network:192.0.2.1:hold]"),
        (
            "greylist",
            "192.0.2.1/32 DEFER_IF_PERMIT 4.7.1 Try again later [network:192.0.2.1:greylist]",
        ),
        ("tarpit", "192.0.2.1/32 sleep 5"),
        ("stamp", "192.0.2.1/32 PREPEND Mailwarden-Decision: [network:192.0.2.1:stamp]"),
    ],
)
def test_what_smtpd_is_told_about_a_client(action: Action, row: str) -> None:
    assert rows(clients([decided("192.0.2.1", action)], 5)) == [row]


@pytest.mark.parametrize("action", ["observe", "notify", "limit", "kick", "lock"])
def test_what_a_table_cannot_do_is_left_out(action: Action) -> None:
    assert rows(clients([decided("192.0.2.1", action)], 5)) == []


def test_without_a_tarpit_it_defers() -> None:
    text = clients([decided("192.0.2.1", "tarpit")], 0)
    assert rows(text) == ["192.0.2.1/32 DEFER 4.7.1 Later [network:192.0.2.1:tarpit]"]


def test_networks_are_written_in_their_one_spelling_and_in_the_order_given() -> None:
    values = ["2001:DB8:0::1/64", "192.0.2.9/24", "::ffff:198.51.100.1"]
    text = clients([decided(value) for value in values], 5)
    assert [row.split()[0] for row in rows(text)] == [
        "2001:db8::/64",
        "192.0.2.0/24",
        "198.51.100.1/32",
    ]


def test_a_pardon_is_written_down_so_that_it_wins() -> None:
    decisions = [
        decided("192.0.2.7", "observe", origin="pardon"),
        decided("192.0.2.0/24"),
    ]
    assert rows(clients(decisions, 5)) == [
        "192.0.2.7/32 DUNNO",
        "192.0.2.0/24 521 5.7.1 Refused [network:192.0.2.0/24:drop]",
    ]
    assert rows(tables.cidr(decisions, tables.postscreen_action)) == [
        "192.0.2.7/32 dunno",
        "192.0.2.0/24 reject",
    ]


def test_postscreen_knows_only_whom_to_refuse() -> None:
    decisions = [decided(f"192.0.2.{n}", action) for n, action in enumerate(ACTIONS)]
    assert rows(tables.cidr(decisions, tables.postscreen_action)) == [
        "192.0.2.7/32 reject",
        "192.0.2.8/32 reject",
    ]
    assert ACTIONS[7:9] == ("reject", "drop")


@pytest.mark.parametrize(
    ("action", "result"),
    [
        ("lock", "REJECT 5.7.1 This account may not send mail now [account:a@example.org:lock]"),
        (
            "reject",
            "REJECT 5.7.1 This account may not send mail now [account:a@example.org:reject]",
        ),
        ("drop", "REJECT 5.7.1 This account may not send mail now [account:a@example.org:drop]"),
        ("hold", "HOLD [account:a@example.org:hold]"),
    ],
)
def test_what_smtpd_is_told_about_a_login(action: Action, result: str) -> None:
    decisions = [decided("a@example.org", action, kind="account")]
    assert rows(tables.logins(decisions, "")) == [f"a@example.org {result}"]


@pytest.mark.parametrize("action", ["observe", "notify", "stamp", "tarpit", "limit", "kick"])
def test_what_a_table_of_logins_cannot_do_is_left_out(action: Action) -> None:
    assert rows(tables.logins([decided("a@example.org", action, kind="account")], "")) == []


def test_a_pardoned_login_is_spared() -> None:
    decisions = [decided("a@example.org", "observe", kind="account", origin="pardon")]
    assert rows(tables.logins(decisions, "")) == ["a@example.org DUNNO"]


def test_logins_of_the_default_domain_are_refused_without_it_as_well() -> None:
    decisions = [
        decided("a@example.org", "hold", kind="account", name="x"),
        decided("b@example.net", "hold", kind="account", name="y"),
        decided("a", "lock", kind="account", name="z"),
    ]
    assert rows(tables.logins(decisions, "example.org")) == [
        "a@example.org HOLD [x]",
        "a HOLD [x]",
        "b@example.net HOLD [y]",
    ]


def test_each_table_takes_its_own_kind_of_target() -> None:
    decisions = [decided("192.0.2.1", kind=kind) for kind in KINDS]
    assert len(rows(clients(decisions, 5))) == 1
    assert len(rows(tables.logins(decisions, ""))) == 1


def test_a_decision_for_the_mail_of_one_domain_is_not_for_these_tables() -> None:
    assert rows(clients([decided("192.0.2.1", domain="example.org")], 5)) == []
    account = decided("a@example.org", "lock", kind="account", domain="example.org")
    assert rows(tables.logins([account], "")) == []


@pytest.mark.parametrize(
    "name",
    [
        "bob REJECT",
        "bob\nall@example.org OK",
        "bob\tOK",
        '"bob"',
        "#bob",
        "bob\\",
        "",
        "b" * 161,
        "bob\u2028x",
        "bob\x00",
    ],
)
def test_a_login_that_would_break_the_table_is_left_out(name: str) -> None:
    assert rows(tables.logins([decided(name, "lock", kind="account")], "")) == []


def test_an_id_keeps_only_what_is_harmless() -> None:
    evil = decided("192.0.2.1", name="x]\n0.0.0.0/0 OK $(id) ä" + "y" * 200)
    [row] = rows(clients([evil], 5))
    assert row.startswith("192.0.2.1/32 521 5.7.1 Refused [x__0.0.0.0/0_OK___id___y")
    assert len(row) < 170


@given(
    st.lists(
        st.builds(
            decided,
            st.one_of(st.text(), st.ip_addresses().map(str)),
            st.sampled_from(ACTIONS),
            kind=st.sampled_from(KINDS),
            origin=st.sampled_from(["automatic", "manual", "pardon"]),
            name=st.text(),
        ),
        max_size=5,
    )
)
def test_whatever_is_decided_each_row_is_one_key_and_one_known_action(
    decisions: list[Decision],
) -> None:
    known = ("521 5.7.1 ", "REJECT 5.7.1 ", "HOLD ", "DEFER", "sleep 5", "PREPEND ", "DUNNO")
    written = rows(clients(decisions, 5)) + rows(tables.logins(decisions, "example.org"))
    assert len(written) <= 2 * len(decisions)
    for row in written:
        key, _, action = row.partition(" ")
        assert key
        assert action.startswith(known)
        assert row.isprintable()


def indexed(*decisions: Decision) -> list[str]:
    return rows(tables.indexed(decisions, tables.postscreen_action))


def test_an_indexed_table_has_keys_of_whole_octets_and_no_ipv6() -> None:
    values = ["192.0.2.1", "198.51.100.0/24", "10.9.0.0/16", "11.0.0.0/8", "2001:db8::/64"]
    assert indexed(*(decided(value) for value in values)) == [
        "192.0.2.1 reject",
        "198.51.100 reject",
        "10.9 reject",
        "11 reject",
    ]


@pytest.mark.parametrize(
    ("network", "first", "last", "count"),
    [
        ("192.0.2.4/30", "192.0.2.4", "192.0.2.7", 4),
        ("192.0.2.128/25", "192.0.2.128", "192.0.2.255", 128),
        ("198.51.100.0/23", "198.51.100", "198.51.101", 2),
        ("198.51.0.0/17", "198.51.0", "198.51.127", 128),
        ("0.0.0.0/0", "0", "255", 256),
    ],
)
def test_prefixes_between_the_octets_are_written_out(
    network: str, first: str, last: str, count: int
) -> None:
    found = [row.split()[0] for row in indexed(decided(network))]
    assert (found[0], found[-1], len(set(found))) == (first, last, count)


def test_in_an_indexed_table_the_first_decision_of_a_key_counts() -> None:
    pardon = decided("192.0.2.5", "observe", origin="pardon")
    assert indexed(pardon, decided("192.0.2.4/31"), decided("192.0.2.0/24")) == [
        "192.0.2.5 dunno",
        "192.0.2.4 reject",
        "192.0.2 reject",
    ]
