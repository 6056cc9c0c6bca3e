"""Mails as a relay takes them: aiosmtpd with TLS and logins, and the real Postfix and Dovecot."""

import email
import re
import socket
import tomllib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest

from agents import configuration
from agents.single.delivery import Delivery
from agents.single.store import Told
from schemas.findings import Sample, Subject
from schemas.settings import Settings, SettingsError, convert
from streams import metrics
from streams.sink import SinkError
from streams.sinks.email import Email, EmailSettings, accuses
from tests.servers.conftest import running
from tests.sinks.alerts import EVIL, alert, evil
from tests.sinks.relay import DESK, SOC, Relay
from tests.waiting import wait_for


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    made = Relay(tmp_path)
    yield made
    made.controller.stop()


def text(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert body is not None
    return cast(str, body.get_content()).replace("\r\n", "\n")


def refused() -> float:
    return cast(float, metrics.SINK_REFUSED.labels("email")._value.get())


def test_a_severe_alert_is_a_mail_of_its_own(relay: Relay) -> None:
    relay.sink().send([alert("a1", revision=2, undo="mailwarden decisions remove x")])
    [mail], [envelope] = relay.mails, relay.envelopes
    assert envelope.mail_from == "mailwarden@example.org"
    assert envelope.rcpt_tos == [SOC, DESK]
    assert mail["From"] == "mailwarden@example.org"
    assert mail["To"] == f"{SOC}, {DESK}"
    assert mail["Subject"] == "[mailwarden] high: auth dictionary: 192.0.2.1"
    assert mail["Date"] == "Tue, 14 Nov 2023 22:13:20 -0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Message-ID"] == "<a1.2@example.org>"
    assert mail["X-Mailwarden-Severity"] == "high"
    said = text(mail)
    assert said.startswith("192.0.2.1: 15 wrong passwords at 15 accounts\n")
    assert "evidence   accounts 15 ≥ 5\n" in said
    assert "undo       mailwarden decisions remove x\n" in said
    assert "more       mailwarden alerts show a1\n" in said
    assert "<td>accounts 15 ≥ 5</td>" in text(mail, "html")


def test_one_incident_is_one_thread(relay: Relay) -> None:
    relay.sink().send(
        [
            alert("a1", incident="i1"),
            alert("a2", "critical", incident="i1", detector="auth_breach"),
            alert("a3", incident="i2"),
        ]
    )
    assert [mail["References"] for mail in relay.mails] == [
        "<incident.i1@example.org>",
        "<incident.i1@example.org>",
        "<incident.i2@example.org>",
    ]
    assert [mail["In-Reply-To"] for mail in relay.mails] == [
        mail["References"] for mail in relay.mails
    ]
    assert len({mail["Message-ID"] for mail in relay.mails}) == 3


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]


HARMLESS = {"html", "head", "title", "body", "p", "strong", "table", "tr", "th", "td", "pre"}


def test_what_an_attacker_wrote_is_text(relay: Relay) -> None:
    nasty = EVIL + '<script>alert(1)</script><img src="http://h.example/x">&amp;'
    samples = [Sample(1.0, nasty)]
    relay.sink(recipients=(DESK,)).send(
        [
            evil("e1"),
            alert("e2", summary=nasty, subject=Subject("account", nasty), samples=samples),
        ]
    )
    sink = relay.sink(recipients=(DESK,))
    sink.deliver_digest([alert("e3", "low", summary=nasty)])
    assert len(relay.mails) == 3
    for mail in relay.mails:
        seen = Seen()
        seen.feed(text(mail, "html"))
        assert seen.tags <= HARMLESS | {"ul", "li", "br", "code"}
        assert seen.links == []
        assert not re.search(r"[\x00-\x08\x1b\u2028\u202e]", text(mail) + text(mail, "html"))
        assert "\n" not in str(mail["Subject"])
        assert "<34>1" not in [name for name, _ in mail.items()]
    assert "<script>alert(1)</script>" in text(relay.mails[1])


