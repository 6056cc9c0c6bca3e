"""Why one of two settings does not find or decide what the other does."""

import msgspec
import pytest

from agents import configuration
from agents.comparison import Reason, Side, difference
from agents.replay import Verdict
from schemas.findings import Alert, Decision, Evidence, Subject, Target
from schemas.settings import NetworkSettings, Settings

CLIENT = Subject("client", "192.0.2.66")
MAILBOX = Subject("account", "anna@shop.example.org")
FAR = Evidence("accounts", 9, 5)


def alert(
    id: str = "a",  # noqa: A002
    subject: Subject = CLIENT,
    rule: str = "auth_dictionary",
    **more: object,
) -> Alert:
    fields: dict[str, object] = {
        "detector": rule,
        "shape": "dictionary",
        "severity": "medium",
        "first": 100.0,
        "last": 200.0,
        "at": 200.0,
        "summary": "",
        "evidence": [FAR],
        "decision": "nothing: too old",
    }
    return Alert(id=id, subject=subject, rule=rule, **(fields | more))  # type: ignore[arg-type]


def side(
    *alerts: Alert,
    counts: dict[str, dict[str, Evidence]] | None = None,
    decisions: tuple[Decision, ...] = (),
    network: NetworkSettings | None = None,
    **detectors: dict[str, object],
) -> Side:
    settings = Settings(detectors=detectors, network=network or NetworkSettings())
    verdict = Verdict(list(alerts), list(decisions))
    return Side(configuration.build(settings), verdict, counts or {})


def reason(there: Side, found: Alert | None = None, here: Side | None = None) -> Reason:
    """Why the other side has not what one side found."""
    found = found or alert()
    here = here or side()
    here.verdict.alerts.append(found)
    told = difference(here, there).reasons[found.id]
    assert difference(there, here).reasons[found.id] == told  # whichever of them is used
    return told


def test_a_detector_that_is_off() -> None:
    said = reason(side(auth_dictionary={"enabled": False}))
    assert (said.kind, said.words) == ("disabled", "auth_dictionary is switched off")


def test_a_detector_that_is_off_for_a_domain() -> None:
    off = side(account_burst={"domains": {"example.org": {"enabled": False}}})
    found = alert(subject=MAILBOX, rule="account_burst")
    assert reason(off, found).kind == "disabled"


def test_a_finding_that_began_on_another_day_there() -> None:
    said = reason(side(alert("b", first=50.0)))
    assert said.kind == "dated"
    assert "under the id b" in said.words


@pytest.mark.parametrize(
    "other",
    [
        alert("b", first=500.0, last=600.0),
        alert("b", subject=Subject("client", "192.0.2.67")),
        alert("b", rule="auth_breach"),
    ],
)
def test_a_finding_of_another_time_or_subject_or_name_is_no_other_id(other: Alert) -> None:
    here = side()
    here.verdict.alerts.append(alert())
    assert difference(here, side(other)).reasons["a"].kind == "follows"


@pytest.mark.parametrize("name", ["allow", "upstream"])
def test_a_client_that_is_no_stranger_there(name: str) -> None:
    network = NetworkSettings(**{name: ("192.0.2.0/24",)})  # type: ignore[arg-type]
    said = reason(side(network=network))
    assert (said.kind, said.words) == (
        "trusted",
        f"192.0.2.66 is in network.{name}: it is not judged",
    )
    assert reason(side(network=network), here=side(network=network)).kind == "follows"
    assert reason(side(network=network), alert(subject=MAILBOX)).kind == "follows"


def test_a_count_below_its_threshold_there_and_the_settings_that_differ() -> None:
    counts = {
        "accounts": Evidence("accounts", 9, 12),
        "failures": Evidence("failures", 1, 5),  # which is none that it rested on
    }
    said = reason(side(counts={"a": counts}, auth_dictionary={"accounts": 12}))
    assert (said.kind, said.words) == ("below", "accounts 9 < 12")
    assert said.counts == [counts["accounts"]]
    assert said.settings == {"accounts": (12, 5)}


def test_the_settings_that_differ_where_the_counts_do_not_tell() -> None:
    counts = {"a": {"accounts": FAR}}
    said = reason(side(counts=counts, auth_dictionary={"credit": 9}))
    assert (said.kind, said.words) == ("settings", "auth_dictionary is set otherwise")
    unseen = reason(side(auth_dictionary={"credit": 9}))
    assert unseen.words.endswith("; it has seen nothing of 192.0.2.66")


def test_what_rests_on_others_says_so() -> None:
    said = reason(side(counts={"a": {"accounts": FAR}}))
    assert said.kind == "follows"
    assert said.words.startswith("auth_dictionary is not set otherwise: it follows from other")


def test_a_finding_that_is_told_otherwise_has_its_counts() -> None:
    mild = alert(shape="slow", severity="low", evidence=[Evidence("accounts", 9, 20)])
    found = difference(side(alert()), side(mild, auth_dictionary={"accounts": 20}))
    assert found.changed == [(alert(), mild)]
    assert found.reasons["a"].words == "accounts 9 < 20"
    quiet = alert(stage="observe")
    found = difference(side(alert()), side(quiet, auth_dictionary={"stage": "observe"}))
    assert found.reasons["a"].settings == {"stage": ("observe", "alert")}
    assert difference(side(alert()), side(quiet)).reasons["a"].kind == "follows"
    assert not difference(side(alert()), side(alert())).any


def test_a_decision_that_response_refuses_there() -> None:
    decision = Decision(id="d", target=Target("network", "192.0.2.66"), action="drop", alert="a")
    here, there = side(alert(), decisions=(decision,)), side(alert())
    assert difference(here, there).refusals["d"] == Reason("response", "nothing: too old")
    assert difference(there, here).undecided == [decision]
    assert difference(there, here).refusals["d"].words == "nothing: too old"
    assert difference(here, side()).refusals["d"].kind == "follows"
    untold = msgspec.structs.replace(alert(), decision="")
    assert difference(here, side(untold)).refusals["d"].words == "nothing was asked for"
