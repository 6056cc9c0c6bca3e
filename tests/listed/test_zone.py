import pytest

from agents.listed.zone import misused, question


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.25", "25.2.0.192.list.example"),
        ("2001:db8::7", "7." + "0." * 23 + "8.b.d.0.1.0.0.2.list.example"),
        ("::ffff:7f00:2", "2.0.0.0.0.0.f.7.f.f.f.f." + "0." * 20 + "list.example"),
    ],
)
def test_an_address_is_asked_backwards(address: str, name: str) -> None:
    assert question(address, "list.example") == name


@pytest.mark.parametrize("codes", [[], ["127.0.0.2"], ["127.0.0.10", "127.0.1.255"]])
def test_codes_are_listings(codes: list[str]) -> None:
    assert misused(codes) == ""


@pytest.mark.parametrize(
    "code", ["127.255.255.252", "127.255.255.254", "127.0.0.1", "128.0.0.2", "203.0.113.80"]
)
def test_errors_are_never_listings(code: str) -> None:
    assert code in misused(["127.0.0.2", code])
