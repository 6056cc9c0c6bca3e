"""What the mail of two days says of the client that brings it."""

from collections.abc import Iterable
from typing import Any

import pytest

from agents.detector import Question
from agents.detectors.sender_reputation import COLD, SenderReputation, Weights
from schemas.events import Connection, Fact, Message, Recipient, Signal, Verdict
from schemas.findings import Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import (
    DAY,
    HOUR,
    MINUTE,
    SITE,
    START,
    Story,
    count,
    event,
    every,
    moved,
    regular,
    repeat,
    tell,
)

NAME = "sender_reputation"
STRANGER = "203.0.113.7"
SENDER = "a@example.net"
Facts = Iterable[Fact]


def mail(times: int = 20, sender: str = SENDER, **more: Any) -> list[Message]:
    """Messages that were taken, a minute and a half apart."""
    one = event(Message, client=STRANGER, sender=sender, **{"recipients": 1, **more})
    return every(1.5 * MINUTE, times * [one])


def refused(
    times: int = 20, verdict: str = "unknown", reason: str = "user_unknown", **more: Any
) -> list[Recipient]:
    """Recipients that were refused, each with its message."""
    more = {"client": STRANGER, "sender": SENDER, **more}
    return every(
        1.5 * MINUTE,
        repeat(
            times,
            lambda n: event(
                Recipient, recipient=f"b{n}@example.org", verdict=verdict, reason=reason, **more
            ),
        ),
    )


def verdicts(kind: str, times: int, **more: Any) -> list[Verdict]:
    more = {"client": STRANGER, "sender": SENDER, **more}
    return every(1.4 * MINUTE, times * [event(Verdict, kind=kind, **more)])


def greeted(helo: str, at: float = 0.0, **more: Any) -> Connection:
    return event(Connection, client=STRANGER, helo=helo, at=at, **more)


LISTED = greeted("", outcome="refused", reason="listed")
NO_NAME = event(
    Recipient, client=STRANGER, sender=SENDER, verdict="deferred", reason="no_reverse_name"
)
THREE_NAMES = [greeted("pc.example.net"), greeted("win.example.net"), greeted("srv.example.net")]
SPF = event(Verdict, client=STRANGER, sender=SENDER, kind="spf", scale="fail")
SEVEN: list[Fact] = [LISTED, *THREE_NAMES]  # with as many as are refused: 3 + 2 + 2
SIX: list[Fact] = [LISTED, greeted("localhost")]  # 3 + 2 + 1


def told(*parts: Fact | Facts, site: Site = SITE, warm: bool = True, **more: Any) -> Story:
    return tell(SenderReputation(**more), *parts, site=site, warm=warm)


def points(*parts: Fact | Facts, site: Site = SITE) -> dict[str, int]:
    """What each sign adds after a story, if anything."""
    story = told(*parts, site=site)
    detector = SenderReputation()
    seen = story.state(f"c:{STRANGER}", NAME)
    found = detector._points(seen, story.shard.clock)
    return {sign: count for sign, count in found.items() if count}


def test_seven_points_are_told_and_six_are_not() -> None:
    finding = told(SEVEN, moved(refused(), 1)).finding(NAME)
    assert (finding.shape, finding.severity) == ("reputation", "medium")
    assert finding.clients == [STRANGER]
    assert finding.wish == Wish("reject", Target("network", STRANGER), DAY)
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "reputation": (7, 7),
        "messages in 48 h": (20, 20),
        "spam": (0, 50),
        "clean mail": (0, 0),
        "recipients refused": (100, 50),
        "names in HELO": (3, 3),
        "senders of ours": (0, 3),
        "domains that fail SPF": (0, 0),
    }
    assert finding.summary == (
        "203.0.113.7 has a reputation of 7, where 9 is the worst, after 20 messages in 48 h:"
        " unknown and refused recipients (+3), ever other names in HELO (+2), on a block list (+2)"
    )
    assert told(SIX, moved(refused(), 1)).silent


