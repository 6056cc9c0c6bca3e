"""What is done about an account, with programs of the test's own in the place of the real ones."""

import json
import os
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.audit import Audit
from schemas.findings import Action, Decision, Target, decision_id
from streams.gateway import GatewayError
from streams.gateways import account_actions
from streams.gateways.account_actions import AccountActions, AccountActionsSettings, dovecot, notice
from streams.gateways.account_actions.queue import Purged

NOW = 1_800_000_000.0
ALICE = "alice@example.org"
Until = Callable[[Callable[[], object]], None]

PROGRAM = """\
#!/bin/sh
echo "$(basename "$0") $*" >> {calls}
[ -e {folder}/slow ] && sleep 60
[ -e {folder}/broken-$(basename "$0") ] && {{ echo "it is broken" >&2; exit 75; }}
[ "$(basename "$0")" = begin ] && cat > {folder}/told
cat {folder}/said-$(basename "$0") 2>/dev/null
exit "$(cat {folder}/status-$(basename "$0") 2>/dev/null || echo 0)"
"""


class Site:
    def __init__(self) -> None:
        self.entries: list[Audit] = []

    def record(self, entries: Sequence[Audit]) -> None:
        self.entries += entries

    def said(self) -> list[tuple[str, str]]:
        return [(one.what, one.detail) for one in self.entries]