def test_milder_alerts_and_more_evidence_come_with_the_digest(relay: Relay) -> None:
    sink = relay.sink()
    assert sink.waits(alert("a1", "medium"))
    assert not sink.waits(alert("a2"))
    sink.send([alert("a2")])
    assert sink.waits(alert("a2", revision=2))
    assert not sink.waits(alert("a2", "critical", revision=2))
    assert not sink.waits(alert("a2", revision=3, state="withdrawn"))
    assert not relay.sink(single="medium").waits(alert("a1", "medium"))
    sink.deliver_digest([alert("a1", "medium"), alert("a2", revision=2), alert("a3", "low")])
    digest = relay.mails[1]
    assert digest["Subject"] == "[mailwarden] digest: 3 alerts, high at most"
    assert digest["Auto-Submitted"] == "auto-generated"
    assert "References" not in digest
    heads = [line for line in text(digest).splitlines() if line and line[0] != " "]
    assert [head.split()[0] for head in heads] == ["high", "medium", "low"]
    assert "mailwarden alerts show a3" in text(digest)
    assert text(digest, "html").count("<li>") == 3
    sink.deliver_digest([alert("a1", "medium")])
    assert relay.mails[2]["Subject"] == "[mailwarden] digest: 1 alert, medium at most"


def test_a_digest_is_sent_after_its_time_and_nothing_of_it_is_lost_before(relay: Relay) -> None:
    sink = relay.sink(interval=3600.0, gather=0.0)
    delivery = Delivery(sink)
    delivery.put([alert("a1", "low"), alert("a2"), alert("a3", "medium")])
    wait_for(lambda: relay.mails)
    wait_for(lambda: delivery._told)
    assert delivery.told() == [Told("email", "a2", 1)]  # the others are still owed
    delivery.put([alert("a3", revision=2)])  # now severe
    wait_for(lambda: len(relay.mails) == 2)
    assert relay.mails[1]["X-Mailwarden-Alert"] == "a3-2"
    delivery.close()
    after = Delivery(relay.sink(interval=0.1, gather=0.0), [alert("a1", "low")])
    wait_for(after.idle)
    assert relay.mails[2]["Subject"] == "[mailwarden] digest: 1 alert, low at most"
    assert after.told() == [Told("email", "a1", 1)]
    after.put([alert("a4", "low"), alert("a4", "low", revision=2)])
    wait_for(after.idle)
    assert len(relay.mails) == 4
    after.close()


def test_at_the_end_the_digest_is_told(relay: Relay) -> None:
    delivery = Delivery(relay.sink())
    delivery.put([alert("a1", "low")])
    assert not delivery.idle()
    delivery.hurry()
    wait_for(delivery.idle)
    delivery.close()
    assert len(relay.mails) == 1


def test_a_large_digest_is_several(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.single.delivery.DIGEST", 10)
    delivery = Delivery(relay.sink(interval=0.2))
    delivery.put(alert(f"a{number}", "low") for number in range(25))
    wait_for(delivery.idle)
    delivery.close()
    subjects = [str(mail["Subject"]) for mail in relay.mails]
    assert [re.findall(r"\d+", subject) for subject in subjects] == [["10"], ["10"], ["5"]]


# -- whom not to tell ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "recipient", "accused"),
    [
        ({"accounts": ["soc@example.org"]}, SOC, True),
        ({"accounts": ["SOC@Example.org"]}, SOC, True),
        ({"accounts": ["soc"]}, SOC, True),
        ({"accounts": ["soc"]}, "SOC+alerts@example.org", True),
        ({"accounts": ["soc+alerts@example.org"]}, SOC, True),
        ({"accounts": ["soc@example.net"]}, SOC, False),
        ({"accounts": ["anna@example.org"]}, SOC, False),
        ({"subject": Subject("account", SOC)}, SOC, True),
        ({"subject": Subject("address", SOC)}, SOC, True),
        ({"subject": Subject("account", SOC), "targets": [SOC]}, SOC, False),
        ({"targets": [SOC]}, SOC, False),
        ({"accounts": [SOC], "severity": "info"}, SOC, False),
        ({"accounts": [SOC], "state": "withdrawn"}, SOC, True),
    ],
)
def test_who_is_accused(more: dict[str, Any], recipient: str, accused: bool) -> None:
    assert accuses(alert(**more), recipient) is accused


