import threading
from collections.abc import Sequence

import pytest

from agents.running.enforcement import Enforcement
from schemas.findings import Decision, Target
from streams.gateway import Gateway, GatewayError, GatewaySettings
from tests.waiting import wait_for


def decision(address: str) -> Decision:
    return Decision(
        id=address, target=Target("network", address), action="drop", until=1.0, enforced=True
    )


ONE, TWO = decision("192.0.2.1"), decision("192.0.2.2")


class Relay(Gateway):
    def __init__(self, name: str = "relay", *, leaves: int = 0) -> None:
        super().__init__(GatewaySettings(), name)
        self.applied: list[Sequence[Decision]] = []
        self.broken: Exception | None = None
        self.leaves = leaves  # calls that leave work undone

    def enforce(self, decisions: Sequence[Decision]) -> bool:
        if self.broken:
            raise self.broken
        if self.leaves:
            self.leaves -= 1
            return False
        self.applied.append(list(decisions))
        return True


def test_each_gateway_is_given_all_that_is_in_force() -> None:
    relays = [Relay("a"), Relay("b")]
    enforcement = Enforcement(relays, tick=60.0)
    enforcement.put([ONE])
    wait_for(lambda: all(relay.applied == [[ONE]] for relay in relays))
    enforcement.put([ONE, TWO])
    enforcement.close()
    assert [relay.applied[-1] for relay in relays] == [[ONE, TWO]] * 2
    assert enforcement.troubles() == {}


def test_nothing_is_enforced_before_it_is_known_what() -> None:
    relay = Relay()
    enforcement = Enforcement([relay], tick=0.001)
    threading.Event().wait(0.02)
    enforcement.close()
    assert relay.applied == []


def test_what_is_left_undone_is_seen_to_without_a_new_list() -> None:
    relay = Relay(leaves=3)
    enforcement = Enforcement([relay], tick=0.001)
    enforcement.put([ONE])
    wait_for(lambda: relay.applied)
    enforcement.close()
    assert relay.applied == [[ONE]]
    assert enforcement.troubles() == {}


@pytest.mark.parametrize("error", [GatewayError("reload failed"), KeyError()])
def test_a_gateway_that_fails_is_asked_again_and_hides_no_other(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = Relay("broken"), Relay("sound")
    broken.broken = error
    enforcement = Enforcement([broken, sound], tick=0.001)
    enforcement.put([ONE])
    wait_for(lambda: sound.applied and enforcement.troubles())
    assert enforcement.troubles() == {"broken": str(error) or "KeyError"}
    broken.broken = None
    wait_for(lambda: broken.applied)
    wait_for(lambda: not enforcement.troubles())
    enforcement.close()
    assert caplog.text.count("gateway failed gateway=broken") == 1


def test_a_gateway_that_fails_every_other_time_is_logged_once_until_all_is_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Flapping(Relay):
        calls = 0

        def enforce(self, decisions: Sequence[Decision]) -> bool:
            self.calls += 1
            if self.calls % 2 and self.calls < 20:
                raise GatewayError("reload failed")
            return self.calls >= 20 and super().enforce(decisions)

    relay = Flapping()
    enforcement = Enforcement([relay], tick=0.001)
    enforcement.put([ONE])
    wait_for(lambda: relay.applied)
    wait_for(lambda: not enforcement.troubles())
    enforcement.close()
    assert caplog.text.count("gateway failed gateway=relay") == 1


def test_a_list_that_came_just_before_the_end_is_still_enforced() -> None:
    relay = Relay()
    enforcement = Enforcement([relay], tick=60.0)
    enforcement.put([TWO])
    enforcement.close()
    assert relay.applied == [[TWO]]


def test_a_kill_switch_that_was_released_a_moment_before_the_end_is_seen() -> None:
    lifted = True
    relay = Relay()
    relay._lifted = lambda: lifted
    enforcement = Enforcement([relay], tick=60.0)
    enforcement.put([ONE])
    wait_for(lambda: relay.applied == [[]])
    lifted = False
    enforcement.close()
    assert relay.applied == [[], [ONE]]


def test_what_is_left_undone_is_seen_to_at_the_end_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = Relay(leaves=3)
    enforcement = Enforcement([relay], tick=0.001)
    enforcement.put([ONE])
    enforcement.close()
    assert relay.applied == [[ONE]]
    monkeypatch.setattr("agents.running.enforcement.LAST", 0.0)
    never = Relay(leaves=10**6)
    enforcement = Enforcement([never], tick=60.0)
    enforcement.put([ONE])
    enforcement.close()
    assert enforcement.troubles() == {"relay": "waits to be brought up to date"}
