"""The Faust app: its settings, and the two things that Faust has to be told otherwise.

After a recovery Faust seeks to the committed offsets and then resumes its flow control, which
clears the queues of the streams: what was fetched in between would be lost until the next
restart. So the queues are not cleared there (faust-streaming 0.15.3, faust/tables/recovery.py
`on_recovery_completed`, mode/utils/queues.py `FlowControlEvent.resume`). Stale messages do no
harm: a stream skips those of another generation.

Where messages are missing, Faust takes their offsets for acked, and with them that of the message
beyond, as if nothing had ever been there (faust/transport/consumer.py `_add_gap`). What is missing
is read again (agents/worker/order.py), and may be committed only then.
"""

import ssl
from pathlib import Path
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.types import TP
from faust.types.auth import CredentialsT

from schemas.settings import KafkaSettings
from streams.kafka_client import password

TABLE = "records"
UNSENT = 600.0  # seconds that a broker may be away before a flush fails


class Consumer(FaustConsumer):
    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Messages that did not come are not acked."""

    def pass_over(self, place: TP, offset: int) -> None:
        """There is nothing before `offset` but what was taken: commits may go on from there."""
        self._committed_offset[place] = offset


class App(faust.App):
    def _new_transport(self) -> Any:
        transport: Any = super()._new_transport()
        transport.Consumer = Consumer
        return transport

    def FlowControlQueue(  # noqa: N802 - Faust's name
        self, maxsize: int | None = None, *, clear_on_resume: bool = False
    ) -> Any:
        return super().FlowControlQueue(maxsize, clear_on_resume=False)


def make(settings: KafkaSettings, folder: Path) -> App:
    """An app without agents. Faust makes directories in `folder`, which must be there."""
    return App(
        settings.prefix + settings.group,
        datadir=folder,
        broker=[f"kafka://{server}" for server in settings.bootstrap],
        broker_credentials=credentials(settings),
        # Every worker reads the topics that `mailwarden topics create` has made.
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        store="memory://",
        table_standby_replicas=0,
        web_enabled=False,
        worker_redirect_stdouts=False,
        # Acks wait for the flush; nothing is committed between two of them.
        broker_commit_every=None,
        broker_commit_interval=1.0,
        broker_session_timeout=settings.session,
        broker_heartbeat_interval=settings.session / 10,  # a rebalance is heard of with the next
        broker_max_poll_records=500,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        stream_buffer_maxsize=4096,
        # Stock Faust logs a failed send, acks, and loses what was counted.
        agent_supervisor="mode.CrashingSupervisor",
        producer_acks=-1,
        producer_compression_type="lz4",
        producer_linger=0.005,
        producer_max_batch_size=1_000_000,
        producer_max_request_size=1_040_000,
        producer_request_timeout=UNSENT,
    )


def credentials(settings: KafkaSettings) -> CredentialsT | None:
    """TLS and SASL as the settings ask for them."""
    context = None
    if settings.security.endswith("SSL"):
        context = ssl.create_default_context(cafile=settings.ca or None)
        if settings.certificate:
            context.load_cert_chain(settings.certificate, settings.key or None)
    if settings.security.startswith("SASL"):
        return SASLCredentials(
            username=settings.username,
            password=password(settings),
            mechanism=settings.mechanism,
            ssl_context=context,
        )
    return SSLCredentials(context) if context is not None else None