def test_nine_is_the_worst() -> None:
    finding = told(SEVEN, NO_NAME, SPF, greeted("mx.example.org"), moved(refused(), 1)).finding(
        NAME
    )
    assert count(finding, "reputation").count == 9
    assert "no reverse name (+2)" in finding.summary


def test_nothing_is_said_before_twenty_messages() -> None:
    assert told(SEVEN, moved(refused(19), 1)).silent
    assert not told(SEVEN, moved(refused(20), 1)).silent


def test_what_is_refused_within_a_minute_to_one_sender_is_one_message() -> None:
    session = every(3, repeat(100, lambda n: refused(1)[0]), start=1)  # five minutes
    assert told(SEVEN, session).silent
    steady = every(60, 20 * refused(1), start=1)  # the sixtieth second is still the same
    assert told(SEVEN, steady).silent
    assert not told(SEVEN, every(61, 20 * refused(1), start=1)).silent
    two = [refused(1, sender=f"a{n % 2}@example.net")[0] for n in range(20)]
    assert not told(SEVEN, every(1, two, start=1)).silent


def test_a_message_that_comes_well_is_no_reason_to_speak() -> None:
    """The twentieth message makes nobody worse, whatever was before it."""
    before = [*SEVEN, *moved(refused(19), 1)]
    good = event(Message, client=STRANGER, sender=SENDER, at=HOUR)
    assert told(before, good).silent
    assert told(before, event(Verdict, client=STRANGER, kind="ham", at=HOUR), good).silent
    assert not told(before, good, event(Verdict, client=STRANGER, kind="spam", at=2 * HOUR)).silent
    assert not told(before, good, SPF_LATER).silent
    assert not told(before, mail(1, "anna@example.org", at=HOUR)[:0], FORGED).silent


SPF_LATER = event(Verdict, client=STRANGER, sender=SENDER, kind="spf", scale="fail", at=2 * HOUR)
FORGED = event(Message, client=STRANGER, sender="anna@example.org", at=HOUR)


@pytest.mark.parametrize(
    ("spam", "ham", "found"),
    [
        (20, 0, {"spam": 3}),
        (10, 10, {"spam": 3, "ham": -1}),
        (9, 11, {"spam": 2, "ham": -1}),
        (6, 24, {"spam": 1, "ham": -2}),
        (2, 18, {"ham": -3}),
        (3, 17, {"ham": -2}),
        (0, 20, {"ham": -3}),
    ],
)
def test_spam_counts_by_its_share_and_clean_mail_against_it(
    spam: int, ham: int, found: dict[str, int]
) -> None:
    assert points(verdicts("spam", spam), verdicts("ham", ham)) == found


def test_a_virus_is_spam_and_doubt_is_neither() -> None:
    assert points(verdicts("virus", 20)) == {"spam": 3}
    assert points(verdicts("grey", 20)) == {}
    assert points(verdicts("spam", 10), verdicts("grey", 10)) == {"spam": 3}
    assert points(verdicts("dkim", 40, scale="fail")) == {}
    high = verdicts("spam", 1, score=400.0)
    assert points(high, verdicts("ham", 39, score=0.1)) == {"ham": -3}


@pytest.mark.parametrize(
    ("bad", "good", "found"),
    [
        (20, 0, {"refused": 3}),
        (10, 10, {"refused": 3}),
        (9, 11, {"refused": 2}),
        (4, 20, {"refused": 1}),
        (2, 18, {"accepted": -1}),
        (3, 17, {}),
    ],
)
def test_recipients_count_by_the_share_that_is_refused(
    bad: int, good: int, found: dict[str, int]
) -> None:
    assert points(refused(bad), mail(good)) == found
    both = [event(Recipient, client=STRANGER, sender=SENDER, at=n) for n in range(good)]
    assert points(refused(bad), both) == found
    assert points(refused(bad), both, mail(good)) == found


def test_a_message_has_as_many_recipients_as_it_says() -> None:
    def mails(recipients: int) -> list[Message]:
        return mail(9, recipients=recipients)

    assert points(refused(4), mails(4)) == {"accepted": -1}
    assert points(refused(4), mails(1)) == points(refused(4), mails(0)) == {"refused": 1}


