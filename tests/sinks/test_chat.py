"""Apprise as it is, to stand-ins for the services (tests/sinks/internet.py)."""

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.single.delivery import Delivery
from schemas.findings import Subject
from schemas.settings import SettingsError
from streams.sink import SinkError
from streams.sinks.chat import Chat, ChatSettings
from tests.sinks.alerts import alert, evil
from tests.sinks.internet import TEAMS, Got, Internet
from tests.waiting import wait_for

HOOK = "3ccdd113474722377935511fc85d3dd4"
URLS = {
    "hooks.slack.com": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7",
    "discord.com": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "events.pagerduty.com": "pagerduty://A1BRTD4JDIntegrationKey@ApiKeyOfNobody",
    "api.opsgenie.com": "opsgenie://8b799edf-6f98-4d3a-9be7-2862fb4e5752",
    TEAMS: f"workflows://{TEAMS}:443/643e69f83c8944438d68119179a10a64/KODuebbbGGFFGHT",
    "chat.example.org": f"mmosts://chat.example.org/{HOOK}",
}
SECRETS = ("T1JJ3T3L2", "A1BRTD4JD", "TIiajk", "JHMHI8", "ApiKey", "8b799edf", "KODueb", HOOK)
NASTY = "@here <!channel> <at>x</at> [x](https://h.example/)"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    made = Internet(tmp_path_factory.mktemp("internet"))
    yield made
    made.close()


@pytest.fixture
def internet(standing: Internet, monkeypatch: pytest.MonkeyPatch) -> Internet:
    standing.got.clear()
    standing.answer, standing.silent = None, False
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{standing.port}")
    monkeypatch.delenv("https_proxy", raising=False)
    return standing


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """The program's log, with all that anybody says into it."""
    root, lines = logging.getLogger(), io.StringIO()
    handler, level = logging.StreamHandler(lines), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(handler)


def sink(internet: Internet, url: str, **settings: Any) -> Chat:
    made = Chat(ChatSettings(url=url, ca=str(internet.ca), **settings))
    made._service.request_rate_per_sec = 0  # it waits for seconds between two
    return made


def said(got: Got) -> str:
    """All of what people read of a message."""
    texts: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)
        elif isinstance(value, str):
            texts.append(value)

    look(got.body)
    return "\n".join(texts)


@pytest.mark.parametrize("host", URLS)
def test_a_service_takes_what_it_is_told(
    internet: Internet, host: str, logged: io.StringIO
) -> None:
    told = sink(internet, URLS[host])
    told.send([alert("a1", incident="i1", decision="reject for 600 s"), evil("e1", 30)])
    one, two = internet.got
    assert {one.host, two.host} == {host}
    assert "192.0.2.1: 15 wrong passwords at 15 accounts" in said(one)
    assert "[mailwarden] high: auth dictionary: 192.0.2.1" in said(one)
    assert "decided: reject for 600 s" in said(one)
    assert "incident: mailwarden incidents show i1" in said(one)
    assert "githubusercontent" not in said(one)
    told.send([alert("a1", revision=2, state="withdrawn", incident="i1")])
    shown = told.about() + told.of() + logged.getvalue()
    assert not any(secret in shown for secret in SECRETS)


@pytest.mark.parametrize("host", URLS)
def test_what_an_attacker_wrote_calls_nobody(internet: Internet, host: str) -> None:
    nasty = alert("a1", summary=NASTY, subject=Subject("account", NASTY), decision=NASTY)
    sink(internet, URLS[host]).send([nasty])
    read = said(internet.got[0]).replace("http://adaptivecards.io", "")
    for forbidden in ("<!", "<at>", "@here", "](", "h.example/)", "&lt;!"):
        if forbidden == "h.example/)":
            assert "https://h.example" not in read
        else:
            assert forbidden not in read


def test_one_incident_is_one_page_that_a_withdrawal_resolves(internet: Internet) -> None:
    told = sink(internet, URLS["events.pagerduty.com"])
    told.send([alert("a1", incident="i1"), alert("a2", "low", incident="i1"), alert("a3")])
    told.send([alert("a3", revision=2, state="withdrawn")])
    assert [
        (
            got.body["event_action"],
            got.body["dedup_key"],
            got.body.get("payload", {}).get("severity"),
        )
        for got in internet.got
    ] == [
        ("trigger", "mailwarden-i1", "critical"),
        ("trigger", "mailwarden-i1", "warning"),
        ("trigger", "mailwarden-a3", "critical"),
        ("resolve", "mailwarden-a3", None),
    ]


def test_opsgenie_joins_by_the_alias_and_closes(internet: Internet) -> None:
    told = sink(internet, URLS["api.opsgenie.com"])
    told.send([alert("a1", incident="i1"), alert("a1", revision=2, incident="i1")])
    told.send([alert("a1", revision=3, incident="i1", state="withdrawn")])
    assert [got.body.get("alias") for got in internet.got] == [
        "mailwarden-i1",
        "mailwarden-i1",
        None,
    ]
    assert internet.got[2].path == "/v2/alerts/43a29c5c/close?identifierType=id"


