"""tcpserver, rblsmtpd and qmail-smtpd: clients that come and are turned away.

Wordings from ucspi-tcp's tcpserver.c (``ok PID LOCAL:IP:PORT REMOTE:IP:INFO:PORT``) and
rblsmtpd.c (``IP pid PID: 451 text``; patches put the list before the reply, or say
``blocked IP LIST -``).
REMOTE is the reverse name, INFO the client's own ident server's word.
"""

import re

from schemas import net
from schemas.events import Connection
from streams.parsers.event import event
from streams.parsers.part import Items, Record
from streams.parsers.qmail import spamcontrol

_VERDICT = re.compile(
    r"(?P<verdict>ok|deny) \d{1,10} \S{0,300} (?P<name>[^\s:]{0,255}):(?P<rest>.{2,8000}):\d{1,5}",
    re.DOTALL,
)
_LISTED = re.compile(
    r"(?P<ip>[0-9A-Fa-f.:]{2,45}) pid \d{1,10}(?: (?P<list>[\w.-]{1,255}))?: (?P<code>[45]\d\d) .*",
    re.DOTALL,
)
_BAD = re.compile(
    r"(?P<code>[45]\d\d) (?P<what>bad\w{1,20}): ip (?P<ip>[0-9A-Fa-f.:]{2,45})(?: .*)?", re.DOTALL
)


_BLOCKED = re.compile(r"blocked (?P<ip>[0-9A-Fa-f.:]{2,45}) [\w.-]{1,255} -")


def tcpserver(record: Record, text: str) -> Items | None:
    """A connection that is taken or denied; who it was for is known by the local port alone."""
    if not text.startswith(("ok ", "deny ")):
        return () if text.startswith(("status: ", "pid ", "end ", "warning: ", "fatal: ")) else None
    found = _VERDICT.fullmatch(text)
    if found is None:
        return ()
    # "192.0.2.1:" or "192.0.2.1:info"; an IPv6 address is told from its info by being all there is
    rest = found["rest"]
    client = net.address(rest.partition(":")[0]) or net.address(rest.removesuffix(":"))
    opened = found["verdict"] == "ok"
    return (
        event(
            Connection,
            record,
            client=client,
            name=found["name"].lower(),
            outcome="opened" if opened else "refused",
            reason="" if opened else "denied",
        ),
    )


def rblsmtpd(record: Record, text: str) -> Items | None:
    found = _BLOCKED.fullmatch(text) or _LISTED.fullmatch(text)
    if found is None:
        return None
    client = net.address(found["ip"])
    return (event(Connection, record, client=client, outcome="refused", reason="listed"),)


def qmail_smtpd(record: Record, text: str) -> Items | None:
    found = _BAD.fullmatch(text)
    if found is None:
        return spamcontrol.read(record, text)
    reason = "listed" if "rbl" in found["what"] else "denied"
    client = net.address(found["ip"])
    return (event(Connection, record, client=client, outcome="refused", reason=reason),)
