"""Firewalls' lines of connections to port 25: netfilter, ufw, pf, pfSense, Cisco ASA.

Sources: Linux' nf_log_syslog.c (iptables and nftables ``log``; ufw and firewalld put a word
before), tcpdump's print of pflog (pf), the manual of pfSense's and OPNsense's filterlog, Cisco's
list of ASA's messages 106023, 106100 and 302013. Only first packets count (SYN without ACK), and
only those that leave: netfilter's have an interface to go out by, ASA says outbound; for pf the
addresses decide.

Cannot tell a packet that was sent again from a new attempt.
"""

import re
from collections.abc import Callable

from streams.parsers.outbound import connection
from streams.parsers.part import Format, Items, Mask, Parse, Record

_ADDRESS = r"[0-9A-Fa-f.:]{2,45}"

_REFUSED = re.compile(r"BLOCK|DROP|REJECT|DENY|DENIED|LIMIT", re.IGNORECASE)

_PF = re.compile(
    r"(?:pf: )?rule [^ ]{1,40}:? (?P<action>pass|block|rdr|nat|match) (?:in|out) on "
    rf"\S{{1,20}}: (?:\(.{{0,200}}\) )?(?:IP6? )?(?P<src>{_ADDRESS})[.:]\d{{1,5}} > "
    rf"(?P<dst>{_ADDRESS})[.:]25: (?P<flags>S |Flags \[S[EW]{{0,2}}\])"
)

_DENIED = re.compile(
    rf"(?:Deny|deny) tcp src [^ :]{{1,64}}:(?P<src>{_ADDRESS})/\d{{1,5}}(?:\([^()]{{0,300}}\))? "
    rf"dst [^ :]{{1,64}}:(?P<dst>{_ADDRESS})/25(?:\([^()]{{0,300}}\))? by access-group "
)
_LISTED = re.compile(
    r"access-list [^ ]{1,255} (?P<action>permitted|denied|est-allowed) tcp "
    rf"[^ /]{{1,64}}/(?P<src>{_ADDRESS})\(\d{{1,5}}\)(?:\([^()]{{0,300}}\))? -> "
    rf"[^ /]{{1,64}}/(?P<dst>{_ADDRESS})\(25\)"
)
_BUILT = re.compile(
    r"Built outbound TCP connection \d{1,20} for "
    rf"[^ :]{{1,64}}:(?P<dst>{_ADDRESS})/25 \([^()]{{1,60}}\)(?:\([^()]{{0,300}}\))? to "
    rf"[^ :]{{1,64}}:(?P<src>{_ADDRESS})/\d{{1,5}} "
)


def _netfilter(record: Record) -> Items:
    text = record.text
    if " DPT=25 " not in text or " PROTO=TCP " not in text:
        return ()
    start = text.find("IN=")
    told = dict(word.partition("=")[::2] for word in text[start:].split())
    if not told.get("OUT") or told.get("ACK") == "" or "SYN" not in told:
        return ()
    refused = _REFUSED.search(text, 0, max(start, 0)) is not None
    return connection(record, told.get("SRC", ""), told.get("DST", ""), refused=refused)


def _pf(record: Record) -> Items:
    text = record.text
    found = _PF.match(text) if ".25: " in text or ":25: " in text else None
    if found is None:
        return ()
    return connection(record, found["src"], found["dst"], refused=found["action"] == "block")


def _filterlog(record: Record) -> Items:
    """``rule,sub rule,anchor,tracker,interface,reason,action,direction,version,...``"""
    row = record.text.split(",")
    if len(row) < 22 or row[8] not in ("4", "6"):
        return ()
    # IPv4: tos,ecn,ttl,id,offset,flags,protocol id,protocol,length,source,destination,ports
    # IPv6: class,flow label,hop limit,protocol,protocol id,length,source,destination,ports
    at = 18 if row[8] == "4" else 15
    protocol = row[16] if row[8] == "4" else row[12]
    if len(row) <= at + 5:
        return ()  # the ports are missing
    if protocol.lower() != "tcp" or row[at + 3] != "25" or row[at + 5] != "S":
        return ()
    return connection(record, row[at], row[at + 1], refused=row[6] in ("block", "reject"))


def _asa(number: str, text: str, record: Record) -> Items:
    if number == "106023":
        found = _DENIED.match(text)
    elif number == "106100":
        found = _LISTED.match(text)
    elif number == "302013":
        found = _BUILT.match(text)
    else:
        return ()
    if found is None:
        return ()
    refused = number == "106023" or (number == "106100" and found["action"] == "denied")
    return connection(record, found["src"], found["dst"], refused=refused)


_ASA = re.compile(r"[^%]{0,80}%(?:ASA|PIX|FTD|FWSM)-(?:\w{1,20}-)?\d-(?P<number>\d{6}): ")
_ASA_TAG = re.compile(r"%(?:ASA|PIX|FTD|FWSM)-(?:\w{1,20}-)?\d-(?P<number>\d{6})")


def _text(record: Record) -> Items | None:
    """A line without a tag: the kernel's own after its uptime, and ASA's."""
    text = record.text
    if "%" in text[:80]:
        head = _ASA.match(text)
        return _asa(head["number"], text[head.end() :], record) if head else None
    if " DPT=25 " in text and "IN=" in text:
        return _netfilter(record) or None
    return None


READERS: dict[str, Parse] = {
    "": _text,
    "kernel": _netfilter,
    "ulogd": _netfilter,
    "nflog": _netfilter,
    "pf": _pf,
    "pflog": _pf,
    "pflogd": _pf,
    "filterlog": _filterlog,
}


def _numbered(number: str) -> Callable[[Record], Items]:
    return lambda record: _asa(number, record.text, record)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program[:1] == "%":
        found = _ASA_TAG.fullmatch(program)
        return _numbered(found["number"]) if found else None
    return READERS.get(program)


FORMAT = Format(
    "firewall",
    parser,
    holds=(" DPT=25 ", "%ASA-", "%PIX-", "%FTD-", "%FWSM-"),
)