@pytest.mark.parametrize(
    ("verdict", "reason", "found"),
    [
        ("unknown", "user_unknown", {"refused": 3}),
        ("relay_denied", "relay_denied", {"refused": 3}),
        ("blocked", "listed", {"refused": 3, "listed": 2}),
        ("blocked", "content", {"spam": 3}),
        ("refused", "helo", {"refused": 3}),
        ("refused", "no_reverse_name", {"refused": 3, "names": 2}),
        ("blocked", "spf", {"refused": 3}),
        ("blocked", "denied", {}),
        ("blocked", "policy", {}),
        ("refused", "mailbox_full", {}),
        ("deferred", "greylisted", {}),
        ("deferred", "sender", {}),
        ("deferred", "no_reverse_name", {"names": 2}),
    ],
)
def test_only_what_the_client_is_or_sent_is_a_ground(
    verdict: str, reason: str, found: dict[str, int]
) -> None:
    assert points(refused(20, verdict, reason)) == found


def test_our_own_refusals_are_no_evidence() -> None:
    """While something stands against it, it may be our own block list that refuses it."""
    story = told(SEVEN, moved(refused(), 1))
    later = moved(refused(40, "blocked", "listed"), HOUR)
    story.tell(later, greeted("", 2 * HOUR, outcome="refused", reason="listed"))
    seen = story.state(f"c:{STRANGER}", NAME)
    assert (seen.listed.total, seen.refused.total) == (1, 20)
    story.tell(moved(refused(10), 3 * HOUR))
    assert seen.refused.total == 30


@pytest.mark.parametrize(
    ("helo", "found"),
    [
        ("mail.example.net", {}),
        ("localhost", {"strange": 1}),
        ("YLMF-PC", {"strange": 1}),
        ("example.org", {"ours": 2}),
        ("MX1.example.org", {"ours": 2}),
        ("org", {"strange": 1}),
        ("example.org.example.net", {}),
    ],
)
def test_a_greeting_tells_who_it_claims_to_be(helo: str, found: dict[str, int]) -> None:
    assert points(greeted(helo)) == found


def test_two_names_may_be_two_servers_and_three_are_many() -> None:
    assert points(THREE_NAMES[:2]) == {}
    assert points(THREE_NAMES) == {"changes": 2}
    assert points(THREE_NAMES[:2], greeted("PC.example.net")) == {}


def test_a_name_that_the_server_has_found_is_one() -> None:
    assert points(greeted("", name="mail.example.net", outcome="refused")) == {}
    seen = told(greeted("x.example.net", name="x.example.net")).state(f"c:{STRANGER}", NAME)
    assert seen.names == "agree"
    later = greeted("x.example.net", 1, name="x.example.net")
    assert points(NO_NAME, later) == {}  # there is one by now
    nameless = greeted("x.example.net", 1, reason="no_reverse_name")
    assert points(later, moved([nameless], 1)) == {"names": 2}
    disagrees = answer("names", "disagree")
    assert points(disagrees, later) == points(disagrees, nameless) == {"names": 2}


def test_what_it_calls_itself_is_also_told_where_it_is_refused() -> None:
    many = [refused(1, helo=f"pc{n}.example.net")[0] for n in range(3)]
    assert points(many) == {"refused": 3, "changes": 2}
    assert points(refused(20, helo="mx.example.org")) == {"refused": 3, "ours": 2}


@pytest.mark.parametrize(("spam", "good", "found"), [(10, 10, 3), (5, 15, 1), (2, 18, 0)])
def test_what_a_filter_refused_is_spam_among_all_messages(spam: int, good: int, found: int) -> None:
    told = points(refused(spam, "blocked", "content"), moved(mail(good), HOUR))
    assert told.get("spam", 0) == found


def test_a_message_that_filter_and_server_tell_of_counts_once() -> None:
    both = refused(10, "blocked", "content"), verdicts("spam", 10)
    assert points(*both, verdicts("ham", 30)) == {"spam": 1, "ham": -2}


