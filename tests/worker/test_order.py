from faust.types import TP

from agents.worker.order import BUSY, IDLE, PATIENCE, Order, Verdict

PLACE, OTHER = TP("mail.facts", 0), TP("mail.facts", 1)
TAKEN, PASSED, ASKED = Verdict.TAKE, Verdict.PASS, Verdict.ASK


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def order(begin: int = 100, clock: Clock | None = None) -> Order:
    made = Order(clock or Clock())
    made.begin(PLACE, begin)
    return made


def take(made: Order, *offsets: int) -> list[Verdict]:
    return [made.take(PLACE, offset) for offset in offsets]


def test_messages_in_order_are_taken() -> None:
    made = order()
    assert take(made, 100, 101, 102) == 3 * [TAKEN]
    assert made.next(PLACE) == 103


def test_what_was_taken_before_may_come_again() -> None:
    made = order()
    assert take(made, 98, 99, 100, 99, 100, 101) == 6 * [TAKEN]
    assert made.next(PLACE) == 102


def test_messages_beyond_a_gap_are_passed_over_until_what_is_missing_comes() -> None:
    made = order()
    assert take(made, 150, 151, 152) == [ASKED, PASSED, PASSED]
    assert take(made, 100, 101) == 2 * [TAKEN]
    assert take(made, 150) == [ASKED]


def test_what_comes_twice_proves_no_gap() -> None:
    """It may have been on its way twice, while the others are still to come."""
    made = order()
    assert take(made, 102, 102, 103) == [ASKED, PASSED, PASSED]
    assert take(made, 100, 101, 102, 103) == 4 * [TAKEN]


def test_a_gap_that_stays_is_asked_about_again_after_a_while() -> None:
    clock = Clock()
    made = order(clock=clock)
    assert take(made, 150, 150) == [ASKED, PASSED]
    clock.now += PATIENCE
    assert take(made, 150, 150) == [ASKED, PASSED]


def test_a_gap_in_which_the_broker_has_nothing_is_bridged() -> None:
    made = order()
    assert take(made, 150) == [ASKED]
    assert made.bridge(PLACE, 100, 150)
    assert take(made, 150, 151) == 2 * [TAKEN]
    assert made.next(PLACE) == 152


def test_a_gap_may_be_smaller_than_it_seemed() -> None:
    made = order()
    assert take(made, 150) == [ASKED]
    assert made.bridge(PLACE, 100, 120)
    assert take(made, 150, 120, 121) == [PASSED, TAKEN, TAKEN]


def test_where_the_broker_has_what_is_missing_there_is_no_gap() -> None:
    made = order()
    assert not made.bridge(PLACE, 100, 100)
    assert made.next(PLACE) == 100


def test_where_the_broker_has_nothing_more_nothing_is_missing() -> None:
    clock = Clock()
    made = order(5, clock)
    made.nothing_before(PLACE, 9)
    clock.now += IDLE + 1
    assert made.missing([(PLACE, 9)]) == []
    assert made.missing([(PLACE, 10)]) == [PLACE]


def test_a_message_is_missing_when_nothing_else_comes() -> None:
    clock = Clock()
    made = Order(clock)
    made.begin(PLACE, 5)
    assert made.missing([(PLACE, 9)]) == []
    clock.now += IDLE + 1
    assert made.missing([(PLACE, 5)]) == []
    assert made.missing([(PLACE, 9)]) == [PLACE]
    assert made.missing([(PLACE, 9)]) == []
    clock.now += IDLE + 1
    assert made.missing([(PLACE, 9), (OTHER, 3)]) == [PLACE]


def test_where_others_come_it_may_still_be_on_its_way_for_a_while() -> None:
    clock = Clock()
    made = Order(clock)
    made.begin(PLACE, 5)
    made.begin(OTHER, 0)
    missing = []
    for second in range(int(BUSY) + 1):
        clock.now += 1
        made.take(OTHER, second)
        missing.append(made.missing([(PLACE, 9)]))
    assert missing[-1] == [PLACE]
    assert missing[:-1] == (len(missing) - 1) * [[]]


def test_partitions_that_are_forgotten_miss_nothing() -> None:
    clock = Clock()
    made = Order(clock)
    made.begin(PLACE, 5)
    made.forget()
    clock.now += 2 * BUSY
    assert made.next(PLACE) is None
    assert made.missing([(PLACE, 9)]) == []
