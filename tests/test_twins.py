"""One line in two logs is one fact; two lines in one log are two."""

from schemas.events import Auth
from streams.parsers.part import Attempt, Twin
from streams.reader import Reader, ReadOptions
from streams.twins import Twins

LINE = (
    b"2025-03-04 08:01:05 login authenticator failed for (test) [192.0.2.24]: "
    b"535 Incorrect authentication data (set_id=anna)"
)
ITEM = Attempt("smtp", Auth(at=0.0))


def reader():
    return Reader(ReadOptions(host="mx1", zone="UTC", now=1767225600.0))


def twin(line="x", *, pairs=False, gateway="mx1"):
    return Twin(gateway, line, ITEM, pairs=pairs)


def test_the_same_line_in_main_and_reject_log_counts_once_when_they_are_merged():
    sources = [("mainlog", [(0, LINE), (200, LINE)]), ("rejectlog", [(0, LINE), (200, LINE)])]
    assert len(list(reader().read(sources))) == 2


def test_it_counts_once_when_they_are_read_one_after_the_other_and_restarted_between():
    first = reader()
    assert len(list(first.read([("mainlog", [(0, LINE)])]))) == 1
    second = reader()
    second.restore(first.pack())
    assert list(second.read([("rejectlog", [(0, LINE)])])) == []


def test_a_line_that_only_the_reject_log_has_counts():
    assert len(list(reader().read([("rejectlog", [(0, LINE)]), ("mainlog", [])]))) == 1


def test_another_host_says_something_else():
    twins = Twins()
    assert twins.first(twin(), "a")
    assert twins.first(twin(gateway="mx2"), "b")


def test_in_one_stream_every_second_line_is_the_first_again():
    twins = Twins()
    assert [twins.first(twin(pairs=True), "syslog") for _ in range(4)] == [True, False] * 2


def test_the_oldest_lines_are_forgotten():
    twins = Twins(limit=2)
    for line in ("a", "b", "c"):
        assert twins.first(twin(line), "main")
    assert len(twins.pack()) == 2
    assert twins.first(twin("a"), "reject")
