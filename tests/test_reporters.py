"""Reports of Dovecot's auth policy, and log lines about the same attempts: each counts once."""

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from agents import reporters
from agents.detectors import DETECTORS
from agents.detectors.auth_dictionary import AuthDictionary
from agents.reporters import LATE, SERVICES, SPANS, Reporters
from agents.shard import Shard
from schemas.events import Auth
from schemas.keys import keys, partition
from tests.detectors.stories import SITE, START, Story, count, failed, opened

CLIENT = "203.0.113.9"
ANNA = "anna@example.org"


def line(at: float = 0.0, account: str = ANNA, client: str = CLIENT, **more: Any) -> Auth:
    """What a log tells of an attempt."""
    more = {"outcome": "failed", "gateway": "mx1", "service": "imap", **more}
    return Auth(at=START + at, client=client, account=account, **more)


def report(at: float = 0.0, account: str = ANNA, client: str = CLIENT, **more: Any) -> Auth:
    """What Dovecot's auth policy reports of one."""
    return line(at, account, client, **{"source": "auth_policy", **more})


def counted(*events: Auth, ears: Reporters | None = None) -> int:
    """How many attempts all that is heard comes to."""
    ears = ears or Reporters()
    return sum(news.count for event in events if (news := ears.hear(event)) is not None)


# -- whichever comes first --------------------------------------------------------------------


def test_a_line_after_the_report_of_the_same_attempt_says_nothing_new() -> None:
    assert counted(report(0), line(2)) == 1
    assert counted(report(0, outcome="ok"), line(0, outcome="ok")) == 1


def test_a_line_that_came_before_the_first_report_of_it_makes_up_for_that() -> None:
    assert counted(line(2), report(0)) == 1
    assert counted(*[line(each) for each in range(9)], *[report(each) for each in range(9)]) == 9


def test_a_sum_of_attempts_makes_up_for_as_many_reports() -> None:
    session = line(30, count=3)
    assert counted(session, report(0), report(10), report(20), report(25)) == 4
    assert counted(report(0), report(10), report(20), session) == 3


def test_only_the_same_attempt_makes_up_for_a_report() -> None:
    for other in (
        line(2, account="ben@example.org"),
        line(2, client="203.0.113.10"),
        line(2, outcome="ok"),
        line(2, service="pop3"),
        line(2, gateway="mx2"),
        line(-reporters.EARLY - 1),
        line(LATE + 1),
    ):
        assert counted(other, report(0)) == 2, other


def test_a_line_that_does_not_know_the_account_or_the_service_may_be_about_any() -> None:
    assert counted(line(2, account=""), report(0)) == 1
    assert counted(line(2, service=""), report(0)) == 1
    assert counted(report(0), line(2, service="")) == 1
    assert counted(line(2, account="anna"), report(0)) == 1  # without its domain


def test_a_log_may_shorten_the_name_of_its_host() -> None:
    full = "MX1.example.org"
    assert counted(report(0, gateway=full), line(2)) == 1
    assert counted(line(2), report(0, gateway=full)) == 1
    assert counted(report(0), line(2, gateway=full)) == 1
    assert counted(report(0, gateway=full), line(2, gateway="mx1.example.net")) == 2


def test_submission_is_one_service_under_any_of_its_names() -> None:
    assert counted(report(0, service="submission"), line(2, service="smtp")) == 1


# -- whose word counts ------------------------------------------------------------------------


def test_services_and_gateways_without_reports_go_on_by_their_logs() -> None:
    ears = Reporters()
    counted(report(0), ears=ears)
    assert counted(line(1, service="pop3"), line(1, gateway="mx2"), ears=ears) == 2
    assert counted(line(1, service="", gateway="mx2"), ears=ears) == 1
    assert counted(line(1, source="intake"), ears=ears) == 1


def test_where_reports_end_the_log_counts_again_after_a_while() -> None:
    ears = Reporters()
    counted(report(0), report(100), ears=ears)
    assert counted(line(100 + LATE), ears=ears) == 0
    assert counted(line(101 + LATE), ears=ears) == 1


