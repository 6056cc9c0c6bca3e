"""The scenarios: reproducible, by time, and true about who is in the lines."""

import re
import tomllib
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from load.scenarios import hijacking, letters, mixes, passwords, places, reflecting, spraying, truth
from load.scenarios.catalogue import MIXES
from load.scenarios.mixes import Mix, Performance
from load.scenarios.organisation import Nature
from load.scenarios.stage import Stage
from schemas import net

SMALL = Mix(
    name="small",
    seed=7,
    nature=Nature(domain="small.example", people=40, gateways=2),
    first=datetime(2026, 6, 3, tzinfo=UTC),
    days=2,
    stories=(
        partial(spraying.spray, members=40, hours=3, tries=2, day=1.0),
        hijacking.phished_burst,
        reflecting.joe_job,
        passwords.departed,
        places.mover,
    ),
)


@pytest.fixture(scope="module")
def small() -> tuple[list[bytes], Performance]:
    performance = Performance(SMALL)
    return list(performance.lines()), performance


def test_the_same_seed_gives_the_same_lines(small: tuple[list[bytes], Performance]) -> None:
    assert list(Performance(SMALL).lines()) == small[0]


def test_lines_come_by_time_and_stop_with_the_last_day(
    small: tuple[list[bytes], Performance],
) -> None:
    stamps = [line.split(b" ", 1)[0].decode() for line in small[0]]
    assert stamps == sorted(stamps)
    assert stamps[-1] < "2026-06-05"


def test_all_gateways_write(small: tuple[list[bytes], Performance]) -> None:
    assert {line.split(b" ")[1] for line in small[0]} == {b"gw1", b"gw2"}


def test_every_attacker_is_in_the_lines_from_its_first_act_on(
    small: tuple[list[bytes], Performance],
) -> None:
    lines, performance = small
    first = _first_lines(lines)
    for attack in performance.truth.attacks:
        for client, at in attack.clients.items():
            assert first[client] == pytest.approx(at, abs=2.5)


def test_every_client_in_the_lines_has_a_part(small: tuple[list[bytes], Performance]) -> None:
    lines, performance = small
    known = {name for record in performance.truth.records for name in record.clients}
    assert set(_first_lines(lines)) <= known


def test_no_attacker_is_an_innocent(small: tuple[list[bytes], Performance]) -> None:
    told = small[1].truth
    attackers = {name for attack in told.attacks for name in attack.clients}
    assert not attackers & {name for record in told.innocents for name in record.clients}


def test_a_story_is_about_people_of_its_own(small: tuple[list[bytes], Performance]) -> None:
    told = small[1].truth
    cast = [name for attack in told.attacks for name in (*attack.accounts, *attack.victims)]
    cast += next(r.accounts for r in told.innocents if r.story.startswith("somebody moves"))
    assert len(cast) == len(set(cast)) == 3


def test_the_truth_is_read_as_it_was_written(
    small: tuple[list[bytes], Performance], tmp_path: Path
) -> None:
    truth.write(small[1].truth, tmp_path / "truth.jsonl")
    assert truth.read(tmp_path / "truth.jsonl") == small[1].truth


def test_terse_servers_say_nothing_of_passwords() -> None:
    nature = Nature(domain="terse.example", people=40, talkative=False)
    mix = Mix(
        name="terse",
        seed=3,
        nature=nature,
        first=SMALL.first,
        days=1,
        stories=(passwords.stale_phone,),
    )
    text = b"".join(Performance(mix).lines())
    assert b"auth failed, 1 attempts" in text
    assert b"SHA1" not in text


def test_a_story_draws_alike_whatever_others_drew_before() -> None:
    alone, both = (_stage(stories) for stories in (1, 2))
    assert alone.random.random() == both.random.random()


def test_mixes_for_tuning_and_for_reports_are_the_same_but_for_the_seed() -> None:
    tuning = [mix.name for mix in MIXES if mix.tuning]
    assert tuning == [mix.name for mix in MIXES if not mix.tuning]
    assert len({mix.title for mix in MIXES}) == len(MIXES)


def _stage(times: int) -> Stage:
    stage = Performance(SMALL).stage
    for _ in range(times):
        stage.begin("the first")
        stage.random.random()
    stage.begin("the second")
    return stage


def _first_lines(lines: list[bytes]) -> dict[str, float]:
    """Clients of connections and logins by the time of their first line."""
    client = re.compile(r"smtpd\[\d+\]: connect from [^[]*\[([^]]+)\]|rip=([^,]+),")
    found: dict[str, float] = {}
    for line in lines:
        match = client.search(line.decode())
        if match:
            at = datetime.fromisoformat(line.split(b" ", 1)[0].decode()).timestamp()
            name = net.client(net.address(match[1] or match[2]))
            found.setdefault(name, at)
    return found


def test_ordinary_days_may_come_before() -> None:
    mix = replace(SMALL, history=3)
    lines = list(Performance(mix).lines())
    assert lines[0].startswith(b"2026-05-31")
    assert lines[-1] < b"2026-06-05"


def test_the_admin_declares_what_is_known(tmp_path: Path) -> None:
    mixes.write(replace(SMALL, stories=(letters.newsletter_out,)), tmp_path)
    settings = tomllib.loads((tmp_path / "mailwarden.toml").read_text())
    (sender,) = settings["site"]["bulk"]
    assert sender.endswith("@small.example")
    assert settings["network"]["own"] == ["192.0.2.0/24"]
