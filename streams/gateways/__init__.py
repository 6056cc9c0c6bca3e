"""The gateways, one line each."""

from streams.gateway import Gateway
from streams.gateways.account_actions import AccountActions
from streams.gateways.auth_policy import AuthPolicy
from streams.gateways.dnsbl import Dnsbl
from streams.gateways.dovecot_deny import DovecotDeny
from streams.gateways.exim_lists import EximLists
from streams.gateways.feeds import Feeds
from streams.gateways.haproxy import Haproxy
from streams.gateways.lapi import Lapi
from streams.gateways.m365 import M365
from streams.gateways.nftables import Nftables
from streams.gateways.nginx import Nginx
from streams.gateways.policy import Policy
from streams.gateways.postfix import Postfix
from streams.gateways.rspamd import Rspamd

GATEWAYS: dict[str, type[Gateway]] = {
    "account_actions": AccountActions,
    "auth_policy": AuthPolicy,
    "dnsbl": Dnsbl,
    "dovecot_deny": DovecotDeny,
    "exim_lists": EximLists,
    "feeds": Feeds,
    "haproxy": Haproxy,
    "lapi": Lapi,
    "m365": M365,
    "nftables": Nftables,
    "nginx": Nginx,
    "policy": Policy,
    "postfix": Postfix,
    "rspamd": Rspamd,
}
