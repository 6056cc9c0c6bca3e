"""Mails beside the logs, in the programs that run: `mailwarden run` and `mailwarden ship`."""

import json
import signal
import smtplib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from agents import configuration
from agents.commands.topics import make
from agents.running import intakes
from agents.running.control import Control
from agents.ship import Shipper
from schemas import wire
from schemas.events import Bounce
from schemas.settings import KafkaSettings, Settings, convert
from streams.memory_bus import MemoryBus
from streams.shipping.outbox import Outbox
from streams.sources.follow import Follow
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 30.0
PARTITIONS = 4
T = TypeVar("T")


def report(number: int) -> bytes:
    return (
        "Return-Path: <>\r\n"
        "From: MAILER-DAEMON@mx.example.net\r\n"
        "To: <sender@example.com>\r\n"
        "Subject: failure notice\r\n\r\n"
        f"<u{number}@example.org>:\r\n"
        "Remote host said: 550 5.1.1 no such user here\r\n\r\n"
        "--- Below this line is a copy of the message.\r\n\r\n"
        f"Message-ID: <m{number}@example.com>\r\n"
    ).encode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def hand_over(port: int, number: int) -> bool:
    """Whether a mail was taken, as an MTA tries it that comes again."""
    try:
        with smtplib.LMTP("127.0.0.1", port, timeout=SECONDS) as mta:
            return mta.sendmail("", ["reports@example.com"], report(number)) == {}
    except (smtplib.SMTPException, ConnectionError):
        return False


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur"):
        (tmp_path / "reports" / name).mkdir(parents=True)
    return tmp_path / "reports"


@pytest.fixture
def settings(tmp_path: Path, maildir: Path) -> Path:
    path = tmp_path / "mailwarden.toml"
    path.write_text(f"""
        site = {{ host = "mx1", domains = ["example.com"] }}
        storage = {{ path = "{tmp_path}/mailwarden.db" }}
        http = {{ listen = "127.0.0.1:{free_port()}" }}
        logs = {{ files = ["{tmp_path}/mail.log"], journal = "no" }}
        detectors = {{ backscatter_received = {{ reports = 5 }} }}
        [intake.lmtp]
        listen = "127.0.0.1:{free_port()}"
        [intake.maildir]
        path = "{maildir}"
    """)
    return path


@pytest.fixture
def running(settings: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, ROOT / "mailwarden.py", "run", "-c", settings])
    yield process
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0


def test_run_sees_bounces_that_answer_nothing(
    running: "subprocess.Popen[bytes]", settings: Path, maildir: Path, tmp_path: Path
) -> None:
    config = configuration.load(settings).settings
    assert config.intake.lmtp is not None
    port = int(config.intake.lmtp.listen.rpartition(":")[2])
    wait_for(lambda: listens(port))
    for number in range(4):
        wait_for(lambda number=number: hand_over(port, number))  # type: ignore[misc]
        if number == 1:
            running.send_signal(signal.SIGHUP)  # the settings are read again, and it goes on
    for number in range(4, 8):
        (maildir / "new" / str(number)).write_bytes(report(number))
    alerts = tmp_path / "alerts.jsonl"
    found = wait_for(lambda: alerts.exists() and alerts.read_text().splitlines())
    alert = json.loads(found[0])
    assert alert["subject"] == {"kind": "account", "value": "sender@example.com"}
    wait_for(lambda: len(list((maildir / "cur").iterdir())) == 4)
    url = f"http://{config.http.listen}/metrics"
    told = wait_for(lambda: urllib.request.urlopen(url).read().decode())
    assert 'mailwarden_mails_total{intake="lmtp"} 4.0' in told


def test_ship_publishes_each_bounce_once(tmp_path: Path, maildir: Path) -> None:
    bus = MemoryBus()
    make(bus, KafkaSettings(partitions=PARTITIONS))
    config = configuration.build(
        convert(
            {
                "site": {"host": "mx1", "domains": ["example.com"]},
                "kafka": {"partitions": PARTITIONS},
                "intake": {"maildir": {"path": str(maildir)}},
            },
            Settings,
            "settings",
        )
    )
    for number in range(3):
        (maildir / "new" / str(number)).write_bytes(report(number))
    for _ in range(2):
        outbox = Outbox(tmp_path / "outbox.db", PARTITIONS, "mx1")
        shipper = Shipper(
            config,
            outbox,
            lambda config, places: Follow((), positions=places),
            lambda: bus,
            lambda config, places: intakes.opened(config, places, once=True),
        )
        assert shipper.run(Control(lambda: config), once=True)
        shipper.close()
        outbox.close()
    subscription = bus.subscribe(["mail.facts"], None)
    messages = subscription.poll(0.2)
    while not subscription.caught_up():
        messages += subscription.poll(0.2)
    events = [event for message in messages for event in wire.decode_events(message.value or b"")]
    bounces = {event.failed_recipient for event in events if isinstance(event, Bounce)}
    assert bounces == {f"u{number}@example.org" for number in range(3)}
    assert len([event for event in events if isinstance(event, Bounce)]) == 3
    assert not list((maildir / "new").iterdir())
