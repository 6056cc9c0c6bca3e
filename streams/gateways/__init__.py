"""The gateways, one line each."""

from streams.gateway import Gateway
from streams.gateways.auth_policy import AuthPolicy
from streams.gateways.feeds import Feeds
from streams.gateways.lapi import Lapi
from streams.gateways.policy import Policy
from streams.gateways.postfix import Postfix

GATEWAYS: dict[str, type[Gateway]] = {
    "auth_policy": AuthPolicy,
    "feeds": Feeds,
    "lapi": Lapi,
    "policy": Policy,
    "postfix": Postfix,
}
