"""Many clients, each with little: the site sees them, and each answers for itself."""

from msgspec.structs import replace

from agents.detectors.auth_breach import AuthBreach
from agents.detectors.auth_campaign import (
    AGAIN,
    COLD,
    LISTED,
    MARKS,
    SITE,
    TRIED,
    AuthCampaign,
    Listed,
    Stranger,
)
from schemas.events import Auth, Fact, Signal
from schemas.findings import Finding, Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    START,
    Story,
    every,
    failed,
    moved,
    opened,
    regular,
    repeat,
    tell,
)

NAME = "auth_campaign"
WEEK = 7 * DAY


def client(number: int) -> str:
    return f"198.{18 + number // 60000}.{number // 250 % 250}.{1 + number % 250}"


def strangers(
    many: int,
    gap: float = MINUTE,
    accounts: int = 50,
    tries: int = 1,
    first: int = 0,
    start: float = 0.0,
    **more: str,
) -> list[Auth]:
    """So many clients in turn, each with its tries at one account."""
    return every(
        gap,
        repeat(
            many * tries,
            lambda number: failed(
                client(first + number // tries),
                f"user{number // tries % accounts}",
                **{"service": "submission", "mechanism": "LOGIN", **more},
            ),
        ),
        start=start,
    )


def told(*parts: Fact | list[Auth], warm: bool = True, **settings: float) -> Story:
    return tell(AuthCampaign(**settings), *parts, warm=warm)


def about(story: Story, subject: str) -> Finding:
    return story.finding(NAME, subject)


def accused(story: Story) -> set[str]:
    return {f.subject.value for f in story.findings if f.subject.kind == "client"}


# -- the site -----------------------------------------------------------------------------------


def test_twenty_strangers_within_an_hour_are_a_campaign() -> None:
    story = told(strangers(20, gap=3 * MINUTE))
    finding = about(story, "site")
    assert (finding.subject.kind, finding.shape, finding.severity) == (
        "site",
        "site_campaign",
        "high",
    )
    assert finding.wish is None
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "clients in an hour": (20, 20),
        "clients in a day": (20, 60),
        "clients in three days": (20, 100),
        "accounts": (20, 5),
        "clients that came round": (0, 0),
    }
    assert finding.clients_count == 20
    assert finding.clients == []  # each answers for itself
    assert finding.targets_count == 20
    assert "user0@example.org" in finding.targets
    assert "20 clients that never succeeded failed at 20 accounts by submission LOGIN" in (
        finding.summary
    )
    assert "usual" not in finding.summary


def test_every_source_is_named_also_those_from_before_it_was_recognised() -> None:
    story = told(strangers(40, gap=3 * MINUTE))
    assert accused(story) == {client(number) for number in range(40)}
    finding = about(story, client(0))
    assert (finding.shape, finding.severity) == ("took_part", "medium")
    assert finding.clients == [client(0)]
    assert finding.wish == Wish("drop", Target("network", client(0)))
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "accounts": (1, 0),
        "tries": (1, 0),
    }
    assert "1 password at 1 account" in finding.summary
    assert "submission LOGIN" in finding.summary


def test_nineteen_are_none() -> None:
    assert told(strangers(19, gap=3 * MINUTE)).silent


def test_twenty_in_two_hours_are_none() -> None:
    assert told(strangers(20, gap=6 * MINUTE)).silent


def test_four_accounts_are_no_campaign_against_the_site() -> None:
    assert told(strangers(40, accounts=4)).silent
    assert not told(strangers(40, accounts=5)).silent


def test_many_within_a_day_are_a_campaign() -> None:
    assert not told(strangers(60, gap=20 * MINUTE)).silent
    assert told(strangers(59, gap=20 * MINUTE)).silent


def test_as_many_in_two_days_are_none() -> None:
    assert told(strangers(60, gap=50 * MINUTE)).silent


def test_strangers_with_different_marks_do_not_add_up() -> None:
    one = strangers(19, gap=3 * MINUTE)
    other = strangers(19, gap=3 * MINUTE, first=100, service="imap", mechanism="PLAIN")
    assert told(one, other).silent


