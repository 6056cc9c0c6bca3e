"""What the console says and does, asked through its API."""

import json
from pathlib import Path
from typing import Any

import pytest

from agents.console.operations import BASE, OPERATIONS
from schemas.findings import Evidence, Subject
from tests.console.harness import Browser, Place, configured, serving_place
from tests.console.told import ANNA, GUESSER, account, alert, client, decision, gateway
from tests.waiting import wait_for

OTHER = "198.51.100.9"


@pytest.fixture
def browser(place: Place) -> Browser:
    return place.browser("ada")


# -- what it says ---------------------------------------------------------------------------------


def test_now_says_in_a_sentence_whether_it_is_bad(place: Place, browser: Browser) -> None:
    assert browser.api("/now")["headline"] == "Nothing is open. 0 blocks in force."
    place.tell(alert("a1"), client("a2", OTHER, severity="critical"))
    place.tell(decisions=(decision(OTHER), decision(GUESSER, enforced=False)))
    found = browser.api("/now")
    assert found["headline"] == "2 open incidents, the worst critical. 1 block in force."
    assert [one["severity"] for one in found["incidents"]] == ["critical", "high"]
    assert found["severities"] == {"critical": 1, "high": 1}
    assert found["blocks"]["actions"] == {"drop": 1}
    held = {one["what"]: one for one in found["held"]}
    assert held["observed only"]["count"] == 1
    assert held["found, nothing decided"]["why"] == "less than a week of logins was seen"
    assert held["drop: nobody carries it out"]["count"] == 1  # there is no gateway


def test_now_tells_how_often_each_detector_found_something(place: Place, browser: Browser) -> None:
    place.tell(
        alert("a1"),
        client("a2", OTHER, ago=2 * 3600.0 + 60),
        client("a3", "198.51.100.10", severity="info"),
        client("a4", "198.51.100.11", state="withdrawn"),
    )
    (rate,) = browser.api("/now")["rates"]
    assert (rate["detector"], rate["total"], rate["last_hour"]) == ("auth_dictionary", 2, 1)
    assert rate["hours"][-3:] == [1, 0, 1]


def test_gateways_are_told_with_what_is_wrong(place: Place, browser: Browser) -> None:
    place.tell(gateways=gateway(troubles={"postfix": "the disk is full"}))
    wait_for(lambda: place.follower.around.gateways, "the gateway")
    (relay,) = browser.api("/now")["gateways"]
    assert relay["condition"] == "failing"
    assert relay["wrong"] == ["postfix: the disk is full"]


def test_incidents_are_listed_filtered_and_paged(place: Place, browser: Browser) -> None:
    place.tell(*(client(f"a{n}", f"198.51.{n}.7", ago=60.0 * n) for n in range(1, 8)))
    place.tell(account("b1", ANNA, severity="critical", ago=9999))
    found = browser.api("/incidents", limit=3)
    assert found["count"] == 8
    assert [one["accused"] for one in found["incidents"]] == [
        ["198.51.1.7"],
        ["198.51.2.7"],
        ["198.51.3.7"],
    ]
    again = browser.api("/incidents", limit=3, offset=3)
    assert again["incidents"][0]["accused"] == ["198.51.4.7"]
    assert browser.api("/incidents", least="critical")["count"] == 1
    assert browser.api("/incidents", text="198.51.5.")["count"] == 1
    assert browser.api("/incidents", text="b1")["count"] == 1
    assert browser.api("/incidents", state="closed")["count"] == 0


def test_an_incident_has_its_story_counts_samples_and_steps(place: Place, browser: Browser) -> None:
    place.tell(alert("a1"), decisions=(decision(GUESSER, alert="a1", ago=20),))
    place.tell(alert("a1", "critical", ago=10, revision=2))
    found = browser.api("/incidents/a1")
    assert found["incident"]["story"] == f"{GUESSER}: 15 wrong passwords at 1 account"
    assert [one["what"] for one in found["incident"]["timeline"]] == [
        "alert",
        "decision",
        "severity",
    ]
    (told,) = found["alerts"]
    assert told["evidence"][0]["count"] == 15
    assert told["samples"][0]["place"] == "mail.log:17"
    assert [(s["what"], s["value"]) for s in found["steps"]] == [("undo", GUESSER)]
    assert found["decisions"][0]["effect"] == "nobody_can"


