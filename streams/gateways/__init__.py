"""The gateways, one line each."""

from streams.gateway import Gateway
from streams.gateways.auth_policy import AuthPolicy
from streams.gateways.policy import Policy
from streams.gateways.postfix import Postfix

GATEWAYS: dict[str, type[Gateway]] = {
    "auth_policy": AuthPolicy,
    "policy": Policy,
    "postfix": Postfix,
}
