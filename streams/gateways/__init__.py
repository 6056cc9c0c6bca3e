"""The gateways, one line each."""

from streams.gateway import Gateway
from streams.gateways.account_actions import AccountActions
from streams.gateways.auth_policy import AuthPolicy
from streams.gateways.feeds import Feeds
from streams.gateways.lapi import Lapi
from streams.gateways.m365 import M365
from streams.gateways.policy import Policy
from streams.gateways.postfix import Postfix

GATEWAYS: dict[str, type[Gateway]] = {
    "account_actions": AccountActions,
    "auth_policy": AuthPolicy,
    "feeds": Feeds,
    "lapi": Lapi,
    "m365": M365,
    "policy": Policy,
    "postfix": Postfix,
}
