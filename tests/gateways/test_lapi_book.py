from hypothesis import given
from hypothesis import strategies as st

from streams.gateways.lapi.book import DAY, KEPT, Book, Changes, Gone, Kept
from streams.gateways.lapi.entries import Entry, Key

NOW = 1000.0
LONG = NOW + 7 * DAY


def entry(value: str = "192.0.2.1", until: float = NOW + 600) -> Entry:
    return Entry("Ip", value, "ban", until, "mailwarden/auth_dictionary")


def listed(*entries: Entry) -> dict[Key, Entry]:
    return {one.key: one for one in entries}


def updated(book: Book, *entries: Entry, now: float = NOW) -> int:
    book.update(listed(*entries), now)
    return book.position


def since(book: Book, position: int) -> Changes:
    found = book.since(position)
    assert found is not None
    return found


ONE, TWO = entry("192.0.2.1"), entry("192.0.2.2")
NOTHING = Changes([], [], [])


def test_who_is_new_is_told_all_that_is_in_force() -> None:
    book = Book()
    updated(book, ONE, TWO)
    assert book.everything() == Changes([ONE, TWO], [], [])


def test_later_only_what_has_changed_is_told() -> None:
    book = Book()
    first = updated(book, ONE)
    second = updated(book, ONE, TWO)
    third = updated(book, TWO)
    assert since(book, first) == Changes([TWO], [Gone(ONE, NOW)], [])
    assert since(book, second) == Changes([], [Gone(ONE, NOW)], [])
    assert since(book, third) == NOTHING


def test_the_same_list_again_is_no_change() -> None:
    book = Book()
    position = updated(book, ONE)
    assert updated(book, entry("192.0.2.1")) == position
    over = entry("192.0.2.3", NOW - 1)  # ended, and not taken off the list yet
    position = updated(book, over)
    assert updated(book, over) == position


def test_what_comes_and_goes_between_two_polls_is_not_told() -> None:
    book = Book()
    position = updated(book, TWO)
    updated(book, TWO, ONE)
    updated(book, TWO)
    assert since(book, position) == NOTHING


def test_what_goes_and_comes_back_is_told_as_it_is_now() -> None:
    book = Book()
    position = updated(book, ONE)
    updated(book)
    updated(book, ONE)
    assert since(book, position) == Changes([ONE], [], [ONE])


def test_a_lease_that_is_renewed_is_told_with_its_new_end() -> None:
    book = Book()
    position = updated(book, ONE)
    longer = entry("192.0.2.1", NOW + 1200)
    updated(book, longer)
    assert since(book, position) == Changes([longer], [], [ONE])
    shorter = entry("192.0.2.1", NOW + 300)
    updated(book, shorter)
    assert since(book, position) == Changes([shorter], [], [ONE])


def test_an_end_that_hardly_moves_is_no_news() -> None:
    book = Book()
    position = updated(book, ONE)
    assert updated(book, entry("192.0.2.1", NOW + 605), now=NOW + 5) == position
    assert book.entries == listed(ONE)
    assert updated(book, entry("192.0.2.1", NOW + 670), now=NOW + 5) == position + 1
    soon = entry("192.0.2.2", NOW + 5)
    position = updated(book, soon)
    updated(book, entry("192.0.2.2", NOW + 10))
    assert since(book, position).new == [entry("192.0.2.2", NOW + 10)]


def test_who_is_too_far_behind_is_told_so() -> None:
    book = Book(most=3)
    position = updated(book, ONE)
    updated(book, ONE, TWO, entry("192.0.2.3"), entry("192.0.2.4"))
    assert since(book, position).new
    updated(book, ONE)
    assert book.since(position) is None
    assert book.since(book.position + 1) is None
    assert since(book, book.position) == NOTHING


def test_lifting_everything_is_told_whatever_the_limit_was_spent_on() -> None:
    book = Book(most=4)
    entries = [entry(f"192.0.2.{n}") for n in range(4)]
    updated(book, *entries)
    position = updated(book, *entries)
    updated(book)
    assert [gone.entry for gone in since(book, position).gone] == entries


