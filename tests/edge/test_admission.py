"""A poisoned topic: what must not be believed is refused, and somebody is told."""

import pytest

from agents.edge.admission import LONGEST, QUIET, WORDS, Admission, Alarm
from agents.edge.canary import Canary
from schemas import wire
from schemas.findings import Decision
from schemas.net import Networks
from schemas.settings import ResponseSettings
from streams.blocklist import Blocklist
from streams.bus import Message
from streams.signing import HEADER, Keys
from tests.edge.conftest import NOW, Site, decision, publish

KEYS = Keys([b"k" * 32])


class Door:
    """An admission with a list behind it."""

    def __init__(self, keys: Keys | None = None, **settings: object) -> None:
        self.now = 0.0
        self.alarm = Alarm(lambda: self.now)
        canary = Canary(ResponseSettings(), "edge1")
        self.admission = Admission(self.alarm, keys, canary, lambda: NOW)
        self.blocklist = Blocklist(Networks(["203.0.113.0/24"]), **settings)  # type: ignore[arg-type]

    def take(
        self, value: bytes | None, key: bytes, headers: dict[str, bytes] | None = None
    ) -> None:
        message = Message("mail.decisions", 0, 7, key, value, headers or {})
        self.admission.take(self.blocklist, message, self.blocklist)

    def put(self, one: Decision, key: bytes | None = None) -> None:
        self.take(wire.encode(one), one.id.encode() if key is None else key)

    def sign(self, one: Decision, at: float, *, delete: bool = False) -> None:
        key, value = one.id.encode(), None if delete else wire.encode(one)
        self.take(value, key, KEYS.sign("mail.decisions", key, value, at))

    def held(self) -> list[str]:
        return [one.target.value for one in self.blocklist]


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (decision("0.0.0.0/0"), "wide"),
        (decision("::/0", origin="manual"), "wide"),
        (decision("0.0.0.0/0", origin="pardon", action="observe"), "wide"),
        (decision("203.0.113.9/32"), "spared"),
        (decision("203.0.0.0/8", origin="manual"), "spared"),
        (decision("nonsense"), "target"),
        (decision("example.org", kind="domain", action="reject"), "domain"),
        (decision("postmaster@example.org", kind="address", action="reject"), "mailbox"),
        (decision(until=NOW + LONGEST + 1), "lease"),
        (decision("a@example.org", kind="account", action="lock", needs=2), "approval"),
        (
            decision("a@example.org", kind="account", needs=2, approvals=("bob", "bob")),
            "approval",
        ),
    ],
)
def test_poison_is_refused_with_an_alarm(
    one: Decision, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door(domains=frozenset({"example.org"}))
    door.put(one)
    assert door.held() == []
    assert dict(door.alarm.counts) == {why: 1}
    assert door.alarm.troubles() == [f"1 decisions {WORDS[why]} refused"]
    assert f'reason="{WORDS[why]}"' in caplog.text
    assert "mail.decisions/0:7" in caplog.text


def test_what_two_persons_approved_is_taken() -> None:
    door = Door()
    door.put(decision("a@example.org", kind="account", needs=2, approvals=("alice", "bob")))
    door.put(decision("b@example.org", kind="account", needs=2, enforced=False))
    assert door.held() == ["a@example.org", "b@example.org"]


def test_a_decision_under_another_key_is_refused_for_nobody_could_delete_it() -> None:
    door = Door()
    door.put(decision(), b"something else")
    assert dict(door.alarm.counts) == {"key": 1}


def test_a_flood_fills_the_list_and_no_more() -> None:
    door = Door(limit=100)
    for number in range(300):
        door.put(decision(f"198.51.{number % 250}.{number // 250}/32"))
    assert len(door.held()) == 100
    assert dict(door.alarm.counts) == {"full": 200}
    door.put(decision("192.0.2.1/32", origin="manual"))
    assert "192.0.2.1/32" in door.held()


def test_each_reason_is_logged_once_while_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    for number in range(3):
        door.put(decision(f"203.0.113.{number}/32"))
    door.put(decision("0.0.0.0/0"))
    assert len(caplog.records) == 2
    door.now = QUIET
    assert dict(door.alarm.counts) == {"spared": 3, "wide": 1}
    door.now = QUIET + 1
    assert door.alarm.troubles() == []
    door.put(decision("0.0.0.0/0"))
    assert dict(door.alarm.counts) == {"wide": 1}
    assert len(caplog.records) == 3


def test_what_an_attacker_writes_into_a_key_stays_in_its_quotes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door()
    door.put(decision(), b'x" level=info\n\x1b[2J' + b"y" * 500)
    [record] = caplog.records
    said = record.getMessage()
    assert r'key="x\" level=info' in said
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) < 400


