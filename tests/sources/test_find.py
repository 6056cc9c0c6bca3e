import os
import time
from pathlib import Path

import pytest

from schemas.settings import LogSettings
from streams.sources.find import Found, NothingFoundError, find


class Machine:
    """A machine with a mail log, a journal and a Dovecot, or without."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "mail.log"

    def program(self, name: str, text: str = "") -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def find(self, settings: LogSettings | None = None, **programs: str) -> Found:
        absent = {"journalctl": "/no/journalctl", "doveconf": "/no/doveconf"} | programs
        return find(settings or LogSettings(), [self.log, self.folder / "maillog"], **absent)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_what_is_configured_is_followed(machine: Machine) -> None:
    found = machine.find(LogSettings(files=("a", "b*")))
    assert found == Found(("a", "b*"), False, "as configured")


def test_files_and_the_journal_can_be_followed_together(machine: Machine) -> None:
    journalctl = machine.program("journalctl")
    found = machine.find(LogSettings(files=("a",), journal="yes"), journalctl=journalctl)
    assert found == Found(("a",), True, "as configured")


def test_the_journal_alone_when_it_is_asked_for(machine: Machine) -> None:
    machine.log.touch()
    assert machine.find(LogSettings(journal="yes")).journal


def test_the_first_mail_log_that_is_there(machine: Machine) -> None:
    machine.log.touch()
    found = machine.find(journalctl=machine.program("journalctl"))
    assert found == Found((str(machine.log),), False, f"{machine.log} is there")


def test_a_mail_log_that_nobody_writes_any_more_gives_way_to_the_journal(machine: Machine) -> None:
    machine.log.touch()
    os.utime(machine.log, (0, time.time() - 90_000))
    found = machine.find(journalctl=machine.program("journalctl"))
    assert found.journal
    assert "no line for a day" in found.why
    assert machine.find().patterns == (str(machine.log),)


def test_without_a_mail_log_the_journal(machine: Machine) -> None:
    found = machine.find(journalctl=machine.program("journalctl"))
    assert (found.patterns, found.journal) == ((), True)
    assert "there is no" in found.why


def test_the_journal_can_be_ruled_out(machine: Machine) -> None:
    with pytest.raises(NothingFoundError):
        machine.find(LogSettings(journal="no"), journalctl=machine.program("journalctl"))


def test_dovecots_own_log_is_followed_beside_the_mail_log(machine: Machine) -> None:
    machine.log.touch()
    doveconf = machine.program("doveconf", "echo /var/log/dovecot.log; echo")
    assert machine.find(doveconf=doveconf).patterns == (str(machine.log), "/var/log/dovecot.log")


def test_dovecots_log_of_logins_counts_before_its_log_of_errors(machine: Machine) -> None:
    doveconf = machine.program("doveconf", "echo /var/log/dovecot.err; echo /var/log/info.log")
    found = machine.find(doveconf=doveconf)
    assert found == Found(
        ("/var/log/info.log",), False, "/var/log/info.log, where Dovecot's log_path points"
    )


def test_dovecots_log_is_followed_beside_the_journal(machine: Machine) -> None:
    doveconf = machine.program("doveconf", "echo /var/log/dovecot.log")
    found = machine.find(doveconf=doveconf, journalctl=machine.program("journalctl"))
    assert (found.patterns, found.journal) == (("/var/log/dovecot.log",), True)


@pytest.mark.parametrize("said", ["echo syslog", "echo /dev/stderr", "exit 1", "echo"])
def test_a_dovecot_that_logs_to_no_file_adds_none(machine: Machine, said: str) -> None:
    machine.log.touch()
    assert machine.find(doveconf=machine.program("doveconf", said)).patterns == (str(machine.log),)


def test_a_doveconf_that_cannot_be_run_adds_none(machine: Machine) -> None:
    machine.log.touch()
    doveconf = machine.program("doveconf")
    Path(doveconf).write_bytes(b"\x7fELF nonsense")
    assert machine.find(doveconf=doveconf).patterns == (str(machine.log),)


def test_where_there_is_nothing_it_says_what_was_tried(machine: Machine) -> None:
    with pytest.raises(NothingFoundError) as said:
        machine.find()
    for word in (str(machine.log), "journalctl", "Dovecot", "mailwarden run FILE", "logs.files"):
        assert word in str(said.value)