@pytest.mark.parametrize("name", ["a1", "a", "a1-second"])
def test_an_incident_is_found_by_its_id_its_beginning_and_an_alert(
    place: Place, browser: Browser, name: str
) -> None:
    place.tell(alert("a1"), alert("a1-second", incident="a1", subject=Subject("account", ANNA)))
    assert browser.api(f"/incidents/{name}")["incident"]["id"] == "a1"


def test_a_subject_says_why_it_is_blocked(place: Place, browser: Browser) -> None:
    around = "203.0.113.0/24"
    place.tell(
        alert("a1"), decisions=(decision(around, "reject"), decision(GUESSER, enforced=False))
    )
    found = browser.api("/subject", value=GUESSER)
    assert found["why"] == [
        f"reject is decided (by {around}), but no gateway here carries it out.",
        "drop is outranked by another decision.",
    ]
    assert [one["id"] for one in found["alerts"]] == ["a1"]
    assert [one["id"] for one in found["incidents"]] == ["a1"]
    inside = browser.api("/subject", value=around)
    assert [one["id"] for one in inside["alerts"]] == ["a1"]


def test_a_subject_says_why_it_is_not_blocked(place: Place, browser: Browser) -> None:
    place.tell(alert("a1"))
    why = browser.api("/subject", value=GUESSER)["why"]
    assert why[0] == "Nothing is decided about it."
    assert "less than a week" in why[1]
    assert "No finding names it" in browser.api("/subject", value=OTHER)["why"][1]
    assert "our own networks" in browser.api("/subject", value="10.1.2.3")["why"][0]
    by_name = browser.api("/subject", value="ANNA@Example.org")
    assert (by_name["kind"], by_name["value"], by_name["alerts_count"]) == ("account", ANNA, 1)


def test_who_is_called_so_is_nobody(browser: Browser) -> None:
    found = browser.get("/api/v1/subject", value="no such thing")
    assert found.status == 422
    assert found.headers["Content-Type"] == "application/problem+json"


def test_blocks_are_looked_for(place: Place, browser: Browser) -> None:
    place.tell(
        decisions=(
            decision(GUESSER, detector="auth_dictionary"),
            decision("198.51.100.0/24", "reject"),
            decision(ANNA, "lock", "account", enforced=False),
            decision("192.0.2.1", until=1.0),
        )
    )
    assert browser.api("/blocks")["count"] == 3
    assert browser.api("/blocks", kind="account")["decisions"][0]["value"] == ANNA
    assert browser.api("/blocks", text="dictionary")["count"] == 1
    assert browser.api("/blocks", standing="observed")["count"] == 1
    assert browser.api("/blocks", text="198.51.100.77")["decisions"][0]["value"] == (
        "198.51.100.0/24"
    )


def test_rules_tell_what_was_found_and_what_was_wrong(place: Place, browser: Browser) -> None:
    place.tell(alert("a1"), client("a2", OTHER, ago=2 * 86400.0))
    assert browser.order("/incidents/a2/false-positive", reason="a scanner of ours").status == 200
    rules = {one["name"]: one for one in browser.api("/rules")["rules"]}
    rule = rules["auth_dictionary"]
    assert (rule["day"], rule["week"], rule["false_positives"]) == (1, 2, 1)
    assert rule["reasons"] == ["a scanner of ours"]
    assert rule["about"].startswith("One client guesses passwords")
    assert rules["open_relay"]["week"] == 0


def test_another_value_is_tried_on_the_alerts_of_a_week(place: Place, browser: Browser) -> None:
    many = [Evidence("accounts", 40, 5)]
    few = [Evidence("accounts", 6, 5)]
    place.tell(
        alert("a1", "critical", evidence=many),
        client("a2", OTHER, evidence=few),
        client("a3", "198.51.100.77", evidence=few),
        client("a4", "198.51.100.78", evidence=few, severity="info"),
        client("old", "192.0.2.1", evidence=few, ago=8 * 86400.0),
    )
    assert browser.order("/incidents/a2/false-positive", reason="ours").status == 200
    path = "/rules/auth_dictionary/backtest"
    found = browser.api(path, setting="accounts", value=9)
    assert (found["was"], found["found"], found["silent"], found["severe_silent"]) == (5, 3, 2, 2)
    assert (found["wrong"], found["wrong_silent"], found["lower"]) == (2, 2, False)
    assert found["settings"] == "[detectors.auth_dictionary]\naccounts = 9  # was 5"
    assert browser.api(path, setting="accounts", value=2)["lower"]
    wrong = browser.get(f"/api/v1{path}", setting="nothing", value=9)
    assert (wrong.status, "there are: " in wrong.json()["detail"]) == (422, True)
    assert browser.get(f"/api/v1{path}", setting="accounts", value=0).status == 400
    assert browser.get("/api/v1/rules/no/backtest", setting="x", value=9).status == 404


