import hashlib
from pathlib import Path

import pytest

from streams.tokens import Tokens, read


def test_a_key_is_known_by_its_name_if_it_has_one() -> None:
    hashed = hashlib.sha256(b"third").hexdigest()
    tokens = Tokens(["first", "desk second", f"edge sha256:{hashed}"])
    assert [tokens.holder(key) for key in ("first", "second", "third")] == ["", "desk", "edge"]
    assert tokens


@pytest.mark.parametrize("key", ["", "desk", "desk second", "sha256:", "\udcff", "secon"])
def test_nothing_else_is_a_key(key: str) -> None:
    assert Tokens(["first", "desk second"]).holder(key) is None


def test_without_keys_nobody_is_known() -> None:
    assert not Tokens()
    assert Tokens().holder("") is None


@pytest.mark.parametrize("line", ["a b c", "sha256:zz", "sha256:abcd"])
def test_what_is_no_key_is_an_error_that_does_not_show_it(line: str) -> None:
    with pytest.raises(ValueError, match=r"expected|hexadecimal") as raised:
        Tokens([line])
    assert line not in str(raised.value)


def test_a_file_has_comments_and_empty_lines(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# bouncers\n\n edge one \ntwo\n")
    assert read(file) == ["edge one", "two"]