def test_without_service_and_mechanism_they_are_passwords() -> None:
    story = told(strangers(20, service="", mechanism=""))
    assert "by password" in about(story, "site").summary


def test_only_the_newest_marks_are_counted() -> None:
    others = [
        failed(client(500 + n), "x", at=60.0 * n, service=f"service{n}") for n in range(MARKS)
    ]
    both = strangers(19), others, strangers(1, first=19, start=20 * MINUTE)
    assert told(*both).silent
    few = strangers(19), others[1:], strangers(1, first=19, start=20 * MINUTE)
    assert not told(*few).silent


# -- ordinary failures ------------------------------------------------------------------------


def morning(clients: int, came_round: int) -> list[Auth]:
    """People with new telephones, at two minutes each; so many log in in the end."""
    typed = strangers(clients, gap=2 * MINUTE)
    return typed + [
        opened(e.client, e.account, at=e.at - START + 20, service="submission", mechanism="LOGIN")
        for e in typed[:came_round]
    ]


def test_as_many_that_come_round_are_a_monday_morning() -> None:
    assert told(morning(24, came_round=12)).silent
    assert not told(morning(25, came_round=12)).silent


def test_a_day_of_people_that_come_round_is_none() -> None:
    slow = strangers(60, gap=20 * MINUTE, accounts=60)
    came = [
        opened(e.client, e.account, at=e.at - START + 20, service="submission", mechanism="LOGIN")
        for e in slow[:30]
    ]
    assert told(slow, came, daily=40).silent
    assert not told(slow, came[:29], daily=40).silent


def test_clients_that_succeeded_in_the_last_month_are_no_strangers() -> None:
    known = [e for n in range(40) for e in regular(client(n), f"user{n}", days=1, last=20)]
    assert told(known, strangers(40)).silent


def test_neither_are_those_whose_neighbours_opened_the_account() -> None:
    known = [e for n in range(50) for e in regular("198.18.0.255", f"user{n}", days=1)]
    assert told(known, strangers(50)).silent


def test_trusted_clients_are_no_strangers() -> None:
    site = Site(default_domain="example.org", trusted=Networks(("198.18.0.0/16",)))
    assert tell(AuthCampaign(), strangers(40), site=site).silent


def test_errors_of_our_own_server_are_nobodys_fault() -> None:
    assert told([replace(event, outcome="error") for event in strangers(40)]).silent


def test_who_came_round_is_not_accused() -> None:
    lucky = [opened(client(3), "user3", at=12 * MINUTE, service="submission", mechanism="LOGIN")]
    story = told(strangers(40, gap=3 * MINUTE), lucky)
    assert accused(story) == {client(number) for number in range(40)} - {client(3)}


def test_a_telephone_with_a_stale_password_is_not_accused() -> None:
    phone = every(MINUTE, repeat(7, lambda _: failed("192.0.2.7", "anna", **MARK)))
    story = told(phone, strangers(40, start=10 * MINUTE))
    assert "192.0.2.7" not in accused(story)
    story = told(phone[1:], strangers(40, start=10 * MINUTE))
    assert "192.0.2.7" in accused(story)


MARK = {"service": "submission", "mechanism": "LOGIN"}


def test_one_that_counts_its_tries_in_one_line_is_the_same() -> None:
    phone = [failed("192.0.2.7", "anna", count=7, **MARK)]
    assert "192.0.2.7" not in accused(told(phone, strangers(40, start=60)))


def test_many_tries_at_two_accounts_are_no_telephone_but_those_of_one_who_left_are() -> None:
    two = repeat(8, lambda n: failed("192.0.2.7", f"anna{n % 2}", at=float(n), **MARK))
    assert "192.0.2.7" in accused(told(two, strangers(40, start=10 * MINUTE)))
    none = repeat(8, lambda n: failed("192.0.2.7", "a", float(n), reason="unknown_account", **MARK))
    assert "192.0.2.7" not in accused(told(none, strangers(40, start=10 * MINUTE)))