def test_three_messages_of_our_senders_are_forged_and_two_a_forwarder() -> None:
    ours = "anna@example.org"
    assert points(mail(2, ours), mail(18)) == {"accepted": -1}
    assert points(mail(3, ours), mail(17)) == {"accepted": -1, "forged": 2}
    assert points(refused(3, sender=ours)) == {"refused": 3, "forged": 2}
    assert points(mail(3, ours), site=Site()) == {"accepted": -1}


def test_spf_counts_by_domain() -> None:
    def spf(word: str, domain: str = "example.net", at: float = 0.0) -> Verdict:
        sender = f"a@{domain}"
        return event(Verdict, client=STRANGER, sender=sender, kind="spf", scale=word, at=at)

    assert points(spf("fail")) == {"spf": 2}
    assert points(spf("")) == {"spf": 2}, "who has no word for it tells of failures only"
    assert points(spf("softfail")) == {}
    assert points(spf("pass")) == {}
    assert points(spf("fail"), spf("pass", "example.com")) == {}
    assert points(spf("fail"), spf("fail", "example.edu"), spf("pass", "example.com")) == {"spf": 2}
    assert points(spf("fail"), spf("pass", at=1)) == {}
    assert points(spf("pass"), spf("fail", at=1)) == {"spf": 2}


def test_two_days_are_remembered() -> None:
    story = told(SEVEN, moved(refused(19), 1))
    assert story.tell(moved(refused(1), 3 * DAY)).silent
    story = told(SEVEN, moved(refused(19), 1))
    assert not story.tell(moved(refused(1), DAY)).silent


# -- the innocent ----------------------------------------------------------------------------


def test_reports_of_backscatter_accuse_nobody() -> None:
    assert told(SEVEN, moved(refused(40, sender=""), 1)).silent
    assert told(SEVEN, mail(20, ""), verdicts("spam", 20, sender="")).silent


@pytest.mark.parametrize("account", ["anna", "anna@example.org"])
def test_a_login_is_judged_by_its_account(account: str) -> None:
    login = {"account": account}
    mails = mail(20, "anna@example.org", **login)
    assert told(SEVEN, mails, verdicts("spam", 20, **login), refused(20, **login)).silent


def test_who_logs_in_from_there_is_a_customer() -> None:
    at_home = regular(STRANGER, "anna", days=1, last=20)
    assert tell(SenderReputation(), at_home, SEVEN, moved(refused(), 1)).silent
    near = regular("203.0.113.99", "anna", days=1, last=20)
    assert not tell(SenderReputation(), near, SEVEN, moved(refused(), 1)).silent


def test_our_own_and_trusted_hosts_are_not_judged() -> None:
    ours = Networks((STRANGER,))
    story = [*SEVEN, *moved(refused(), 1)]
    assert told(story, site=Site(trusted=ours)).silent
    assert told(story, site=Site(own=ours)).silent


def test_a_big_provider_carries_spam_and_much_more() -> None:
    names = greeted("mail-1.example.com", name="mail-1.example.com")
    mails = [names, mail(400), verdicts("spam", 120), verdicts("ham", 280), refused(40)]
    assert points(*mails) == {"spam": 1, "accepted": -1, "ham": -2}
    assert told(*mails).silent


def test_a_forwarder_fails_spf_and_passes_on_what_it_gets() -> None:
    fails = [
        event(Verdict, client=STRANGER, sender=f"a@{n}.example", kind="spf", scale="fail")
        for n in range(5)
    ]
    ours = mail(3, "anna@example.org")
    mails = [fails, ours, mail(60), verdicts("spam", 25), verdicts("ham", 38)]
    assert points(*mails) == {"spam": 2, "forged": 2, "spf": 2, "ham": -2, "accepted": -1}
    assert told(*mails).silent


def test_a_small_server_without_a_name_that_mistypes() -> None:
    assert told(NO_NAME, greeted("localhost"), mail(20), refused(6)).silent


def test_a_weight_of_nothing_switches_a_sign_off() -> None:
    assert told(SEVEN, moved(refused(), 1), weights=Weights(listed=0)).silent