def test_whom_an_alert_accuses_is_not_told_of_it(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    before = refused()
    sink = relay.sink()
    sink.send([alert("a1", accounts=[SOC])])
    [mail], [envelope] = relay.mails, relay.envelopes
    assert envelope.rcpt_tos == [DESK]
    assert mail["To"] == DESK
    sink.send([alert("a2", accounts=[SOC, DESK]), alert("a3")])
    assert [mail["Message-ID"] for mail in relay.mails[1:]] == ["<a3.1@example.org>"]
    assert refused() == before + 1
    assert "alert refused sink=email alert=a2" in caplog.text


def test_a_digest_leaves_out_what_accuses_its_reader(relay: Relay) -> None:
    before = refused()
    both = alert("a3", "low", accounts=[SOC, DESK])
    relay.sink().deliver_digest([alert("a1", "low", accounts=[SOC]), alert("a2", "low"), both])
    told = {str(mail["To"]): re.findall(r"show (\w+)", text(mail)) for mail in relay.mails}
    assert told == {SOC: ["a2"], DESK: ["a1", "a2"]}
    assert refused() == before + 1
    relay.sink().deliver_digest([both])
    assert len(relay.mails) == 2


# -- the relay ------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["starttls", "tls"])
def test_by_tls_with_a_login(tmp_path: Path, transport: str) -> None:
    made = Relay(tmp_path, transport, login=transport == "starttls")
    secret = tmp_path / "password"
    secret.write_text("right\n")
    login: dict[str, Any] = {}
    if transport == "starttls":
        login = {"username": "warden", "password_file": str(secret)}
    try:
        settings = {"transport": transport, "ca": str(made.chain), **login}
        made.sink(**settings).send([alert()])
        assert len(made.mails) == 1
        if login:
            assert made.logins == [(b"warden", b"right")]
            wrong = {**settings, "password_file": "", "password": "wrong"}
            with pytest.raises(SinkError, match="535 ") as caught:
                made.sink(**wrong).send([alert()])
            assert "wrong" not in str(caught.value)
        with pytest.raises(SinkError, match="certificate verify failed"):
            made.sink(**{**settings, "ca": ""}).send([alert()])
    finally:
        made.controller.stop()
    assert len(made.mails) == 1


def test_a_relay_without_tls_gets_nothing(relay: Relay) -> None:
    with pytest.raises(SinkError, match="STARTTLS"):
        relay.sink(transport="starttls").send([alert()])
    with pytest.raises(SinkError, match=r"localhost:\d+: "):
        relay.sink(transport="tls").send([alert()])
    assert relay.mails == []


def test_what_left_before_a_failure_is_not_sent_again(relay: Relay) -> None:
    relay.data = ["250 Ok", "451 4.3.0 later"]
    sink = relay.sink()
    batch = [alert("a1"), alert("a2"), alert("a3")]
    with pytest.raises(SinkError, match=r"451 4\.3\.0 later"):
        sink.send(batch)
    sink.send(batch)
    assert [mail["X-Mailwarden-Alert"] for mail in relay.mails] == ["a1-1", "a2-1", "a3-1"]


def test_a_restart_mails_nothing_twice(relay: Relay, tmp_path: Path) -> None:
    sink = relay.sink()
    sink.folder = tmp_path / "sinks"
    sink.send([alert("a1", revision=2)])
    sink.deliver_digest([alert("a2", "low")])
    again = relay.sink()
    again.folder = tmp_path / "sinks"
    # What a process told that died before it could say so.
    owed = [alert("a1", revision=2), alert("a2", "low"), alert("a3")]
    assert again.received(owed) == {("a1", 2), ("a2", 1)}
    delivery = Delivery(again, owed)
    wait_for(delivery.idle)
    assert len(relay.mails) == 3
    # And more evidence for what that one mailed is not another mail.
    assert again.waits(alert("a1", revision=3))
    assert not again.waits(alert("a1", "critical", revision=4))
    assert not again.waits(alert("a2", "high", revision=5))
    delivery.close()
    assert len(relay.mails) == 3


def test_a_sink_of_the_settings_keeps_it_in_the_state_directory(tmp_path: Path) -> None:
    example = """
        [storage]
        path = "%s/mailwarden.db"
        [sinks."desk/1"]
        kind = "email"
        server = "localhost:1"
        sender = "mailwarden@example.org"
        recipients = ["soc@example.org"]
    """
    table = tomllib.loads(example % tmp_path)
    [sink] = configuration.build(convert(table, Settings, "")).sinks
    assert isinstance(sink, Email)
    sink._mailed.note_single(alert("a1"))
    assert (tmp_path / "sinks" / "desk%2F1.mailed.json").is_file()


def test_a_text_that_the_relay_will_never_take_holds_up_no_other(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    before = refused()
    relay.data = ["554 5.7.1 this looks like spam"]
    relay.sink().send([alert("a1"), alert("a2")])
    assert [mail["X-Mailwarden-Alert"] for mail in relay.mails] == ["a2-1"]
    assert refused() == before + 1
    assert "this looks like spam" in caplog.text


def test_one_recipient_that_is_not_there_is_logged_and_the_others_told(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    relay.answers = {DESK: "550 5.1.1 no such user"}
    relay.sink().send([alert()])
    assert [envelope.rcpt_tos for envelope in relay.envelopes] == [[SOC]]
    assert f"recipient={DESK}" in caplog.text
    relay.answers[SOC] = "550 5.7.1 relaying denied"
    with pytest.raises(SinkError, match="550 5"):
        relay.sink().send([alert()])


def test_a_relay_that_is_not_there_is_an_error(relay: Relay) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets it
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match=rf"127\.0\.0\.1:{port}: .*refused"):
            relay.sink(server=f"127.0.0.1:{port}").send([alert()])


def test_a_relay_that_says_nothing_is_given_up(relay: Relay) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SinkError, match="timed out"):
            relay.sink(server=where, timeout=0.2).send([alert()])


@pytest.mark.servers
@pytest.mark.xdist_group("relay")
def test_postfix_delivers_them(relay: Relay) -> None:
    with running() as server:
        sink = relay.sink(
            server=f"127.0.0.1:{server.smtp}",
            recipients=("bob@example.org",),
            sender="w@example.org",
        )
        sink.send([alert("a1", incident="i1"), evil("e1")])
        sink.deliver_digest([alert("a2", "low")])
        folder = server.folder / "mail" / "bob@example.org"

        def there() -> list[EmailMessage]:
            paths = sorted((folder / "new").glob("*")) if folder.exists() else []
            return [
                cast(EmailMessage, email.message_from_bytes(path.read_bytes(), policy=default))
                for path in paths
            ]

        wait_for(lambda: len(there()) == 3)
        found = {str(one["Message-ID"]): one for one in there()}
    assert found["<a1.1@example.org>"]["References"] == "<incident.i1@example.org>"
    assert found["<a1.1@example.org>"]["Auto-Submitted"] == "auto-generated"
    assert text(found["<a1.1@example.org>"]).startswith("192.0.2.1: 15 wrong passwords")
    assert sum("digest" in name for name in found) == 1


def test_the_documentation_says_how(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/sinks.md").read_text()
    [example] = re.findall(r"```toml\n(\[sinks\.email\].*?)```", page, re.DOTALL)
    (tmp_path / "relay.password").write_text("right")
    example = example.replace("/etc/mailwarden", str(tmp_path))
    [made] = configuration.build(Settings(sinks=tomllib.loads(example)["sinks"])).sinks
    assert made.about() == (
        "mails to soc@example.org, desk@example.net by starttls through relay.example.org:587,"
        " each alert from high on, and a digest every 3600 s"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"server": ""}, "server: expected HOST or HOST:PORT"),
        ({"sender": "mailwarden"}, "sender: expected an address"),
        ({"recipients": ()}, "recipients: expected one address or more"),
        ({"recipients": (SOC, "a@b\r\nBcc: c@d")}, "recipients[1]: expected an address"),
        ({"timeout": 0.0}, "timeout: expected a number of seconds above 0"),
        ({"interval": 0.0}, "interval: expected a number of seconds above 0"),
        ({"username": "x"}, "username: expected a name and its password"),
        ({"password": "x"}, "username: expected a name and its password"),
        ({"username": "x", "password": "y"}, "transport: expected starttls or tls"),
        ({"ca": "/none"}, "ca: /none cannot be read"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, Any], said: str) -> None:
    usual = {"server": "h", "transport": "plain", "sender": "w@example.org", "recipients": (SOC,)}
    with pytest.raises(SettingsError) as caught:
        Email(EmailSettings(**{**usual, **settings}))
    assert str(caught.value).startswith(said)
