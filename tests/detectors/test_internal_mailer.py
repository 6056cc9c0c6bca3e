"""A host of our own that sends mail which nobody asked it for."""

from agents.detectors.internal_mailer import InternalMailer
from schemas.events import Connection, Fact, Message, Recipient
from schemas.findings import Target, Wish
from schemas.keys import Site
from schemas.net import Networks
from tests.detectors.stories import HOUR, MINUTE, SITE, Story, event, every, repeat, tell

NAME = "internal_mailer"
HOST = "10.1.2.3"


def mail(
    many: int, senders: int = 1, gap: float = 10.0, count: int = 1, **more: str
) -> list[Message]:
    return every(
        gap,
        repeat(
            many,
            lambda n: event(
                Message,
                **{"client": HOST, "sender": f"s{n % senders}@example.net", **more},
                recipients=count,
            ),
        ),
    )


def refused(many: int, gap: float = 10.0, verdict: str = "unknown") -> list[Recipient]:
    return every(
        gap,
        repeat(
            many, lambda _: event(Recipient, client=HOST, sender="s@x.example", verdict=verdict)
        ),
    )


def hello(*names: str) -> list[Connection]:
    return every(
        MINUTE, [event(Connection, client=HOST, helo=name, outcome="abuse") for name in names]
    )


def told(
    *parts: Fact | list[Message] | list[Recipient] | list[Connection], site: Site = SITE
) -> Story:
    return tell(InternalMailer(), *parts, site=site)


def test_a_hundred_recipients_an_hour() -> None:
    finding = told(mail(100)).finding(NAME, HOST)
    assert (finding.shape, finding.severity) == ("volume", "medium")
    assert finding.wish == Wish("notify", Target("network", HOST))
    assert finding.clients == [HOST]
    assert {e.sign: (e.count, e.threshold) for e in finding.evidence} == {
        "recipients in an hour": (100, 100),
        "senders": (1, 10),
        "senders in a day": (1, 40),
        "HELO names": (0, 3),
        "connections to port 25": (0, 100),
        "refused": (0, 20),
    }
    assert "100 recipients in an hour without a login" in finding.summary
    assert told(mail(99)).silent
    assert told(mail(110, gap=40)).silent


def test_each_recipient_counts() -> None:
    assert not told(mail(10, count=10)).silent
    assert not told(mail(100, count=0)).silent


def test_ten_senders() -> None:
    finding = told(mail(10, senders=10)).finding(NAME)
    assert (finding.shape, finding.severity) == ("many_senders", "high")
    assert finding.targets_count == 10
    assert told(mail(9, senders=9)).silent


def test_forty_senders_in_a_day() -> None:
    finding = told(mail(40, senders=40, gap=1800)).finding(NAME)
    assert (finding.shape, finding.severity) == ("many_senders", "high")
    assert told(mail(39, senders=39, gap=1800)).silent
    assert told(mail(60, senders=60, gap=3600)).silent


def test_three_names() -> None:
    finding = told(hello("a", "b", "c")).finding(NAME)
    assert (finding.shape, finding.severity) == ("many_names", "high")
    assert finding.summary.endswith("; in HELO it called itself a, b, c")
    assert told(hello("a", "b", "b", "")).silent


def test_names_are_told_by_messages_and_refusals() -> None:
    taken = [event(Message, at=n, client=HOST, sender="s@x.example", helo=h) for n, h in
             enumerate(("a", "A", "b"))]  # fmt: skip
    missed = event(Recipient, client=HOST, verdict="unknown", helo="c")
    accepted = event(Recipient, client=HOST, verdict="accepted", helo="c")
    assert told(taken, missed).finding(NAME).shape == "many_names"
    assert told(taken, accepted).finding(NAME).shape == "many_names"
    assert told(taken).silent
    user = event(Message, client=HOST, account="anna", helo="c")
    assert told(taken, user).silent


def test_a_fifth_refused_of_fifty() -> None:
    finding = told(mail(40), refused(10)).finding(NAME)
    assert (finding.shape, finding.severity) == ("refused", "high")
    assert next(e.count for e in finding.evidence if e.sign == "refused") == 20
    assert told(mail(41), refused(9)).silent
    assert told(mail(38), refused(11)).silent
    assert told(mail(40), refused(10, verdict="accepted")).silent


def direct(many: int, reason: str = "port_25") -> list[Connection]:
    return every(10, many * [event(Connection, client=HOST, outcome="opened", reason=reason)])


def test_a_hundred_connections_to_port_25_past_our_gateways() -> None:
    finding = told(direct(100)).finding(NAME)
    assert (finding.shape, finding.severity) == ("direct", "high")
    assert "made 100 connections to port 25 of others in an hour" in finding.summary
    assert told(direct(99)).silent
    assert told(direct(200, reason="port_587")).silent


def test_people_and_declared_hosts_are_none() -> None:
    assert told(mail(200, account="anna")).silent
    assert told(mail(200, client="203.0.113.7")).silent
    site = Site(domains=SITE.domains, trusted=Networks((HOST,)))
    assert told(mail(200), site=site).silent


def test_after_a_quiet_hour_it_begins_anew() -> None:
    later = [event(Message, at=2 * HOUR, client=HOST, sender="s@example.net", recipients=60)]
    assert told(mail(60), later).silent
