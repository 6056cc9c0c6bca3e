from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.configuration import build, build_shard
from agents.record import Sentence
from agents.response import INCIDENTS, SENTENCES, WEEK, Response
from schemas.events import Auth
from schemas.findings import Action, Alert, Decision, Finding, Subject, Target, Wish
from schemas.net import PRIVATE, Networks
from schemas.settings import ResponseSettings, Settings, SiteSettings

NOW = 1_700_000_000.0
CLIENT = "192.0.2.1"
KEY = f"network:{CLIENT}"


def found(
    wish: Wish | None = None,
    *,
    action: Action = "drop",
    target: str = CLIENT,
    at: float = NOW,
    **more: object,
) -> Finding:
    fields: dict[str, object] = {
        "id": "0123456789abcdef",
        "detector": "auth_dictionary",
        "shape": "dictionary",
        "severity": "high",
        "subject": Subject("client", CLIENT),
        "first": at - 60,
        "last": at,
        "at": at,
        "summary": "guesses passwords",
        "wish": wish or Wish(action, Target("network", target)),
        "stage": "enforce",
    }
    return Finding(**(fields | more))  # type: ignore[arg-type]


def responding(
    *,
    allowed: tuple[str, ...] = (),
    trusted: tuple[str, ...] = (),
    shared: tuple[str, ...] = (),
    domains: tuple[str, ...] = ("example.org",),
    share: float = 1.0,
    **settings: object,
) -> Response:
    return Response(
        ResponseSettings(**({"enforce": True} | settings)),  # type: ignore[arg-type]
        Networks(allowed),
        Networks(PRIVATE),
        trusted=Networks(trusted),
        shared=Networks(shared),
        domains=frozenset(domains),
        share=share,
    )


def once(finding: Finding, response: Response | None = None) -> tuple[Alert, Decision | None]:
    return (response or responding()).answer(finding, {}, NOW)


def silence(finding: Finding, response: Response | None = None) -> str:
    """Why nothing was decided."""
    alert, decision = once(finding, response)
    assert decision is None
    assert alert.undo == ""
    assert alert.decision.startswith("nothing: ")
    return alert.decision.removeprefix("nothing: ")


def test_a_wish_that_nothing_speaks_against_is_decided() -> None:
    alert, decision = once(found())
    assert decision == Decision(
        id="network:192.0.2.1:drop",
        target=Target("network", CLIENT),
        action="drop",
        reason="guesses passwords",
        alert="0123456789abcdef",
        since=NOW,
        until=NOW + 600,
        generation=1,
        enforced=True,
        detector="auth_dictionary",
        severity="high",
    )
    assert alert.decision == "drop 192.0.2.1 for 10 min, until 2023-11-14 22:23:20 UTC"
    assert alert.undo == "mailwarden decisions remove network:192.0.2.1"


def test_the_alert_carries_all_that_the_finding_told() -> None:
    finding = found(
        clients=[CLIENT],
        clients_count=1,
        targets=["a@example.org"],
        targets_count=9,
        technique="T1110",
        rule="auth_dictionary",
        version=3,
        window=600.0,
        checks=["never succeeded here"],
        revision=4,
        blind_to="what it does not see",
    )
    alert, _ = once(finding)
    same = {name for name in Alert.__struct_fields__ if name in Finding.__struct_fields__}
    for name in same:
        assert getattr(alert, name) == getattr(finding, name), name
    assert set(Alert.__struct_fields__) - same == {
        "domains",
        "origins",
        "decision",
        "undo",
    }
    assert alert.state == "open"


# -- what is taken back -------------------------------------------------------------------------


def taken_back(at: float = NOW + 60, **more: object) -> Finding:
    fields: dict[str, object] = {"state": "withdrawn", "summary": "one of ours", "at": at}
    return msgspec.structs.replace(found(), **(fields | more))  # type: ignore[arg-type]


