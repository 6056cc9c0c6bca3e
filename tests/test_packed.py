import msgspec

from schemas.findings import Decision, Target
from streams.packed import Packed, enforced, pack, unpack

LOCK = Decision(
    id="of another publisher",
    target=Target("account", "kaja.e@example.org"),
    action="lock",
    approvals=("ann", "bo"),
    until=9.5,
    enforced=True,
)


def test_a_decision_is_the_same_unpacked() -> None:
    assert unpack(pack(LOCK)) == LOCK
    assert Packed([pack(LOCK)]) == [LOCK]


def test_a_packed_list_knows_those_that_are_enforced() -> None:
    one, other = LOCK, msgspec.structs.replace(LOCK, enforced=False)
    found = Packed([pack(one), pack(other)])
    assert enforced(found) == enforced([one, other]) == found.enforced() == [one]
    assert found != found.enforced()
    assert found.enforced() == found.enforced().enforced()
    assert Packed([]) == enforced(Packed([])) == []
    assert Packed([]) != None  # noqa: E711
