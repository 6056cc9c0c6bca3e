from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.signing import HEADER, Keys, SigningError, load

ONE, TWO = b"1" * 32, b"2" * 32
NOW = 1_800_000_000.123


def test_what_was_signed_is_believed_and_says_when() -> None:
    keys = Keys([ONE])
    for value in (b"{}", b"", None):
        headers = keys.sign("mail.decisions", b"key", value, NOW)
        assert keys.verify("mail.decisions", b"key", value, headers) == NOW


def test_the_signature_has_the_form_that_is_documented() -> None:
    # RFC 2104 over the netstring-like parts of the module's docstring.
    import hmac

    text = b"14:mail.decisions" + b"3:key" + b"13:1800000000123" + b"3:+{}"
    digest = hmac.new(ONE, text, "sha256").hexdigest()
    headers = Keys([ONE]).sign("mail.decisions", b"key", b"{}", NOW)
    assert headers == {HEADER: f"v1 1800000000123 {digest}".encode()}


@pytest.mark.parametrize(
    ("topic", "key", "value"),
    [
        ("mail.switch", b"key", b"value"),
        ("mail.decisions", b"kez", b"value"),
        ("mail.decisions", b"key", b"valuf"),
        ("mail.decisions", b"keyv", b"alue"),
        ("mail.decisions", b"key", b""),
        ("mail.decisions", b"key", None),
    ],
)
def test_what_was_changed_is_not_believed(topic: str, key: bytes, value: bytes | None) -> None:
    keys = Keys([ONE])
    headers = keys.sign("mail.decisions", b"key", b"value", NOW)
    with pytest.raises(SigningError, match="another key"):
        keys.verify(topic, key, value, headers)


def test_the_time_of_a_signature_cannot_be_changed() -> None:
    keys = Keys([ONE])
    headers = keys.sign("t", b"k", None, NOW)
    later = {HEADER: headers[HEADER].replace(b" 18", b" 19")}
    with pytest.raises(SigningError, match="another key"):
        keys.verify("t", b"k", None, later)


def test_any_key_verifies_and_the_first_one_signs() -> None:
    headers = Keys([ONE, TWO]).sign("t", b"k", b"v", NOW)
    assert Keys([TWO, ONE]).verify("t", b"k", b"v", headers) == NOW
    with pytest.raises(SigningError, match="another key"):
        Keys([TWO]).verify("t", b"k", b"v", headers)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "not signed"),
        ({HEADER: b""}, "cannot be read"),
        ({HEADER: b"v2 1 00"}, "cannot be read"),
        ({HEADER: b"v1 -1 00"}, "cannot be read"),
        ({HEADER: b"v1 " + b"9" * 17 + b" 00"}, "cannot be read"),
        ({HEADER: b"v1 1 "}, "another key"),
        ({HEADER: b"v1 1 \xff"}, "another key"),
    ],
)
def test_no_signature_and_nonsense_are_refused(headers: dict[str, bytes], why: str) -> None:
    with pytest.raises(SigningError, match=why):
        Keys([ONE]).verify("t", b"k", b"v", headers)


@given(st.binary(max_size=80))
def test_whatever_the_header_says_only_an_error_of_ours_comes(given_: bytes) -> None:
    with pytest.raises(SigningError):
        Keys([ONE]).verify("t", b"k", b"v", {HEADER: given_})


def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"# the new one\n" + ONE + b"\n\n" + TWO + b"  \n")
    headers = load(path).sign("t", b"k", b"v", NOW)
    assert Keys([ONE]).verify("t", b"k", b"v", headers) == NOW


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"short\n", ONE + b"\nshort\n"])
def test_a_file_without_good_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(SigningError, match=r"keys: expected keys of 32 characters"):
        load(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="none: No such file"):
        load(tmp_path / "none")