class Stage:
    """Programs that note how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        for name in ("doveadm", "begin", "end"):
            path = folder / name
            path.write_text(PROGRAM.format(calls=self._calls, folder=folder))
            path.chmod(0o755)
        self.site = Site()
        self.now = NOW
        self.gateways: list[AccountActions] = []

    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    def breaks(self, name: str) -> Path:
        path = self.folder / f"broken-{name}"
        path.touch()
        return path

    def gateway(self, **settings: Any) -> AccountActions:
        settings = {
            "doveadm": str(self.folder / "doveadm"),
            "folder": str(self.folder / "state"),
            "timeout": 10.0,
        } | settings
        made = AccountActions(AccountActionsSettings(**settings), clock=lambda: self.now)
        made.connect(self.site)  # type: ignore[arg-type]
        self.gateways.append(made)
        return made


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(account_actions, "SETTLED", 0.0)
    made = Stage(tmp_path)
    yield made
    for gateway in made.gateways:
        gateway.close()


def decided(
    value: str = ALICE, action: Action = "lock", *, kind: str = "account", **more: Any
) -> Decision:
    target = Target(kind, value)  # type: ignore[arg-type]
    fields: dict[str, Any] = {"until": NOW + 600, "enforced": True, "reason": "sends spam"} | more
    return Decision(id=decision_id(target, action), target=target, action=action, **fields)


def test_nothing_is_done_unless_it_is_switched_on(stage: Stage) -> None:
    gateway = stage.gateway()
    assert gateway.apply([decided()])
    assert not gateway.reaches(decided())
    assert stage.calls() == []
    assert [(note.good, note.text) for note in gateway.review()] == [
        (False, "no step is switched on: nothing is done about accounts")
    ]


def test_sessions_end_once_and_the_trail_says_so(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(kick="hold", login_domain="example.org")
    assert not gateway.apply([decided()])
    until(lambda: gateway.apply([decided()]))
    assert stage.calls() == [
        f"doveadm auth cache flush {ALICE}",
        f"doveadm kick {ALICE}",
        "doveadm auth cache flush alice",
        "doveadm kick alice",
    ]
    assert stage.site.said() == [("done", "kick: sessions ended")]
    [entry] = stage.site.entries
    assert (entry.by, entry.decision, entry.target) == (
        "mailwarden",
        f"account:{ALICE}:lock",
        f"account:{ALICE}",
    )
    assert gateway.apply([decided()])
    assert len(stage.calls()) == 4


def test_where_nobody_was_logged_in_that_is_said(stage: Stage, until: Until) -> None:
    (stage.folder / "said-doveadm").write_text("no users kicked\n")
    gateway = stage.gateway(kick="hold", dovecot_config="/etc/d.conf")
    (stage.folder / "status-doveadm").write_text("0")
    until(lambda: gateway.apply([decided()]))
    assert stage.calls()[1] == f"doveadm -c /etc/d.conf kick {ALICE}"
    assert stage.site.said() == [("done", "kick: no session was open")]


def test_a_restart_does_nothing_twice(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(kick="hold")
    until(lambda: gateway.apply([decided()]))
    again = stage.gateway(kick="hold")
    assert again.apply([decided()])
    assert len(stage.site.entries) == 1


def test_a_renewed_decision_is_carried_out_again(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(kick="hold")
    until(lambda: gateway.apply([decided()]))
    until(lambda: gateway.apply([decided(generation=2)]))
    assert len(stage.site.entries) == 2


@pytest.mark.parametrize(
    ("action", "taken"), [("limit", []), ("hold", ["kick"]), ("reject", ["kick"])]
)
def test_a_step_is_taken_from_its_action_on(
    stage: Stage, until: Until, action: Action, taken: list[str]
) -> None:
    gateway = stage.gateway(kick="hold", command="lock")
    until(lambda: gateway.apply([decided(action=action)]))
    assert [detail.partition(":")[0] for _, detail in stage.site.said()] == taken


def test_a_client_at_an_account_loses_its_own_sessions_only(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(kick="hold", command="hold", begin=(str(stage.folder / "begin"),))
    both = decided(f"192.0.2.9 {ALICE}", "reject", kind="client_account")
    until(lambda: gateway.apply([both]))
    assert stage.calls()[1:] == [f"doveadm kick {ALICE} 192.0.2.9/32"]


@pytest.mark.parametrize(
    "one",
    [
        decided("*"),
        decided("al?ce@example.org"),
        decided("-a"),
        decided("@example.org"),
        decided("192.0.2.1"),
        decided("a b"),
        decided("a\nb"),
        decided("a:b"),
        decided(""),
        decided(domain="example.org"),
        decided(kind="address"),
        decided("192.0.2.1", kind="network"),
        decided("192.0.2.1 *", kind="client_account"),
    ],
)
def test_names_that_mean_more_than_one_account_are_not_touched(stage: Stage, one: Decision) -> None:
    gateway = stage.gateway(kick="observe", command="observe")
    assert not gateway.reaches(one)
    assert gateway.apply([one])
    assert dovecot.login(one) == ""
    assert stage.calls() == []


# -- commands of the site's own ---------------------------------------------------------------


def test_a_command_hears_of_the_decision_and_another_one_undoes_it(
    stage: Stage, until: Until
) -> None:
    begin, end = (stage.folder / name for name in ("begin", "end"))
    gateway = stage.gateway(command="hold", begin=(str(begin), "-x"), end=(str(end),))
    until(lambda: gateway.apply([decided()]))
    told = json.loads((stage.folder / "told").read_text())
    assert (told["target"]["value"], told["action"]) == (ALICE, "lock")
    until(lambda: gateway.apply([]))
    assert stage.calls() == ["begin -x", "end "]
    assert stage.site.said() == [
        ("done", f"command: {begin} was run"),
        ("undone", f"command: {end} was run"),
    ]
    until(lambda: gateway.apply([decided()]))  # the kill switch went back
    assert stage.calls()[2:] == ["begin -x"]


def test_a_command_that_is_not_configured_is_said(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(command="hold")
    until(lambda: gateway.apply([decided()]))
    assert stage.site.said() == [("done", "command: no command is configured")]


def test_of_several_accounts_the_queue_is_looked_at_once(
    stage: Stage, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []

    def purge(self: object, accounts: dict[str, object]) -> dict[str, Purged]:
        asked.append(set(accounts))
        return {name: Purged(2, 1) for name in accounts}

    monkeypatch.setattr(account_actions.Queue, "purge", purge)
    gateway = stage.gateway(purge="hold", login_domain="example.org")
    both = (decided(), decided("bob@example.net"))
    until(lambda: gateway.apply(both))
    assert asked == [{ALICE, "alice", "bob@example.net"}]
    assert [detail for _, detail in stage.site.said()] == [
        "purge: 4 mails purged, 2 put on hold for want of room",
        "purge: 2 mails purged, 1 put on hold for want of room",
    ]


def test_switched_off_it_undoes_what_can_be_undone(stage: Stage, until: Until) -> None:
    settings = {"command": "hold", "kick": "hold", "end": (str(stage.folder / "end"),)}
    gateway = stage.gateway(**settings)
    until(lambda: gateway.apply([decided()]))
    gateway = stage.gateway(**settings, enabled=False)
    until(lambda: gateway.apply([decided()]))
    assert [what for what, _ in stage.site.said()] == ["done", "done", "undone"]


# -- what goes wrong --------------------------------------------------------------------------


def failing(gateway: AccountActions, *decisions: Decision) -> str:
    """What it says while it cannot."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            assert not gateway.apply(decisions)
        except GatewayError as error:
            return str(error)
    raise AssertionError("it does not fail")