def test_health_names_versions_and_what_could_not_be_read(place: Place, browser: Browser) -> None:
    letter = {"reason": "no stamp", "source": "mail.log", "offset": 9, "line": "\u202egnp"}
    (place.folder / "dead.jsonl").write_text(json.dumps(letter) + "\n{cut")
    wait_for(lambda: place.follower.around.dead, "the letter")
    found = browser.api("/health")
    assert found["dead"][0]["reason"] == "no stamp"
    assert found["dead"][0]["place"] == "mail.log:9"
    assert found["versions"]["mailwarden"]
    assert "http.listen is empty" in found["program_trouble"]


# -- what it does ---------------------------------------------------------------------------------


def test_persons_take_an_incident_on_and_end_it(place: Place, browser: Browser) -> None:
    place.tell(alert("a1"))
    done = browser.order("/incidents/a1/acknowledge")
    assert done.json()["said"] == "a1 is acknowledged by ada"
    assert browser.order("/incidents/a1/acknowledge").status == 409
    assert browser.order("/incidents/a1/note", text="called her").status == 200
    assert browser.order("/incidents/a1/assign", whom="bert").status == 200
    one = browser.api("/incidents/a1")["incident"]
    assert (one["state"], one["assignee"]) == ("acknowledged", "bert")
    assert browser.order("/incidents/a1/close", reason="new password").status == 200
    one = browser.api("/incidents/a1")["incident"]
    assert (one["state"], one["reason"]) == ("closed", "new password")
    with place.store() as store:
        trail = store.audit()
    assert [entry.what for entry in reversed(trail)] == [
        "acknowledged",
        "assigned",
        "noted",
        "assigned",
        "closed",
    ]
    assert {entry.by for entry in trail} == {"ada"}


def test_the_playbook_of_an_account_in_other_hands_is_ticked(
    place: Place, browser: Browser
) -> None:
    place.tell(account("a1", ANNA), client("b2", OTHER))

    def steps() -> dict[str, Any]:
        found = browser.api("/incidents/a1")["incident"]["playbook"]
        return {one["task"]: one["done"] for one in found}

    assert {"password", "sessions", "release"} <= steps().keys()
    done = browser.order("/incidents/a1/tick", task="password", account=ANNA, note="by phone")
    assert done.json()["said"] == "password is done"
    assert (steps()["password"]["by"], steps()["password"]["note"]) == ("ada", "by phone")
    assert browser.order("/incidents/a1/tick", task="password", undo=True).status == 200
    assert steps()["password"] is None
    assert browser.order("/incidents/a1/tick", task="queue", account="x@y").status == 409
    assert browser.order("/incidents/b2/tick", task="queue").status == 409


def test_a_block_is_seen_at_once_and_undone(place: Place, browser: Browser) -> None:
    done = browser.order("/blocks", target=OTHER, reason="it scans us", seconds=7200)
    assert done.json()["said"] == f"drop {OTHER} for 2 h"
    assert done.json()["warnings"] == ["no gateway here can drop such a target"]
    (shown,) = browser.api("/blocks")["decisions"]
    assert (shown["value"], shown["origin"], shown["reason"]) == (
        OTHER,
        "manual",
        "it scans us (ada)",
    )
    done = browser.order("/blocks/remove", target=OTHER, reason="a partner")
    assert done.json()["said"] == f"drop of {OTHER} removed"
    assert browser.api("/blocks")["count"] == 0
    assert browser.order("/blocks/remove", target=OTHER, reason="again").status == 404
    entries = browser.api("/trail", target=f"network:{OTHER}")["entries"]
    assert [(one["what"], one["by"]) for one in entries] == [("removed", "ada"), ("added", "ada")]


def test_what_the_machine_decided_is_pardoned(place: Place, browser: Browser) -> None:
    place.tell(decisions=(decision(GUESSER),))
    done = browser.order("/blocks/remove", target=GUESSER, reason="a partner")
    assert done.json()["said"] == f"{GUESSER} is spared for 1 d"
    effects = {one["origin"]: one["effect"] for one in browser.api("/blocks")["decisions"]}
    assert effects == {"automatic": "outranked", "pardon": "spared"}
    pardon = f"network:{GUESSER}:observe:pardon"
    assert browser.order("/blocks/remove", target=pardon, reason="they moved").status == 200
    assert [one["origin"] for one in browser.api("/blocks")["decisions"]] == ["automatic"]


