"""The queue of Postfix, told by programs of the test's own: what a real one rarely does."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands import options, purged
from streams.gateway import GatewayError
from streams.gateways.account_actions import AccountActionsSettings, Queue
from streams.gateways.account_actions.queue import Kept

ALICE = "alice@example.org"
ENVELOPE = """\
*** ENVELOPE RECORDS deferred/{0} ***
named_attribute: sasl_method=PLAIN
named_attribute: sasl_username={1}
sender: x
*** MESSAGE CONTENTS deferred/{0} ***
named_attribute: sasl_username=somebody@example.org
*** MESSAGE FILE END deferred/{0} ***
"""
PROGRAMS = {
    "postqueue": """
        cat "$HERE/queue"; [ ! -e "$HERE/slow" ] || exec sleep 60
        exit $(cat "$HERE/status")""",
    "postcat": """
        shift
        for id; do [ -e "$HERE/m-$id" ] || { echo "open queue file $id" >&2; exit 1; }; done
        for id; do cat "$HERE/m-$id"; done""",
    "postsuper": """
        what=$1
        while read -r id; do
            echo "$what $id" >> "$HERE/calls"
            [ "$what" != -h ] || [ ! -e "$HERE/gone-$id" ] || rm "$HERE/m-$id"
            [ "$what" != -d ] || rm "$HERE/m-$id"
        done""",
    "sendmail": """
        echo "sendmail $*" >> "$HERE/calls"; cat >> "$HERE/sent"
        [ ! -e "$HERE/refuse" ] || { echo "no such user" >&2; exit 67; }""",
}


class Postfix:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in PROGRAMS.items():
            (folder / name).write_text(
                f'#!/bin/sh\nHERE="{folder}"\n[ "$1" != -c ] || shift 2\n{text}\n'
            )
            (folder / name).chmod(0o755)
        (folder / "queue").touch()
        (folder / "status").write_text("0")

    def message(self, name: str, login: str = ALICE, at: int = 1, **more: Any) -> None:
        line = {"queue_id": name, "arrival_time": at, "sender": login, "recipients": []} | more
        with (self.folder / "queue").open("a") as queue:
            queue.write(json.dumps(line) + "\n")
        (self.folder / f"m-{name}").write_text(ENVELOPE.format(name, login))

    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def queue(self, **settings: Any) -> Queue:
        settings = {"folder": str(self.folder / "state"), "timeout": 5.0} | settings
        return Queue(AccountActionsSettings(**settings))


@pytest.fixture
def postfix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Postfix:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return Postfix(tmp_path)


def kept(queue: Queue, account: str = ALICE) -> int:
    return queue.purge({account})[account].kept


def test_a_message_belongs_to_the_login_whatever_its_case_and_its_text_say(
    postfix: Postfix,
) -> None:
    postfix.message("A1", "Alice@Example.ORG")
    postfix.message("B2", "bob@example.org", sender=ALICE)
    queue = postfix.queue()
    assert kept(queue) == 1
    assert kept(queue, "somebody@example.org") == 0
    assert postfix.calls() == ["-h A1", "-d A1"]


def test_what_left_the_queue_meanwhile_is_passed_over(postfix: Postfix) -> None:
    for name in ("A1", "A2", "A3"):
        postfix.message(name)
    (postfix.folder / "m-A1").unlink()  # between the list and the look
    (postfix.folder / "gone-A2").touch()  # and between the look and the hold
    assert kept(postfix.queue()) == 1
    assert postfix.calls() == ["-h A2", "-h A3", "-d A3"] or postfix.calls() == [
        "-h A3",
        "-h A2",
        "-d A3",
    ]


def test_an_empty_queue_is_no_work(postfix: Postfix) -> None:
    assert kept(postfix.queue()) == 0
    assert postfix.calls() == []


def test_a_queue_id_that_is_none_is_passed_over(postfix: Postfix) -> None:
    postfix.message("A1")
    with (postfix.folder / "queue").open("a") as queue:
        queue.write('\n{"queue_id": "../../etc/passwd"}\n{"queue_id": "-d"}\n')
    assert kept(postfix.queue()) == 1


def test_nothing_is_deleted_that_could_not_be_kept(postfix: Postfix) -> None:
    postfix.message("A1")
    (postfix.folder / "state").write_text("a file")
    with pytest.raises(GatewayError, match="state/purged: "):
        postfix.queue().purge({ALICE})
    assert postfix.calls() == ["-h A1"]


@pytest.mark.parametrize("status", ["1", "slow", "missing"])
def test_a_queue_that_cannot_be_listed_is_said(
    postfix: Postfix, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    timeout = 5.0
    if status == "slow":
        (postfix.folder / "slow").touch()
        timeout = 0.2
    elif status == "missing":
        monkeypatch.setenv("PATH", "/nowhere")
    else:
        (postfix.folder / "status").write_text(status)
    said = {
        "1": "postqueue: exit status 1",
        "slow": "postqueue: no end within 0.2 s",
        "missing": "postqueue: No such file or directory",
    }[status]
    with pytest.raises(GatewayError, match=said):
        postfix.queue(timeout=timeout).purge({ALICE})


def test_the_null_sender_comes_back_as_such(postfix: Postfix) -> None:
    postfix.message("A1", sender="MAILER-DAEMON", recipients=[{"address": "-x@example.net"}])
    queue = postfix.queue(postfix_config="/etc/postfix-out")
    assert kept(queue) == 1
    queue.restore(queue.kept()[0])
    assert postfix.calls()[-1] == "sendmail -C /etc/postfix-out -oi -G -f <> -- -x@example.net"
    assert queue.kept() == []


# -- the command ------------------------------------------------------------------------------

Run = Callable[..., Result]


@pytest.fixture
def run(postfix: Postfix, monkeypatch: pytest.MonkeyPatch) -> Run:
    config = postfix.folder / "mailwarden.toml"
    config.write_text(
        f'[gateways.postfix]\n[gateways.thieves]\nkind = "account_actions"\n'
        f'folder = "{postfix.folder}/state"\n'
    )
    monkeypatch.setenv("COLUMNS", "160")

    def call(name: str, *arguments: str, eyes: bool = False) -> Result:
        monkeypatch.setattr(options, "for_eyes", lambda as_json: eyes and not as_json)
        return CliRunner().invoke(purged.command, [name, "-c", str(config), *arguments])

    return call


def test_a_person_sees_what_was_purged_as_text_only(postfix: Postfix, run: Run) -> None:
    assert run("list", eyes=True).stdout == "Nothing was purged.\n"
    postfix.message("A1", sender="x\x1b[2J@example.net", recipients=[{"address": "[b]@e.net"}])
    queue = postfix.queue()
    assert kept(queue) == 1
    text = run("list", eyes=True).stdout
    assert text.split()[:6] == ["ID", "ACCOUNT", "AGE", "BYTES", "FROM", "TO"]
    assert ALICE in text
    assert "[b]@e.net" in text
    assert "\x1b" not in text


def test_what_is_restored_or_dropped_must_be_named(postfix: Postfix, run: Run) -> None:
    postfix.message("A1")
    queue = postfix.queue()
    kept(queue)
    for name in ("restore", "drop"):
        assert run(name).exit_code == 2
        result = run(name, "B2-1")
        assert result.exit_code == 1
        assert "no such mail: B2-1" in result.output
    (one,) = queue.kept()
    (postfix.folder / "refuse").touch()
    result = run("restore", one.id)
    assert result.exit_code == 1
    assert f"{one.id}: sendmail: exit status 67: no such user" in result.output
    assert queue.kept() == [one]
    assert run("drop", "--account", "bob@example.org").output == ""
    assert run("drop", one.id).output == f"{one.id} is gone\n"
    assert queue.kept() == []


def test_a_host_without_that_gateway_has_purged_nothing(tmp_path: Path) -> None:
    config = tmp_path / "mailwarden.toml"
    config.write_text("")
    result = CliRunner().invoke(purged.command, ["list", "-c", str(config)])
    assert result.exit_code == 2
    assert "there is no gateway account_actions" in result.output


def test_the_oldest_comes_first(postfix: Postfix) -> None:
    queue = postfix.queue()
    folder = postfix.folder / "state" / "purged"
    folder.mkdir(parents=True)
    for name, at in (("B-2", 2.0), ("A-1", 1.0)):
        one = Kept(id=name, account=ALICE, at=at, sender="", recipients=[], size=1)
        (folder / f"{name}.json").write_text(
            json.dumps({f: getattr(one, f) for f in one.__struct_fields__})
        )
    assert [one.id for one in queue.kept()] == ["A-1", "B-2"]
