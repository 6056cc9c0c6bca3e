"""A wrong setting is told with its file, its key and what was expected."""

from pathlib import Path

import pytest

from schemas.settings import Section, Settings, SettingsError, convert, read


def write(folder: Path, text: str) -> Path:
    path = folder / "mailwarden.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as error:
        read(write(folder, text))
    return str(error.value)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert read(write(tmp_path, "")) == Settings()


def test_nothing_is_enforced_unless_asked_for() -> None:
    assert Settings().response.enforce is False


def test_servers_listen_on_loopback() -> None:
    assert Settings().http.listen.startswith("127.0.0.1:")


def test_what_is_set_is_read(tmp_path: Path) -> None:
    found = read(
        write(
            tmp_path,
            '[site]\ndomains = ["example.org"]\n[response]\nenforce = true\n'
            "[detectors.account_burst]\nhourly = 300\n",
        )
    )
    assert found.site.domains == ("example.org",)
    assert found.response.enforce is True
    assert found.detectors == {"account_burst": {"hourly": 300}}


def test_an_unknown_setting_is_named_with_those_that_are(tmp_path: Path) -> None:
    said = complaint(tmp_path, "[response]\nenforced = true\n")
    assert "mailwarden.toml: response.enforced: no such setting; there are: enforce, " in said


def test_an_unknown_table_is_named_with_those_that_are(tmp_path: Path) -> None:
    said = complaint(tmp_path, "[sites]\n")
    assert "mailwarden.toml: sites: no such setting; there are: site, network" in said


def test_a_value_of_another_kind_says_what_was_expected(tmp_path: Path) -> None:
    said = complaint(tmp_path, '[response]\nbudget = "many"\n')
    assert said.endswith("mailwarden.toml: response.budget: expected `int`, got `str`")


def test_an_item_of_a_list_is_named(tmp_path: Path) -> None:
    said = complaint(tmp_path, "[site]\ndomains = [7]\n")
    assert "site.domains[0]: expected `str`, got `int`" in said


def test_one_of_several_words_must_be_given(tmp_path: Path) -> None:
    said = complaint(tmp_path, '[logs]\njournal = "no way"\n')
    assert "logs.journal: expected one of auto, yes, no, not 'no way'" in said


def test_a_table_must_be_one(tmp_path: Path) -> None:
    assert "site: expected `object`, got `int`" in complaint(tmp_path, "site = 7\n")


def test_text_that_is_no_toml_says_where(tmp_path: Path) -> None:
    said = complaint(tmp_path, "[site\n")
    assert "mailwarden.toml: not TOML: " in said
    assert "line 1" in said


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_bytes(b'name = "\xff"\n')
    with pytest.raises(SettingsError, match="not TOML"):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: No such file"):
        read(tmp_path / "none.toml")


def test_a_section_is_converted_with_its_name() -> None:
    with pytest.raises(SettingsError) as error:
        convert({"volum": 1}, Settings, "a.toml", "detectors.x")
    assert str(error.value).startswith("a.toml: detectors.x.volum: no such setting; there are: ")


def test_a_value_that_is_no_table_at_all_is_told() -> None:
    with pytest.raises(SettingsError, match=r"a\.toml: Expected `object`, got `int`"):
        convert(7, Settings, "a.toml")


def test_the_prefix_of_a_section_stands_before_its_keys() -> None:
    with pytest.raises(SettingsError, match=r"a\.toml: x\.kafka\.boot: no such setting"):
        convert({"kafka": {"boot": 1}}, Settings, "a.toml", "x")


class Part(Section, frozen=True):
    size: int = 0


class Parts(Section, frozen=True):
    parts: tuple[Part, ...] = ()


def test_an_unknown_key_in_a_list_of_tables_is_named() -> None:
    with pytest.raises(SettingsError, match=r"a\.toml: parts\[0\]\.colour: no such setting"):
        convert({"parts": [{"colour": 1}]}, Parts, "a.toml")
