from typing import cast

import pytest

from streams import metrics, posted
from streams.posted import GONE, TRIES, UNFIT, Posted
from streams.sink import SinkError


def aside(sink: str) -> float:
    return cast(float, metrics.SINK_REFUSED.labels(sink)._value.get())


@pytest.mark.parametrize("status", sorted(TRIES))
def test_a_refusal_is_believed_after_so_many_tries(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    books = Posted("tried")
    before = aside("tried")
    for _ in range(TRIES[status] - 1):
        assert books.begin(["a1-1"]) == ["a1-1"]
        assert books.refused("a1-1", status, "No")
        with pytest.raises(SinkError, match=f"^desk: answered {status} No$"):
            books.end("desk")
        assert not books.trouble
    assert books.begin(["a1-1"]) == ["a1-1"]
    assert books.refused("a1-1", status, "No")
    books.end("desk")
    assert books.begin(["a1-1"]) == []
    assert aside("tried") == before + 1
    assert f'alert refused sink=tried alert=a1-1 reason="{status} No"' in caplog.text
    assert books.trouble == f"desk: refused the last alerts for good: {status} No"


@pytest.mark.parametrize("status", [100, 301, 401, 403, 407, 408, 425, 429, 500, 502, 503, 504])
def test_what_may_change_is_no_refusal(status: int) -> None:
    books = Posted("patient")
    for _ in range(50):
        assert books.begin(["a1-1"]) == ["a1-1"]
        assert not books.refused("a1-1", status, "Later")


def test_what_does_not_fit_is_given_up_before_what_is_not_there() -> None:
    assert max(UNFIT.values()) < min(GONE.values())
    books = Posted("both")
    for status in (404, 404, 400):
        books.begin(["a1-1"])
        books.refused("a1-1", status, "")
    assert books.begin(["a1-1"]) == []


def test_what_was_taken_is_not_sent_again_and_shows_that_the_receiver_works() -> None:
    books = Posted("mixed")
    for _ in range(3):
        books.begin(["a1-1"])
        books.refused("a1-1", 400, "No")
        if books.begin(["a1-1"]) == []:
            break
    for number in range(3):
        left = books.begin(["bad-1", f"a{number}-1"])
        for name in left:
            if name == "bad-1":
                books.refused(name, 400, "No")
            else:
                books.taken(name)
        if number < 2:
            with pytest.raises(SinkError):
                books.end("desk")
    books.end("desk")
    assert books.trouble == ""
    assert books.begin(["bad-1", "a0-1", "a1-2"]) == ["a1-2"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posted, "KEPT", 3)
    books = Posted("full")
    for number in range(10):
        books.taken(f"a{number}")
        books.refused(f"b{number}", 404, "")
    assert books.begin(["a6", "a7", "a8", "a9"]) == ["a6"]
    assert len(books._refusals) == 3
