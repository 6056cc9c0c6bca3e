import errno
import json
import os
from pathlib import Path

import pytest

from schemas.findings import Alert, Severity, Subject
from streams.rendering import formats
from streams.sink import SinkError
from streams.sinks.jsonl import JsonLines, JsonLinesSettings


def alert(name: str = "a1", severity: Severity = "high", **more: object) -> Alert:
    return Alert(
        id=name,
        detector="auth_dictionary",
        shape="dictionary",
        severity=severity,
        subject=Subject("client", "192.0.2.1"),
        first=1.0,
        last=2.0,
        at=2.0,
        summary="a line\nbreak and \x1b[31m colour",
        **more,  # type: ignore[arg-type]
    )


def sink(path: Path | str, **settings: object) -> JsonLines:
    return JsonLines(JsonLinesSettings(path=str(path), **settings))  # type: ignore[arg-type]


def test_each_alert_is_one_line_whatever_it_says(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    sink(path).send([alert("a1"), alert("a2")])
    sink(path).send([alert("a3")])
    lines = path.read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a1", "a2", "a3"]
    assert json.loads(lines[0])["summary"] == "a line\nbreak and \x1b[31m colour"
    assert "\x1b" not in path.read_text()


def test_only_the_owner_and_group_may_read(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    sink(path).send([alert()])
    assert path.stat().st_mode & 0o007 == 0


def test_a_rotated_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    told = sink(path)
    told.send([alert("a1")])
    path.rename(tmp_path / "alerts.jsonl.1")
    told.send([alert("a2")])
    assert json.loads(path.read_text())["id"] == "a2"
    told.close()


def test_standard_output_is_a_dash(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    sink("-").send([alert("a1")])
    assert json.loads(capfdbinary.readouterr().out)["id"] == "a1"


def test_a_folder_that_is_missing_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "no" / "alerts.jsonl"
    with pytest.raises(SinkError, match=r"no/alerts\.jsonl: No such file or directory"):
        sink(path).send([alert()])


def test_lines_that_a_full_disk_cut_off_are_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alerts.jsonl"
    told = sink(path)
    told.send([alert("a1")])
    before = path.read_bytes()
    write = os.write

    def fill(descriptor: int, data: bytes) -> int:
        monkeypatch.setattr(os, "write", full)
        return write(descriptor, data[:40])

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(SinkError, match="No space left on device"):
        told.send([alert("a2")])
    assert path.read_bytes() == before
    monkeypatch.setattr(os, "write", write)
    told.send([alert("a2")])
    assert len(path.read_text().splitlines()) == 2


def test_a_device_that_is_full_is_an_error() -> None:
    with pytest.raises(SinkError, match="/dev/full: No space left on device"):
        sink("/dev/full").send([alert()])


@pytest.mark.parametrize(
    ("least", "told"), [("info", 3), ("medium", 2), ("high", 1), ("critical", 0)]
)
def test_milder_alerts_are_not_told(tmp_path: Path, least: str, told: int) -> None:
    path = tmp_path / "alerts.jsonl"
    path.touch()
    sink(path, least=least).send([alert(severity=s) for s in ("info", "medium", "high")])  # type: ignore[arg-type]
    assert len(path.read_text().splitlines()) == told


def test_a_sink_of_some_domains_hears_of_these_only(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    sink(path, domains=("example.org",)).send(
        [
            alert("a1", domains=["example.org", "example.net"]),
            alert("a2", domains=["example.net"]),
            alert("a3"),
        ]
    )
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["a1"]


# -- after a crash ------------------------------------------------------------------------------


def test_what_stands_in_the_file_has_arrived(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    asked = [alert("a1"), alert("a1", revision=2), alert("a2")]
    assert sink(path).received(asked) == set()
    sink(path).send([alert("a1"), alert("a3")])
    assert sink(path).received(asked) == {("a1", 1)}
    assert sink(path).received([]) == set()
    assert sink("-").received(asked) == set()


@pytest.mark.parametrize("form", ["native", "ocsf", "ecs"])
def test_what_stands_there_is_known_in_each_format(tmp_path: Path, form: str) -> None:
    path = tmp_path / "alerts.jsonl"
    told = sink(path, format=form)
    told.send([alert("a1", revision=7), alert("a2")])
    with path.open("a") as file:
        file.write('{"id":3}\n[]\nno JSON\n')
    asked = [alert("a1", revision=7), alert("a2", revision=2), alert("a3")]
    assert told.received(asked) == {("a1", 7)}
    assert path.read_bytes().splitlines()[0] == formats.rendered(alert("a1", revision=7), form)


def test_check_names_the_format(tmp_path: Path) -> None:
    assert sink("/x", format="ocsf").about() == "JSON lines (ocsf) to /x"


def test_only_the_newest_lines_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alerts.jsonl"
    sink(path).send([alert("a1"), alert("a2")])
    size = path.stat().st_size // 2
    monkeypatch.setattr("streams.sinks.jsonl.LOOK_BACK", size + 10)
    assert sink(path).received([alert("a1"), alert("a2")]) == {("a2", 1)}


def test_a_line_that_a_crash_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"id":"a0","detec')
    sink(path).send([alert("a1")])
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["a1"]
    assert sink(path).received([alert("a0"), alert("a1")]) == {("a1", 1)}


def test_a_line_in_whose_middle_a_process_was_killed_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    sink(path).send([alert("a1")])
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    assert sink(path).received([alert("a1"), alert("a2")]) == {("a1", 1)}
    sink(path).send([alert("a2")])
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["a1", "a2"]
