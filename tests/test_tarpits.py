from hypothesis import given
from hypothesis import strategies as st

from streams.tarpits import Tarpits


def test_no_more_wait_at_once_than_may_and_of_a_network_only_one() -> None:
    tarpits = Tarpits(2, 5.0)
    assert [tarpits.enter(name, 0.0) for name in ("a", "a", "b", "c")] == [True, False, True, False]
    assert not tarpits.enter("c", 4.9)
    assert tarpits.enter("c", 5.0)
    assert tarpits.enter("a", 5.0)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 3)), max_size=60),
    st.integers(0, 20),
)
def test_never_more_wait_than_may(tries: list[tuple[int, float]], most: int) -> None:
    tarpits = Tarpits(most, 5.0)
    waiting: list[tuple[str, float]] = []
    now = 0.0
    for network, pause in tries:
        now += pause
        if tarpits.enter(str(network), now):
            waiting.append((str(network), now + 5.0))
        still = [name for name, end in waiting if end > now]
        assert len(still) <= most
        assert len(still) == len(set(still))