def test_those_of_other_marks_are_not_accused() -> None:
    other = failed("192.0.2.7", "anna", service="imap", mechanism="PLAIN")
    assert "192.0.2.7" not in accused(told(other, strangers(40, start=60)))


def test_those_of_three_days_before_are_not_accused() -> None:
    old = failed("192.0.2.7", "anna", at=-3 * DAY - 30 * MINUTE, **MARK)
    assert "192.0.2.7" not in accused(told(old, strangers(20)))
    old = failed("192.0.2.7", "anna", at=-3 * DAY + 30 * MINUTE, **MARK)
    assert "192.0.2.7" in accused(told(old, strangers(20)))


# -- the past -----------------------------------------------------------------------------------


def usual(weeks: int, each: int, hours: int = 3) -> list[Auth]:
    """So many strangers at once, at the turn of each of the hours around noon, weeks before."""
    found: list[Auth] = []
    for week in range(1, weeks + 1):
        for hour in range(-1, hours - 1):
            start = hour * HOUR - week * WEEK + 5 * MINUTE
            first = 10_000 + 1000 * week + 100 * hour
            found += strangers(each, gap=10, first=first, start=start)
    return found


def ended(weeks: int) -> Auth:
    """One failure later, that ends the hours before."""
    return failed("192.0.2.99", "x", at=-HOUR - WEEK + 30 * HOUR, service="imap")


def test_ten_in_a_quarter_stand_out_where_none_are_usual() -> None:
    story = told(usual(2, 1), strangers(11, gap=30))
    assert "usual at this hour are 6 in 15 min" in about(story, "site").summary
    assert not told(usual(2, 1), strangers(10, gap=30)).silent
    assert told(usual(2, 1), strangers(9, gap=30)).silent


def test_a_quarter_of_an_hour_is_what_counts() -> None:
    assert not told(usual(2, 1), strangers(10, gap=80)).silent
    assert told(usual(2, 1), strangers(12, gap=110)).silent


def test_ten_do_not_where_five_are_usual() -> None:
    assert told(usual(2, 5), strangers(10, gap=30)).silent
    assert not told(usual(2, 5), strangers(11, gap=30)).silent


def test_too_little_past_is_none() -> None:
    assert told(usual(1, 1), strangers(11, gap=30)).silent
    assert told(usual(3, 1, hours=1), strangers(11, gap=30)).silent
    assert not told(usual(4, 1, hours=1), strangers(11, gap=30)).silent


def test_the_oldest_weeks_are_forgotten() -> None:
    calm = usual(4, 1)
    wild = [e for e in usual(5, 9) if e.at < START - 4 * WEEK - DAY]
    assert not told(wild, calm, strangers(11, gap=30)).silent


# -- what is said -------------------------------------------------------------------------------


def test_while_it_goes_on_new_sources_are_named_at_once_and_nobody_is_asked_twice() -> None:
    story = told(strangers(25, gap=MINUTE))
    before = len(story.said)
    story.tell(strangers(1, first=70, start=40 * MINUTE))
    assert client(70) in accused(story)
    assert [f.subject.value for f in story.said[before:] if f.subject.kind == "client"] == [
        client(70)
    ]


def test_after_two_quiet_hours_it_is_over() -> None:
    story = told(strangers(20, gap=MINUTE))
    story.tell(strangers(1, first=70, start=20 * MINUTE + 2.5 * HOUR))
    assert client(70) not in accused(story)


def test_without_a_past_nothing_is_decided() -> None:
    story = told(strangers(20), warm=False)
    finding = about(story, client(0))
    assert finding.wish is not None
    assert finding.wish.against == COLD


def test_a_client_speaks_once_an_hour() -> None:
    word = failed("192.0.2.7", "anna", **MARK)
    assert words(told(word, moved([word], AGAIN))) == 1
    assert words(told(word, moved([word], AGAIN), moved([word], AGAIN + 1))) == 2


