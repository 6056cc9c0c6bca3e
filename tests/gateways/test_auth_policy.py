"""The auth policy server as Dovecot speaks to it; requests as a real Dovecot 2.3 sends them."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas.events import Auth
from schemas.findings import Action, Decision, Target, decision_id
from schemas.settings import SettingsError
from streams.blocklist import Blocklist
from streams.gateways.auth_policy import AuthPolicy, AuthPolicySettings, passwords
from streams.gateways.auth_policy.passwords import Passwords

ASKED = {
    "device_id": "",
    "host": "mx1",
    "login": "Alice@example.org",
    "mech": "PLAIN",
    "protocol": "imap",
    "pwhash": "066f",
    "remote": "192.0.2.20",
    "session_id": "Cs9zO9dg",
    "tls": False,
}


class Site:
    """What runs around a gateway."""

    host = "relay"

    def __init__(self) -> None:
        self.blocklist = Blocklist()
        self.events: list[Auth] = []

    def decide(
        self, value: str, action: Action = "drop", kind: str = "network", **more: Any
    ) -> None:
        target = Target(kind, value)  # type: ignore[arg-type]
        more = {"enforced": True, "until": 9e9, "alert": "7f3a", **more}
        self.blocklist.put(
            Decision(id=decision_id(target, action), target=target, action=action, **more)
        )

    def ruling(self, address: str = "", account: str = "", **more: Any) -> Decision | None:
        return self.blocklist.lookup(1000.0, address, account, **more)

    def publish(self, events: Any) -> None:
        self.events += events


Make = Callable[..., AuthPolicy]


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def make(site: Site) -> Iterator[Make]:
    made: list[AuthPolicy] = []

    def build(lifted: bool = False, **settings: Any) -> AuthPolicy:
        settings = {"listen": "127.0.0.1:0", **settings}
        gateway = AuthPolicy(
            AuthPolicySettings(**settings), "auth_policy", lambda: lifted, lambda: 1000.0
        )
        made.append(gateway)
        gateway.connect(site)
        gateway.apply([])
        gateway._machine = "mx0.example.org"
        return gateway

    yield build
    for each in made:
        each.close()


def post(gateway: AuthPolicy, command: str, body: bytes, path: str = "/?command=") -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    try:
        connection.request("POST", path + command, body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def allow(gateway: AuthPolicy, **changed: Any) -> tuple[int, str]:
    status, said = post(gateway, "allow", json.dumps({**ASKED, **changed}).encode())
    assert status == 200
    return said["status"], said["msg"]


def tell(gateway: AuthPolicy, **changed: Any) -> None:
    told = {**ASKED, "success": False, "policy_reject": False, **changed}
    assert post(gateway, "report", json.dumps(told).encode()) == (200, {"status": "ok"})


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"gateway": "auth_policy", **labels}) or 0.0


# -- what Dovecot is answered -----------------------------------------------------------------


def test_whom_no_decision_concerns_may_go_on(make: Make) -> None:
    assert allow(make()) == (0, "")


@pytest.mark.parametrize("action", ["reject", "drop", "kick", "lock"])
def test_who_is_refused_is_told_where_to_find_the_reason(
    make: Make, site: Site, action: Action
) -> None:
    site.decide("192.0.2.20", action, reason="what a stranger wrote")
    gateway = make()
    assert allow(gateway) == (-1, "Login refused; ask your help desk (7f3a)")
    assert allow(gateway, remote="192.0.2.21") == (0, "")


@pytest.mark.parametrize("action", ["observe", "notify", "stamp", "greylist", "limit", "hold"])
def test_what_is_no_matter_of_logins_lets_them_go_on(
    make: Make, site: Site, action: Action
) -> None:
    site.decide("192.0.2.20", action)
    assert allow(make()) == (0, "")


def test_a_decision_may_be_about_an_account_or_about_both(make: Make, site: Site) -> None:
    site.decide("alice@example.org", "lock", "account")
    site.decide("192.0.2.9 bob@example.org", "reject", "client_account", alert="")
    gateway = make()
    assert allow(gateway, remote="198.51.100.1")[0] == -1
    assert allow(gateway, login="bob@example.org") == (0, "")
    assert allow(gateway, login="bob@example.org", remote="::ffff:192.0.2.9") == (
        -1,
        "Login refused; ask your help desk (client_account:192.0.2.9 bob@example.org:reject)",
    )


def test_what_is_not_ascii_does_not_go_into_a_response_of_imap(make: Make, site: Site) -> None:
    site.decide("ä\r\n@example.org", "lock", "account", alert="")
    said = allow(make(message="x" * 150), login="Ä\r\n@example.org")[1]
    assert said == "x" * 150 + " (account:???@example.org:lock)"


def test_what_is_only_observed_lets_logins_go_on(make: Make, site: Site) -> None:
    site.decide("192.0.2.20", enforced=False)
    assert allow(make()) == (0, "")


@pytest.mark.parametrize("settings", [{"enabled": False}, {"lifted": True}])
def test_switched_off_or_lifted_it_refuses_nobody(
    make: Make, site: Site, settings: dict[str, bool]
) -> None:
    site.decide("192.0.2.20")
    assert allow(make(**settings)) == (0, "")


def test_a_tarpit_is_a_number_of_seconds_for_one_of_a_network(make: Make, site: Site) -> None:
    site.decide("192.0.2.0/24", "tarpit")
    site.decide("2001:db8::/48", "tarpit")
    gateway = make(tarpit=7, tarpits=2)
    shed = count("mailwarden_gateway_shed_total")
    assert allow(gateway) == (7, "")
    assert allow(gateway, remote="192.0.2.99") == (0, "")  # its neighbour waits
    assert allow(gateway, remote="2001:db8::1") == (7, "")
    assert count("mailwarden_gateway_shed_total") == shed + 1


def test_one_without_an_address_can_wait_too(make: Make, site: Site) -> None:
    site.decide("alice@example.org", "tarpit", "account")
    assert allow(make(), remote="") == (5, "")


@pytest.mark.parametrize("seconds", [0, 31])
def test_a_tarpit_is_bounded(seconds: int) -> None:
    with pytest.raises(SettingsError, match="tarpit: expected 1 to 30 seconds"):
        AuthPolicy(AuthPolicySettings(tarpit=seconds))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"login":7}', b"\xff"])
def test_what_cannot_be_read_is_answered_neutrally(make: Make, site: Site, body: bytes) -> None:
    before = count("mailwarden_gateway_answers_total", answer="unreadable")
    gateway = make()
    for command in ("allow", "report"):
        assert post(gateway, command, body) == (200, {"status": 0, "msg": ""})
    assert not site.events
    assert count("mailwarden_gateway_answers_total", answer="unreadable") == before + 2


def test_a_fault_of_ours_is_answered_neutrally(
    make: Make, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "ruling", None)
    assert allow(make()) == (0, "")


def test_what_it_does_not_know_it_says_so(make: Make) -> None:
    gateway = make()
    for path in ("/?command=reset", "/", "/?x=y"):
        assert post(gateway, "", b"{}", path)[0] == 404


def test_a_url_may_have_a_query_of_its_own(make: Make) -> None:
    body = json.dumps(ASKED).encode()
    assert post(make(), "allow", body, "/?site=a&command=")[1] == {"status": 0, "msg": ""}


# -- what a report is -------------------------------------------------------------------------


def test_a_report_is_an_attempt(make: Make, site: Site) -> None:
    gateway = make()
    tell(gateway)
    tell(gateway, success=True, pwhash="00ab", protocol="smtp", mech="login")
    failed, opened = site.events
    assert failed == Auth(
        at=1000.0,
        gateway="mx1",
        source="auth_policy",
        client="192.0.2.20",
        account="alice@example.org",
        outcome="failed",
        reason="rejected",
        mechanism="PLAIN",
        service="imap",
        password=failed.password,
    )
    assert (opened.outcome, opened.reason, opened.service, opened.mechanism) == (
        *("ok", "", "submission", "LOGIN"),
    )


def test_a_question_is_no_attempt(make: Make, site: Site) -> None:
    allow(make())
    assert site.events == []


def test_a_password_is_told_apart_by_a_fingerprint_that_is_not_its_hash(
    make: Make, site: Site
) -> None:
    gateway = make()
    for changed in ({}, {}, {"pwhash": "066e"}, {"login": "bob@example.org"}):
        tell(gateway, **changed)
    first, again, other, bobs = (event.password for event in site.events)
    assert first == again
    assert len({first, other, bobs}) == 3
    assert all(len(one) == 16 and "066" not in one for one in (first, other, bobs))


@pytest.mark.parametrize("changed", [{"mech": "CRAM-MD5"}, {"pwhash": ""}])
def test_without_a_password_there_is_no_fingerprint(
    make: Make, site: Site, changed: dict[str, str]
) -> None:
    tell(make(), **changed)
    assert site.events[0].password == ""


@pytest.mark.parametrize(
    ("fail_type", "outcome", "reason"),
    [
        ("credentials", "failed", "bad_password"),
        ("account", "failed", "unknown_account"),
        ("expired", "failed", "expired"),
        ("disabled", "failed", "disabled"),
        ("internal", "error", "server"),
        ("policy", "failed", "policy"),
        ("one of 2.5", "failed", "rejected"),
    ],
)
def test_dovecot_2_4_says_why(
    make: Make, site: Site, fail_type: str, outcome: str, reason: str
) -> None:
    tell(make(), fail_type=fail_type)
    assert (site.events[0].outcome, site.events[0].reason) == (outcome, reason)


def test_what_was_refused_is_told_as_such(make: Make, site: Site) -> None:
    tell(make(), policy_reject=True)
    assert site.events[0].reason == "policy"


def test_a_failure_with_the_right_password_is_not_the_clients(make: Make, site: Site) -> None:
    """What Dovecot 2.3 reports while its password database is away."""
    gateway = make()
    tell(gateway, success=True)
    for changed in ({}, {"pwhash": "066e"}, {"fail_type": "credentials"}):
        tell(gateway, **changed)
    outcomes = [(event.outcome, event.reason) for event in site.events[1:]]
    assert outcomes == [("error", "server"), ("failed", "rejected"), ("failed", "bad_password")]


def test_right_passwords_are_remembered_for_a_bounded_number_of_accounts() -> None:
    held = Passwords(2)
    for account in ("a", "b", "a", "c"):
        held.opened(account, "1")
    assert [held.is_right(account, "1") for account in "abc"] == [True, False, True]
    assert not held.is_right("a", "2")
    assert passwords.MOST == 50_000


@pytest.mark.parametrize("remote", ["", "unknown", "127.0.0.1; drop"])
def test_a_client_that_is_unknown_is_nobody(make: Make, site: Site, remote: str) -> None:
    gateway = make()
    tell(gateway, remote=remote)
    assert allow(gateway, remote=remote) == (0, "")
    assert site.events[0].client == ""


def test_addresses_are_canonical(make: Make, site: Site) -> None:
    gateway = make()
    tell(gateway, remote="::ffff:192.0.2.1")
    tell(gateway, remote="2001:DB8::0:1")
    assert [event.client for event in site.events] == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize(
    ("settings", "host", "gateway"),
    [
        ({}, "mx1", "mx1"),
        ({}, "", "relay"),
        ({}, "mx0.example.org", "relay"),  # this machine
        ({"gateway": "mx9"}, "mx1", "mx9"),
    ],
)
def test_a_gateway_has_the_name_that_its_log_lines_have(
    make: Make, site: Site, settings: dict[str, str], host: str, gateway: str
) -> None:
    tell(make(**settings), host=host)
    assert site.events[0].gateway == gateway


def test_attributes_may_be_nested(make: Make, site: Site) -> None:
    tell(make(), mech="", host="", attrs={"mech": "LOGIN", "host": "mx7", "local": ["x"]})
    assert (site.events[0].mechanism, site.events[0].gateway) == ("LOGIN", "mx7")


def test_a_name_in_no_known_encoding_is_a_name(make: Make, site: Site) -> None:
    status, _ = post(make(), "report", b'{"login":"\xffbob","remote":"192.0.2.1"}')
    assert status == 200
    assert site.events[0].account == "\ufffdbob"


def test_switched_off_it_takes_nothing_more(make: Make, site: Site) -> None:
    tell(make(enabled=False))
    assert site.events == []


def test_before_it_is_connected_it_tells_nobody() -> None:
    gateway = AuthPolicy(AuthPolicySettings(listen="127.0.0.1:0"))
    gateway.apply([])
    try:
        tell(gateway)
        assert allow(gateway) == (0, "")
    finally:
        gateway.close()


# -- what it can carry out --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "action", "reached"),
    [
        ("network", "192.0.2.0/24", "drop", True),
        ("account", "alice@example.org", "lock", True),
        ("client_account", "192.0.2.1 alice@example.org", "reject", True),
        ("network", "192.0.2.1", "tarpit", True),
        ("network", "192.0.2.1", "greylist", False),
        ("account", "alice@example.org", "limit", False),
        ("address", "alice@example.org", "reject", False),
    ],
)
def test_it_says_what_it_can_carry_out(
    kind: str, value: str, action: Action, reached: bool
) -> None:
    target = Target(kind, value)  # type: ignore[arg-type]
    decision = Decision(id="d", target=target, action=action)
    assert AuthPolicy(AuthPolicySettings()).reaches(decision) is reached
