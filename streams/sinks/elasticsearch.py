"""Alerts into Elasticsearch or OpenSearch, by the bulk API, as ECS documents of a data stream.

Each revision of an alert is a document, and its `_id` is the alert's id and revision: what is
there already answers 409 when it is sent again, and that is as good as 201. An item that answers
429 or 5xx, as one that may not be written, is sent again with its batch, the others of it being
there already. An item that does not fit the mapping, or is too large by itself, never will be
taken: it is counted, logged and left out; so is one with another 400, where others of its batch are
taken. Where none is, the cluster is not set up for us, and they are sent again.
https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
"""

import logging
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas import wire
from schemas.findings import Alert
from schemas.settings import SettingsError
from streams import tls
from streams.metrics import SINK_REFUSED
from streams.posting import Answer, Request, Server, basic
from streams.rendering import ecs
from streams.said import said
from streams.sink import Sink, SinkError, SinkSettings

log = logging.getLogger(__name__)

STREAM = re.compile(r"(logs)-([a-z0-9_.]{1,100})-([a-z0-9_.]{1,100})")
REFUSED = 1000  # documents of which is remembered that they were refused
ANSWER = "filter_path=errors,items.create.status,items.create.error.type,items.create.error.reason"
CONFLICT = 409
# What Elasticsearch (the first since 8.8) and OpenSearch say of a document that does not fit.
UNFIT = (
    "document_parsing_exception",
    "mapper_parsing_exception",
    "strict_dynamic_mapping_exception",
)
TOO_LARGE = 413


class ElasticsearchSettings(SinkSettings, frozen=True):
    """``[sinks.elasticsearch]``"""

    gather: float = 0.0  # seconds; 0: each alert is a document
    url: str = ""  # http:// or https:// of the cluster; must be set
    stream: str = "-".join(ecs.STREAM)  # the data stream: logs-DATASET-NAMESPACE
    api_key: str = ""  # as the cluster gave it, base64 of id:key
    api_key_file: str = ""  # a file that holds it instead
    username: str = ""  # basic authentication, in place of the key
    password: str = ""
    password_file: str = ""
    timeout: float = 30.0  # seconds for one request
    ca: str = ""  # PEM file of authorities, in place of the system's
    certificate: str = ""  # PEM files, where the cluster asks for a certificate
    key: str = ""


class Elasticsearch(Sink):
    Settings = ElasticsearchSettings
    settings: ElasticsearchSettings

    def __init__(self, settings: SinkSettings, name: str = "elasticsearch") -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name)
        chosen = self.settings
        context = tls.to_server(chosen.ca, chosen.certificate, chosen.key)
        self._server = Server(chosen.url, context, chosen.timeout)
        parts = STREAM.fullmatch(chosen.stream)
        if parts is None:
            raise SettingsError(
                "stream: expected logs-DATASET-NAMESPACE, as logs-mailwarden.alert-x"
            )
        self._stream = (parts[1], parts[2], parts[3])
        self._headers = {"content-type": "application/x-ndjson", **_credentials(chosen)}
        self._refused: dict[str, None] = {}

    def about(self) -> str:
        return f"ECS documents to {self.settings.stream} of {self._server.shown}"

    def deliver(self, alerts: Sequence[Alert]) -> None:
        named = {f"{one.id}-{one.revision}": one for one in alerts}
        documents = [
            (name, wire.encode(ecs.tree(one, self._stream)))
            for name, one in named.items()
            if name not in self._refused
        ]
        self._send(documents)

    def _send(self, documents: list[tuple[str, bytes]]) -> None:
        if not documents:
            return
        answers: list[Answer] = []
        path = f"{self.settings.stream}/_bulk?{ANSWER}"
        body = b"".join(b'{"create":{"_id":"%b"}}\n%b\n' % (n.encode(), d) for n, d in documents)
        self._server.send([Request(body, self._headers, path)], answers.append)
        [answer] = answers
        if answer.status == TOO_LARGE and len(documents) > 1:
            half = len(documents) // 2
            self._send(documents[:half])
            self._send(documents[half:])
        elif answer.status == TOO_LARGE:
            self._refuse(documents[0][0], "it is too large for the cluster")
        else:
            self._server.expect_success(answer)
            self._judge([name for name, _ in documents], answer.body)

    def _judge(self, names: list[str], body: bytes) -> None:
        """What became of each document. Raises SinkError where one must be sent again."""
        try:
            items = [item["create"] for item in msgspec.json.decode(body)["items"]]
            outcomes = [(int(item["status"]), item.get("error") or {}) for item in items]
        except (ValueError, TypeError, KeyError) as error:
            raise SinkError(f"{self._server.shown}: not the answer of a bulk request") from error
        if len(outcomes) != len(names):
            raise SinkError(f"{self._server.shown}: {len(outcomes)} answers for {len(names)}")
        again = []
        taken = any(200 <= status < 300 or status == CONFLICT for status, _ in outcomes)
        for name, (status, fault) in zip(names, outcomes, strict=True):
            if status == 400 and (taken or fault.get("type") in UNFIT):
                self._refuse(name, _words(fault))
            elif not 200 <= status < 300 and status != CONFLICT:
                again.append(f"{status} {_words(fault)}")
        if again:
            count = f"{len(again)} of {len(names)} documents not taken"
            raise SinkError(f"{self._server.shown}: {count}: {again[0]}")

    def _refuse(self, name: str, reason: str) -> None:
        self._refused[name] = None
        while len(self._refused) > REFUSED:
            del self._refused[next(iter(self._refused))]
        SINK_REFUSED.labels(self.name).inc()
        log.error(said("alert refused", sink=self.name, alert=name, reason=reason))


def _credentials(settings: ElasticsearchSettings) -> dict[str, str]:
    key = tls.held_secret(settings.api_key, settings.api_key_file, "api_key")
    if key and settings.username:
        raise SettingsError("username: expected either a name or an api_key, not both")
    if key:
        if not re.fullmatch(r"[!-~]+", key):
            raise SettingsError("api_key: expected one word, as the cluster gave it")
        return {"authorization": f"ApiKey {key}"}
    return basic(settings.username, settings.password, settings.password_file)


def _words(fault: dict[str, Any]) -> str:
    return f"{fault.get('type', '')}: {str(fault.get('reason', ''))[:300]}"