def words(story: Story, kind: str = "daily") -> int:
    """How many words about one client came to the site."""
    marked = story.state(SITE, NAME).whole.marks["submission LOGIN"]
    return sum(times for _, times, _ in getattr(marked, kind).seen.values())


def breaches(*parts: Fact | list[Auth]) -> list[tuple[str, str, str]]:
    """What the campaign tells of accounts that were opened."""
    story = Story(AuthCampaign(), AuthBreach())
    story.tell(*parts)
    return [
        (f.subject.value, f.clients[0], f.severity)
        for f in story.findings
        if f.detector == "auth_breach"
    ]


def test_an_account_that_a_source_opens_is_a_breach() -> None:
    one = failed("192.0.2.7", "anna", at=30 * MINUTE, **MARK)
    right = opened("192.0.2.7", "ben", at=50 * MINUTE, **MARK)
    assert breaches(strangers(40), one, right) == [("ben@example.org", "192.0.2.7", "medium")]
    two = failed("192.0.2.7", "carl", at=31 * MINUTE, **MARK)
    told = breaches(strangers(40), one, two, right)
    assert told == [("ben@example.org", "192.0.2.7", "critical")]
    own = replace(right, account="anna")
    assert breaches(strangers(40), one, own) == []
    assert breaches(strangers(10), one, right) == []
    assert breaches(strangers(40), one, replace(right, account="")) == []
    both = one, replace(one, account="ben", at=one.at + 1)
    assert breaches(strangers(40), *both, right) == []
    three = (*both, replace(one, account="carl", at=one.at + 2))
    assert breaches(strangers(40), *three, right) == [("ben@example.org", "192.0.2.7", "critical")]


def test_a_client_that_came_round_says_so_once() -> None:
    lucky = opened("192.0.2.7", "anna", at=60, service="submission", mechanism="LOGIN")
    story = told(failed("192.0.2.7", "anna", **MARK), lucky, moved([lucky], 60))
    assert words(story, "welcome_daily") == 1


def test_what_was_tried_long_ago_is_another_story() -> None:
    first, second = failed("192.0.2.7", "anna", **MARK), failed("192.0.2.7", "ben", **MARK)
    assert len(_stranger(told(first, moved([second], 3 * DAY))).tried) == 2
    assert len(_stranger(told(first, moved([second], 3 * DAY + 1))).tried) == 1
    lucky = opened("192.0.2.7", "anna", service="submission", mechanism="LOGIN")
    assert words(told(first, moved([lucky], DAY)), "welcome_daily") == 1
    assert words(told(first, moved([lucky], DAY + 1)), "welcome_daily") == 0


def _stranger(story: Story) -> Stranger:
    found: Stranger = story.state("c:192.0.2.7", NAME).stranger
    return found


def listed(*parts: Signal) -> Listed:
    found: Listed = told(*parts).state("s:0", NAME).listed
    return found


def stranger(at: float) -> Signal:
    return Signal(at=START + at, about="s:0", kind="stranger", client="192.0.2.7", detail="x")


def campaign(at: float) -> Signal:
    return Signal(at=START + at, about="s:0", kind="campaign", detail="x")


def test_strangers_of_three_days_are_asked_each_once_a_day() -> None:
    assert listed(stranger(0), campaign(3 * DAY)).told
    assert not listed(stranger(0), campaign(3 * DAY + 1)).told
    again = [stranger(0), campaign(0), campaign(DAY), stranger(DAY)]
    assert listed(*again).told == {"192.0.2.7": START}
    again = [stranger(0), campaign(0), campaign(DAY + 1), stranger(DAY + 1)]
    assert listed(*again).told == {"192.0.2.7": START + DAY + 1}


def test_a_campaign_of_which_nothing_was_heard_for_two_hours_is_over() -> None:
    assert listed(campaign(0), stranger(2 * AGAIN)).told
    assert not listed(campaign(0), stranger(2 * AGAIN + 1)).told


