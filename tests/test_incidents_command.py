"""`mailwarden incidents` on the store of one server and on Kafka's topics in memory."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec import json as packed
from msgspec import structs

from agents.commands import cli, incidents, kept, options
from agents.commands.incidents import LONGEST
from agents.commands.topics import make
from agents.incidents.incident import Incident
from agents.operator import person
from agents.operator.ledger import AUDIT, BusLedger, Ledger
from agents.single.store import Changes, Store
from schemas import wire
from schemas.audit import decided
from schemas.findings import Alert, Decision, Evidence, Subject
from schemas.incidents import TASKS
from schemas.settings import KafkaSettings
from streams.memory_bus import MemoryBus
from tests.incidents.alerts import (
    ANNA,
    DAY,
    FAR,
    GUESSER,
    START,
    account,
    alert,
    client,
    decision,
)

NOW = START + 600.0
EVIL = "anna'; rm -rf \x1b[31m@example.org"


class Place:
    """Where alerts are kept, and a person in front of it."""

    def __init__(self, ledger: Ledger, run: Callable[..., Result], tell: Any) -> None:
        self.ledger = ledger
        self.run = run
        self._tell = tell

    def tell(self, *alerts: Alert, decided: tuple[Decision, ...] = ()) -> None:
        self._tell(alerts, decided)

    def done(self, *words: str, **more: Any) -> str:
        result = self.run(*words, **more)
        assert result.exit_code == 0, result.output
        return str(result.stdout)

    def list(self, *words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.done("list", *words).splitlines()]

    def show(self, name: str) -> Incident:
        return packed.decode(self.done("show", name), type=Incident)


def on_store(ledger: Store) -> Callable[..., None]:
    def tell(alerts: tuple[Alert, ...], decisions: tuple[Decision, ...]) -> None:
        for one in alerts:
            ledger.commit(Changes(alerts=[one]), NOW)
        ledger.commit(Changes(decisions=list(decisions)), NOW)

    return tell


def on_bus(bus: MemoryBus) -> Callable[..., None]:
    def tell(alerts: tuple[Alert, ...], decisions: tuple[Decision, ...]) -> None:
        for one in alerts:
            bus.publish("mail.alerts", one.id.encode(), wire.encode(one))
        for each in decisions:
            bus.publish("mail.decisions", each.id.encode(), wire.encode(each))
            bus.publish(AUDIT, each.id.encode(), wire.encode(decided(each)))

    return tell


@pytest.fixture(params=["store", "kafka"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    settings = tmp_path / "mailwarden.toml"
    settings.write_text(f'[storage]\npath = "{tmp_path}/mailwarden.db"\n')
    monkeypatch.setattr("time.time", lambda: NOW)
    monkeypatch.setattr(person, "login", lambda: "carla")
    monkeypatch.setenv("COLUMNS", "160")
    more = ["--kafka"] if request.param == "kafka" else []

    def run(*words: str, eyes: bool = False) -> Result:
        monkeypatch.setattr(options, "for_eyes", lambda as_json: eyes and not as_json)
        name, *rest = words
        return CliRunner().invoke(cli, ["incidents", name, "-c", str(settings), *more, *rest])

    if request.param == "store":
        with Store(tmp_path / "mailwarden.db") as store:
            yield Place(store, run, on_store(store))
        return
    bus = MemoryBus()
    make(bus, KafkaSettings(partitions=3))

    @contextmanager
    def on_kafka(config: object) -> Iterator[BusLedger]:
        yield BusLedger(bus)

    monkeypatch.setattr(kept, "on_kafka", on_kafka)
    yield Place(BusLedger(bus), run, on_bus(bus))


def hijack() -> tuple[Alert, ...]:
    """Guessing, the breach and the mail."""
    return (
        alert("a1", incident="a1"),
        account("b1", ANNA, 10.0, detector="auth_breach", clients=[GUESSER], incident="a1"),
        account(
            "c1", ANNA, 20.0, last=500.0, severity="critical", clients=[GUESSER], incident="a1"
        ),
    )


def test_programs_get_one_incident_a_line_the_newest_first(place: Place) -> None:
    assert place.list() == []
    place.tell(*hijack(), client("d1", FAR, 30.0))
    rows = place.list()
    assert [(row["id"], row["severity"], row["alerts_count"]) for row in rows] == [
        ("a1", "critical", 3),
        ("d1", "medium", 1),
    ]
    assert place.list("--least", "high") == rows[:1]
    assert place.list("--limit", "1") == rows[:1]
    assert place.list("--since", str(START + 100)) == rows[:1]


def test_people_get_a_table(place: Place) -> None:
    assert place.done("list", eyes=True) == "Nothing is open.\n"
    assert place.done("list", "--all", eyes=True) == "Nothing was found.\n"
    place.tell(*hijack())
    place.done("ack", "a1")
    header, row = place.done("list", eyes=True).splitlines()
    assert header.split() == [
        *("ID", "SEVERITY", "STATE", "LAST", "(UTC)", "ALERTS", "WHOSE", "WHAT", "HAPPENED"),
    ]
    assert row.split()[:7] == [
        "a1",
        "critical",
        "acknowledged",
        "2023-11-14",
        "22:21:40",
        "3",
        "carla",
    ]
    assert f"{GUESSER} guessed at" in row


def test_what_is_over_is_listed_where_all_are_asked_for(place: Place) -> None:
    place.tell(*hijack(), client("d1", FAR, 30.0))
    place.done("close", "a1", "--reason", "password changed")
    place.done("close", "d1", "--false-positive", "--reason", "the scanner of the auditors")
    assert place.list() == []
    assert {row["id"]: row["state"] for row in place.list("--all")} == {
        "a1": "closed",
        "d1": "false_positive",
    }


def test_the_story_with_its_timeline_and_what_was_decided(place: Place) -> None:
    block = decision(GUESSER, 15.0, "a1", enforced=True)
    place.tell(*hijack(), decided=(block,))
    worse = structs.replace(hijack()[0], revision=2, severity="high", at=START + 40)
    place.tell(worse)
    place.done("note", "a1", "called her: she had opened the attachment")
    place.done("assign", "a1", "dora")
    one = place.show("a1")
    assert one.story.endswith(f"then sent mail as {ANNA}")
    assert [(m.what, m.by) for m in one.timeline] == [
        ("alert", "auth_dictionary"),
        ("alert", "auth_breach"),
        ("decision", "mailwarden"),
        ("alert", "account_burst"),
        ("severity", "auth_dictionary"),
        ("noted", "carla"),
        ("assigned", "carla"),
    ]
    assert (one.decisions, one.assignee) == ([block], "dora")
    text = place.done("show", "a1", eyes=True)
    for wanted in (
        "CRITICAL  a1  open",
        f"drop {GUESSER} until 2023-11-15",
        f"{GUESSER} rose to high",
        "called her: she had opened the attachment",
        "to dora",
    ):
        assert wanted in text


def test_the_commands_that_a_story_ends_with_can_be_run(place: Place, tmp_path: Path) -> None:
    block = decision(GUESSER, 15.0, "a1", enforced=True)
    place.tell(*hijack(), client("a2", FAR, 30.0, incident="a1"), decided=(block,))
    text = place.done("show", "a1", eyes=True)
    commands = [line.strip() for line in re.findall("mailwarden ((?:dec|inc|al).*)", text)]
    on_kafka = " --kafka" if isinstance(place.ledger, BusLedger) else ""
    assert [line.removesuffix(on_kafka) for line in commands] == [
        f"decisions add network:{FAR} --for 1d --reason 'incident a1'",
        f"decisions add account:{ANNA} --for 1d --reason 'incident a1'",
        f"decisions remove network:{GUESSER} --reason 'incident a1'",
        f"decisions pardon account:{ANNA} --reason 'incident a1'",
        "incidents ack a1",
        "incidents tick a1 password",
        "incidents close a1 --reason WHY",
        "incidents close a1 --false-positive --reason WHY",
        "alerts list --incident a1",
    ]
    for line in commands:
        words = [*shlex.split(line), "-c", str(tmp_path / "mailwarden.toml")]
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, (line, done.output)
    in_force = {one.id for one in place.ledger.decisions(NOW)}
    assert f"network:{FAR}:drop:manual" in in_force
    assert f"network:{GUESSER}:observe:pardon" in in_force
    after = place.show("a1")
    assert after.state == "false_positive"
    assert "pardoned: observe" in " ".join(moment.text for moment in after.timeline)


def test_what_an_attacker_wrote_is_text_in_a_terminal_and_a_shell(place: Place) -> None:
    own = client("b1", FAR, 1.0, incident="a1")
    place.tell(account("a1", EVIL, incident="a1", summary=EVIL), own)
    for text in (place.done("list", eyes=True), place.done("show", "a1", eyes=True)):
        assert "\x1b[31m" not in text
        assert "rm -rf ?[31m" in text
    quoted = shlex.quote(f"account:{EVIL}").replace("\x1b", "?")
    assert quoted in place.done("show", "a1", eyes=True).replace("\n", "")


def test_each_word_is_in_the_trail(place: Place) -> None:
    place.tell(*hijack())
    place.done("ack", "a1", "--by", "dora")
    place.done("note", "a1", "it was phishing")
    place.done("assign", "a1")
    place.done("close", "a1", "--reason", "over")
    entries = [one for one in place.ledger.audit() if one.target == "incident:a1"]
    assert sorted((one.what, one.by, one.reason) for one in entries) == [
        ("acknowledged", "dora (carla)", "acknowledged"),
        ("assigned", "carla", "assigned"),
        ("assigned", "dora (carla)", "dora (carla)"),
        ("closed", "carla", "over"),
        ("noted", "carla", "it was phishing"),
    ]
    one = place.show("a1")
    assert (one.assignee, one.deeds_count) == ("", 5)
    assert [deed.text for deed in one.notes] == ["it was phishing"]


def test_a_closed_one_that_goes_on_is_open_again(place: Place) -> None:
    place.tell(*hijack())
    place.done("close", "a1", "--reason", "password changed")
    last = hijack()[2]
    place.tell(structs.replace(last, revision=2, last=last.last + 60, at=last.at + 60))
    [row] = place.list()
    assert (row["state"], row["reason"]) == ("open", "it went on after it was closed")
    assert "but it went on" in place.done("show", "a1", eyes=True)


def test_decisions_in_force_are_told_of_when_it_is_closed(place: Place) -> None:
    place.tell(*hijack(), decided=(decision(GUESSER, 15.0, "a1"),))
    result = place.run("close", "a1", "--reason", "over")
    assert "still in force: 1 decision; mailwarden incidents show a1" in result.output


def test_an_id_may_be_its_beginning_or_that_of_an_alert(place: Place) -> None:
    place.tell(client("5f0c1e9a", FAR), client("5f0d", GUESSER, 1.0), account("77aa", ANNA))
    place.tell(client("88bb", FAR, 2.0))
    assert place.show("5f0c").id == place.show("88").id == "5f0c1e9a"
    for name, why in (("5f0", "2 incidents begin so"), ("9", "there is no such incident")):
        result = place.run("show", name)
        assert (result.exit_code, why in result.output) == (1, True)
    assert place.run("show", "").exit_code == 1


def test_what_makes_no_sense_is_refused(place: Place) -> None:
    place.tell(*hijack())
    assert place.run("close", "a1").exit_code == 2
    assert place.run("close", "a1", "--reason", " ").exit_code == 2
    assert place.run("note", "a1", "x" * (LONGEST + 1)).exit_code == 2
    assert place.run("note", "a1", " ").exit_code == 2
    assert place.run("assign", "a1", "x" * 200).exit_code == 2
    place.done("close", "a1", "--reason", "over")
    result = place.run("ack", "a1")
    assert result.exit_code == 1
    assert "a1 is closed: there is nothing to take on" in result.output
    assert len(place.show("a1").deeds) == 1


def test_the_window_is_a_setting(place: Place, tmp_path: Path) -> None:
    place.tell(account("a1", ANNA), account("a2", ANNA, 300.0))
    assert len(place.list()) == 1
    with (tmp_path / "mailwarden.toml").open("a") as file:
        file.write("[incidents]\nwindow = 60\n")
    assert len(place.list()) == 2


def test_what_is_too_old_is_said_to_be_left_out(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def few(*known: Any, window: float) -> Any:
        from agents.incidents.assembling import incidents as all_of_them

        return all_of_them(*known, window=window, most=1)

    monkeypatch.setattr(incidents, "incidents", few)
    place.tell(client("a1", FAR), client("b1", GUESSER, 2 * DAY))
    result = place.run("list")
    assert len(result.stdout.splitlines()) == 1
    assert "1 older ones were not looked at" in result.stderr


def test_the_playbook_of_an_account_in_other_hands(place: Place) -> None:
    place.tell(*hijack())
    text = place.done("steps", "a1", eyes=True)
    assert text.count("[ ]") == len(TASKS)
    assert "a new password, and not the old one again (tell the owner by phone" in text
    assert place.done("tick", "a1", "password", "--note", "by phone", "--by", "dora") == (
        "a1: password is done\n"
    )
    place.done("tick", "a1", "sessions", "--account", ANNA)
    left = [json.loads(line) for line in place.done("steps", "a1").splitlines()]
    assert {one["task"] for one in left if one["done"]} == {"password", "sessions"}
    text = place.done("show", "a1", eyes=True)
    assert "[x]  password" in text
    assert "a new password, and not the old one again (dora (carla), 2023-" in text
    assert "password: by phone" in text  # in the timeline
    place.done("tick", "a1", "password", "--undo")
    assert place.done("steps", "a1", eyes=True).count("[x]") == 1
    said = [entry.what for entry in place.ledger.audit() if entry.target == "incident:a1"]
    assert sorted(said) == ["ticked", "ticked", "unticked"]
    # A tick is no word about the state.
    assert place.show("a1").state == "open"


def test_what_has_no_playbook(place: Place) -> None:
    place.tell(client("n1", FAR))
    assert place.done("steps", "n1", eyes=True) == "n1: no account was in other hands.\n"
    assert place.done("steps", "n1") == ""
    result = place.run("tick", "n1", "password")
    assert (result.exit_code, "no account was in other hands" in result.output) == (1, True)
    place.tell(*hijack())
    result = place.run("tick", "a1", "password", "--account", "nobody@example.org")
    assert "nobody@example.org is not one of them" in result.output
    assert place.run("tick", "a1", "prayer").exit_code == 2


def test_a_false_positive_says_what_it_teaches(place: Place) -> None:
    fields = {"rule": "auth_dictionary", "evidence": [Evidence("accounts", 7, 5)]}
    place.tell(
        client("c1", FAR, severity="high", **fields),
        client("c2", "192.0.2.77", severity="high", **fields),
        client("c3", "192.0.2.99", severity="high", first=-9 * DAY, last=-9 * DAY, **fields),
        client("c4", "203.0.113.200", severity="high", **fields),
    )
    place.done("close", "c4", "--false-positive", "--reason", "theirs")
    text = place.done("close", "c1", "--false-positive", "--reason", "ours", eyes=True)
    assert "c1 is false positive: ours\n\nWhat it teaches:\n" in text
    assert f'allow = ["{FAR}"]' in text
    assert "It would have cost no other alert in the last 7 days." in text
    assert "accounts = 8  # was 5" in text
    assert "It would have cost 1 other alert in the last 7 days:" in text
    assert f"mailwarden replay --suggest --innocent {FAR} /var/log/mail.log" in text
    told = [json.loads(line) for line in place.done("learn", "c1").splitlines()]
    # What is older does not count, nor what was a false positive itself.
    assert [(one["kind"], one["lost"]) for one in told] == [("allow", []), ("threshold", ["c2"])]
    assert place.done("learn", "c1", eyes=True) in text


def test_where_nothing_would_have_helped(place: Place) -> None:
    place.tell(account("c1", ANNA, severity="high"))
    assert "No entry of a list and no threshold" not in place.done("learn", "c1", eyes=True)
    place.tell(alert("s1", subject=Subject("site", "site"), severity="high"))
    assert "No entry of a list and no threshold" in place.done("learn", "s1", eyes=True)
    assert place.done("learn", "s1") == ""
