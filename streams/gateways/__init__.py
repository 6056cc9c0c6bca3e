"""The gateways, one line each: the module, and its class."""

from streams.gateway import Gateway
from streams.loaded import Loaded

GATEWAYS: Loaded[Gateway] = Loaded(
    __name__,
    {
        "account_actions": "AccountActions",
        "auth_policy": "AuthPolicy",
        "dnsbl": "Dnsbl",
        "dovecot_deny": "DovecotDeny",
        "exim_lists": "EximLists",
        "feeds": "Feeds",
        "haproxy": "Haproxy",
        "lapi": "Lapi",
        "m365": "M365",
        "nftables": "Nftables",
        "nginx": "Nginx",
        "policy": "Policy",
        "postfix": "Postfix",
        "rspamd": "Rspamd",
    },
)