def test_a_finding_that_is_withdrawn_lifts_what_it_had_asked_for() -> None:
    response, sentences = responding(), {}  # type: ignore[var-annotated]
    _, before = response.answer(found(), sentences, NOW)
    alert, lifted = response.answer(taken_back(), sentences, NOW + 60)
    assert before is not None
    assert lifted is not None
    assert (lifted.id, lifted.until, lifted.generation) == (before.id, NOW + 60, 2)
    assert lifted.enforced == before.enforced
    assert (alert.state, alert.summary, alert.undo) == ("withdrawn", "one of ours", "")
    assert alert.decision == f"drop {CLIENT} lifted"
    assert response.answer(taken_back(), sentences, NOW + 61)[1] is None


def test_it_takes_back_the_step_on_the_ladder() -> None:
    response, sentences = responding(), {}  # type: ignore[var-annotated]
    response.answer(found(), sentences, NOW)
    response.answer(taken_back(), sentences, NOW + 60)
    later = NOW + 7200
    _, again = response.answer(found(at=later), sentences, later)
    assert again is not None
    assert (again.until - again.since, again.generation) == (600, 3)


def test_what_another_finding_had_asked_for_holds() -> None:
    response, sentences = responding(), {}  # type: ignore[var-annotated]
    response.answer(found(id="another"), sentences, NOW)
    alert, lifted = response.answer(taken_back(), sentences, NOW + 60)
    assert lifted is None
    assert alert.decision == "nothing: it is withdrawn"


def test_while_others_stand_what_holds_goes_on() -> None:
    response, sentences = responding(), {}  # type: ignore[var-annotated]
    response.answer(found(), sentences, NOW)
    alert, lifted = response.answer(taken_back(alone=False), sentences, NOW + 60)
    assert lifted is None
    assert "other findings stand" in alert.decision


def test_a_lease_that_has_ended_needs_no_lifting() -> None:
    response, sentences = responding(), {}  # type: ignore[var-annotated]
    response.answer(found(), sentences, NOW)
    assert response.answer(taken_back(NOW + 600), sentences, NOW + 600)[1] is None


@pytest.mark.parametrize(
    ("site", "stage"), [(False, "enforce"), (True, "alert"), (True, "observe"), (False, "alert")]
)
def test_without_both_switches_it_is_only_observed(site: bool, stage: str) -> None:
    alert, decision = once(found(stage=stage), responding(enforce=site))
    assert decision is not None
    assert not decision.enforced
    assert alert.decision.endswith("(observed only, not enforced)")


# -- what speaks against it ---------------------------------------------------------------------


def test_info_accuses_nobody() -> None:
    assert silence(found(severity="info")) == "it accuses nobody"


@pytest.mark.parametrize("action", ["observe", "notify"])
def test_what_only_people_can_judge_is_an_alert(action: Action) -> None:
    assert silence(found(action=action)) == "the finding is for people to judge"


def test_a_finding_without_a_wish_is_an_alert() -> None:
    finding = msgspec.structs.replace(found(), wish=None)
    assert silence(finding) == "the finding is for people to judge"


def test_the_detectors_own_doubt_counts() -> None:
    wish = Wish("drop", Target("network", CLIENT), against="too little past was seen")
    assert silence(found(wish)) == "too little past was seen"


def test_old_events_decide_nothing() -> None:
    assert silence(found(at=NOW - 901)) == "its newest event is 15 min old"
    assert once(found(at=NOW - 900))[1] is not None


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("203.0.113.7", "203.0.113.7 is on the allow list"),
        ("203.0.113.0/24", "203.0.113.0/24 holds an address that is on the allow list"),
        ("10.1.2.3", "10.1.2.3 is one of our own networks"),
        ("198.51.100.1", "198.51.100.1 is a trusted relay"),
        ("192.0.2.0/23", "192.0.2.0/23 is wider than the widest decision, a /24"),
        ("2001:db8::/47", "2001:db8::/47 is wider than the widest decision, a /48"),
        ("client", "'client' is no network"),
    ],
)
def test_whom_no_decision_may_hit(target: str, why: str) -> None:
    response = responding(allowed=("203.0.113.7",), trusted=("198.51.100.0/24",))
    assert silence(found(target=target), response) == why
    assert (
        silence(found(Wish("reject", Target("client_account", f"{target} bob"))), response) == why
    )


