"""Files that [kafka] names: wrong ones are named before anything is tried with them."""

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents import configuration
from agents.commands import cli
from agents.running import kafka_files
from schemas.settings import KafkaSettings, SettingsError


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate, its key, and the two in one file."""
    folder = tmp_path_factory.mktemp("pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=us"),
            *("-days", "2", "-keyout", "key", "-out", "crt"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    (folder / "both").write_bytes((folder / "crt").read_bytes() + (folder / "key").read_bytes())
    (folder / "secret").write_text("Quince-42\n")
    (folder / "empty").write_text("\nQuince-42\n")
    (folder / "latin").write_bytes(b"\xff")
    return folder


def wrong(folder: Path, security: str = "SASL_SSL", **files: str) -> list[str]:
    named = {key: str(folder / name) for key, name in files.items()}
    found = kafka_files.unusable(KafkaSettings(security=security, **named))  # type: ignore[arg-type]
    return [text.replace(f"{folder}/", "") for text in found]


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"ca": "crt", "certificate": "crt", "key": "key", "password_file": "secret"},
        {"certificate": "both"},
    ],
)
def test_what_can_be_used_is_not_mentioned(pem: Path, files: dict[str, str]) -> None:
    assert wrong(pem, **files) == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"ca": "none"}, "kafka.ca: expected a PEM file; none: No such file or directory"),
        ({"ca": "secret"}, "kafka.ca: expected a PEM file; secret is none"),
        ({"certificate": "crt"}, "kafka.certificate: expected a PEM file, its key in it; crt is"),
        ({"certificate": "crt", "key": "secret"}, "that goes with kafka.key; crt is none"),
        ({"password_file": "none"}, "whose first line is the password; none: No such file"),
        ({"password_file": "empty"}, "empty: its first line is empty"),
        ({"password_file": "latin"}, "latin: 'utf-8' codec can't decode"),
    ],
)
def test_what_cannot_is_named_with_its_key(pem: Path, files: dict[str, str], said: str) -> None:
    [text] = wrong(pem, **files)
    assert said in text


def test_a_key_that_is_not_there_is_named_for_itself(pem: Path) -> None:
    assert "kafka.key: expected a PEM file; none: No such file or directory" in wrong(
        pem, certificate="crt", key="none"
    )


def test_files_that_nobody_would_read_do_not_matter(pem: Path) -> None:
    files = {"ca": "none", "certificate": "none", "password_file": "none"}
    assert wrong(pem, "PLAINTEXT", **files) == []
    assert len(wrong(pem, "SSL", **files)) == 2
    assert len(wrong(pem, "SASL_PLAINTEXT", **files)) == 1


@pytest.fixture
def without_ca(tmp_path: Path) -> Path:
    path = tmp_path / "mailwarden.toml"
    log = tmp_path / "mail.log"
    log.touch()
    path.write_text(
        f'[kafka]\nsecurity = "SSL"\nca = "{tmp_path}/none"\n'
        f'[storage]\npath = "{tmp_path}/mailwarden.db"\n'
        f'[logs]\nfiles = ["{log}"]\njournal = "no"\n[http]\nlisten = ""\n'
    )
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["topics", "list"],
        ["topics", "create"],
        ["ship", "--once"],
        ["worker"],
        ["gateway"],
        ["intake"],
        ["alerts", "list", "--kafka"],
        ["decisions", "list", "--kafka"],
    ],
)
def test_commands_that_talk_to_kafka_say_what_is_wrong(
    without_ca: Path, command: list[str]
) -> None:
    result = CliRunner().invoke(cli, [*command, "-c", str(without_ca)])
    assert result.exit_code == 2, result.output
    assert f"{without_ca}: kafka.ca: expected a PEM file" in result.output


def test_commands_that_do_not_work_all_the_same(without_ca: Path) -> None:
    result = CliRunner().invoke(cli, ["run", "--once", "-c", str(without_ca)])
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(cli, ["alerts", "list", "-c", str(without_ca)]).exit_code == 0


def test_the_first_that_is_wrong_is_raised(without_ca: Path) -> None:
    with pytest.raises(SettingsError, match=r"kafka\.ca"):
        kafka_files.require(configuration.load(without_ca))
