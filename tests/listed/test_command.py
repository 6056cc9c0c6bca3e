"""`mailwarden listed` beside a process that runs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import cli
from schemas import wire
from tests.listed.conftest import BlockList
from tests.single.test_embedded import Server
from tests.waiting import wait_for

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("listed")]

US, LIST = "192.0.2.25", "good.example"


def test_a_person_says_that_a_list_was_asked(block_list: BlockList, tmp_path: Path) -> None:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["listed", words[0], "-c", str(settings), *words[1:]])
        return done.exit_code, done.output

    server = Server(tmp_path)
    server.start(
        listed={
            "gateways": [US],
            "lists": [LIST],
            "interval": 0.05,
            "resolvers": [block_list.resolver],
        }
    )
    try:
        assert run("asked", US, LIST)[0] == 2, "nothing is known yet"
        wait_for(lambda: server.settle() or server.told, "the alert")
        server.clock.now += 60  # a person's clock is the machine's; it may only be later
        assert run("asked", US, "other.example")[0] == 2
        code, said = run("asked", US, LIST, "--reason", "the account is locked")
        assert code == 0
        assert f"(alert {server.told[0].id})" in said
        wait_for(lambda: server.settle() or len(server.told) > 1, "the word")
        assert server.told[-1].shape == "asked"
        entry = server.store.audit()[0]
        assert (entry.what, entry.reason) == ("asked", "the account is locked")
        assert (entry.target, entry.detail, entry.alert) == (
            f"network:{US}",
            LIST,
            server.told[0].id,
        )
        server.settle()
        assert len(server.told) == 2, "to hear it again changes nothing"
        listed = [wire.decode_alert(line.encode()) for line in run("list")[1].splitlines()]
        assert [alert.shape for alert in listed] == ["asked"]
    finally:
        server.embedded.close()
        server.store.close()
