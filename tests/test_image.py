"""A block list taken in whole: it is then as the one that was drawn, in all that can be asked."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agents.edge import snapshot
from schemas.findings import Decision
from schemas.net import Networks
from streams.blocklist import Blocklist
from streams.image import Image
from tests.test_blocklist import decided, holding

SIX = "2001:db8:1::/48"

_targets = st.sampled_from(
    [
        ("network", "192.0.2.1"),
        ("network", "192.0.2.0/24"),
        ("network", SIX),
        ("account", "anna@example.org"),
        ("client_account", "192.0.2.1 anna@example.org"),
        ("address", "reply@phish.example"),
        ("domain", "phish.example"),
    ]
)
_decisions = st.builds(
    lambda target, action, origin, until, generation: decided(
        target[1], action, kind=target[0], origin=origin, until=until, generation=generation
    ),
    _targets,
    st.sampled_from(["reject", "drop"]),
    st.sampled_from(["automatic", "manual", "pardon"]),
    st.floats(1.0, 500.0),
    st.integers(0, 3),
)


def copied(image: Image) -> Image:
    """As it comes back from a disk."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(image), type=Image)


def adopted(blocklist: Blocklist) -> Blocklist:
    fresh = Blocklist()
    assert fresh.adopt(copied(blocklist.image({})))
    return fresh


@given(st.lists(_decisions, max_size=20), st.lists(_decisions, max_size=5), st.floats(0.0, 600.0))
def test_it_goes_on_as_if_nothing_had_happened(
    first: list[Decision], then: list[Decision], now: float
) -> None:
    before = Blocklist()
    for decision in first:
        before.put(decision)
    gone = before.expire(now / 2)
    after = adopted(before)
    assert not {one.id for one in gone} & {one.id for one in after}
    for decision in then:
        assert before.admit(decision) == after.admit(decision)
    assert len(before) == len(after)
    assert list(before) == list(after)
    assert before.in_force(now) == after.in_force(now)
    for address in ("192.0.2.1", "192.0.2.9", "2001:db8:1::7", "203.0.113.1"):
        ruling = before.lookup(now, address, "anna@example.org")
        assert after.lookup(now, address, "anna@example.org") == ruling
    assert before.next_expiry() == after.next_expiry()
    # Those that end at one moment may come in any order.
    assert {one.id for one in before.expire(now)} == {one.id for one in after.expire(now)}
    for decision in list(before):
        assert after.remove(decision.id)
    assert len(after) == 0


@pytest.mark.parametrize(
    "other",
    [
        Blocklist(Networks(["192.0.2.0/24"])),
        Blocklist(widest=(32, 64)),
        Blocklist(limit=1),
        Blocklist(domains=frozenset({"phish.example"})),
    ],
    ids=["spared", "widest", "limit", "domains"],
)
def test_under_other_rules_it_is_not_taken_in(other: Blocklist) -> None:
    assert not other.adopt(holding(decided()).image({}))
    assert len(other) == 0


def test_what_counts_otherwise_here_is_drawn_as_it_was_made() -> None:
    made, beside = decided(), decided(action="reject")
    here = replace(made, enforced=False)
    image = holding(here, beside, decided("192.0.2.2")).image({made.id: made, "gone": made})
    assert set(image.decisions()) == {made, beside, decided("192.0.2.2")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"places": []},
        {"places": ["#x"]},
        {"pages": [(60.0, b"\x09\x00\x00\x00")]},
        {"pages": [(60.0, b"\x00")]},
        {"named": {"x": 7}},
    ],
)
def test_an_image_that_contradicts_itself_changes_nothing(wrong: dict[str, object]) -> None:
    blocklist = holding(decided("192.0.2.9"))
    image = replace(holding(decided()).image({}), **wrong)
    with pytest.raises(ValueError, match=r"place|int|bytes|argument"):
        blocklist.adopt(image)
    assert list(blocklist) == [decided("192.0.2.9")]


# -- on disk ------------------------------------------------------------------------------------


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    image = holding(decided(), decided(SIX)).image({})
    snapshot.write(tmp_path / "new" / "file", image)
    assert snapshot.read(tmp_path / "new" / "file") == image
    assert (tmp_path / "new" / "file").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("where", [0, len(snapshot.MARK), -1])
def test_one_wrong_byte_is_seen(tmp_path: Path, where: int) -> None:
    snapshot.write(tmp_path / "file", holding(decided()).image({}))
    data = bytearray((tmp_path / "file").read_bytes())
    data[where] ^= 1
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ValueError, match=r"no snapshot|damaged"):
        snapshot.read(tmp_path / "file")


def test_so_is_one_that_is_cut(tmp_path: Path) -> None:
    snapshot.write(tmp_path / "file", holding(decided()).image({}))
    data = (tmp_path / "file").read_bytes()
    for length in range(len(data)):
        (tmp_path / "file").write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"no snapshot|damaged"):
            snapshot.read(tmp_path / "file")
