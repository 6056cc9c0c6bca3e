import asyncio
import ssl
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from faust.auth import SASLCredentials, SSLCredentials
from faust.types import TP
from intervaltree import IntervalTree

from agents.worker import app
from schemas.settings import KafkaSettings

PLACE = TP("mail.facts", 0)


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate and its key."""
    home = tmp_path_factory.mktemp("pem")
    certificate, key = home / "c.pem", home / "k.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=example.net", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(certificate), str(key)


def test_an_app_has_the_names_of_its_site(tmp_path: Path) -> None:
    made = app.make(
        KafkaSettings(prefix="site.", bootstrap=("192.0.2.1:9092", "192.0.2.2:9092")), tmp_path
    )
    assert made.conf.id == "site.mailwarden"
    assert made.conf.datadir == tmp_path
    assert [str(url) for url in made.conf.broker] == [
        "kafka://192.0.2.1:9092",
        "kafka://192.0.2.2:9092",
    ]


def test_queues_are_not_cleared_when_the_flow_resumes(tmp_path: Path) -> None:
    queue = app.make(KafkaSettings(), tmp_path).FlowControlQueue(10, clear_on_resume=True)
    assert queue._clear_on_resume is False


def test_offsets_without_a_message_are_acked_only_when_the_broker_says_so(tmp_path: Path) -> None:
    consumer = app.Consumer.__new__(app.Consumer)  # without the thread that connects
    consumer._gap, consumer._committed_offset = defaultdict(IntervalTree), {PLACE: 5}
    consumer._acked, consumer._acked_index = {PLACE: [7]}, {PLACE: {7}}
    asyncio.run(consumer._add_gap(PLACE, 5, 7))
    assert consumer._new_offset(PLACE) is None
    consumer.pass_over(PLACE, 7)
    assert consumer._new_offset(PLACE) == 8
    assert app.make(KafkaSettings(), tmp_path)._new_transport().Consumer is app.Consumer


def test_without_security_there_are_no_credentials() -> None:
    assert app.credentials(KafkaSettings()) is None


def test_a_password_goes_in_the_clear_only_where_the_settings_say_so(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n", encoding="utf-8")
    found = app.credentials(
        KafkaSettings(
            security="SASL_PLAINTEXT",
            mechanism="SCRAM-SHA-256",
            username="worker",
            password_file=str(secret),
        )
    )
    assert isinstance(found, SASLCredentials)
    assert (found.username, found.password, found.ssl_context) == ("worker", "hush", None)
    assert (found.protocol.value, found.mechanism.value) == ("SASL_PLAINTEXT", "SCRAM-SHA-256")


def test_sasl_over_tls_verifies_the_broker(pem: tuple[str, str]) -> None:
    found = app.credentials(KafkaSettings(security="SASL_SSL", username="w", ca=pem[0]))
    assert isinstance(found, SASLCredentials)
    assert found.protocol.value == "SASL_SSL"
    assert found.ssl_context is not None
    assert found.ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert found.ssl_context.check_hostname


def test_tls_alone_can_show_a_certificate(pem: tuple[str, str]) -> None:
    found = app.credentials(
        KafkaSettings(security="SSL", ca=pem[0], certificate=pem[0], key=pem[1])
    )
    assert isinstance(found, SSLCredentials)
    assert found.context.get_ca_certs()
