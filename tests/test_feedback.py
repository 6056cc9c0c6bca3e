"""What a false positive teaches: entries of lists and thresholds, and what they would have cost."""

import tomllib
from typing import Any

import pytest
from msgspec import structs

from agents import configuration
from agents.configuration import Config
from agents.detectors.auth_dictionary import AuthDictionary
from agents.feedback import NEIGHBOURS, Proposal, proposals, stands
from agents.response import Response
from schemas.findings import Alert, Evidence, Subject
from schemas.net import Networks
from schemas.settings import ResponseSettings, Settings, convert
from tests.detectors.stories import Story, every, guesses, tell
from tests.sinks.alerts import EVIL, alert


def config(**table: Any) -> Config:
    return configuration.build(convert(table, Settings, "settings"))


def guessed(name: str, count: float, client: str = "192.0.2.1", **more: Any) -> Alert:
    fields: dict[str, Any] = {
        "rule": "auth_dictionary",
        "subject": Subject("client", client),
        "clients": [client],
        "evidence": [Evidence("accounts", count, 5)],
    }
    return alert(name, **(fields | more))


def of(kind: str, found: list[Proposal]) -> Proposal:
    [one] = [each for each in found if each.kind == kind]
    return one


def ids(alerts: list[Alert]) -> list[str]:
    return [one.id for one in alerts]


def test_a_client_is_proposed_for_the_list_and_a_threshold_beside_what_each_costs() -> None:
    mine = [guessed("a1", 7)]
    others = [
        guessed("b1", 6, "203.0.113.1"),
        guessed("b2", 9, "203.0.113.2"),
        guessed("b3", 7, "192.0.2.1"),  # the same client, another time
        guessed("b4", 6, "203.0.113.4", state="withdrawn"),
    ]
    found = proposals(config(), mine, [*mine, *others])
    allowed = of("allow", found)
    assert tomllib.loads(allowed.settings) == {"network": {"allow": ["192.0.2.1"]}}
    assert (ids(allowed.silenced), allowed.left, ids(allowed.lost)) == (["a1"], [], ["b3"])
    raised = of("threshold", found)
    assert tomllib.loads(raised.settings) == {"detectors": {"auth_dictionary": {"accounts": 8}}}
    assert "accounts = 8  # was 5" in raised.settings
    assert (ids(raised.silenced), ids(raised.lost)) == (["a1"], ["b1", "b3"])
    assert found[0] is allowed  # it costs less


def test_the_lines_can_be_used() -> None:
    found = proposals(config(network={"allow": ["198.51.100.0/24"]}), [guessed("a1", 7)], [])
    for one in found:
        convert(tomllib.loads(one.settings), Settings, "lines")
    assert tomllib.loads(of("allow", found).settings)["network"]["allow"][0] == "198.51.100.0/24"


def test_neighbours_are_proposed_as_their_network() -> None:
    many = [guessed(f"a{n}", 7, f"192.0.2.{n}") for n in range(NEIGHBOURS)]
    lines = of("allow", proposals(config(), many, [])).settings
    assert tomllib.loads(lines) == {"network": {"allow": ["192.0.2.0/24"]}}


def test_who_is_allowed_already_is_not_proposed() -> None:
    found = proposals(config(network={"allow": ["192.0.2.1"]}), [guessed("a1", 7)], [])
    assert [one.kind for one in found] == ["threshold"]


def test_a_mailbox_that_may_send_much() -> None:
    burst = alert(
        "a1",
        detector="account_burst",
        rule="account_burst",
        subject=Subject("account", "news@example.org"),
        evidence=[Evidence("volume", 900, 500)],
    )
    found = proposals(config(site={"bulk": ["old@example.org"]}), [burst], [])
    lines = tomllib.loads(of("declare", found).settings)
    assert lines == {"site": {"bulk": ["old@example.org", "news@example.org"]}}
    robot = structs.replace(
        burst,
        detector="auto_reply_storm",
        rule="auto_reply_storm",
        evidence=[Evidence("rate", 60, 50)],
    )
    found = proposals(config(), [robot], [])
    lines = tomllib.loads(of("declare", found).settings)
    assert lines == {"detectors": {"auto_reply_storm": {"robots": ["news@example.org"]}}}


def test_where_one_setting_is_not_enough_several_are_raised() -> None:
    both = [Evidence("accounts", 7, 5), Evidence("passwords", 12, 10)]
    one = of("threshold", proposals(config(), [guessed("a1", 7, evidence=both)], []))
    values = tomllib.loads(one.settings)["detectors"]["auth_dictionary"]
    assert values == {"accounts": 8, "passwords": 13}
    assert one.left == []


def test_what_accuses_nobody_or_is_withdrawn_teaches_nothing() -> None:
    assert proposals(config(), [guessed("a1", 7, severity="info")], []) == []
    assert proposals(config(), [guessed("a1", 7, state="withdrawn")], []) == []


def test_what_would_silence_nothing_is_not_proposed() -> None:
    site = alert("s1", rule="auth_dictionary", subject=Subject("site", "site"))
    told = structs.replace(site, evidence=[Evidence("accounts", 15, 0)])
    assert proposals(config(), [told], []) == []


def test_a_finding_without_counts_stands() -> None:
    detector = AuthDictionary()
    assert stands(detector, {"accounts": 99}, guessed("a1", 7, evidence=[]))
    assert stands(detector, {"accounts": 99}, guessed("a1", 7, evidence=[Evidence("told", 7, 0)]))
    assert stands(detector, {"passwords": 99}, guessed("a1", 7))
    assert not stands(detector, {"accounts": 8}, guessed("a1", 7))


def test_what_an_attacker_wrote_is_a_string() -> None:
    burst = alert(
        "a1", detector="account_burst", rule="account_burst", subject=Subject("account", EVIL)
    )
    lines = of("declare", proposals(config(), [burst], [])).settings
    assert tomllib.loads(lines) == {"site": {"bulk": [EVIL]}}
    assert lines.isprintable() or set(lines) - set("\n") == {c for c in lines if c.isprintable()}


@pytest.mark.parametrize("count", [6, 7, 9])
def test_the_estimate_is_what_a_replay_says(count: int) -> None:
    """A client that guesses at so many accounts, told with the threshold that is proposed."""

    def found(detector: AuthDictionary) -> Story:
        names = [f"user{n}" for n in range(count)]
        return tell(detector, every(30, guesses("192.0.2.7", names)))

    [finding] = found(AuthDictionary()).findings
    response = Response(ResponseSettings(), Networks(), Networks())
    told, _ = response.answer(finding, {}, finding.at)
    one = of("threshold", proposals(config(), [told], []))
    values = tomllib.loads(one.settings)["detectors"]["auth_dictionary"]
    assert found(AuthDictionary(**values)).findings == []
