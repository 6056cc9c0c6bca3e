"""The same answers from `mailwarden run` and from `mailwarden gateway`."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agents import configuration
from agents.commands.topics import make
from agents.edge.gateway import Edge
from schemas import wire
from schemas.findings import Decision, Target
from schemas.settings import KafkaSettings, Settings, SiteSettings
from streams.gateways.policy import Policy, PolicySettings
from streams.memory_bus import MemoryBus
from tests.gateways.test_policy_server import BAD, GOOD, Client
from tools.kafka import free_ports

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_800_000_000.0


def answer(place: object, client: str) -> str:
    """What a mail server is told; "away" where nobody answers."""
    try:
        asking = Client(place)
    except ConnectionRefusedError:
        return "away"
    with asking.socket:
        return asking.ask(client)


def test_run_answers_from_what_it_has_found(
    documented: Callable[..., str], tmp_path: Path, until: Callable[..., None]
) -> None:
    [port] = free_ports(1)
    place = ("127.0.0.1", port)
    log, settings = tmp_path / "mail.log", tmp_path / "mailwarden.toml"
    log.touch()
    settings.write_text(
        documented("policy", "mailwarden.toml", {"127.0.0.1:10031": f"127.0.0.1:{port}"})
        + f'[site]\nhoneypots = ["trap@example.org"]\n[http]\nlisten = ""\n'
        f'[response]\nenforce = true\npanic = "{tmp_path}/panic"\n'
        "[detectors.auth_dictionary]\nenforce = true\n"
    )
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, ROOT / "mailwarden.py", "run", "-c", settings, log],
            env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "state")},
            cwd=tmp_path,
            stdout=said,
            stderr=said,
        )
    try:
        until(lambda: answer(place, BAD) == "DUNNO")
        with log.open("a") as file:
            file.write(
                f"{datetime.now(UTC).isoformat()} mx1 postfix/smtpd[7]: warning: unknown[{BAD}]:"
                " SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=trap@example.org\n"
            )
        until(lambda: answer(place, BAD).startswith("521 5.7.1 Refused ["))
        assert answer(place, GOOD) == "DUNNO"
        (tmp_path / "panic").touch()
        until(lambda: answer(place, BAD) == "DUNNO")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (tmp_path / "said").read_text()
    assert answer(place, BAD) == "away"


def test_a_gateway_answers_from_the_topic_and_by_its_own_clock(
    tmp_path: Path, until: Callable[..., None]
) -> None:
    bus = MemoryBus(clock=lambda: NOW)
    make(bus, KafkaSettings(partitions=2))
    decision = Decision(
        id="network:203.0.113.0/24:drop",
        target=Target("network", "203.0.113.0/24"),
        action="drop",
        since=NOW,
        until=NOW + 600,
        enforced=True,
    )
    bus.publish("mail.decisions", decision.id.encode(), wire.encode(decision))
    now = [NOW]
    policy = Policy(PolicySettings(listen="127.0.0.1:0"))
    config = msgspec.structs.replace(
        configuration.build(Settings(site=SiteSettings(host="edge1"))), gateways=[policy]
    )
    edge = Edge(config, lambda: bus, tmp_path / "decisions.json", clock=lambda: now[0])
    try:

        def turned(expected: str) -> Callable[[], bool]:
            def look() -> bool:
                edge.turn()
                return policy.address is not None and answer(policy.address, BAD) == expected

            return look

        until(turned("521 5.7.1 Refused [network:203.0.113.0/24:drop]"))
        assert answer(policy.address, GOOD) == "DUNNO"
        now[0] += 600
        assert answer(policy.address, BAD) == "DUNNO"  # at once: nothing has turned since
        now[0] -= 300
        assert answer(policy.address, BAD) != "DUNNO"
        bus.publish("mail.decisions", decision.id.encode(), None)
        until(turned("DUNNO"))
    finally:
        edge.close()
