"""Mails that come in by LMTP and in a maildir: told once, whatever happens on the way."""

import os
import smtplib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.events import Bounce, Fact
from streams.sources.intake import Intakes
from streams.sources.intake.lmtp import KEPT, RECIPIENTS, Lmtp
from streams.sources.intake.maildir import Maildir
from tests.waiting import wait_for

NOW = 1_800_000_000.0
SECONDS = 10.0


def report(number: int, filler: str = "") -> bytes:
    """A bounce of mail to u<number>@example.org."""
    return (
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\r\n"
        "Subject: From us\r\n"
        f"Message-ID: <r{number}@mx.example.net>\r\n\r\n"
        f"<u{number}@example.org>: host mx.example.org[192.0.2.1] said:\r\n"
        "    550 5.1.1 User unknown\r\n"
        f"{filler}"
    ).encode()


class Loop:
    """The loop of a program: takes mails, and makes them safe as soon as it may."""

    def __init__(self, intakes: Intakes) -> None:
        self.events: list[Fact] = []
        self.safe = True
        self._intakes = intakes
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(0.01):
            for _, _, events in self._intakes.take():
                self.events += events
            if self.safe:
                self._intakes.safe()


@pytest.fixture
def lmtp() -> Iterator[Lmtp]:
    intake = listen()
    yield intake
    intake.close()


@pytest.fixture
def loop(lmtp: Lmtp) -> Iterator[Loop]:
    loop = Loop(Intakes([lmtp]))
    yield loop
    loop.close()


def listen(position: bytes = b"", **settings: int) -> Lmtp:
    settings = {"largest": 1 << 22, "connections": 4, **settings}
    return Lmtp("127.0.0.1:0", position, gateway="mx1", clock=lambda: NOW, **settings)


def client(lmtp: Lmtp) -> smtplib.LMTP:
    return smtplib.LMTP("127.0.0.1", lmtp.port, timeout=SECONDS)


def recipients(events: list[Fact]) -> list[str]:
    return [event.failed_recipient for event in events if isinstance(event, Bounce)]


def test_a_report_becomes_an_event_of_this_gateway(lmtp: Lmtp, loop: Loop) -> None:
    with client(lmtp) as mta:
        assert mta.sendmail("", ["bounces@example.com"], report(1)) == {}
    (event,) = loop.events
    assert isinstance(event, Bounce)
    assert (event.gateway, event.source, event.at) == ("mx1", "intake", NOW)
    assert event.recipient == "bounces@example.com", "the envelope's, for the header has none"
    assert (event.failed_recipient, event.enhanced, event.code) == ("u1@example.org", "5.1.1", 550)


