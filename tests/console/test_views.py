"""What views say of things that only a running program knows."""

import time
from pathlib import Path

import pytest

from agents.configuration import build_shard
from agents.console import running
from agents.console.views.decided import places
from agents.record import pack
from agents.running.http import Health, Pulse, Server
from agents.single.store import Changes
from schemas.events import Auth
from streams import metrics
from tests.console.harness import Place, configured, serving_place
from tests.console.told import ANNA, GUESSER, client, decision


def remember(place: Place) -> None:
    """What `run` would have made safe of somebody who guesses."""
    shard = build_shard(place.config)
    now = time.time()
    for number in range(7):
        shard.fold(
            Auth(
                at=now - 60 + number,
                gateway="mx1",
                client=GUESSER,
                account=f"name{number}@example.org",
                outcome="failed",
                reason="bad_password",
            )
        )
    shard.fold(Auth(at=now, gateway="mx1", client="198.51.100.9", account=ANNA, outcome="ok"))
    records = {key: pack(record) for key, record in shard.records.items()}
    with place.store() as store:
        store.commit(Changes(records=records), now)


def test_a_subject_has_its_counts_beside_their_thresholds(place: Place) -> None:
    browser = place.browser("vera")
    remember(place)
    found = browser.api("/subject", value=GUESSER)
    counts = {(one["of"], one["detector"], one["sign"]): one for one in found["counts"]}
    accounts = counts["client", "auth_dictionary", "accounts"]
    assert (accounts["count"], accounts["threshold"]) == (7, 5)
    assert ("network", "auth_distributed", "failures") in counts
    assert found["logins"] == 0
    account = browser.api("/subject", value=ANNA)
    assert account["logins"] == 1
    assert browser.api("/subject", value="203.0.113.0/24")["counts"]
    text = browser.ask("GET", f"/subject?value={GUESSER}", headers={"Accept": "text/html"}).text
    assert "How near to each threshold" in text
    assert 'aria-label="count 7, threshold 5"' in text


def test_health_asks_the_program_itself(tmp_path: Path) -> None:
    pulse = Pulse()
    pulse.beat(Health(("the disk is full",), ("mx2 is silent",)))
    metrics.EVENTS.labels("console-test.log").inc(3)
    server = Server("127.0.0.1:0", pulse.health, "run")
    try:
        toml = f'[http]\nlisten = "127.0.0.1:{server.port}"'
        with serving_place(tmp_path, configured(tmp_path, http=toml)) as place:
            found = place.browser("vera").api("/health")
            assert found["program"]["status"] == "failing"
            assert found["program"]["failing"] == ["the disk is full"]
            sources = {one["source"]: one for one in found["sources"]}
            assert sources["console-test.log"]["events"] >= 3
            page = place.browser("vera").ask("GET", "/health", headers={"Accept": "text/html"})
            assert "mx2 is silent" in page.text
    finally:
        server.close()
    with pytest.raises((OSError, ValueError)):
        running.ask(f"127.0.0.1:{server.port}")


def test_a_program_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    with serving_place(tmp_path, configured(tmp_path, http='[http]\nlisten = "127.0.0.1:1"')) as it:
        assert "127.0.0.1:1 does not answer" in it.browser("vera").api("/health")["program_trouble"]


@pytest.mark.parametrize(
    ("kind", "value", "count", "last"),
    [
        ("network", "192.0.2.1", 25, "192.0.0.0/8"),
        ("network", "192.0.2.0/24", 17, "192.0.0.0/8"),
        ("network", "2001:db8::/64", 46, "2001::/19"),
        ("network", "no network", 1, "no network"),
        ("account", ANNA, 1, ANNA),
    ],
)
def test_what_may_hold_for_a_target_lies_around_it(
    kind: str, value: str, count: int, last: str
) -> None:
    found = list(places(kind, value))
    assert len(found) == count
    assert found[0] == (kind, value)
    assert found[-1] == (kind, last)


def test_who_is_shared_allowed_or_trusted_is_told_so(tmp_path: Path) -> None:
    network = '[network]\nallow = ["192.0.2.0/28"]\nshared = ["198.51.100.0/24"]'
    with serving_place(tmp_path, configured(tmp_path, toml=network)) as place:
        browser = place.browser("vera")
        why = " ".join(browser.api("/subject", value="192.0.2.3")["why"])
        assert "on the allow list" in why
        why = " ".join(browser.api("/subject", value="198.51.100.3")["why"])
        assert "never blocked wholesale" in why


def test_each_effect_has_its_sentence(place: Place) -> None:
    place.tell(
        client("a1", GUESSER, severity="info"),
        decisions=(
            decision(GUESSER, needs=2, enforced=False),
            decision("198.51.100.1", origin="pardon", id="p"),
        ),
    )
    browser = place.browser("ada")
    assert "waits for another person" in browser.api("/subject", value=GUESSER)["why"][0]
    assert browser.api("/subject", value="198.51.100.1")["why"][0].startswith("Spared")
    assert browser.order("/blocks", target="192.0.2.9", reason="x").status == 200
    assert browser.order("/panic", reason="x").status == 200
    assert "no gateway here" in browser.api("/subject", value="192.0.2.9")["why"][0]


def test_a_name_that_nobody_could_type_is_found(place: Place) -> None:
    odd = "x\u200b y@example.org"
    place.tell(client("a1", GUESSER, targets=[odd]))
    browser = place.browser("vera")
    found = browser.api("/subject", value=odd)
    assert (found["kind"], found["alerts_count"]) == ("account", 1)
    assert browser.get("/api/v1/subject", value="z\u200b y").status == 422