@pytest.mark.parametrize("target", ["192.0.2.0/24", "2001:db8::/48", "2001:db8::/64"])
def test_networks_up_to_the_widest_may_be_decided_about(target: str) -> None:
    decision = once(found(target=target))[1]
    assert decision is not None
    assert decision.target.value == target


def test_our_own_domain_is_never_decided_against() -> None:
    assert silence(found(Wish("reject", Target("domain", "example.org")))) == (
        "example.org is a domain of ours"
    )
    assert once(found(Wish("reject", Target("domain", "example.com"))))[1] is not None


@pytest.mark.parametrize("kind", ["account", "address"])
def test_mailboxes_of_ours_can_be_decided_about(kind: str) -> None:
    wish = Wish("hold", Target(kind, "alice@example.org"))  # type: ignore[arg-type]
    alert, decision = once(found(wish))
    assert decision is not None
    assert decision.id == f"{kind}:alice@example.org:hold"
    assert alert.undo == f"mailwarden decisions remove {kind}:alice@example.org"


# -- what it would cost -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wished", "decided"), [("drop", "tarpit"), ("reject", "tarpit"), ("stamp", "stamp")]
)
@pytest.mark.parametrize("target", [CLIENT, "192.0.2.0/24"])
def test_shared_networks_are_slowed_at_most(wished: Action, decided: str, target: str) -> None:
    decision = once(found(action=wished, target=target), responding(shared=("192.0.2.0/25",)))[1]
    assert decision is not None
    assert decision.action == decided


def test_one_account_behind_a_shared_network_can_be_refused() -> None:
    wish = Wish("reject", Target("client_account", f"{CLIENT} bob"))
    decision = once(found(wish), responding(shared=("192.0.2.0/24",)))[1]
    assert decision is not None
    assert decision.action == "reject"


def test_a_decision_that_would_cut_people_off_is_an_alert() -> None:
    assert silence(found(collateral=37)) == "would cut off 37 accounts"
    assert silence(found(collateral=1)) == "would cut off 1 account"


def test_so_many_may_be_cut_off_as_the_settings_say() -> None:
    assert once(found(collateral=3), responding(collateral=3))[1] is not None
    assert silence(found(collateral=4), responding(collateral=3)) == "would cut off 4 accounts"


def test_it_narrows_to_the_one_account_that_is_attacked() -> None:
    alert, decision = once(found(collateral=5, targets=["bob@example.org"], targets_count=1))
    assert decision is not None
    assert decision.target == Target("client_account", f"{CLIENT} bob@example.org")
    assert alert.undo == ("mailwarden decisions remove 'client_account:192.0.2.1 bob@example.org'")


def test_it_does_not_narrow_where_more_accounts_are_attacked_than_are_named() -> None:
    finding = found(collateral=5, targets=["bob@example.org"], targets_count=2)
    assert silence(finding) == "would cut off 5 accounts"


def test_the_client_of_an_account_may_be_an_ipv6_network() -> None:
    decision = once(found(target="2001:db8::/64", collateral=1, targets=["bob"]))[1]
    assert decision is not None
    assert decision.target == Target("client_account", "2001:db8::/64 bob")


@pytest.mark.parametrize("target", ["192.0.2.0/24", "2001:db8::/48"])
def test_it_does_not_narrow_a_network_to_an_account(target: str) -> None:
    finding = found(target=target, collateral=5, targets=["bob@example.org"])
    assert silence(finding) == "would cut off 5 accounts"


# -- how long -----------------------------------------------------------------------------------


def ladder(response: Response, returns: list[float], **more: object) -> list[float]:
    """Seconds of the decisions when the client is back so long after the end of each."""
    sentences: dict[str, Sentence] = {}
    now, spans = NOW, []
    for pause in [0.0, *returns]:
        now += pause
        decision = response.answer(found(at=now, **more), sentences, now)[1]
        assert decision is not None
        assert decision.generation == len(spans) + 1
        spans.append(decision.until - now)
        now = decision.until
    return spans