def test_many_mails_of_one_client_and_many_clients(lmtp: Lmtp, loop: Loop) -> None:
    def send(first: int) -> None:
        with client(lmtp) as mta:
            for number in range(first, first + 5):
                mta.sendmail("", ["bounces@example.com"], report(number))

    threads = [threading.Thread(target=send, args=(first,)) for first in (0, 5, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(recipients(loop.events)) == sorted(f"u{n}@example.org" for n in range(15))


def test_each_recipient_gets_its_own_answer(lmtp: Lmtp, loop: Loop) -> None:
    with client(lmtp) as mta:
        mta.ehlo_or_helo_if_needed()
        mta.mail("")
        mta.rcpt("a@example.com")
        mta.rcpt("b@example.com")
        mta.putcmd("data")
        assert mta.getreply()[0] == 354
        mta.send(report(1) + b".\r\n")
        assert [mta.getreply()[0], mta.getreply()[0]] == [250, 250]
        assert mta.noop()[0] == 250
    assert recipients(loop.events) == ["u1@example.org"]


def test_the_answer_waits_until_the_events_are_safe(lmtp: Lmtp, loop: Loop) -> None:
    loop.safe = False
    answered = threading.Event()

    def send() -> None:
        with client(lmtp) as mta:
            mta.sendmail("", ["bounces@example.com"], report(1))
        answered.set()

    threading.Thread(target=send, daemon=True).start()
    wait_for(lambda: loop.events)
    assert not answered.wait(0.3)
    loop.safe = True
    assert answered.wait(SECONDS)


def test_a_mail_whose_answer_was_lost_is_not_told_again(lmtp: Lmtp, loop: Loop) -> None:
    loop.safe = False
    lost = socket.create_connection(("127.0.0.1", lmtp.port))
    talk(lost, report(1))
    wait_for(lambda: loop.events)
    lost.close()
    wait_for(lambda: not lmtp._open, "the end of the connection")
    position = lmtp.position()  # is safe together with the event; then the process is killed
    again = listen(position)
    after = Loop(Intakes([again]))
    try:
        with client(again) as mta:
            mta.sendmail("", ["bounces@example.com"], report(1))
            mta.sendmail("", ["bounces@example.com"], report(2))
    finally:
        after.close()
        again.close()
    assert recipients(after.events) == ["u2@example.org"]


def test_a_mail_that_was_not_taken_is_told_when_it_comes_again(lmtp: Lmtp) -> None:
    gone = socket.create_connection(("127.0.0.1", lmtp.port))
    talk(gone, report(1))
    wait_for(lambda: lmtp._waiting, "the mail")
    gone.close()
    wait_for(lambda: not lmtp._open, "the end of the connection")
    assert lmtp.take() == (0, [])
    loop = Loop(Intakes([lmtp]))
    with client(lmtp) as mta:
        mta.sendmail("", ["bounces@example.com"], report(1))
    loop.close()
    assert recipients(loop.events) == ["u1@example.org"]


def test_what_was_answered_may_come_again(lmtp: Lmtp, loop: Loop) -> None:
    with client(lmtp) as mta:
        for _ in range(2):
            mta.sendmail("", ["bounces@example.com"], report(1))
    assert recipients(loop.events) == ["u1@example.org"] * 2


def test_of_a_large_mail_only_the_beginning_is_kept(lmtp: Lmtp, loop: Loop) -> None:
    with client(lmtp) as mta:
        mta.sendmail("", ["bounces@example.com"], report(1, "x" * (KEPT * 2)))  # in one line
        mta.sendmail("", ["bounces@example.com"], report(2, "y" * 70 + "\r\n.\r\n" * 100_000))
    assert recipients(loop.events) == ["u1@example.org", "u2@example.org"]


def test_a_mail_beyond_the_limit_is_refused(lmtp: Lmtp, loop: Loop) -> None:
    with client(lmtp) as mta, pytest.raises(smtplib.SMTPException) as refused:
        mta.sendmail("", ["bounces@example.com"], report(1, "x" * (1 << 23)))
    assert "552" in str(refused.value)
    with client(lmtp) as mta:
        mta.ehlo_or_helo_if_needed()
        mta.mail("")
        mta.rcpt("bounces@example.com")
        mta.putcmd("data")
        mta.getreply()
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            mta.send(b"x" * (1 << 26))
    assert loop.events == []


def test_connections_and_recipients_are_bounded(lmtp: Lmtp, loop: Loop) -> None:
    clients = [client(lmtp) for _ in range(4)]
    with pytest.raises(smtplib.SMTPConnectError) as refused:
        client(lmtp)
    assert refused.value.smtp_code == 421
    for mta in clients[1:]:
        mta.quit()
    mta = clients[0]
    mta.ehlo_or_helo_if_needed()
    mta.mail("")
    codes = [mta.rcpt(f"r{n}@example.com")[0] for n in range(RECIPIENTS + 1)]
    assert codes == [250] * RECIPIENTS + [452]
    mta.quit()


def test_a_port_that_is_taken_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.sources.intake.lmtp.AGAIN", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        intake = Lmtp(f"127.0.0.1:{port}", largest=1000, connections=1)
        assert "cannot listen" in intake.trouble
    wait_for(lambda: intake.take() and not intake.trouble)
    assert intake.port == port
    intake.close()


# -- a maildir --------------------------------------------------------------------------------


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def put(maildir: Path, number: int, at: float = NOW - 60) -> None:
    path = maildir / "new" / f"{number}.mail"
    path.write_bytes(b"Return-Path: <>\r\n" + report(number))
    os.utime(path, (at, at))


def read(maildir: Path, position: bytes = b"") -> Maildir:
    return Maildir(maildir, position, gateway="mx1", clock=lambda: NOW)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_maildir_is_read_and_put_away(maildir: Path) -> None:
    put(maildir, 1)
    put(maildir, 2, at=NOW + 3600)
    intake = read(maildir)
    mails, events = intake.take()
    assert (mails, recipients(events)) == (2, ["u1@example.org", "u2@example.org"])
    assert [event.at for event in events] == [NOW - 60, NOW]
    assert names(maildir / "new") == ["1.mail", "2.mail"], "nothing is safe yet"
    intake.safe()
    assert names(maildir / "new") == []
    assert names(maildir / "cur") == ["1.mail:2,S", "2.mail:2,S"]
    assert intake.position() == read(maildir).position()


def test_what_was_told_before_a_crash_is_only_put_away(maildir: Path) -> None:
    put(maildir, 1)
    before = read(maildir)
    before.take()
    put(maildir, 2)
    after = read(maildir, before.position())
    _, events = after.take()
    assert recipients(events) == ["u2@example.org"]
    assert names(maildir / "cur") == ["1.mail:2,S"]


def test_what_is_no_mail_in_a_maildir_stops_nothing(maildir: Path) -> None:
    os.mkfifo(maildir / "new" / "0.pipe")
    (maildir / "new" / "0.link").symlink_to("/etc/passwd")
    (maildir / "new" / "0.folder").mkdir()
    put(maildir, 1)
    intake = read(maildir)
    _, events = intake.take()
    assert recipients(events) == ["u1@example.org"]
    assert intake.trouble


def test_a_missing_maildir_is_trouble_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.sources.intake.maildir.LOOK", 0.0)
    intake = read(tmp_path / "reports")
    assert intake.take() == (0, [])
    assert intake.trouble
    for name in ("new", "cur"):
        (tmp_path / "reports" / name).mkdir(parents=True)
    put(tmp_path / "reports", 1)
    mails, _ = intake.take()
    assert (mails, intake.trouble) == (1, "")


def test_what_cannot_be_put_away_is_not_told_again(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.sources.intake.maildir.LOOK", 0.0)
    (maildir / "cur").rmdir()
    put(maildir, 1)
    intake = read(maildir)
    assert intake.take()[0] == 1
    intake.safe()
    assert intake.take()[0] == 0
    assert read(maildir, intake.position()).take()[0] == 0
    put(maildir, 2)
    (maildir / "cur").mkdir()
    assert intake.take()[0] == 1
    assert names(maildir / "new") == ["2.mail"], "read, and not safe yet"
    assert names(maildir / "cur") == ["1.mail:2,S"]


def test_a_maildir_with_more_than_is_listed_at_once_is_read_to_its_end(
    maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.sources.intake.maildir.LISTED", 10)
    for number in range(25):
        put(maildir, number)
    intake = read(maildir)
    count = 0
    while (taken := intake.take()[0]) or intake.behind:
        count += taken
        intake.safe()
    assert count == 25


def test_a_full_maildir_is_read_in_turns(maildir: Path) -> None:
    for number in range(150):
        put(maildir, number)
    intake = read(maildir)
    first, _ = intake.take()
    assert (first, intake.behind) == (100, True)
    second, _ = intake.take()
    assert (second, intake.behind) == (50, False)


def talk(connection: socket.socket, mail: bytes) -> None:
    """Hand a mail over, and hear no answer."""
    connection.settimeout(SECONDS)
    connection.recv(1000)
    for command in (b"LHLO x", b"MAIL FROM:<>", b"RCPT TO:<bounces@example.com>", b"DATA"):
        connection.sendall(command + b"\r\n")
        connection.recv(1000)
    connection.sendall(mail + b".\r\n")