def test_what_was_lifted_is_told_to_those_who_may_hold_it_until_its_time_is_over() -> None:
    book = Book()
    lifted = entry("192.0.2.1", LONG)
    updated(book, lifted)
    updated(book, now=NOW + 10)
    updated(book, TWO, now=NOW + 5 * DAY)
    assert book.everything().gone == [Gone(lifted, NOW + 10)]
    updated(book, now=LONG)
    assert lifted not in [gone.entry for gone in book.everything().gone]


def test_what_has_ended_is_told_for_a_day() -> None:
    book = Book()
    updated(book, ONE)
    updated(book, now=NOW + 700)
    assert book.everything().gone == [Gone(ONE, NOW + 600)]
    updated(book, TWO, now=NOW + DAY)
    assert book.everything().gone == [Gone(ONE, NOW + 600)]
    updated(book, TWO, now=NOW + DAY + 600)
    assert book.everything().gone == []


def test_what_is_back_is_not_gone() -> None:
    book = Book()
    updated(book, ONE)
    updated(book)
    updated(book, ONE)
    assert book.everything() == Changes([ONE], [], [])


def test_of_too_many_that_are_gone_those_are_forgotten_that_end_soonest() -> None:
    book = Book(most=2)
    entries = [entry(f"192.0.2.{n}", NOW + 600 + n) for n in range(3)]
    updated(book, *entries)
    position = book.position
    updated(book)
    assert [gone.entry for gone in book.everything().gone] == entries[1:]
    assert book.since(position) is None


def test_a_deletion_is_told_by_the_log_even_where_it_is_forgotten() -> None:
    book = Book()
    old = entry("192.0.2.1", NOW - 2 * DAY)
    position = updated(book, old)
    updated(book)
    assert book.everything().gone == []
    assert since(book, position).gone == [Gone(old, old.until)]


def test_a_book_that_was_kept_goes_on_where_it_was() -> None:
    book = Book()
    first = updated(book, ONE)
    second = updated(book, TWO)
    again = Book(book.kept())
    assert again.position == second
    assert again.everything() == book.everything()
    assert again.since(first) == book.since(first)
    updated(again)
    assert since(again, second).gone == [Gone(TWO, NOW)]


def test_of_many_changes_the_last_are_kept() -> None:
    book = Book()
    first = updated(book, ONE)
    updated(book, *(entry(f"198.18.{n >> 8}.{n & 255}") for n in range(KEPT)))
    again = Book(book.kept())
    assert again.since(first) is None
    assert again.since(first + 1) is not None


def test_the_first_list_is_told_whole_to_whoever_asked_before() -> None:
    book = Book()
    position = updated(book)
    assert since(book, position) == NOTHING
    updated(book, ONE)
    assert book.since(position) is None
    assert book.everything() == Changes([ONE], [], [])


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.integers(0, 5), st.integers(1, 40)), st.booleans(), st.booleans()
        ),
        max_size=12,
    )
)
def test_whoever_does_as_told_holds_what_is_in_force(
    turns: list[tuple[dict[int, int], bool, bool]],
) -> None:
    """Two bouncers, one that asks seldom; the process is started anew now and then. What they
    hold ends as they were told, a tenth aside."""
    book = Book(most=6)
    held: list[dict[Key, Entry]] = [{}, {}]
    positions: list[int | None] = [None, None]
    for number, (ends, polls, restarts) in enumerate(turns):
        now = NOW + 100 * number
        wanted = {n: entry(f"192.0.2.{n}", now + 100 * end) for n, end in ends.items()}
        book.update(listed(*wanted.values()), now)
        if restarts:
            kept = book.kept()
            book = Book(Kept(kept.position, kept.entries, kept.gone, kept.log[-2:]), most=6)
        for which in (0, 1) if polls else (0,):
            position = positions[which]
            changes = book.since(position) if position is not None else None
            changes = changes or book.everything()
            for gone in changes.gone:
                held[which].pop(gone.entry.key, None)
            for new in changes.new:
                held[which][new.key] = new
            positions[which] = book.position
            assert held[which].keys() == {one.key for one in wanted.values()}
            for one in wanted.values():
                assert abs(held[which][one.key].until - one.until) <= 60
