"""TLS with certificates on both sides, and SASL, against a real broker that insists on them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from schemas.settings import KafkaSettings
from schemas.topics import Topic
from streams.kafka_bus import KafkaBus
from tools.kafka import Broker, free_ports

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "Quince-42"
SECONDS = 20.0

# https://kafka.apache.org/documentation/#security_ssl and #security_sasl_plain
PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller}},SECURE://127.0.0.1:{secure}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={folder}/broker.pem
listener.name.secure.ssl.truststore.type=PEM
listener.name.secure.ssl.truststore.location={folder}/ca.crt
listener.name.secure.ssl.client.auth=required
listener.name.secure.sasl.enabled.mechanisms=PLAIN
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_shipper="{password}";
"""  # noqa: E501


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certify(folder: Path, name: str) -> None:
    """A key and a certificate of our authority for 127.0.0.1."""
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key",
        "-subj", f"/CN={name}", "-out", f"{name}.csr",
    )  # fmt: skip
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
        "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", f"{name}.crt",
    )  # fmt: skip


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaSettings]:
    """How to reach a broker that wants a certificate and a password."""
    folder = tmp_path_factory.mktemp("secure")
    openssl(
        folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key",
        "-subj", "/CN=authority", "-days", "2", "-out", "ca.crt",
    )  # fmt: skip
    for name in ("broker", "shipper"):
        certify(folder, name)
    pem = (folder / "broker.key").read_text() + (folder / "broker.crt").read_text()
    (folder / "broker.pem").write_text(pem)
    (folder / "password").write_text(f"{PASSWORD}\n")
    port, controller, outside = free_ports(3)
    more = PROPERTIES.format(folder=folder, secure=outside, password=PASSWORD)
    broker = Broker(folder / "kafka", port, controller, bound=True, more=more)
    broker.start()
    yield KafkaSettings(
        bootstrap=(f"127.0.0.1:{outside}",),
        security="SASL_SSL",
        mechanism="PLAIN",
        username="shipper",
        password_file=str(folder / "password"),
        ca=str(folder / "ca.crt"),
        certificate=str(folder / "shipper.crt"),
        key=str(folder / "shipper.key"),
    )
    broker.stop()


@pytest.mark.broker
def test_all_three_kinds_of_clients_pass(secure: KafkaSettings) -> None:
    bus = KafkaBus(secure)
    bus.create(Topic("t", "words", "any"), 1, 1)
    bus.publish("t", b"k", b"v")
    bus.flush(SECONDS)
    subscription = bus.subscribe(["t"], None)
    assert [message.value for message in subscription.poll(SECONDS)] == [b"v"]
    assert bus.topics() == {"t": 1}
    bus.close()


@pytest.mark.broker
@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        # where the broker hangs up before its reason is read, the way in is all there is to say
        ({"password_file": "", "password": "Medlar-7"}, "by kafka.security = SASL_SSL: "),
        ({"certificate": "", "key": ""}, "by kafka.security = SASL_SSL: "),
        ({"ca": ""}, "certificate verify failed"),
        ({"security": "PLAINTEXT"}, "by kafka.security = PLAINTEXT: "),
    ],
    ids=["password", "no certificate", "unknown authority", "no TLS"],
)
def test_what_is_wrong_is_an_error_and_never_shows_the_password(
    secure: KafkaSettings, wrong: dict[str, str], word: str, tmp_path: Path
) -> None:
    done = listed(secure, wrong, tmp_path)
    assert done.returncode == 1
    assert "no Kafka broker lets us in" in done.stderr
    assert word in done.stderr
    assert PASSWORD not in done.stderr
    assert "Medlar" not in done.stderr


@pytest.mark.broker
def test_a_file_that_is_missing_is_a_wrong_setting(secure: KafkaSettings, tmp_path: Path) -> None:
    done = listed(secure, {"ca": "/nowhere/ca.crt"}, tmp_path)
    assert done.returncode == 2
    assert "kafka.ca" in done.stderr
    assert "No such file" in done.stderr


def listed(
    secure: KafkaSettings, wrong: dict[str, str], tmp_path: Path
) -> subprocess.CompletedProcess[str]:
    """`mailwarden topics list` with settings of which some are wrong."""
    settings = msgspec.to_builtins(msgspec.structs.replace(secure, **wrong))
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    file = tmp_path / "mailwarden.toml"
    file.write_text("[kafka]\n" + "".join(lines))
    # In a process of its own: kafka-python 3.0 leaves sockets open where a handshake fails.
    return subprocess.run(
        [sys.executable, str(ROOT / "mailwarden.py"), "topics", "list", "-c", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
