"""Flow records of routers as JSON: connections to port 25.

Sources: the field names of IPFIX (RFC 7012, IANA's registry; ipfixcol2 puts ``iana:`` before
them), nfdump's ``-o json``, pmacct's print and kafka plugins, goflow2's and its predecessor's JSON,
Logstash's netflow codec, Filebeat's netflow input (``source.ip``), the names of NetFlow 5. A flow
of the answers has the ports the other way round and is passed over. A record may stand for
several connections, and says so in too many ways to be believed: it counts as one.
"""

from typing import Any

from msgspec import Struct

from streams.parsers import fields
from streams.parsers.moments import moment
from streams.parsers.outbound import connection
from streams.parsers.part import DOCUMENT, Format, Items, Mask, Parse, Record


class Names(Struct, frozen=True):
    """How a collector names what we look at; the first that is there counts."""

    port: str
    protocol: tuple[str, ...]
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    begins: tuple[str, ...] = ()


COLLECTORS = (
    Names(
        "destinationTransportPort",
        ("protocolIdentifier",),
        ("sourceIPv4Address", "sourceIPv6Address"),
        ("destinationIPv4Address", "destinationIPv6Address"),
        ("flowStartMilliseconds", "flowStartMicroseconds", "flowStartSeconds"),
    ),
    Names(
        "iana:destinationTransportPort",
        ("iana:protocolIdentifier",),
        ("iana:sourceIPv4Address", "iana:sourceIPv6Address"),
        ("iana:destinationIPv4Address", "iana:destinationIPv6Address"),
        ("iana:flowStartMilliseconds", "iana:flowStartMicroseconds", "iana:flowStartSeconds"),
    ),
    Names(
        "port_dst",
        ("ip_proto",),
        ("ip_src",),
        ("ip_dst",),
        ("timestamp_start", "stamp_inserted", "timestamp_arrival"),
    ),
    Names(
        "l4_dst_port",
        ("protocol",),
        ("ipv4_src_addr", "ipv6_src_addr"),
        ("ipv4_dst_addr", "ipv6_dst_addr"),
        ("first_switched",),
    ),
    Names(
        "DstPort",
        ("Proto",),
        ("SrcAddr",),
        ("DstAddr",),
        ("TimeFlowStartNs", "TimeFlowStart", "TimeReceivedNs", "TimeReceived"),
    ),
    Names(
        "dst_port",
        ("proto",),
        ("src4_addr", "src6_addr", "src_addr"),
        ("dst4_addr", "dst6_addr", "dst_addr"),
        ("first", "t_first", "time_flow_start_ns", "time_received_ns", "received"),
    ),
    Names("dstport", ("prot", "protocol"), ("srcaddr",), ("dstaddr",), ("unix_secs",)),
)

TCP = ("6", "tcp", "6.0")


def _flow(record: Record) -> Items | None:
    data = record.data
    for names in COLLECTORS:
        if names.port in data:
            return _told(record, data, names)
    if "netflow" in data or "flow" in data:
        return _elastic(record, data)
    return None


def _first(data: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((data[name] for name in names if data.get(name)), None)


def _told(record: Record, data: dict[str, Any], names: Names) -> Items | None:
    source = _first(data, names.sources)
    if source is None:
        return None
    if fields.number(data[names.port]) != 25:
        return ()
    if str(_first(data, names.protocol)).lower() not in TCP:
        return ()
    at = moment(_first(data, names.begins))
    destination = fields.text(_first(data, names.destinations))
    return connection(record, fields.text(source), destination, refused=False, at=at)


def _elastic(record: Record, data: dict[str, Any]) -> Items | None:
    source, destination = (fields.record(data.get(name)) for name in ("source", "destination"))
    if "ip" not in source or "port" not in destination:
        return None
    network = fields.record(data.get("network"))
    transport = network.get("transport", network.get("iana_number"))
    if fields.number(destination["port"]) != 25 or str(transport).lower() not in TCP:
        return ()
    at = moment(fields.record(data.get("event")).get("start"))
    addresses = (fields.text(side.get("ip")) for side in (source, destination))
    return connection(record, *addresses, refused=False, at=at)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    return _flow if program == DOCUMENT else None


FORMAT = Format(
    "flows",
    parser,
    keys=(*(names.port for names in COLLECTORS), "netflow", "flow"),
)