def test_each_return_doubles_the_time_up_to_a_week() -> None:
    spans = ladder(responding(), [1.0] * 12)
    assert spans[:4] == [600, 1200, 2400, 4800]
    assert spans[-3:] == [WEEK, WEEK, WEEK]
    assert all(later in (2 * span, WEEK) for span, later in pairwise(spans))


def test_a_quiet_week_takes_one_step_back() -> None:
    assert ladder(responding(), [1.0, 1.0, WEEK, 3 * WEEK + 1]) == [600, 1200, 2400, 2400, 600]
    assert ladder(responding(), [1.0, WEEK - 1]) == [600, 1200, 2400]


def test_first_and_longest_are_settings() -> None:
    assert ladder(responding(first=60.0, longest=100.0), [1.0, 1.0]) == [60, 100, 100]


def test_a_detector_may_wish_for_longer() -> None:
    wish = Wish("drop", Target("network", CLIENT), seconds=86400)
    spans = ladder(responding(), [1.0] * 9, wish=wish)
    assert spans[:3] == [86400] * 3
    assert spans[8] == 153600
    assert ladder(responding(longest=3600.0), [], wish=wish) == [3600]


def test_what_is_told_again_meanwhile_renews_nothing() -> None:
    response, sentences = responding(), {}
    first = response.answer(found(), sentences, NOW)[1]
    assert first is not None
    alert, again = response.answer(found(at=NOW + 599), sentences, NOW + 599)
    assert again is None
    assert alert.decision == "drop 192.0.2.1 as decided before, until 2023-11-14 22:23:20 UTC"
    assert alert.undo == "mailwarden decisions remove network:192.0.2.1"
    assert sentences[KEY].until == first.until
    assert response.answer(found(at=NOW + 600), sentences, NOW + 600)[1] is not None


def test_a_more_severe_action_replaces_a_milder_one_at_the_same_step() -> None:
    response, sentences = responding(), {}
    response.answer(found(action="tarpit"), sentences, NOW)
    worse = response.answer(found(action="drop", at=NOW + 300), sentences, NOW + 300)[1]
    assert worse is not None
    assert (worse.action, worse.generation, worse.until) == ("drop", 2, NOW + 900)
    assert response.answer(found(action="tarpit", at=NOW + 301), sentences, NOW + 301)[1] is None
    back = response.answer(found(at=NOW + 901), sentences, NOW + 901)[1]
    assert back is not None
    assert back.until == NOW + 901 + 1200


def test_a_more_severe_action_never_ends_earlier() -> None:
    response, sentences = responding(), {}
    wish = Wish("tarpit", Target("network", CLIENT), seconds=86400)
    response.answer(found(wish), sentences, NOW)
    worse = response.answer(found(at=NOW + 1), sentences, NOW + 1)[1]
    assert worse is not None
    assert worse.until == NOW + 86400


def test_enforcement_that_was_switched_on_replaces_what_was_observed() -> None:
    sentences: dict[str, Sentence] = {}
    seen = responding(enforce=False).answer(found(), sentences, NOW)[1]
    assert seen is not None
    real = responding().answer(found(at=NOW + 9, action="tarpit"), sentences, NOW + 9)[1]
    assert real is not None
    assert (real.action, real.enforced, real.generation) == ("drop", True, 2)
    assert responding().answer(found(at=NOW + 10), sentences, NOW + 10)[1] is None


def test_a_refusal_does_not_hide_what_holds_already() -> None:
    response, sentences = responding(), {}
    response.answer(found(), sentences, NOW)
    alert, decision = response.answer(found(at=NOW - 901), sentences, NOW + 1)
    assert decision is None
    assert alert.decision == (
        "drop 192.0.2.1 as decided before, until 2023-11-14 22:23:20 UTC;"
        " this finding adds nothing: its newest event is 15 min old"
    )
    assert alert.undo == "mailwarden decisions remove network:192.0.2.1"
    late, _ = response.answer(found(at=NOW - 901), sentences, NOW + 600)
    assert late.decision == "nothing: its newest event is 25 min old"
    assert late.undo == ""


