"""Which topics are read, and under which name a process makes transactions."""

from pathlib import Path

import pytest

from agents.intake.main import Identity
from agents.intake.topics import wanted
from schemas.settings import Settings, SettingsError, TopicSettings, convert


def settings(intake: dict[str, object]) -> Settings:
    return convert({"site": {"zone": "UTC"}, "intake": intake}, Settings, "test")


def test_topics_are_named_alone_or_with_what_is_said_of_them() -> None:
    assert wanted(settings({})) == {"mail.raw": TopicSettings(zone="UTC")}
    assert list(wanted(settings({"topics": ["a", "b"]}))) == ["a", "b"]
    said = {"a": {"host": "mx1", "zone": "Europe/Berlin"}}
    assert wanted(settings({"topics": said})) == {
        "a": TopicSettings(host="mx1", zone="Europe/Berlin")
    }


@pytest.mark.parametrize(
    ("said", "wrong"),
    [({"format": "x"}, r"intake.topics.a.format: expected auto"), ({"zone": "x"}, "a.zone")],
)
def test_what_cannot_be_is_refused(said: dict[str, str], wrong: str) -> None:
    with pytest.raises(SettingsError, match=wrong):
        wanted(settings({"topics": {"a": said}}))


def test_a_process_has_its_name_again_and_never_another_process_its_name(tmp_path: Path) -> None:
    one, two = Identity(tmp_path), Identity(tmp_path)
    assert one.name != two.name
    name = one.name
    one.close()
    again = Identity(tmp_path)
    assert again.name == name
    again.close()
    two.close()


def test_where_nothing_can_be_kept_a_name_is_made_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    identity = Identity(tmp_path / "file" / "folder")
    assert len(identity.name) == 16
    identity.close()
