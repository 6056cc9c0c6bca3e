"""The sinks, one line each."""

from streams.sink import Sink
from streams.sinks.alertmanager import Alertmanager
from streams.sinks.elasticsearch import Elasticsearch
from streams.sinks.email import Email
from streams.sinks.jsonl import JsonLines
from streams.sinks.syslog import Syslog
from streams.sinks.webhook import Webhook

SINKS: dict[str, type[Sink]] = {
    "alertmanager": Alertmanager,
    "elasticsearch": Elasticsearch,
    "email": Email,
    "jsonl": JsonLines,
    "syslog": Syslog,
    "webhook": Webhook,
}