def test_targets_of_one_subject_have_ladders_of_their_own() -> None:
    response, sentences = responding(), {}
    response.answer(found(), sentences, NOW)
    other = response.answer(found(target="192.0.2.2"), sentences, NOW)[1]
    assert other is not None
    assert other.generation == 1
    assert set(sentences) == {KEY, "network:192.0.2.2"}


def test_a_subject_remembers_a_bounded_number_of_targets() -> None:
    response, sentences = responding(budget=1000), {}
    for number in range(100):
        response.answer(found(target=f"192.0.2.{number}", at=NOW + number), sentences, NOW + number)
    assert len(sentences) == SENTENCES
    assert "network:192.0.2.99" in sentences


# -- how many -----------------------------------------------------------------------------------


def test_no_more_are_decided_in_a_minute_than_the_budget_allows() -> None:
    response = responding(budget=2)
    minute = NOW - NOW % 60
    for address in ("192.0.2.1", "192.0.2.2"):
        assert response.answer(found(target=address, at=minute), {}, minute)[1] is not None
    alert, decision = response.answer(found(target="192.0.2.3", at=minute), {}, minute + 59)
    assert decision is None
    assert alert.decision == "nothing: the budget of 2 decisions a minute is spent"
    assert response.answer(found(at=minute), {}, minute + 60)[1] is not None


def test_an_incident_of_many_clients_has_a_budget_of_its_own() -> None:
    response = responding(budget=1, incident_budget=2, share=0.9)
    minute = NOW - NOW % 60

    def decided(number: int, incident: str) -> str:
        part = found(
            target=f"192.0.2.{number}", at=minute, incident=incident or "x", shared=incident != ""
        )
        return response.answer(part, {}, minute)[0].decision

    assert decided(1, "a").startswith("drop")
    assert decided(2, "a") == (
        "nothing: the budget of 1 decisions a minute for one incident is spent"
    )
    assert decided(3, "b").startswith("drop")
    assert decided(4, "").startswith("drop")
    assert decided(5, "") == "nothing: the budget of 1 decisions a minute is spent"


def test_incidents_of_a_minute_are_bounded() -> None:
    """Further ones share what is left of the budget of everything else."""
    response = responding(budget=2, incident_budget=9)
    answers = [
        response.answer(found(incident=str(number), shared=True), {}, NOW)[1]
        for number in range(INCIDENTS + 4)
    ]
    assert [decision is not None for decision in answers] == [True] * (INCIDENTS + 3) + [False]


def test_who_was_held_back_is_asked_about_again_at_the_next_event_after_a_minute() -> None:
    response, sentences = responding(budget=1), {}
    response.answer(found(target="192.0.2.2"), {}, NOW)
    assert response.answer(found(), sentences, NOW)[1] is None
    assert sentences[KEY] == Sentence(0.0, NOW + 60, 0, "", False)
    again = response.answer(found(at=NOW + 60), sentences, NOW + 60)[1]
    assert again is not None
    assert again.generation == 1
    assert again.until == NOW + 60 + 600


def test_what_renews_nothing_costs_nothing() -> None:
    response, sentences = responding(budget=1), {}
    response.answer(found(), sentences, NOW)
    alert, _ = response.answer(found(), sentences, NOW)
    assert alert.decision.startswith("drop 192.0.2.1 as decided before, until ")


@pytest.mark.parametrize(
    ("budget", "share", "count"), [(60, 0.125, 7), (3, 0.125, 1), (0, 1.0, 0), (0, 0.125, 0)]
)
def test_the_budget_is_shared(budget: int, share: float, count: int) -> None:
    response = responding(budget=budget, share=share)
    decisions = [
        response.answer(found(target=f"192.0.2.{number}"), {}, NOW)[1] for number in range(99)
    ]
    assert sum(decision is not None for decision in decisions) == count