def test_the_lists_are_told_once_an_hour() -> None:
    burst = strangers(25, gap=1)
    first = burst[19].at
    later = strangers(1, first=70, start=first - START + AGAIN)
    story = told(burst, later)
    incident = about(story, "site").id
    lists = story.state("s:0", NAME).listed
    assert lists.campaigns == {"submission LOGIN": (first, incident)}
    lists = told(burst, moved(later, 1)).state("s:0", NAME).listed
    assert lists.campaigns == {"submission LOGIN": (first + AGAIN + 1, incident)}


def test_memory_is_bounded() -> None:
    many = repeat(TRIED + 3, lambda n: failed("192.0.2.7", f"user{n}", at=float(n)))
    story = told(many)
    assert len(story.state("c:192.0.2.7", NAME).stranger.tried) == TRIED
    crowd = [
        Signal(at=START + n, about="s:0", kind="stranger", client=client(n), detail="x")
        for n in range(LISTED + 2)
    ]
    story = told(crowd, accounts=10**6)
    roll = story.state("s:0", NAME).listed
    assert (len(roll.strangers), roll.lost) == (LISTED, 2)
    old = [
        replace(word, at=START + (number > 0) * 3 * DAY) for number, word in enumerate(crowd[:-1])
    ]
    assert told(old, accounts=10**6).state("s:0", NAME).listed.lost == 1
    older = [replace(word, at=word.at - (number == 0)) for number, word in enumerate(old)]
    assert told(older, accounts=10**6).state("s:0", NAME).listed.lost == 0
    campaigns = [
        Signal(at=START + n, about="s:0", kind="campaign", detail=f"mark{n}")
        for n in range(MARKS + 1)
    ]
    story = told(campaigns)
    assert sorted(story.state("s:0", NAME).listed.campaigns) == [
        f"mark{n}" for n in range(1, MARKS + 1)
    ]


def test_words_of_others_are_not_for_it() -> None:
    story = told(
        failed("192.0.2.7", "anna", **MARK),
        Signal(at=START + 1, about="c:192.0.2.7", kind="took_part", detail="submission LOGIN"),
        Signal(at=START + 1, about="s:0", kind="other", client="192.0.2.7", detail="x"),
    )
    assert story.silent
    assert not story.state("s:0", NAME).listed.strangers


def test_a_client_that_did_nothing_is_not_asked() -> None:
    story = told(Signal(at=START, about="c:192.0.2.7", kind="campaign", detail="submission LOGIN"))
    assert story.silent


def test_who_was_named_and_logs_in_after_all_is_one_of_ours() -> None:
    slip = failed("192.0.2.7", "anna", at=30 * MINUTE, **MARK)
    story = told(strangers(40), slip, opened("192.0.2.7", "anna", at=32 * MINUTE, **MARK))
    finding = about(story, "192.0.2.7")
    assert finding.state == "withdrawn"
    assert "logged in as anna@example.org after it failed" in finding.summary
    assert about(story, client(0)).state == "open"


def test_so_are_two_in_one_place() -> None:
    slips = [failed("192.0.2.7", name, at=30 * MINUTE, **MARK) for name in ("anna", "ben")]
    story = told(strangers(40), slips, opened("192.0.2.7", "anna", at=32 * MINUTE, **MARK))
    assert about(story, "192.0.2.7").state == "withdrawn"


def test_who_was_not_named_is_not_spoken_of() -> None:
    slip = failed("192.0.2.7", "anna", at=30 * MINUTE, **MARK)
    story = told(slip, opened("192.0.2.7", "anna", at=32 * MINUTE, **MARK))
    assert story.silent


# -- three days ----------------------------------------------------------------------------------


def slowly(many: int, first: int = 0, **more: str) -> list[Auth]:
    """Strangers so slow that neither an hour nor a day has enough of them."""
    return strangers(many, gap=40 * MINUTE, first=first, **more)


def test_a_hundred_strangers_in_three_days_are_a_campaign() -> None:
    assert len(accused(told(slowly(100)))) == 100
    assert told(slowly(99)).silent
    assert told(strangers(120, gap=50 * MINUTE)).silent


