"""The sinks, one line each: the module, and its class."""

from streams.loaded import Loaded
from streams.sink import Sink

SINKS: Loaded[Sink] = Loaded(
    __name__,
    {
        "alertmanager": "Alertmanager",
        "chat": "Chat",
        "elasticsearch": "Elasticsearch",
        "email": "Email",
        "jsonl": "JsonLines",
        "syslog": "Syslog",
        "webhook": "Webhook",
    },
)