def test_after_a_spent_budget_it_is_looked_at_again_in_a_minute() -> None:
    response = responding(budget=1)
    sentences = {KEY: Sentence(1.0, NOW - 1, 1, "drop", True)}
    response.answer(found(target="192.0.2.2"), {}, NOW)
    assert response.answer(found(), sentences, NOW)[1] is None
    assert sentences[KEY] == Sentence(1.0, NOW + 60, 1, "", True)
    again = response.answer(found(at=NOW + 60), sentences, NOW + 60)[1]
    assert again is not None
    assert again.generation == 2
    assert again.until == NOW + 60 + 1200


def test_where_the_answer_stays_no_the_engine_need_not_ask_at_every_event() -> None:
    sentences = {KEY: Sentence(1.0, NOW - 1, 1, "drop", True)}
    responding(allowed=(CLIENT,)).answer(found(), sentences, NOW)
    assert sentences[KEY] == Sentence(1.0, NOW + 3600, 1, "", True)


# -- what the alert says ------------------------------------------------------------------------


def test_the_domains_of_ours_that_it_concerns_are_named() -> None:
    finding = found(
        targets=["a@example.net", "b@elsewhere.example", "bare"],
        accounts=["c@example.org"],
        subject=Subject("account", "d@example.com"),
    )
    response = responding(domains=("example.org", "example.net", "example.com", "example.edu"))
    assert once(finding, response)[0].domains == ["example.com", "example.net", "example.org"]


def test_the_command_that_undoes_it_is_safe_to_paste() -> None:
    wish = Wish("lock", Target("account", "a$(reboot)'@example.org"))
    alert, _ = once(found(wish))
    assert alert.undo == ("""mailwarden decisions remove 'account:a$(reboot)'"'"'@example.org'""")


_targets = st.sampled_from([CLIENT, "192.0.2.0/24", "10.0.0.1", "2001:db8::/64", "x"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["drop", "tarpit", "notify", "reject"]),
            _targets,
            st.floats(0, 3 * WEEK),
            st.integers(0, 2),
        ),
        max_size=30,
    )
)
def test_whatever_comes_every_lease_is_bounded_and_every_word_is_said(
    story: list[tuple[Action, str, float, int]],
) -> None:
    response, sentences, now = responding(), {}, NOW
    generations: dict[str, int] = {}
    for action, target, pause, collateral in story:
        now += pause
        finding = found(action=action, target=target, at=now, collateral=collateral)
        alert, decision = response.answer(finding, sentences, now)
        assert alert.decision
        assert len(sentences) <= SENTENCES
        if decision is not None:
            text = f"{decision.target.kind}:{decision.target.value}"
            assert 600 <= decision.until - now <= WEEK
            assert decision.generation == generations.get(text, 0) + 1
            generations[text] = decision.generation


# -- with the engine ----------------------------------------------------------------------------


def test_who_returns_after_the_sentence_climbs_the_ladder() -> None:
    site = SiteSettings(domains=("example.org",), honeypots=("scanner@example.org",))
    detector = {"stage": "enforce", "honeypot_seconds": 600.0}
    settings = Settings(
        site=site,
        response=ResponseSettings(enforce=True),
        detectors={"auth_dictionary": detector},
    )
    shard = build_shard(build(settings))
    decisions: list[Decision] = []
    alerts: list[Alert] = []
    for minute in range(120):
        at = NOW + 60.0 * minute
        shard.fold(Auth(at=at, client=CLIENT, account="scanner@example.org", reason="bad_password"))
        shard.drain()
        outcome = shard.take()
        decisions += outcome.decisions
        alerts += outcome.alerts
    assert [(d.since - NOW, d.until - d.since, d.generation) for d in decisions] == [
        (0.0, 600.0, 1),
        (600.0, 1200.0, 2),
        (1800.0, 2400.0, 3),
        (4200.0, 4800.0, 4),
    ]
    assert all(d.enforced and d.id == "network:192.0.2.1:drop" for d in decisions)
    last = alerts[-1]
    assert last.decision.startswith("drop 192.0.2.1 as decided before, until ")
    assert last.undo == "mailwarden decisions remove network:192.0.2.1"
