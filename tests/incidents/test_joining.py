"""Which alerts become one incident: agents/incidents/joining.py, assembling.py."""

from hypothesis import given
from hypothesis import strategies as st

from agents.incidents.assembling import incidents
from agents.incidents.incident import Incident
from agents.incidents.joining import SUBJECTS, place
from agents.incidents.named import NAMED
from schemas.findings import Alert, Subject
from schemas.incidents import Case
from tests.incidents.alerts import (
    ANNA,
    BERT,
    DAY,
    FAR,
    GUESSER,
    HOUR,
    OTHER,
    START,
    account,
    alert,
    client,
)


def found(*alerts: Alert, window: float = DAY, cases: tuple[Case, ...] = ()) -> list[Incident]:
    return sorted(
        incidents(alerts, cases, window=window).incidents, key=lambda one: (one.first, one.id)
    )


def parts(*alerts: Alert, window: float = DAY, cases: tuple[Case, ...] = ()) -> list[list[str]]:
    return [one.alerts for one in found(*alerts, window=window, cases=cases)]


def test_alerts_of_one_incident_belong_together_however_far_apart() -> None:
    alerts = (
        client("a1", GUESSER, incident="a1"),
        account("b1", ANNA, 30 * DAY, incident="a1"),
        client("c1", FAR, 2.0, incident="c1"),
    )
    assert parts(*alerts, window=0.0) == [["a1", "b1"], ["c1"]]


def test_a_head_that_changed_on_the_way_leaves_nobody_behind() -> None:
    alerts = (
        client("a1", GUESSER, 5.0, incident="b1"),
        account("b1", ANNA, 1.0, incident="c1"),
        client("c1", FAR, 0.0, incident="c1"),
        account("d1", BERT, 9.0, incident="a1"),
    )
    [one] = found(*alerts)
    assert (one.id, one.alerts) == ("c1", ["c1", "b1", "a1", "d1"])


def test_one_subject_joins_within_the_window_and_not_after_it() -> None:
    first, late = account("a1", ANNA, last=10.0), account("a2", ANNA, 10.0 + HOUR)
    assert parts(first, late, window=HOUR) == [["a1", "a2"]]
    assert parts(first, late, window=HOUR - 1) == [["a1"], ["a2"]]


def test_the_window_is_that_of_the_subject_not_of_the_incident() -> None:
    alerts = (
        client("a1", GUESSER, incident="a1"),
        account("b1", ANNA, 2 * DAY, incident="a1"),
        client("c1", GUESSER, 2 * DAY + 1, incident="c1"),
    )
    assert parts(*alerts) == [["a1", "b1"], ["c1"]]


def test_neighbours_addresses_and_gateways_share_a_subject_the_site_does_not() -> None:
    assert place(Subject("client", GUESSER)) == place(Subject("network", "203.0.113.0/24"))
    assert place(Subject("client", GUESSER)) == place(Subject("client", OTHER))
    assert place(Subject("client", "2001:db8:1:2::/64")) == "network:2001:db8:1::/48"
    assert place(Subject("address", ANNA)) == place(Subject("account", ANNA))
    assert place(Subject("client", "no address")) == "client:no address"
    assert place(Subject("gateway", "mx1")) != place(Subject("domain", "mx1"))
    site = Subject("site", "site")
    assert parts(alert("a1", subject=site), alert("a2", 1.0, subject=site)) == [["a1"], ["a2"]]


def test_what_shares_with_two_joins_the_older_and_makes_them_no_one() -> None:
    alerts = (
        client("a1", GUESSER),
        account("b1", ANNA, 1.0),
        client("c1", OTHER, 2.0, incident="c1"),
        account("c2", ANNA, 3.0, incident="c1"),
    )
    assert parts(*alerts) == [["a1", "c1", "c2"], ["b1"]]
    assert found(*alerts)[0].parts == ["a1", "c1"]


def test_a_closed_incident_takes_only_what_was_seen_of_it() -> None:
    closed = Case(id="a1", state="closed", seen=START + 10, alerts=1, severity="medium")
    first, more = account("a1", ANNA, last=10.0), account("a2", ANNA, 11.0)
    assert parts(first, more, cases=(closed,)) == [["a1"], ["a2"]]
    for begun in (9.0, 10.0):
        [one] = found(first, account("a2", ANNA, begun, last=10.0), cases=(closed,))
        assert one.state == "open"


def test_an_acknowledged_incident_takes_what_comes_within_the_window() -> None:
    case = Case(id="a1", state="acknowledged", seen=START + 10, alerts=1, severity="medium")
    first, more = account("a1", ANNA, last=10.0), account("a2", ANNA, 11.0)
    assert parts(first, more, cases=(case,)) == [["a1", "a2"]]


def test_one_that_went_on_after_it_was_closed_is_open_to_others_again() -> None:
    closed = Case(id="a1", state="closed", seen=START + 10, alerts=1, severity="medium")
    first, more = account("a1", ANNA, last=50.0), account("a2", ANNA, 60.0)
    assert parts(first, more, cases=(closed,)) == [["a1", "a2"]]


def test_a_campaign_keeps_its_count_beyond_what_it_names() -> None:
    many = 3 * NAMED
    alerts = [
        client(f"c{n:04}", f"198.51.{n}.7" if n < 256 else f"198.18.{n - 256}.7", n, incident="x")
        for n in range(many)
    ]
    [one] = found(*alerts, alert("x", subject=Subject("site", "site"), clients=[], incident="x"))
    assert (one.alerts_count, len(one.alerts)) == (many + 1, NAMED)
    assert (one.accused_count, len(one.accused)) == (many, NAMED)
    assert (one.subjects_count, len(one.subjects)) == (many + 1, NAMED)
    assert one.timeline_count == many + 1
    last = client("late", f"198.18.{many - 257}.8", many + 1, incident="late")
    assert len(found(*alerts, last)) == 2, f"only {SUBJECTS} subjects attract others"


def test_of_too_many_the_newest_are_kept_and_all_are_counted() -> None:
    alerts = [client(f"c{n}", f"198.51.{n}.7", n * 10.0) for n in range(9)]
    told = incidents(alerts, window=1.0, most=2)
    assert ([one.id for one in told.incidents], told.count) == (["c8", "c7"], 9)


SUBJECTS_OF = st.sampled_from([GUESSER, OTHER, FAR])
ALERTS = st.builds(
    lambda name, who, first, length, revision, severity, state, head: client(
        f"a{name}",
        who,
        float(first),
        last=float(first + length),
        revision=revision,
        severity=severity,
        state=state,
        incident=f"a{head}" if head else "",
        summary=f"{who} {first} {length}",
    ),
    st.integers(1, 6),
    SUBJECTS_OF,
    st.integers(0, 100),
    st.integers(0, 50),
    st.integers(1, 4),
    st.sampled_from(["low", "high"]),
    st.sampled_from(["open", "withdrawn"]),
    st.integers(0, 6),
)


@given(st.lists(ALERTS, max_size=12).flatmap(lambda a: st.tuples(st.just(a), st.permutations(a))))
def test_order_and_repetition_change_nothing(told: tuple[list[Alert], list[Alert]]) -> None:
    one, other = told
    assert incidents(one, window=20.0) == incidents([*other, *one], window=20.0)


@given(st.lists(ALERTS, max_size=12))
def test_each_alert_is_part_of_one_incident(alerts: list[Alert]) -> None:
    names = [name for one in incidents(alerts, window=20.0).incidents for name in one.alerts]
    assert sorted(names) == sorted({alert.id for alert in alerts})