@pytest.mark.parametrize("target", ["10.0.0.1", "0.0.0.0/0", "domain:example.org", "x y z"])
def test_what_must_not_be_blocked_is_not(browser: Browser, target: str) -> None:
    found = browser.order("/blocks", target=target, reason="a slip")
    assert found.status == 409
    assert found.json()["detail"]
    assert browser.api("/blocks")["count"] == 0


def test_the_kill_switch_lifts_everything_and_goes_back(place: Place, browser: Browser) -> None:
    place.tell(decisions=(decision(OTHER),))
    assert browser.order("/panic", reason="all are locked out").status == 200
    assert (place.folder / "panic").read_text() == "all are locked out (ada)\n"
    found = browser.api("/now")
    assert found["lifted"]
    assert "kill switch is pulled" in found["headline"]
    assert browser.order("/resume", reason="found it").status == 200
    assert not (place.folder / "panic").exists()
    assert not browser.api("/now")["lifted"]
    assert [one["what"] for one in browser.api("/trail")["entries"][:2]] == ["resumed", "panic"]


def test_what_needs_two_persons_waits_for_the_other(tmp_path: Path) -> None:
    config = configured(tmp_path, response='approve = ["lock"]')
    with serving_place(tmp_path, config) as place:
        ada, anton = place.browser("ada"), place.browser("anton")
        done = ada.order("/blocks", target=ANNA, reason="hijacked")
        assert "waits for another person" in done.json()["warnings"][0]
        name = ada.api("/blocks")["decisions"][0]["id"]
        assert ada.order("/blocks/approve", id=name).status == 409
        assert anton.order("/blocks/approve", id=name).json()["said"] == (
            f"lock {ANNA} is enforced now"
        )


# -- what it refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/incidents", "limit=0"),
        ("/incidents", "limit=201"),
        ("/incidents", "limit=many"),
        ("/incidents", "state=lost"),
        ("/incidents", "unknown=1"),
        ("/incidents", "limit=1&limit=2"),
        ("/incidents", f"text={'x' * 300}"),
        ("/blocks", "action=explode"),
        ("/subject", ""),
        ("/subject", "value=%00"),
        ("/now", "x=1"),
        ("/incidents/%00", ""),
    ],
)
def test_a_wrong_question_is_a_problem_with_its_reason(
    browser: Browser, path: str, query: str
) -> None:
    found = browser.get(f"/api/v1{path}?{query}")
    assert found.status == 400, found.text
    assert found.headers["Content-Type"] == "application/problem+json"
    assert found.json()["detail"]
    assert found.json()["status"] == 400


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b'{"target": 1}', b'{"target": "\\ud800", "reason": "x"}']
)
def test_a_wrong_body_is_a_problem(browser: Browser, body: bytes) -> None:
    headers = {"Content-Type": "application/json", "X-CSRF-Token": browser.csrf}
    found = browser.ask("POST", "/api/v1/blocks", body, headers)
    assert found.status == 400, found.text


def test_a_large_body_is_refused(browser: Browser) -> None:
    found = browser.order("/blocks", target="192.0.2.1", reason="x" * 100_000)
    assert found.status == 413


def test_what_is_not_there_is_a_problem(browser: Browser) -> None:
    assert browser.get("/api/v1/nothing").json()["status"] == 404
    assert browser.get("/api/v1/incidents/ffff").json()["detail"] == "incident ffff is not known"
    assert browser.ask("DELETE", "/api/v1/now").json()["detail"] == "allowed: GET"


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    with serving_place(tmp_path, empty=True) as place:
        wait_for(lambda: place.follower.around.trouble, "the trouble")
        browser = place.browser("ada")
        assert "has `mailwarden run` run here" in browser.api("/now")["trouble"]
        assert browser.order("/panic", reason="x").status == 503


def test_the_document_describes_every_operation(browser: Browser) -> None:
    document = browser.api("/openapi.json")
    assert document["openapi"] == "3.1.0"
    for one in OPERATIONS:
        said = document["paths"][BASE + one.path][one.method.lower()]
        assert said["operationId"] == one.name
        assert said["x-role"] == one.role
