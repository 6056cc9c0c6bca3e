from faust.types import TP

from agents.worker.order import BUSY, IDLE, Order

PLACE, OTHER = TP("mail.facts", 0), TP("mail.facts", 1)
TAKEN, PASSED, AGAIN = (True, False), (False, False), (False, True)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def order(begin: int = 100) -> Order:
    made = Order(Clock())
    made.begin(PLACE, begin)
    return made


def take(made: Order, *offsets: int) -> list[tuple[bool, bool]]:
    return [made.take(PLACE, offset) for offset in offsets]


def test_messages_in_order_are_taken() -> None:
    made = order()
    assert take(made, 100, 101, 102) == 3 * [TAKEN]
    assert made.next(PLACE) == 103


def test_what_was_taken_before_may_come_again() -> None:
    made = order()
    assert take(made, 98, 99, 100, 99, 100, 101) == 6 * [TAKEN]
    assert made.next(PLACE) == 102


def test_messages_beyond_a_gap_are_passed_over_until_it_was_read_again() -> None:
    made = order()
    assert take(made, 150, 151, 152) == [AGAIN, PASSED, PASSED]
    assert take(made, 100, 101) == 2 * [TAKEN]
    assert take(made, 150) == [AGAIN]


def test_a_gap_that_is_there_on_the_second_reading_is_real() -> None:
    made = order()
    assert take(made, 150, 151, 150, 151) == [AGAIN, PASSED, TAKEN, TAKEN]
    assert made.next(PLACE) == 152


def test_so_is_one_that_was_only_larger_for_us() -> None:
    assert take(order(), 150, 120, 121) == [AGAIN, TAKEN, TAKEN]


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
