"""The gateways, one line each."""

from streams.gateway import Gateway
from streams.gateways.policy import Policy
from streams.gateways.postfix import Postfix

GATEWAYS: dict[str, type[Gateway]] = {
    "policy": Policy,
    "postfix": Postfix,
}