def test_each_of_them_counts_once() -> None:
    again = [moved(slowly(60), n * 2 * HOUR) for n in range(3)]
    assert told(*again).silent
    one = failed("192.0.2.7", "anna", **MARK)
    twice = told(one, moved([one], 3 * DAY)).state(SITE, NAME).whole
    assert twice.long.total == 1


def test_each_mark_must_have_its_part_of_them() -> None:
    def also(many: int) -> list[Auth]:
        return moved(slowly(many, first=5000, service="imap"), 80 * 40 * MINUTE + 60)

    assert len(accused(told(slowly(100), also(20)))) == 120
    assert len(accused(told(slowly(100), also(19)))) == 100


def test_the_strangers_of_three_days_must_be_twice_those_who_came_round() -> None:
    slow = strangers(41, gap=HOUR, start=21 * HOUR)
    early = strangers(41, gap=30 * MINUTE, first=5000)
    came = [opened(e.client, e.account, at=e.at - START + 9, **MARK) for e in early]
    assert not told(slow, long=41).silent
    assert told(slow, long=42).silent
    assert told(early, came, slow, long=41).silent
    assert not told(early, came[1:], slow, long=41).silent


# -- newcomers -----------------------------------------------------------------------------------


def amid(*parts: Fact | list[Auth], warm: bool = True) -> list[tuple[str, str]]:
    """(account, client) of each word on a newcomer."""
    story = Story(AuthCampaign(), warm=warm)
    story.shard._mine = lambda key: key[0] != "m"
    story.tell(*parts)
    signals = story.shard.take().signals
    return [(s.about, s.client) for s in signals if s.kind == "amid_campaign"]


def test_who_was_never_heard_of_and_succeeds_amid_a_campaign_is_told_of() -> None:
    login = opened("192.0.2.7", "anna", at=50 * MINUTE, **MARK)
    assert amid(strangers(40), login) == [("m:anna@example.org", "192.0.2.7")]
    assert amid(strangers(40), login, moved([login], 60)) == [("m:anna@example.org", "192.0.2.7")]
    assert amid(strangers(10), login) == []
    assert amid(strangers(40), replace(login, service="imap")) == []
    assert amid(strangers(40), replace(login, account="")) == []
    assert amid(strangers(40), login, warm=False) == []
    assert amid(regular("192.0.2.7", "ben"), strangers(40), login) == []
    assert amid(regular("192.0.2.9", "ben"), strangers(40), login) == []
    told = 19 * MINUTE  # when the lists heard of it first, and last, for it is over
    assert amid(strangers(20), replace(login, at=START + told + 2 * AGAIN)) != []
    assert amid(strangers(20), replace(login, at=START + told + 2 * AGAIN + 1)) == []


def test_who_failed_once_a_moment_ago_is_slowed_only() -> None:
    def wish(*slips: Auth) -> str:
        asked = about(told(strangers(40), *slips), "192.0.2.7").wish
        assert asked is not None
        return asked.action

    slip = failed("192.0.2.7", "anna", at=30 * MINUTE, **MARK)
    assert wish(slip) == "tarpit"
    assert wish(slip, replace(slip, at=slip.at + 599)) == "tarpit"
    assert wish(slip, replace(slip, at=slip.at + 600)) == "drop"
    assert wish(slip, replace(slip, account="ben", at=slip.at + 1)) == "drop"


def test_people_who_sit_together_are_excused_by_those_who_log_in() -> None:
    slips = [failed("192.0.2.7", name, at=30 * MINUTE, **MARK) for name in ("anna", "ben")]

    def state(logins: int) -> tuple[str, str]:
        crowd = [opened("192.0.2.7", f"p{n}", at=32 * MINUTE + n, **MARK) for n in range(logins)]
        story = tell(AuthCampaign(), AuthBreach(), strangers(40), slips, crowd)
        return story.finding(NAME, "192.0.2.7").state, story.finding("auth_breach").state

    assert state(5) == ("open", "open")
    assert state(6) == ("withdrawn", "withdrawn")
    assert state(9) == ("withdrawn", "withdrawn")
