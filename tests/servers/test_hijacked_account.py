"""The whole way round a hijacked account: the servers log, it is seen, its sessions end, what it
left in the queue is taken out, its colleague is served, and the lease ends."""

import time
from imaplib import IMAP4
from pathlib import Path

import pytest

from agents import configuration
from agents.single.embedded import Embedded
from agents.single.store import Store
from schemas.settings import Settings, convert
from streams.sources.follow import Follow
from tests.servers.conftest import ACCOUNTS, LEFT, PASSWORD, MailServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("mail_server")]

ALICE, BOB = ACCOUNTS[:2]


def config(server: MailServer, folder: Path) -> configuration.Config:
    """Thresholds for a thief who is in a hurry."""
    burst = {
        "stage": "enforce",
        "strongest": "hold",
        "senders": 3,
        "bounce_messages": 1,
        "least_refused": 1,
        "medium": 1,
        "high": 1,
        "critical": 99,
    }
    actions = {
        "kick": "hold",
        "purge": "hold",
        "dovecot_config": str(server.folder / "dovecot.conf"),
        "postfix_config": str(server.folder / "etc"),
        "folder": str(folder / "accounts"),
    }
    table = {
        "site": {"domains": ["example.org"], "zone": "UTC"},
        "logs": {"files": [str(server.postfix_log), str(server.dovecot_log)]},
        "response": {"enforce": True, "first": 8.0, "panic": str(folder / "panic")},
        "detectors": {"account_burst": burst},
        "gateways": {"account_actions": actions},
    }
    return configuration.build(convert(table, Settings, "settings"))


def follow(config: configuration.Config, positions: dict[str, bytes]) -> Follow:
    return Follow(config.settings.logs.files, positions=positions)


def lives(session: IMAP4) -> bool:
    try:
        return session.noop()[0] == "OK"
    except IMAP4.error:
        return False


def test_a_hijacked_account_is_put_out_and_comes_back(
    mail_server: MailServer, tmp_path: Path
) -> None:
    server = mail_server
    sessions = [server.speak_imap("192.0.2.66") for _ in range(2)]
    thief, colleague = sessions
    with Store(tmp_path / "mailwarden.db") as store:
        running = Embedded(config(server, tmp_path), store, follow)
        try:
            running.flush()
            thief.login(ALICE, PASSWORD)
            colleague.login(BOB, PASSWORD)
            smtp = server.speak_smtp("192.0.2.66", server.submission)
            smtp.login(ALICE, PASSWORD)
            for number in range(4):
                recipients = [LEFT, f"x{number}@down.example.net"]
                letter = f"Subject: {number}\r\nMessage-ID: <{number}@example.org>\r\n\r\nbuy\r\n"
                smtp.sendmail(f"forged{number}@example.org", recipients, letter)
            smtp.quit()

            def until(what: str) -> None:
                def there() -> bool:
                    running.turn()
                    return any(entry.detail.startswith(what) for entry in store.audit())

                wait_for(there, what)

            until("kick: sessions ended")
            until("purge: ")
            assert [lives(one) for one in sessions] == [False, True]
            (decision,) = store.decisions(0.0)
            assert (decision.action, decision.target.value) == ("hold", ALICE)
            trail = [(one.what, one.decision) for one in store.audit()]
            assert trail == [("done", decision.id), ("done", decision.id), ("decided", decision.id)]
            assert any(one.detail.endswith("mails purged") for one in store.audit())

            def ended() -> bool:
                running.turn()
                return running.ruling(account=ALICE) is None

            wait_for(ended, "the lease ends")
            owner = server.speak_imap("198.51.100.5")
            sessions.append(owner)
            owner.login(ALICE, PASSWORD)
            running.turn()
            assert lives(owner)
            assert time.time() >= decision.until
        finally:
            running.close()
            for one in sessions:
                one.shutdown()