def test_a_step_that_fails_is_tried_again_later_and_keeps_no_other_back(
    stage: Stage, until: Until
) -> None:
    broken = stage.breaks("doveadm")
    gateway = stage.gateway(kick="hold", command="hold")
    assert failing(gateway, decided()) == (
        f"kick: {stage.folder}/doveadm: exit status 75: it is broken"
    )
    assert stage.site.said() == [("done", "command: no command is configured")]
    count = len(stage.calls())
    failing(gateway, decided())
    assert len(stage.calls()) == count  # not before its time
    stage.now += 1.0
    assert not gateway.apply([decided()])
    failing(gateway, decided())
    assert len(stage.calls()) == count + 1
    broken.unlink()
    stage.now += 1.9
    failing(gateway, decided())  # it waits for twice as long now
    stage.now += 0.1
    until(lambda: gateway.apply([decided()]))
    assert stage.site.said()[1:] == [("done", "kick: sessions ended")]


def test_an_undo_that_fails_is_tried_again(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(command="hold", end=(str(stage.folder / "end"),))
    until(lambda: gateway.apply([decided()]))
    broken = stage.breaks("end")
    assert failing(gateway).startswith("undo: ")
    broken.unlink()
    stage.now += 1.0
    until(lambda: gateway.apply([]))
    assert stage.site.said()[-1][0] == "undone"


def test_a_program_that_does_not_end_is_ended(stage: Stage) -> None:
    (stage.folder / "slow").touch()
    gateway = stage.gateway(kick="hold", timeout=0.2)
    assert "no end within 0.2 s" in failing(gateway, decided())


def test_a_program_that_is_missing_is_named(stage: Stage) -> None:
    gateway = stage.gateway(kick="hold", doveadm="/nowhere/doveadm")
    assert "kick: /nowhere/doveadm: No such file" in failing(gateway, decided())


def test_a_folder_that_cannot_be_used_is_named(stage: Stage) -> None:
    (stage.folder / "state").write_text("a file")
    gateway = stage.gateway(command="hold")
    assert f"{stage.folder}/state/done.json: " in failing(gateway, decided())


def test_a_folder_that_is_lost_meanwhile_is_named(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(command="hold")
    until(lambda: gateway.apply([decided()]))
    (stage.folder / "state" / "done.json").unlink()
    (stage.folder / "state").rmdir()
    (stage.folder / "state").write_text("a file")
    again = decided(generation=2)
    assert "state/done.json: " in failing(gateway, again)
    (stage.folder / "state").unlink()
    stage.now += 1
    until(lambda: gateway.apply([again]))
    assert len(stage.site.entries) == 2  # it was not done again
    assert ALICE in (stage.folder / "state" / "done.json").read_text()


def test_a_memory_that_is_damaged_is_named(stage: Stage) -> None:
    (stage.folder / "state").mkdir()
    (stage.folder / "state" / "done.json").write_text("[")
    with pytest.raises(GatewayError, match=r"done\.json: "):
        stage.gateway(command="hold").apply([decided()])


def test_what_has_ended_is_forgotten(stage: Stage, until: Until) -> None:
    gateway = stage.gateway(command="hold")
    until(lambda: gateway.apply([decided()]))
    until(lambda: gateway.apply([]))
    assert ALICE in (stage.folder / "state" / "done.json").read_text()
    stage.now = NOW + 600
    bob = decided("bob@example.org", until=NOW + 9000)
    until(lambda: gateway.apply([bob]))
    assert ALICE not in (stage.folder / "state" / "done.json").read_text()


# -- mails ------------------------------------------------------------------------------------


class Relay(socketserver.ThreadingTCPServer):
    """Takes mails."""

    daemon_threads = False  # all have ended when it is closed
    refuses = False

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], str]] = []
        super().__init__(("127.0.0.1", 0), Dialogue)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Dialogue(socketserver.StreamRequestHandler):
    server: Relay

    def handle(self) -> None:
        recipients: list[str] = []
        self.say("220 relay")
        for line in self.rfile:
            match line.decode().upper().split(":")[0].split():
                case ["RCPT", *_]:
                    recipients.append(line.decode().partition("<")[2].partition(">")[0])
                    self.say("250 ok")
                case ["DATA"]:
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n")).decode()
                    if not self.server.refuses:
                        self.server.mails.append((recipients, text))
                    self.say("451 later" if self.server.refuses else "250 taken")
                case ["QUIT"]:
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 ok")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def relay() -> Iterator[Relay]:
    made = Relay()
    yield made
    made.shutdown()
    made.server_close()