def test_what_lay_in_the_log_before_the_reports_began_counts() -> None:
    ears = Reporters()
    counted(report(0), ears=ears)
    assert counted(line(-3600), ears=ears) == 1


def test_a_line_that_is_late_by_hours_is_still_known_as_told() -> None:
    ears = Reporters()
    assert counted(*[report(hour * 3600) for hour in range(SPANS)], ears=ears) == SPANS
    assert counted(*[line(hour * 3600) for hour in range(SPANS)], ears=ears) == 0


def test_reports_out_of_order_are_one_run() -> None:
    ears = Reporters()
    assert counted(report(500), report(0), report(900), ears=ears) == 3
    assert counted(line(0), line(700), line(1400), ears=ears) == 0


def test_an_smtp_server_alone_knows_of_tries_that_it_never_passed_on() -> None:
    ears = Reporters()
    counted(report(0, service="submission"), ears=ears)
    assert counted(line(1, account="", service="smtp", count=4), ears=ears) == 4
    assert counted(line(1, account="", service="smtp", mechanism="LOGIN"), ears=ears) == 0


def test_what_a_policy_refused_is_no_attempt_and_its_lines_are_none() -> None:
    refused = report(0, reason="policy")
    assert counted(refused, line(2, reason="rejected")) == 0
    assert counted(line(2), refused) == 1  # told already when it came


def test_other_events_of_the_same_source_are_left_alone() -> None:
    assert counted(failed(CLIENT, ANNA, source="policy")) == 1


# -- what a line knows besides ----------------------------------------------------------------


def test_an_account_that_does_not_exist_is_learnt_from_the_line() -> None:
    story = Story(AuthDictionary())
    for number, name in enumerate(("scan", "fax", "test")):
        story.tell(report(number, name), line(number + 2, name, reason="unknown_account"))
    finding = story.finding("auth_dictionary")
    assert finding.shape == "unknown_names"
    assert count(finding, "failures in a day").count == 3
    assert finding.events == 4  # the last line is what made it one


def test_what_only_adds_to_an_attempt_is_heard_by_those_who_care() -> None:
    story = Story(*(kind() for kind in DETECTORS.values()))
    story.tell(report(0, "scan"), line(300, "scan", reason="unknown_account"))
    assert story.record(f"c:{CLIENT}").last == START + 300
    assert story.record("m:scan@example.org").last == START


def test_a_line_makes_no_pause_between_two_guesses() -> None:
    story = Story(AuthDictionary())
    story.tell(report(0, "scan"), line(LATE, "scan", reason="unknown_account"))
    assert story.state(f"c:{CLIENT}", "auth_dictionary").pauses.total == 0


# -- with and without -------------------------------------------------------------------------

Attempt = tuple[float, str, str, str]  # when, client, account, outcome


def attempts(seed: int) -> list[Attempt]:
    rng = random.Random(seed)
    clients = ("198.51.100.7", "198.51.100.8", CLIENT, "2001:db8::5")
    accounts = [f"user{number}@example.org" for number in range(8)]
    times = sorted(rng.uniform(0, 7200) for _ in range(300))
    tries = [
        (at, rng.choice(clients), rng.choice(accounts), rng.choice(("ok", "failed", "failed")))
        for at in times
    ]
    return [(*one[:3], "failed") if one[1] == CLIENT else one for one in tries]


def both(tries: Iterable[Attempt], seed: int) -> list[Auth]:
    """Reports and lines, each on its way for as long as it happens to be."""
    rng = random.Random(seed)
    coming = []
    for at, client, account, outcome in tries:
        told = report(at, account, client, outcome=outcome)
        lag = 0.0 if outcome == "ok" else rng.uniform(0, 180)
        logged = line(at + lag, account, client, outcome=outcome)
        coming += [(at + rng.uniform(0, 30), told), (at + lag + rng.uniform(0, 30), logged)]
    return [event for _, event in sorted(coming, key=lambda one: one[0])]


