from typing import Any

import pytest

from agents.incidents.assembling import incidents
from agents.incidents.casework import ticked
from agents.incidents.incident import Incident
from agents.incidents.playbook import ACCOUNTS, MEANINGS, playbook
from schemas.audit import MACHINE, Audit, changed
from schemas.events import Change
from schemas.incidents import TASKS, TICKS, Case, Tick
from tests.incidents.alerts import ANNA, BERT, START, account, client

AT = START + 60


def tick(task: Any, name: str = "", at: float = AT, **more: Any) -> Tick:
    return Tick(task=task, account=name, at=at, by="dora", **more)


def told(what: Any, **more: Any) -> Audit:
    fields = {"at": AT, "by": MACHINE, "reason": "", "target": f"account:{ANNA}"} | more
    return Audit(what=what, **fields)


def done(found: list[Any]) -> dict[tuple[str, str], str]:
    return {(one.task, one.account): one.done.by for one in found if one.done}


def hints(found: list[Any]) -> dict[tuple[str, str], str]:
    return {(one.task, one.account): one.hint for one in found if one.hint}


def whole(*alerts: Any, case: Case | None = None, trail: tuple[Audit, ...] = ()) -> Incident:
    cases = [case] if case else []
    [one] = incidents(alerts, cases, (), trail, window=86400.0).incidents
    return one


def test_an_account_in_other_hands_has_a_playbook() -> None:
    one = whole(account("a1", ANNA))
    assert [entry.task for entry in one.playbook] == list(TASKS)
    assert [entry.account for entry in one.playbook] == [ANNA] * 4 + ["", "", ANNA]
    assert done(one.playbook) == {}


def test_an_attack_that_opened_nothing_has_none() -> None:
    assert whole(client("a1", "203.0.113.7")).playbook == []


def test_each_task_has_words() -> None:
    assert set(MEANINGS) == set(TASKS)


def test_of_several_accounts_each_is_ticked_or_all() -> None:
    ticks = [tick("password", ANNA), tick("sessions"), tick("recipients")]
    found = playbook([ANNA, BERT], ticks, ())
    assert set(done(found)) == {
        ("password", ANNA),
        ("sessions", ANNA),
        ("sessions", BERT),
        ("recipients", ""),
    }
    many = playbook([f"a{n}" for n in range(100)], (), ())
    assert len(many) == 5 * ACCOUNTS + 2


@pytest.mark.parametrize(
    ("entry", "task", "by"),
    [
        (
            told("changed", action="password", by="admin@example.org"),
            "password",
            "admin@example.org",
        ),
        (told("done", detail="purge: 12 mails"), "queue", MACHINE),
        (told("pardoned", by="dora", reason="it is hers again"), "release", "dora"),
    ],
)
def test_the_trail_ticks_what_it_proves(entry: Audit, task: str, by: str) -> None:
    assert done(playbook([ANNA], (), [entry])) == {(task, ANNA): by}


def test_a_block_list_that_was_asked() -> None:
    entry = told("asked", by="dora", target="network:192.0.2.25", detail="zen.example")
    assert done(playbook([ANNA], (), [entry])) == {("delisting", ""): "dora"}


@pytest.mark.parametrize(
    ("entry", "task", "said"),
    [
        (
            told("changed", action="password", by=ANNA, detail="203.0.113.7"),
            "password",
            "set by the account itself from 203.0.113.7: was it the owner?",
        ),
        (told("changed", action="password", by="anna"), "password", "set by the account itself"),
        (told("done", detail="kick: 2 sessions"), "sessions", "app passwords are not known here"),
        (told("changed", action="forward", by=ANNA), "mailbox", f"forward changed by {ANNA}"),
    ],
)
def test_what_may_be_the_thief_is_a_hint(entry: Audit, task: str, said: str) -> None:
    found = playbook([ANNA], (), [entry])
    assert done(found) == {}
    [hint] = hints(found).items()
    assert hint[0] == (task, ANNA)
    assert said in hint[1]


def test_of_another_account_nothing_is_taken() -> None:
    entry = told("pardoned", target=f"account:{BERT}")
    assert done(playbook([ANNA], (), [entry])) == {}


def test_a_persons_word_counts_more() -> None:
    entry = told("done", detail="purge: 12 mails")
    found = playbook([ANNA], [tick("queue", ANNA)], [entry])
    assert done(found) == {("queue", ANNA): "dora"}


def test_a_tick_is_taken_back_and_bounded() -> None:
    case = ticked(Case(id="i"), tick("password", ANNA), done=True)
    case = ticked(case, tick("password", BERT), done=True)
    assert [one.account for one in case.ticks] == [ANNA, BERT]
    case = ticked(case, tick("password", ANNA), done=False)
    assert [one.account for one in case.ticks] == [BERT]
    case = ticked(case, tick("password"), done=True)
    assert [one.account for one in case.ticks] == [""]
    assert ticked(case, tick("password"), done=False).ticks == []
    for number in range(TICKS + 50):
        case = ticked(case, tick("queue", f"a{number}"), done=True)
    assert len(case.ticks) == TICKS


def test_a_change_of_the_account_is_in_the_story() -> None:
    event = Change(at=AT, gateway="m365", account=ANNA, actor="root@example.org", what="password")
    one = whole(account("a1", ANNA, last=600.0), trail=(changed(event),))
    assert done(one.playbook) == {("password", ANNA): "root@example.org"}
    [moment] = [moment for moment in one.timeline if moment.what == "changed"]
    assert (moment.text, moment.by) == (f"password of {ANNA}", "root@example.org")
