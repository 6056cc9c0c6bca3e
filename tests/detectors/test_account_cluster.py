"""A client that sends for many, and the places where many people sit."""

from typing import Any

from agents.detectors.account_cluster import AccountCluster
from schemas.events import Auth, Message, Signal
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import DAY, HOUR, SITE, START, event, opened, tell

THIEF = "192.0.2.66"
NAMES = ["anna@example.org", "bert@example.org", "carl@example.org", "dora@example.org"]


def homes(number: int, days: float = 9, shared: int = 0) -> list[Auth]:
    """Each is at home in a network of its own; the first ones share theirs."""
    return [
        opened(f"198.51.{0 if n < shared else n + 1}.7", name, at=-days * DAY)
        for n, name in enumerate(NAMES[:number])
    ]


def letters(number: int, recipients: int = 20, gap: float = 60.0, **more: Any) -> list[Message]:
    return [
        event(
            Message,
            n * gap,
            **({"client": THIEF, "account": name, "recipients": recipients} | more),
        )
        for n, name in enumerate(NAMES[:number])
    ]


def silent(*events: Any, site: Site = SITE) -> bool:
    return tell(AccountCluster(), *events, site=site).silent


def test_three_accounts_that_never_met_are_used_by_one_client() -> None:
    found = tell(AccountCluster(), homes(3), letters(3)).finding("account_cluster", THIEF)
    assert (found.shape, found.severity, found.subject.kind) == ("one_client", "high", "client")
    assert found.accounts == NAMES[:3]
    assert found.clients == [THIEF]
    assert found.wish is None
    assert (found.evidence[0].count, found.evidence[0].threshold) == (3, 3)


def test_all_that_come_later_are_named_too() -> None:
    assert tell(AccountCluster(), homes(4), letters(4)).findings[0].accounts == NAMES


def test_logs_that_begin_on_a_weekend_know_homes_and_not_the_office() -> None:
    assert tell(AccountCluster(), homes(3, days=3), letters(3), warm=False).silent
    assert not tell(AccountCluster(), homes(3, days=8), letters(3), warm=False).silent


def test_two_accounts_are_silent() -> None:
    assert silent(homes(2), letters(2))


def test_colleagues_in_a_hotel_are_silent() -> None:
    assert silent(homes(3, shared=2), letters(3))
    assert silent(homes(4, shared=3), letters(4))
    assert not silent(homes(4, shared=2), letters(4))


def test_phones_behind_one_address_send_little() -> None:
    assert silent(homes(3), letters(3, recipients=19))
    assert silent(homes(3), letters(3, 0), letters(3, 18))


def test_recipients_of_several_messages_add_up() -> None:
    assert not silent(homes(3), letters(3, 10), letters(3, 10, gap=90))
    assert silent(homes(3), letters(3, 10), letters(3, 9))


def test_a_message_without_a_count_has_one_recipient() -> None:
    assert not silent(homes(3), *[letters(3, 0) for _ in range(20)])
    assert silent(homes(3), *[letters(3, 0) for _ in range(19)])


def test_an_office_is_where_its_people_are_at_home() -> None:
    office = [opened("192.0.2.9", name, at=-3 * DAY) for name in NAMES]
    assert silent(homes(4), office, letters(4))


def test_two_days_make_a_home() -> None:
    assert not silent(homes(3, days=2), letters(3))
    assert silent(homes(3, days=1), letters(3))


def test_accounts_never_seen_before_say_nothing() -> None:
    assert silent(letters(4))


def test_the_accounts_must_meet_within_a_day() -> None:
    assert not silent(homes(3), letters(3, gap=12 * HOUR))
    assert silent(homes(3), letters(3, gap=12 * HOUR + 1))


def test_webmail_our_hosts_and_nobody_are_not_judged() -> None:
    trusted = Site(domains=SITE.domains, trusted=Networks([THIEF]))
    own = Site(domains=SITE.domains, own=Networks([THIEF]))
    assert silent(homes(3), letters(3), site=trusted)
    assert silent(homes(3), letters(3), site=own)
    assert silent(homes(3), letters(3, client=""))


def test_mail_under_another_name_is_the_login_s() -> None:
    other = opened("198.51.9.7", "office@example.org", at=-9 * DAY)
    named = letters(2, sender="office@example.org")
    assert silent(homes(2), other, named)


def test_each_account_tells_once() -> None:
    story = tell(AccountCluster(), homes(3), letters(3), letters(3, gap=HOUR))
    assert len(story.said) == 1


def word(account: str, at: float = 0.0, homes: str = "", kind: str = "stranger") -> Signal:
    return Signal(
        at=START + at, about=f"c:{THIEF}", kind=kind, client=THIEF, account=account, detail=homes
    )


def test_words_are_heard_in_any_order_and_twice() -> None:
    words = [word(name, n, homes=f"{n:x}") for n, name in enumerate(NAMES[:3])]
    assert tell(AccountCluster(), words, words).findings[0].accounts == NAMES[:3]
    assert silent(words[0], words[1], words[0], words[1])
    late = [word(NAMES[0], 5, "a"), word(NAMES[1], 6, "b"), word(NAMES[0], -DAY, "a")]
    assert not silent(late, word(NAMES[2], DAY + 5, "c"))


def test_words_about_other_things_are_passed_over() -> None:
    assert silent([word(name, n, f"{n}", kind="harvest") for n, name in enumerate(NAMES)])


def test_the_accounts_of_a_client_are_bounded() -> None:
    many = [word(f"p{n}@example.org", n, homes="a b c d e f 0 1 2 3") for n in range(99)]
    seen = tell(AccountCluster(), many).state(f"c:{THIEF}", "account_cluster").strangers
    assert len(seen) == 32
    assert seen["p98@example.org"].homes == ["a", "b", "c", "d", "e", "f", "0", "1"]


def test_the_window_is_a_day() -> None:
    assert AccountCluster().horizon == DAY
