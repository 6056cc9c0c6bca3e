"""What is answered to whom."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.findings import ACTIONS, Action, Decision, Target, decision_id
from streams.gateways.policy import Policy, PolicySettings
from streams.gateways.policy.answer import AWAKE, NEUTRAL, Answer, Answerer, Mail, reference
from streams.gateways.policy.greylist import KEPT, Greylist
from streams.gateways.policy.limits import Limits
from streams.gateways.policy.protocol import Request
from streams.parsers import reply

CLIENT = "192.0.2.1"
BEFORE_DATA = ["CONNECT", "XCLIENT", "EHLO", "HELO", "MAIL", "RCPT"]
STATES = [*BEFORE_DATA, "DATA", "END-OF-MESSAGE", "VRFY", "ETRN"]
KINDS = ("network", "account", "address", "domain", "client_account")


def decided(
    action: Action = "reject", kind: str = "network", value: str = CLIENT, **more: Any
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    more = {"id": decision_id(target, action), "until": 9e9, "enforced": True} | more
    return Decision(target=target, action=action, **more)


def answerer_of(**settings: Any) -> Answerer:
    own = PolicySettings(**settings)
    return Answerer(
        tarpit=own.tarpit, processes=own.processes, greylist=own.greylist, limit=own.limit
    )


def asked(state: str = "RCPT", **more: Any) -> Request:
    return Request(state=state, **{"client": CLIENT, "sender": "a@example.net"} | more)


def action(decision: Decision | None, request: Request, **settings: Any) -> str:
    answerer = answerer_of(**settings)
    return answerer.answer(request, decision, Mail(), 0.0).action


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (None, "DUNNO"),
        (decided("observe"), "DUNNO"),
        (decided("notify"), "DUNNO"),
        (decided("reject"), "REJECT 5.7.1 Refused [network:192.0.2.1:reject]"),
        (decided("drop"), "521 5.7.1 Refused [network:192.0.2.1:drop]"),
        (decided("kick"), "DUNNO"),
        (decided("lock"), "DUNNO"),
        (decided("tarpit"), "sleep 5"),
        (
            decided("greylist"),
            "DEFER_IF_PERMIT 4.7.1 Greylisted, try again later [network:192.0.2.1:greylist]",
        ),
        (decided("limit"), "DUNNO"),
        (decided("hold"), "HOLD [network:192.0.2.1:hold]"),
        (decided("stamp"), "PREPEND Mailwarden-Decision: [network:192.0.2.1:stamp]"),
        (
            decided("reject", "address", "p@example.com"),
            "REJECT 5.7.1 Mail to or from this address is refused [address:p@example.com:reject]",
        ),
        (
            decided("drop", "domain", "example.com"),
            "REJECT 5.7.1 Mail to or from this domain is refused [domain:example.com:drop]",
        ),
    ],
)
def test_what_each_action_says_to_a_recipient(decision: Decision | None, expected: str) -> None:
    assert action(decision, asked(recipient="b@example.org")) == expected


@pytest.mark.parametrize("kind", ["account", "client_account"])
@pytest.mark.parametrize(
    ("what", "code"), [("reject", "525"), ("lock", "525"), ("kick", "525"), ("drop", "521")]
)
def test_a_login_is_told_that_it_may_not_send(kind: str, what: Action, code: str) -> None:
    decision = decided(what, kind, "anna@example.org", id="x")
    expected = f"{code} 5.7.13 This account may not send mail now [x]"
    assert action(decision, asked(account="anna@example.org")) == expected


def test_a_client_is_refused_wherever_it_is_asked_about() -> None:
    refused = [state for state in STATES if action(decided("drop"), asked(state)) != "DUNNO"]
    assert refused == STATES[:8]


def test_the_alert_is_named_where_there_is_one_and_no_reason_is_told() -> None:
    decision = decided(alert="5f0c1e9a", reason="opened boss@example.org")
    assert action(decision, asked()) == "REJECT 5.7.1 Refused [5f0c1e9a]"


# -- tarpit -------------------------------------------------------------------------------------


def test_whoever_sleeps_sleeps_before_data() -> None:
    slept = [state for state in STATES if action(decided("tarpit"), asked(state)) != "DUNNO"]
    assert slept == BEFORE_DATA
    assert action(decided("tarpit", "account"), asked(client="", account="a@b")) == "DUNNO"


def test_of_one_network_one_sleeps_and_of_all_a_twentieth_of_the_processes() -> None:
    answerer = answerer_of(processes=40, tarpit=5)

    def tries(client: str, now: float) -> Answer:
        return answerer.answer(asked(client=client), decided("tarpit"), Mail(), now)

    assert tries("192.0.2.1", 0.0).action == "sleep 5"
    assert tries("192.0.2.200", 1.0) is AWAKE
    assert tries("198.51.100.1", 2.0).action == "sleep 5"
    assert tries("203.0.113.1", 4.0) is AWAKE
    assert tries("203.0.113.1", 5.0).action == "sleep 5"
    assert tries("192.0.2.200", 5.0) is AWAKE
    assert tries("192.0.2.200", 7.0).action == "sleep 5"


@pytest.mark.parametrize("settings", [{"tarpit": 0}, {"tarpit": -1}, {"processes": 19}])
def test_where_nobody_may_sleep_nobody_does(settings: dict[str, int]) -> None:
    assert action(decided("tarpit"), asked(), **settings) == "DUNNO"
    assert not Policy(PolicySettings(**settings)).reaches(decided("tarpit"))


def test_nobody_sleeps_long() -> None:
    assert action(decided("tarpit"), asked(), tarpit=3600) == "sleep 30"


@pytest.mark.parametrize(("processes", "asleep"), [(20, 1), (39, 1), (40, 2), (400, 20)])
def test_a_twentieth_of_the_processes_may_sleep(processes: int, asleep: int) -> None:
    answerer = answerer_of(processes=processes)
    said = [
        answerer.answer(asked(client=f"10.{n >> 8}.{n & 255}.1"), decided("tarpit"), Mail(), 0.0)
        for n in range(processes)
    ]
    assert sum(answer.kind == "tarpit" for answer in said) == asleep


# -- greylist -----------------------------------------------------------------------------------


def test_whoever_comes_again_after_the_wait_is_let_pass() -> None:
    answerer = answerer_of(greylist=300)

    def tries(now: float, **more: Any) -> bool:
        request = asked(**{"recipient": "b@example.org"} | more)
        return answerer.answer(request, decided("greylist"), Mail(), now) is NEUTRAL

    assert not tries(0.0)
    assert not tries(299.0)
    assert tries(300.0)
    assert tries(400.0, client="192.0.2.77")
    assert not tries(400.0, client="198.51.100.1")
    assert not tries(400.0, sender="c@example.net")
    assert not tries(400.0, recipient="d@example.org")
    assert not tries(400.0, client="")


def test_only_recipients_of_strangers_are_greylisted() -> None:
    for state in ("CONNECT", "MAIL", "DATA", "END-OF-MESSAGE"):
        assert action(decided("greylist"), asked(state)) == "DUNNO"
    assert action(decided("greylist"), asked(submission=True)) == "DUNNO"


def test_a_greylist_forgets_what_is_old_and_what_is_too_much() -> None:
    greylist = Greylist(10.0, room=2)
    assert not greylist.passes("n", "a", "b", 0.0)
    assert greylist.passes("n", "a", "b", KEPT - 1)
    assert not greylist.passes("n", "a", "b", KEPT)
    assert greylist.passes("n", "a", "b", KEPT + 10)
    assert not greylist.passes("n", "a", "c", KEPT + 10)
    assert not greylist.passes("n", "a", "d", KEPT + 11)
    assert not greylist.passes("n", "a", "b", KEPT + 12)
    assert len(greylist._came) == 2


# -- limit --------------------------------------------------------------------------------------


def of_anna(state: str, recipients: int, instance: str = "1") -> Request:
    return asked(state, account="anna@example.org", recipients=recipients, instance=instance)


def test_a_limited_account_has_its_recipients_and_no_more() -> None:
    answerer = answerer_of(limit=5)
    decision = decided("limit", "account", "anna@example.org", id="x")
    over = "450 4.7.1 This account has sent enough for now [x]"

    def message(number: int, recipients: int, now: float) -> list[str]:
        said = Mail(str(number))
        return [
            answerer.answer(of_anna(state, count), decision, said, now).action
            for state, count in [
                *(("RCPT", n) for n in range(recipients)),
                ("DATA", recipients),
                ("END-OF-MESSAGE", recipients),
            ]
        ]

    assert message(1, 3, 0.0) == ["DUNNO"] * 5
    assert message(2, 3, 10.0) == ["DUNNO", "DUNNO", over, over, over]
    assert message(3, 2, 20.0) == ["DUNNO"] * 4
    assert message(4, 1, 3599.0) == [over] * 3
    assert message(5, 5, 3900.0) == ["DUNNO"] * 7


def test_a_message_that_is_only_asked_about_at_its_end_is_counted_then() -> None:
    answerer = answerer_of(limit=2)
    decision = decided("limit", "client_account", "192.0.2.1 anna@example.org")
    first = answerer.answer(of_anna("END-OF-MESSAGE", 2), decision, Mail("1"), 0.0)
    second = answerer.answer(of_anna("END-OF-MESSAGE", 1), decision, Mail("2"), 0.0)
    assert (first.kind, second.kind) == ("neutral", "limit")


def test_a_limit_is_for_logins_and_for_messages() -> None:
    assert action(decided("limit"), of_anna("DATA", 99)) == "DUNNO"
    assert action(decided("limit", "account"), of_anna("MAIL", 99)) == "DUNNO"
    assert action(decided("limit", "account"), of_anna("RCPT", 99)).startswith("450 ")


def test_limits_are_bounded() -> None:
    limits = Limits(10, room=2)
    for name in ("a", "b", "a", "c"):
        limits.count(name, 4, 0.0)
    assert [limits.left(name, 0.0) for name in "abc"] == [2, 10, 6]


@given(st.lists(st.tuples(st.floats(0, 2000), st.integers(1, 9)), max_size=60))
def test_in_no_hour_are_there_more_than_may_be(sent: list[tuple[float, int]]) -> None:
    limits = Limits(20)
    passed: list[tuple[float, int]] = []
    now = 0.0
    for pause, count in sent:
        now += pause
        if count <= limits.left("a", now):
            limits.count("a", count, now)
            passed.append((now, count))
        assert sum(n for at, n in passed if at > now - 3600) <= 20


# -- hold and stamp -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "states"),
    [("hold", ["RCPT", "DATA", "END-OF-MESSAGE"]), ("stamp", ["RCPT", "DATA"])],
)
def test_a_message_is_marked_where_it_can_be(what: Action, states: list[str]) -> None:
    assert [state for state in STATES if action(decided(what), asked(state)) != "DUNNO"] == states


@pytest.mark.parametrize("what", ["hold", "stamp"])
def test_a_message_is_marked_once(what: Action) -> None:
    answerer, message = answerer_of(), Mail("1")
    answers = [
        answerer.answer(asked(state), decided(what), message, 0.0).kind
        for state in ("RCPT", "RCPT", "DATA")
    ]
    assert answers == [what, "neutral", "neutral"]


# -- what is written ------------------------------------------------------------------------------


def test_a_reference_keeps_only_what_is_harmless() -> None:
    said = reference(decided(id="x]\naction=OK\n\n $(id) ä" + "y" * 200))
    assert said.startswith("[x__action_OK____")
    assert len(said) == 122


@given(
    st.builds(
        decided,
        st.sampled_from(ACTIONS),
        st.sampled_from(KINDS),
        st.text(),
        id=st.text(),
        alert=st.text(),
        reason=st.text(),
    ),
    st.builds(
        Request,
        state=st.sampled_from(STATES),
        client=st.sampled_from(["", CLIENT, "2001:db8::1"]),
        account=st.text(),
        sender=st.text(),
        recipient=st.text(),
        recipients=st.integers(0, 10**15),
    ),
)
def test_whatever_is_decided_and_asked_the_answer_is_one_short_line(
    decision: Decision, request: Request
) -> None:
    answer = answerer_of().answer(request, decision, Mail(), 0.0)
    assert answer.action.isprintable()
    assert answer.action.isascii()
    assert len(answer.action) < 220
    assert not answer.action.upper().startswith(("OK", "PERMIT", "2"))
    assert answer.kind in (*ACTIONS, "neutral", "awake")


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (decided("limit", "account"), ("deferred", "temporary")),
        (decided("greylist"), ("deferred", "greylisted")),
        (decided("lock", "account"), ("blocked", "policy")),
        (decided("drop"), ("blocked", "policy")),
        (decided("reject", "address"), ("blocked", "policy")),
    ],
)
def test_what_the_log_says_of_our_answers_is_no_evidence_of_its_own(
    decision: Decision, expected: tuple[str, str]
) -> None:
    """A limit of ours is no "overload", which would count against the account once more."""
    request = asked() if decision.action == "greylist" else of_anna("RCPT", 99)
    word, enhanced, text = action(decision, request).split(" ", 2)
    codes = {"REJECT": 554, "DEFER_IF_PERMIT": 450}  # access_map_reject_code and the like
    code = codes.get(word) or int(word)
    assert reply.verdict(code, enhanced, text) == expected


def test_what_it_can_carry_out() -> None:
    policy = Policy(PolicySettings())
    reached = {
        kind: [each for each in ACTIONS if policy.reaches(decided(each, kind))] for kind in KINDS
    }
    strangers = ["stamp", "tarpit", "greylist", "hold", "reject", "drop"]
    logins = ["stamp", "tarpit", "limit", "hold", "reject", "drop", "lock"]
    assert reached == {
        "network": strangers,
        "address": strangers,
        "domain": strangers,
        "account": logins,
        "client_account": logins,
    }