def sums(events: Iterable[Auth], ears: Reporters, restart: bool = False) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for event in events:
        if restart:
            packed, ears = ears.pack(), Reporters()
            ears.restore(packed)
        news = ears.hear(event)
        if news is not None:
            found[news.client, news.account, news.outcome] += news.count
    return found


@pytest.mark.parametrize("seed", range(5))
def test_with_and_without_reports_the_counts_are_the_same(seed: int) -> None:
    tries = attempts(seed)
    lines = [line(at, account, client, outcome=outcome) for at, client, account, outcome in tries]
    assert sums(both(tries, seed), Reporters()) == sums(lines, Reporters())


def test_after_a_restart_what_was_reported_is_known() -> None:
    tries = attempts(1)
    reported = [report(at, who, client, outcome=word) for at, client, who, word in tries]
    logged = [line(at + 9, who, client, outcome=word) for at, client, who, word in tries]
    assert sums(reported + logged, Reporters(), restart=True) == sums(logged, Reporters())


def test_each_partition_counts_once_whatever_it_hears_of() -> None:
    """On Kafka, reports and lines come to the partitions of their client and of their account."""
    tries = attempts(2)
    events = both(tries, 2)
    for number in range(4):

        def of_partition(event: Auth, number: int = number) -> bool:
            return any(partition(key, 4) == number for key in keys(event, SITE))

        mine = [event for event in events if of_partition(event)]
        alone = [event for event in mine if event.source == "log"]
        assert sums(mine, Reporters()) == sums(alone, Reporters())


@pytest.mark.parametrize("seed", range(3))
def test_with_and_without_reports_the_same_is_found(seed: int) -> None:
    def found(events: Iterable[Auth]) -> dict[str, Any]:
        story = Story(*(kind() for kind in DETECTORS.values()))
        for event in events:
            story.shard.fold(event)
        story.shard.drain()
        return story.subjects

    tries = attempts(seed)
    lines = [line(at, account, client, outcome=outcome) for at, client, account, outcome in tries]
    assert found(both(tries, seed)) == found(lines) != {}


# -- bounds -----------------------------------------------------------------------------------


def test_the_services_that_are_remembered_are_bounded() -> None:
    ears = Reporters()
    for number in range(SERVICES + 5):
        ears.hear(report(number, gateway=f"mx{number}"))
    assert len(ears._spans) == SERVICES
    assert counted(line(0, gateway="mx0"), line(9, gateway="mx9"), ears=ears) == 1


def test_the_runs_of_a_service_are_bounded() -> None:
    ears = Reporters()
    for number in range(SPANS + 3):
        ears.hear(report(number * 3600))
    assert [len(spans) for spans in ears._spans.values()] == [SPANS]


def test_lines_are_forgotten_when_no_report_can_tell_of_them_any_more() -> None:
    ears = Reporters()
    counted(line(0), report(0), ears=ears)
    assert ears._again
    counted(report(LATE / 2), report(LATE + 1), ears=ears)
    assert not ears._again


def test_reports_that_begin_twice_look_back_at_each_line_once() -> None:
    ears = Reporters()
    counted(line(0, count=5), report(0), report(-LATE - 1, service="submission"), ears=ears)
    counted(line(1, service="", count=2), ears=ears)
    ears.hear(report(0, gateway="mx1.example.org"))
    assert sorted(map(len, ears._again.values())) == [1]


def test_what_is_no_memory_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        Reporters().restore(b"\xc1")


def test_a_shard_folds_what_counts() -> None:
    story = Story(AuthDictionary())
    shard: Shard = story.shard
    story.tell(report(0, outcome="ok"), opened(CLIENT, ANNA, 1, gateway="mx1", service="imap"))
    assert shard.records[f"c:{CLIENT}"].last == START
    assert shard.clock == START + 1
