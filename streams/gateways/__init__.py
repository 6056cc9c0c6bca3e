"""The gateways, one line each."""

from streams.gateway import Gateway

GATEWAYS: dict[str, type[Gateway]] = {}