def test_what_the_url_says_itself_holds(internet: Internet) -> None:
    url = f"{URLS['events.pagerduty.com']}?dedup=ours&action=trigger"
    sink(internet, url).send([alert("a1", state="withdrawn")])
    [got] = internet.got
    assert (got.body["event_action"], got.body["dedup_key"]) == ("trigger", "ours")


def test_without_tls_to_a_server_of_ones_own(internet: Internet) -> None:
    sink(internet, f"mmost://127.0.0.1:{internet.port}/{HOOK}").send([alert()])
    assert internet.got[0].body["text"].startswith("[mailwarden] high: auth dictionary: 192.0.2.1")
    sink(internet, f"json://127.0.0.1:{internet.port}/any", timeout=5.0).deliver([])
    assert len(internet.got) == 1


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_service_that_takes_nothing_now_is_waited_for(internet: Internet, status: int) -> None:
    told = sink(internet, URLS["hooks.slack.com"])
    internet.answer = status, ""
    for _ in range(12):
        with pytest.raises(SinkError, match=rf"^Slack: answered {status}$"):
            told.send([alert("a1"), alert("a2")])
    assert len(internet.got) == 12
    internet.answer = None
    told.send([alert("a1"), alert("a2")])
    assert len(internet.got) == 14


def test_a_hook_that_is_gone_holds_up_nothing_for_ever(
    internet: Internet, logged: io.StringIO
) -> None:
    told = sink(internet, "slack://T1JJ3T3L2/B1BRTD4JD/TIiajkdnlazkcOXrIdevi7")
    delivery = Delivery(told, patience=(0.001, 0.002))
    delivery.put([alert("a1")])
    wait_for(delivery.idle)
    delivery.close()
    assert len(internet.got) == 10
    assert "404" in delivery.trouble
    assert "alert refused sink=chat alert=a1-1" in logged.getvalue()
    assert not any(secret in logged.getvalue() for secret in SECRETS)


def test_redirects_are_not_followed(internet: Internet) -> None:
    internet.answer = 302, ""
    with pytest.raises(SinkError, match=r"^Slack: answered 302$"):
        sink(internet, URLS["hooks.slack.com"]).send([alert()])
    assert len(internet.got) == 1


def test_a_service_that_does_not_answer_is_given_up(internet: Internet) -> None:
    internet.silent = True
    told = sink(internet, URLS["discord.com"], timeout=0.3)
    with pytest.raises(SinkError, match=r"^Discord: (not done within 0\.3 s|did not take)"):
        told.send([alert()])
    internet.stop.set()
    internet.stop.clear()


def test_one_that_hangs_is_not_asked_a_second_time(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = sink(internet, URLS["discord.com"], timeout=0.05)
    ended = internet.stop
    monkeypatch.setattr(told._service, "notify", lambda **_: ended.wait(30))
    with pytest.raises(SinkError, match=r"^Discord: not done within 0\.05 s$"):
        told.send([alert()])
    with pytest.raises(SinkError, match=r"^Discord: the last message is still on its way$"):
        told.send([alert()])
    ended.set()
    assert told._busy is not None
    told._busy.join(10)
    ended.clear()


def test_whatever_a_plugin_raises_shows_no_secret(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = sink(internet, URLS["discord.com"])

    def broken(**_: Any) -> bool:
        raise ValueError(URLS["discord.com"])

    monkeypatch.setattr(told._service, "notify", broken)
    with pytest.raises(SinkError) as caught:
        told.send([alert()])
    assert str(caught.value) == "Discord: did not take the message"


def test_a_certificate_of_nobody_known_is_refused(internet: Internet) -> None:
    told = Chat(ChatSettings(url=URLS["hooks.slack.com"]))
    with pytest.raises(SinkError, match=r"^Slack: did not take the message$"):
        told.send([alert()])
    assert internet.got == []


def test_the_url_may_lie_in_a_file(internet: Internet, tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(f"{URLS['hooks.slack.com']}\n")
    made = Chat(ChatSettings(url_file=str(path), ca=str(internet.ca)))
    made.send([alert()])
    assert [got.host for got in internet.got] == ["hooks.slack.com"]
    assert made.about() == "messages to Slack"


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"url": ""}, "url: expected a URL of apprise such as slack://"),
        ({"url": "slack://TIiajk"}, "url: expected a URL of apprise"),
        ({"url": "carrierpigeon://TIiajk"}, "url: expected a URL of apprise"),
        ({"url_file": "/none"}, "url_file: /none cannot be read"),
        ({"url": URLS["discord.com"], "timeout": 0.0}, "timeout: expected a number of seconds"),
        ({"url": URLS["discord.com"], "ca": "/none"}, "ca: /none cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(
    settings: dict[str, Any], wrong: str, logged: io.StringIO
) -> None:
    with pytest.raises(SettingsError) as caught:
        Chat(ChatSettings(**settings))
    assert str(caught.value).startswith(wrong)
    assert "TIiajk" not in str(caught.value) + logged.getvalue()


def test_without_apprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"^kind: apprise is not installed: pip install"):
        Chat(ChatSettings(url=URLS["discord.com"]))
