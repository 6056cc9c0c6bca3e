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
        "jira": "Jira",
        "jsonl": "JsonLines",
        "servicenow": "ServiceNow",
        "syslog": "Syslog",
        "thehive": "TheHive",
        "webhook": "Webhook",
    },
)
