from agents.worker.origins import KEPT, Origins


def test_a_first_batch_has_nothing_repeated() -> None:
    assert Origins().skip("shipper:log", [0, 1, 2]) == 0


def test_a_batch_that_comes_again_is_repeated_whole() -> None:
    origins = Origins()
    origins.skip("shipper:log", [3, 5, 9])
    assert origins.skip("shipper:log", [3, 5, 9]) == 3


def test_a_batch_that_was_packed_differently_is_repeated_in_part() -> None:
    origins = Origins()
    origins.skip("shipper:log", [3, 5])
    assert origins.skip("shipper:log", [5, 6, 7]) == 1


def test_an_older_batch_does_not_move_the_position_back() -> None:
    origins = Origins()
    origins.skip("shipper:log", [9])
    assert origins.skip("shipper:log", [1]) == 1
    assert origins.absorbed == {"shipper:log": 9}


def test_origins_do_not_know_each_other() -> None:
    origins = Origins()
    origins.skip("a", [9])
    assert origins.skip("b", [1]) == 0


def test_positions_go_on_where_an_earlier_life_left_them() -> None:
    assert Origins({"a": 4}).skip("a", [4, 5]) == 1


def test_an_empty_batch_changes_nothing() -> None:
    origins = Origins({"a": 4})
    assert origins.skip("a", []) == 0
    assert origins.absorbed == {"a": 4}


def test_the_origin_longest_silent_is_forgotten() -> None:
    origins = Origins()
    for index in range(KEPT):
        origins.skip(f"origin {index}", [1])
    origins.skip("origin 0", [2])
    origins.skip("one more", [1])
    assert len(origins.absorbed) == KEPT
    assert "origin 0" in origins.absorbed
    assert "origin 1" not in origins.absorbed