def test_help_desk_and_user_are_told(stage: Stage, relay: Relay, until: Until) -> None:
    gateway = stage.gateway(
        kick="hold",
        notify="limit",
        relay=relay.where,
        help_desk=("help@example.org", "soc@example.org"),
        tell_user=True,
        sender="mailwarden@example.org",
    )
    one = decided(reason="sends spam\nTo: all@example.org\x1b[2J", alert="5f0c")
    until(lambda: gateway.apply([one]))
    (desk, text), (user, mine) = relay.mails
    assert desk == ["help@example.org", "soc@example.org"]
    assert user == [ALICE]
    assert "Subject: Account alice@example.org: lock" in text
    assert "What was seen: sends spam?To: all@example.org?[2J" in text
    assert "Done: kick" in text
    assert "Alert: 5f0c" in text
    assert "until 2027-01-15 08:10 UTC" in text
    assert "mailwarden decisions remove account:alice@example.org" in text
    for mail in (text, mine):
        assert "Auto-Submitted: auto-generated" in mail
        assert "From: mailwarden@example.org" in mail
    assert "You were logged out everywhere." in mine
    assert "You cannot log in at the moment." in mine
    assert stage.site.said()[-1] == (
        "done",
        f"notify: told help@example.org, soc@example.org, {ALICE}",
    )


def test_an_account_without_a_mailbox_is_not_written_to(
    stage: Stage, relay: Relay, until: Until
) -> None:
    gateway = stage.gateway(notify="limit", relay=relay.where, tell_user=True)
    until(lambda: gateway.apply([decided("alice", "limit")]))
    assert relay.mails == []
    assert stage.site.said() == [("done", "notify: nobody to tell")]
    assert gateway.apply([decided("alice", "limit")])


def test_a_relay_that_refuses_or_is_away_is_tried_again(
    stage: Stage, relay: Relay, until: Until
) -> None:
    relay.refuses = True
    gateway = stage.gateway(notify="limit", relay=relay.where, help_desk=("help@example.org",))
    assert f"notify: {relay.where}: " in failing(gateway, decided())
    relay.refuses = False
    stage.now += 1
    until(lambda: gateway.apply([decided()]))
    assert len(relay.mails) == 1
    away = stage.gateway(
        notify="limit", relay="127.0.0.1:1", help_desk=("h@example.org",), folder=str(stage.folder)
    )
    assert "notify: 127.0.0.1:1: " in failing(away, decided())


def test_the_mail_of_a_person_s_own_decision_has_no_alert() -> None:
    settings = AccountActionsSettings(help_desk=("help@example.org",))
    mail = notice.help_desk(decided(), ALICE, (), settings)
    assert "Alert: none: a person decided" in mail.get_content()
    assert "Done: nothing more" in mail.get_content()
    assert mail["From"] == f"mailwarden@{os.uname().nodename}"
    quiet = notice.user(decided(action="hold"), ALICE, (), settings)
    assert "log in" not in quiet.get_content()


def test_the_review_says_what_is_switched_on(stage: Stage) -> None:
    gateway = stage.gateway(kick="hold", notify="limit")
    assert [(note.good, note.text) for note in gateway.review()] == [
        (True, "kick from hold on, notify from limit on"),
        (False, "notify: neither help_desk nor tell_user says whom"),
    ]
    assert len(stage.gateway(kick="hold", notify="limit", tell_user=True).review()) == 1


def test_it_needs_what_the_steps_need_that_are_switched_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def needed(**settings: Any) -> list[tuple[bool, str]]:
        return [(note.good, note.text) for note in stage.gateway(**settings).needs()]

    state = (True, f"{stage.folder}/state: can be written")
    assert needed() == [state]
    kick = (True, f"{stage.folder}/doveadm (ends sessions) can be run")
    assert needed(kick="hold") == [state, kick]
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    purges = {text.split()[0]: good for good, text in needed(purge="hold")[1:]}
    assert purges == {"postqueue": True, "postcat": False, "postsuper": False}
    begin = needed(command="hold", begin=("/none/begin",))[1]
    assert begin[1].startswith("/none/begin (hears of decisions) is not there")
    [away] = needed(notify="hold", relay="127.0.0.1:1")[1:]
    assert not away[0]
    assert away[1].startswith("the relay 127.0.0.1:1 does not answer: ")


@pytest.mark.servers
def test_the_relay_is_greeted(stage: Stage, postfix: Any) -> None:
    postfix.start()
    relay = f"127.0.0.1:{postfix.port}"
    notes = stage.gateway(notify="hold", relay=relay).needs()
    assert (notes[1].good, notes[1].text) == (True, f"the relay {relay} answers")


def test_the_documented_settings_are_settings(documented: Callable[..., str]) -> None:
    import tomllib

    from agents import configuration
    from schemas.settings import Settings, convert

    text = documented("account_actions", "mailwarden.toml")
    config = configuration.build(convert(tomllib.loads(text), Settings, "docs"))
    [gateway] = config.gateways
    assert gateway.reaches(msgspec.structs.replace(decided(), action="hold"))
