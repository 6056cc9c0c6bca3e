"""The sinks, one line each."""

from streams.sink import Sink
from streams.sinks.jsonl import JsonLines
from streams.sinks.syslog import Syslog
from streams.sinks.webhook import Webhook

SINKS: dict[str, type[Sink]] = {
    "jsonl": JsonLines,
    "syslog": Syslog,
    "webhook": Webhook,
}
