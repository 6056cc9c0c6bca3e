"""The formats, one line each."""

from streams.gateways.feeds.format import Format
from streams.gateways.feeds.formats.exim import exim
from streams.gateways.feeds.formats.lists import cidr, ip, ip6, plain
from streams.gateways.feeds.formats.nginx import nginx
from streams.gateways.feeds.formats.postfix import postfix
from streams.gateways.feeds.formats.records import json, jsonl
from streams.gateways.feeds.formats.stix import stix

JSON = "application/json"

FORMATS: dict[str, Format] = {
    "cidr": Format(cidr, "cidr.txt"),
    "ip": Format(ip, "ip.txt"),
    "ip6": Format(ip6, "ip6.txt"),
    "plain": Format(plain, "plain.txt", networks_only=False),
    "postfix": Format(postfix, "postfix.cidr"),
    "exim": Format(exim, "exim.txt"),
    "nginx": Format(nginx, "nginx.conf"),
    "haproxy": Format(cidr, "haproxy.acl"),
    "rspamd": Format(cidr, "rspamd.map"),
    "json": Format(json, "decisions.json", JSON, "", networks_only=False),
    "jsonl": Format(jsonl, "decisions.jsonl", "application/jsonl", "", networks_only=False),
    "stix": Format(stix, "stix.json", "application/stix+json;version=2.1", "", networks_only=False),
}