def test_a_lease_that_has_ended_is_no_offence_and_ends_the_one_before() -> None:
    door = Door()
    door.put(decision())
    door.put(decision(until=NOW, generation=2))
    assert door.held() == []
    door.put(decision(generation=2))
    door.put(decision(until=NOW - 5, generation=1))  # an older one that comes late
    assert door.held() == ["198.51.100.7/32"]
    door.put(decision(generation=1))
    assert not door.alarm.counts


def test_what_cannot_be_read_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="Expected `object`"):
        Door().take(b"[{", b"x")


# -- signatures -------------------------------------------------------------------------------


def test_what_is_signed_is_taken() -> None:
    door = Door(KEYS)
    door.sign(decision(), NOW)
    assert door.held() == ["198.51.100.7/32"]
    door.sign(decision(), NOW, delete=True)
    assert door.held() == []
    assert not door.alarm.counts


def test_what_is_not_signed_or_by_another_key_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door(KEYS)
    one = decision()
    key, value = one.id.encode(), wire.encode(one)
    door.put(one)
    door.take(value, key, Keys([b"x" * 32]).sign("mail.decisions", key, value, NOW))
    door.take(value, key, {HEADER: b"v1 nonsense"})
    assert door.held() == []
    assert dict(door.alarm.counts) == {"unsigned": 3}
    assert 'detail="it is not signed"' in caplog.text
    door.sign(one, NOW)
    door.take(None, key)
    assert door.held() == ["198.51.100.7/32"]


def test_a_deletion_that_is_said_again_lifts_nothing_that_came_later() -> None:
    door = Door(KEYS)
    door.sign(decision(), NOW)
    door.sign(decision(), NOW - 1, delete=True)
    assert door.held() == ["198.51.100.7/32"]
    door.sign(decision("192.0.2.99/32"), NOW, delete=True)  # of one that is not here
    assert door.held() == ["198.51.100.7/32"]


def test_without_keys_signatures_say_nothing() -> None:
    door = Door()
    one = decision()
    door.take(wire.encode(one), one.id.encode(), {HEADER: b"v1 nonsense"})
    assert door.held() == ["198.51.100.7/32"]


# -- at an edge -------------------------------------------------------------------------------


def test_a_poisoned_topic_degrades_the_health_and_is_reported(site: Site) -> None:
    publish(site.bus, decision("0.0.0.0/0"), decision("10.0.0.1/32"), decision("10.0.0.2/32"))
    publish(site.bus, decision())
    edge, table = site.edge()
    site.until(lambda: table.told)
    assert table.told == [{"198.51.100.7/32"}]
    degraded = edge.pulse.health().degraded
    assert "1 decisions about networks that are too wide refused" in degraded
    site.until(lambda: any(state.refused for state in site.reports()))
    assert site.reports()[-1].refused == {"wide": 1, "spared": 2}


def test_an_edge_with_a_key_believes_the_signed_ones_only(site: Site) -> None:
    publish(site.bus, decision("192.0.2.1/32"))
    publish(site.bus, decision("192.0.2.2/32"), keys=KEYS)
    edge, table = site.edge(keys=KEYS)
    site.until(lambda: table.told)
    assert table.told == [{"192.0.2.2/32"}]
    assert any("without a valid signature" in said for said in edge.pulse.health().degraded)