def test_without_a_past_nothing_is_decided() -> None:
    finding = told(SEVEN, moved(refused(), 1), warm=False).finding(NAME)
    assert finding.wish is not None
    assert finding.wish.against == COLD


# -- what the DNS is asked, and says ----------------------------------------------------------


def asked(*parts: Fact | Facts, dns: bool = True) -> list[Question]:
    return told(*parts, dns=dns).shard.take().questions


def answer(kind: str, detail: str, at: float = DAY) -> Signal:
    return event(Signal, about=f"c:{STRANGER}", kind=kind, detail=detail, at=at)


def test_it_is_asked_once_there_is_enough_to_judge() -> None:
    assert asked(mail(20), dns=False) == []
    assert asked(mail(19)) == []
    senders = [mail(4, f"a@{n}.example") for n in range(5)]
    (question,) = asked(THREE_NAMES, *senders)
    assert question.about == f"c:{STRANGER}"
    assert question.client == STRANGER
    assert question.at == START + 4.5 * MINUTE
    assert question.greetings == tuple(each.helo for each in THREE_NAMES)
    assert question.domains == ("0.example", "1.example", "2.example", "3.example")
    assert asked(mail(60)) != []


def test_it_is_asked_again_after_an_hour_and_where_it_answered_after_a_day() -> None:
    story = told(mail(20), dns=True)
    second = event(Message, client=STRANGER, sender=SENDER, at=19 * 1.5 * MINUTE + HOUR - 1)
    third = event(Message, client=STRANGER, sender=SENDER, at=19 * 1.5 * MINUTE + HOUR)
    assert len(story.tell(second).shard.take().questions) == 1
    assert len(story.tell(third).shard.take().questions) == 1
    story.tell(answer("names", "agree mail.example.net", at=2 * HOUR))
    story.tell([event(Message, client=STRANGER, sender=SENDER, at=n * HOUR) for n in range(3, 26)])
    assert story.shard.take().questions == []
    story.tell(event(Message, client=STRANGER, sender=SENDER, at=26 * HOUR))
    assert len(story.shard.take().questions) == 1


@pytest.mark.parametrize(
    ("kind", "detail", "found"),
    [
        ("names", "missing", {"names": 2}),
        ("names", "disagree host.example.net", {"names": 2}),
        ("names", "agree mail.example.net", {}),
        ("helo", "other mail.example.net", {"strange": 1}),
        ("helo", "own mail.example.net", {}),
        ("spf", "fail example.net", {"spf": 2}),
        ("spf", "pass example.net", {}),
        ("stranger", "fail example.net", {}),
    ],
)
def test_what_it_says_is_evidence(kind: str, detail: str, found: dict[str, int]) -> None:
    said = answer(kind, detail, at=HOUR)
    mails = [greeted("mail.example.net"), *mail(10), *refused(4)]
    assert points(mails, said) == {"refused": 1} | found


def test_its_newest_word_counts() -> None:
    assert points(
        mail(10),
        refused(4),
        answer("helo", "other a.example"),
        answer("helo", "own a.example", DAY + 1),
    ) == {"refused": 1}


def test_a_word_may_be_the_last_that_was_missing() -> None:
    before = [*SIX, *moved(refused(), 1)]
    finding = told(before, answer("names", "missing", HOUR)).finding(NAME)
    assert count(finding, "reputation").count == 8
    few = [*SIX, *moved(refused(19), 1)]
    assert told(few, answer("names", "missing", HOUR)).silent


def test_a_word_about_somebody_unknown_is_none() -> None:
    assert told(answer("names", "missing")).silent
    assert told(answer("stranger", "x")).record(f"c:{STRANGER}").states == {}


def test_no_more_domains_are_kept_than_are_asked_about() -> None:
    def kept(*, dns: bool) -> int:
        senders = [mail(1, f"a@{n}.example") for n in range(9)]
        return len(told(*senders, dns=dns).state(f"c:{STRANGER}", NAME).senders.seen)

    assert kept(dns=True) == 4
    assert kept(dns=False) == 0
