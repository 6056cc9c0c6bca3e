"""What gateways need on this machine."""

import os
import socket
import stat
from pathlib import Path

import pytest

from streams import needs
from streams.gateway import Note
from tools.kafka import free_ports

NOBODY = 65534  # its user and group


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> str:
    """Permissions as a user has them who is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    monkeypatch.setattr(os, "getegid", lambda: NOBODY)
    monkeypatch.setattr(os, "getgroups", lambda: [NOBODY])

    def access(path: object, mode: int) -> bool:
        return bool(os.stat(str(path)).st_mode & stat.S_IWOTH)

    monkeypatch.setattr(os, "access", access)
    return "nobody"


# -- files --------------------------------------------------------------------------------------


def test_files_that_can_be_written_are_left_alone(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    other.write_text("as it was")
    assert needs.written([str(one), str(other)]) == [
        Note("ok", f"{one} and {other}: can be written")
    ]
    assert not one.exists()
    assert other.read_text() == "as it was"
    assert needs.written([]) == []


def test_one_bad_file_does_not_hide_the_others(tmp_path: Path) -> None:
    missing, good = tmp_path / "no" / "list", tmp_path / "list"
    bad, well = needs.written([str(missing), str(good)])
    assert bad.grade == "failed"
    assert bad.text == f"{missing}: there is no directory {missing.parent}"
    assert bad.remedy == (f"install -d -m 0755 {missing.parent}",)
    assert well == Note("ok", f"{good}: can be written")


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    [note] = needs.written([str(tmp_path)])
    assert (note.grade, note.text) == ("failed", f"{tmp_path}: is no file")


def test_a_file_that_only_its_owner_may_read_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.touch(0o600)
    [note] = needs.written([str(path)])
    assert note.grade == "warning"
    assert note.text.endswith("may read it (mode 0600)")
    assert note.remedy == (f"chmod 644 {path}",)
    path.chmod(0o640)  # somebody has chosen the group
    assert needs.written([str(path)])[0].good


def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path, somebody: str) -> None:
    tmp_path.chmod(0o755)
    [note] = needs.written([str(tmp_path / "list")])
    assert note.grade == "failed"
    assert note.text.endswith(f"{tmp_path} may not be written by {somebody}")
    assert note.remedy == (f"chgrp nogroup {tmp_path}", f"chmod g+wx {tmp_path}")


def test_a_file_of_somebody_else_cannot_be_replaced_as_it_is(tmp_path: Path, somebody: str) -> None:
    tmp_path.chmod(0o777)
    path = tmp_path / "list"
    path.touch()
    os.chown(path, 0, 0)
    [note] = needs.written([str(path)])
    assert note.grade == "failed"
    assert note.text == f"{path}: belongs to root, and nobody cannot give a new one to root"
    assert note.remedy == (f"chown nobody:nogroup {path}",)
    os.chown(path, 12345, NOBODY)
    assert "belongs to user 12345" in needs.written([str(path)])[0].text
    os.chown(path, NOBODY, NOBODY)
    assert needs.written([str(path)])[0].good


def test_a_folder_of_ours_may_be_made(tmp_path: Path) -> None:
    assert needs.folder(str(tmp_path / "a" / "b")).good
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    assert needs.folder(str(tmp_path / "file")).text.endswith("is no directory")


def test_a_folder_of_ours_that_cannot_be_made_is_said(tmp_path: Path, somebody: str) -> None:
    tmp_path.chmod(0o755)
    note = needs.folder(str(tmp_path / "a"))
    assert note.grade == "failed"
    assert note.text == f"{tmp_path / 'a'}: {tmp_path} may not be written by nobody"
    assert note.remedy == (f"install -d -m 0700 -o nobody {tmp_path / 'a'}",)


# -- programs -----------------------------------------------------------------------------------


def test_programs_that_can_be_run() -> None:
    assert needs.program(["sh", "-c", "exit"], "tells") == Note("ok", "sh (tells) can be run")
    assert needs.program(["sh"], "tells", privileged=True).good


def test_programs_that_cannot(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert "is not in the PATH" in needs.program(["no-such-program"], "tells").text
    for path in (plain, tmp_path / "none"):
        note = needs.program([str(path)], "tells")
        assert note.grade == "failed"
        assert f"{path} (tells) is not there, or may not be run by " in note.text


def test_a_program_that_is_for_root_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    note = needs.program(["sh"], "tells", privileged=True)
    assert note == Note("failed", "sh (tells) works for root only, not for nobody")


# -- places to listen at ------------------------------------------------------------------------


def test_a_place_that_is_free(tmp_path: Path) -> None:
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(stale))
    for listen in (f"127.0.0.1:{free_ports(1)[0]}", f"unix:{tmp_path}/s", f"unix:{stale}"):
        note = needs.vacant(listen)
        assert note.grade == "warning"
        assert note.text == f"nobody answers at {listen}; it is free for us"
        assert "mailwarden run" in note.remedy
    assert stale.is_socket()


def test_a_place_that_cannot_be_listened_at(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for listen, why in (
        ("nowhere", "expected host:port or unix:/path"),
        ("192.0.2.1:25", "Cannot assign requested address"),
        ("unix:/none/s", "there is no directory /none"),
        (f"unix:{tmp_path}/file", "something else lies there"),
    ):
        note = needs.vacant(listen)
        assert note.grade == "failed"
        assert note.text.endswith(why)
        assert note.remedy


def test_a_port_that_somebody_has_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        note = needs.vacant(f"127.0.0.1:{other.getsockname()[1]}")
        assert note.text.endswith("Address already in use")


def test_what_a_user_may_not_listen_at(tmp_path: Path, somebody: str) -> None:
    tmp_path.chmod(0o755)
    assert f"{tmp_path} may not be written" in needs.vacant(f"unix:{tmp_path}/s").text
    assert "CAP_NET_BIND_SERVICE" in needs.vacant("192.0.2.1:25").remedy[1]


def test_another_program_is_to_be_looked_for() -> None:
    assert needs.foreign("127.0.0.1:8080", "404") == Note(
        "failed",
        "at 127.0.0.1:8080 another program answers: 404",
        ("ss -ltnp 'sport = :8080'",),
    )
    assert needs.foreign("unix:/run/s", "404").remedy == ("fuser -v /run/s",)
