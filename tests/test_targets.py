import pytest

from schemas.findings import Decision, Target
from streams import targets


def about(kind: str, value: str, domain: str = "", **more: str) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    return Decision(
        id=more.get("name", "x"),
        target=target,
        action="drop",
        domain=domain,
        reason=more.get("reason", ""),
        origin=more.get("origin", "automatic"),
    )  # type: ignore[arg-type]


def test_each_asks_for_its_own_kind() -> None:
    decisions = [
        about("network", "192.0.2.0/24"),
        about("account", "anna@example.org"),
        about("address", "anna@example.org"),
        about("domain", "example.org"),
        about("client_account", "192.0.2.1 anna"),
    ]
    assert [targets.prefix(d) for d in decisions] == [(4, 0xC0000200, 24), *[None] * 4]
    assert [targets.login(d) for d in decisions] == ["", "anna@example.org", "", "", ""]
    assert [targets.mailbox(d) for d in decisions] == ["", "", "anna@example.org", "", ""]
    assert [targets.domain(d) for d in decisions] == ["", "", "", "example.org", ""]


def test_what_is_for_the_mail_of_one_domain_is_for_no_file() -> None:
    for kind, value, asked in (
        ("network", "192.0.2.1", targets.prefix),
        ("account", "anna", targets.login),
        ("address", "anna@example.org", targets.mailbox),
        ("domain", "example.org", targets.domain),
    ):
        assert asked(about(kind, value))
        assert not asked(about(kind, value, domain="example.net"))


def test_what_is_no_network_is_none() -> None:
    assert targets.prefix(about("network", "192.0.2.1; reject")) is None


@pytest.mark.parametrize(
    "name", ["a b", "a\nb", "a:b", '"a"', "#a", "a\\b", "", "a" * 161, "a\u2028b", "a\x00", "a\n"]
)
def test_a_login_that_means_something_elsewhere_is_left_out(name: str) -> None:
    assert targets.login(about("account", name)) == ""
    assert list(targets.logins(about("account", name), "example.org")) == []


def test_a_login_of_the_usual_domain_is_known_without_it_too() -> None:
    def names(value: str) -> list[str]:
        return list(targets.logins(about("account", value), "example.org"))

    assert names("anna@example.org") == ["anna@example.org", "anna"]
    assert names("anna@example.net") == ["anna@example.net"]
    assert names("anna") == ["anna"]
    assert names("@example.org") == ["@example.org"]


def test_a_client_and_a_login_together() -> None:
    def found(value: str) -> object:
        return targets.pair(about("client_account", value))

    assert found("192.0.2.1 anna") == ((4, 0xC0000201, 32), "anna")
    assert found("2001:db8::/64 anna@example.org") == (
        (6, 0x20010DB8 << 96, 64),
        "anna@example.org",
    )
    for value in ("192.0.2.1", "192.0.2.1 ", "anna 192.0.2.1", "192.0.2.1 an na", "192.0.2.1 a:b"):
        assert found(value) is None
    assert targets.pair(about("client_account", "192.0.2.1 anna", domain="example.org")) is None


@pytest.mark.parametrize(
    "value",
    [
        "anna",
        "@example.org",
        "anna@",
        "an na@example.org",
        "anna@example..org",
        "anna@-x.org",
        "anna@example.org\n",
        '"a"@example.org',
        "/a/@example.org:",
        "anna@" + "a" * 64 + ".org",
    ],
)
def test_an_address_that_is_not_plain_is_left_out(value: str) -> None:
    assert targets.mailbox(about("address", value)) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "example..org",
        "example.org.",
        "*.example.org",
        "exa mple.org",
        "-a.org",
        "a-.org",
        "bücher.example",
        "example.org\n",
        "a" * 64,
        ".".join(["abc"] * 64),
    ],
)
def test_a_domain_that_is_not_plain_is_left_out(value: str) -> None:
    assert targets.domain(about("domain", value)) == ""


def test_plain_domains_are_taken() -> None:
    for value in ("example.org", "_spf.example.org", "xn--bcher-kva.example", "a.b"):
        assert targets.domain(about("domain", value)) == value


def test_ids_and_reasons_keep_only_what_is_harmless() -> None:
    evil = about("network", "192.0.2.1", name="a]\n$(b)" + "c" * 200, reason='x"; DROP\n{}\\é y')
    assert targets.reference(evil) == "a____b_" + "c" * 113
    assert targets.reason(evil, 100) == "x_ DROP_ y"
    assert targets.reason(evil, 6) == "x_ DRO"


def test_a_pardon_is_known() -> None:
    assert targets.pardoned(about("network", "192.0.2.1", origin="pardon"))
    assert not targets.pardoned(about("network", "192.0.2.1"))
