"""A hijacked account at a real Postfix and a real Dovecot: its sessions end, what it left in the
queue is taken out and can come back, everybody else's mail and sessions stay."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from imaplib import IMAP4
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.commands import purged
from schemas.audit import Audit
from schemas.findings import Action, Decision, Target, decision_id
from streams.gateways.account_actions import AccountActions, AccountActionsSettings, Queue
from tests.servers.conftest import ACCOUNTS, PASSWORD, MailServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("mail_server")]

ALICE, BOB = ACCOUNTS[:2]
LETTER = "Subject: {0}\r\nMessage-ID: <{0}@example.org>\r\n\r\nbuy this\r\n.a line with a dot\r\n"


class Site:
    def __init__(self) -> None:
        self.said: list[str] = []

    def record(self, entries: Sequence[Audit]) -> None:
        self.said += [entry.detail for entry in entries]


class Stage:
    def __init__(self, server: MailServer, folder: Path) -> None:
        self.server = server
        self.site = Site()
        self.settings = AccountActionsSettings(
            kick="hold",
            purge="hold",
            login_domain="example.org",
            dovecot_config=str(server.folder / "dovecot.conf"),
            postfix_config=str(server.folder / "etc"),
            folder=str(folder / "state"),
        )
        self.gateway = AccountActions(self.settings)
        self.gateway.connect(self.site)  # type: ignore[arg-type]
        self.sessions: list[IMAP4] = []

    def session(self, client: str, login: str = "") -> IMAP4:
        imap = self.server.speak_imap(client)
        self.sessions.append(imap)
        if login:
            imap.login(login, PASSWORD)
        return imap

    def apply(self, *decisions: Decision) -> None:
        wait_for(lambda: self.gateway.apply(decisions), "it is done")

    def submit(self, login: str, sender: str, *recipients: str, count: int = 1) -> None:
        smtp = self.server.speak_smtp("192.0.2.5", self.server.submission)
        smtp.login(login, PASSWORD)
        for number in range(count):
            smtp.sendmail(sender, recipients, LETTER.format(f"{sender}-{number}"))
        smtp.quit()

    def queue(self) -> list[dict[str, str]]:
        """What lies there now, as postqueue says; nothing that is on its way."""
        command = ["postqueue", "-c", str(self.server.folder / "etc"), "-j"]
        said = subprocess.run(command, capture_output=True, check=True).stdout
        return [json.loads(line) for line in said.splitlines()]

    def senders(self) -> list[str]:
        return sorted(one["sender"] for one in self.queue())

    def settled(self, count: int) -> bool:
        """Whether all lies in the deferred queue."""
        return [one["queue_name"] for one in self.queue()] == ["deferred"] * count

    def command(self, *arguments: str) -> Result:
        config = Path(self.settings.folder).parent / "mailwarden.toml"
        config.write_text(
            "[gateways.account_actions]\n"
            f'folder = "{self.settings.folder}"\n'
            f'postfix_config = "{self.settings.postfix_config}"\n'
        )
        name, *rest = arguments
        return CliRunner().invoke(purged.command, [name, "-c", str(config), *rest])


@pytest.fixture
def stage(mail_server: MailServer, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(mail_server, tmp_path)
    yield made
    made.gateway.close()
    for session in made.sessions:
        session.shutdown()
    subprocess.run(
        ["postsuper", "-c", str(mail_server.folder / "etc"), "-d", "ALL"],
        capture_output=True,
        check=True,
    )


def decided(value: str = ALICE, action: Action = "hold", *, kind: str = "account") -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    return Decision(
        id=decision_id(target, action),
        target=target,
        action=action,
        until=time.time() + 600,
        enforced=True,
    )


def lives(session: IMAP4) -> bool:
    try:
        return session.noop()[0] == "OK"
    except IMAP4.error:
        return False


def test_sessions_of_the_account_end_and_those_of_others_stay(stage: Stage) -> None:
    thief, owner = stage.session("192.0.2.66", ALICE), stage.session("198.51.100.5", ALICE)
    other = stage.session("192.0.2.66", BOB)
    both = decided(f"192.0.2.66 {ALICE}", "reject", kind="client_account")
    stage.apply(both)
    assert [lives(one) for one in (thief, owner, other)] == [False, True, True]
    stage.apply(both, decided())
    assert [lives(one) for one in (owner, other)] == [False, True]
    assert stage.site.said == [
        "kick: sessions ended",
        "kick: sessions ended",
        "purge: 0 mails purged",
    ]
    stage.apply(both, decided("carol@example.org"))
    assert stage.site.said[-2] == "kick: no session was open"


def test_what_the_account_left_in_the_queue_is_taken_out_and_can_come_back(stage: Stage) -> None:
    stage.submit(ALICE, "forged@example.org", "x@down.example.net", "y@down.example.net", count=3)
    stage.submit(BOB, ALICE, "x@down.example.net")  # who only says that he is alice
    wait_for(lambda: stage.settled(4), "all wait for a server that is down")
    stage.apply(decided())
    assert stage.site.said[-1] == "purge: 3 mails purged"
    assert stage.senders() == [ALICE]
    listed = [json.loads(line) for line in stage.command("list").stdout.splitlines()]
    assert [(one["account"], one["sender"]) for one in listed] == [
        (ALICE, "forged@example.org")
    ] * 3
    assert sorted(listed[0]["recipients"]) == ["x@down.example.net", "y@down.example.net"]

    # The decision ends, and nothing comes back by itself.
    stage.apply()
    assert stage.senders() == [ALICE]
    result = stage.command("restore", listed[0]["id"])
    assert result.exit_code == 0, result.output
    wait_for(lambda: stage.settled(2), "it waits again")
    (back,) = [one for one in stage.queue() if one["sender"] == "forged@example.org"]
    text = subprocess.run(
        ["postcat", "-c", stage.settings.postfix_config, "-qbh", back["queue_id"]],
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert text.endswith("\n\nbuy this\n.a line with a dot\n")
    assert "<forged@example.org-" in text
    assert {one["address"] for one in back["recipients"]} == set(listed[0]["recipients"])  # type: ignore[index]
    assert len(stage.command("list").stdout.splitlines()) == 2
    assert stage.command("drop", "--account", ALICE).output.count(" is gone\n") == 2
    assert stage.command("list").stdout == ""


def test_what_there_is_no_room_for_is_put_on_hold(stage: Stage, tmp_path: Path) -> None:
    import msgspec

    stage.submit(ALICE, ALICE, "x@down.example.net", count=3)
    wait_for(lambda: stage.settled(3), "all wait")
    queue = Queue(msgspec.structs.replace(stage.settings, keep_bytes=700))
    found = queue.purge({ALICE})
    assert (found[ALICE].kept, found[ALICE].held) == (1, 2)
    assert str(found[ALICE]) == "1 mails purged, 2 put on hold for want of room"
    assert [one["queue_name"] for one in stage.queue()] == ["hold", "hold"]


def test_only_the_newest_of_a_long_queue_are_looked_at(stage: Stage) -> None:
    import msgspec

    stage.submit(ALICE, ALICE, "x@down.example.net", count=3)
    wait_for(lambda: stage.settled(3), "all wait")
    queue = Queue(msgspec.structs.replace(stage.settings, looked_at=2))
    assert queue.purge({ALICE})[ALICE].kept == 2
    assert len(stage.queue()) == 1


@pytest.fixture
def locking(mail_server: MailServer) -> Iterator[Callable[[str], None]]:
    """Writes whom a deny file of Dovecot names."""
    config = mail_server.folder / "dovecot.conf"
    before = config.read_text()
    deny = mail_server.folder / "deny"
    deny.touch()
    config.write_text(
        "passdb {\n driver = passwd-file\n deny = yes\n auth_verbose = no\n"
        f" args = {deny}\n}}\n{before}"
    )
    reload = ["doveadm", "-c", str(config), "reload"]
    subprocess.run(reload, check=True, capture_output=True)
    yield lambda text: (deny.write_text(text), None)[1]
    config.write_text(before)
    subprocess.run(reload, check=True, capture_output=True)


def test_who_is_put_out_finds_the_door_locked(stage: Stage, locking: Callable[[str], None]) -> None:
    """A session is ended only when a lock that was written with the decision holds."""
    thief = stage.session("192.0.2.66", ALICE)
    locking(f"{ALICE}:\n")  # as another gateway does, at the same moment
    stage.apply(decided(action="lock"))
    assert not lives(thief)
    with pytest.raises(IMAP4.error, match="AUTHENTICATIONFAILED"):
        stage.session("192.0.2.66", ALICE)
    assert lives(stage.session("192.0.2.66", BOB))
    locking("")
    stage.apply()

    def served() -> bool:
        try:
            return lives(stage.session("198.51.100.5", ALICE))
        except IMAP4.error:
            return False

    wait_for(served, "the account is unlocked")
