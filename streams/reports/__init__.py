"""Bounce and complaint mails: one mail becomes the events that it reports.

A mail is, in this order: a complaint in the form of RFC 5965; a report of failed delivery, by its
delivery status (RFC 3464), by its prose, or by both; an automatic reply (RFC 3834), which says
nothing; a complaint of a person who forwards a mail. Anything else says nothing either: reports
of DMARC and of TLS, and mail.

What it cannot tell: where a report names no failed recipient and the returned mail has several,
who of them failed; whether a report answers mail that was really sent.
"""

import re
from collections.abc import Iterator, Sequence
from email.utils import mktime_tz, parsedate_tz

import msgspec

from schemas import net
from schemas.events import Bounce, Complaint, Fact
from streams.reports import amazon, bounce, complaint, mime

SOURCE = "intake"
ENCLOSED = 20  # reports in one mail
HOPS = 5  # Received fields of our own that are passed over

_IP = r"(?:IPv6:)?(?P<ip>[0-9A-Fa-f.:]{3,45})(?:%\w{1,20})?"
_HOPS = (
    # Postfix, Sendmail: from HELO (name [address]); Exim: from name ([address] helo=HELO)
    re.compile(rf"from \S{{1,255}} \((?!HELO )(?:[\w.@-]{{1,255}} )?\[{_IP}\][): ]", re.IGNORECASE),
    # Exim, of a client without a name: from [address] (helo=HELO)
    re.compile(rf"from \[{_IP}\](?::\d+)? (?:\((?:helo|port|ident)=|by )", re.IGNORECASE),
    # qmail: from name (HELO it) (address); Exchange: from name (address)
    re.compile(rf"from \S{{1,255}} (?:\(HELO [^\s()]{{0,255}}\) )?\({_IP}\) by ", re.IGNORECASE),
)
_PRIVATE = net.Networks(net.PRIVATE)


def read(raw: bytes, *, now: float, gateway: str = "", at: float | None = None) -> list[Fact]:
    """The events of one mail. `at` is when it came, where that is known; else its own stamps
    say so, but never later than `now`."""
    mail = mime.split(raw)
    found = _events(mail)
    if not found:
        return []
    if at is None:
        at = min(_stamp(mail) or now, now)
    client = _client(mail)
    return [_placed(event, at, gateway, client) for event in found]


def _placed(event: Bounce | Complaint, at: float, gateway: str, client: str) -> Fact:
    client = event.client or (client if isinstance(event, Bounce) else "")
    return msgspec.structs.replace(event, at=at, gateway=gateway, source=SOURCE, client=client)


def _events(mail: mime.Mail) -> list[Bounce | Complaint]:
    enclosed = [event for report in _enclosed(mail) for event in _told(report)]
    return enclosed or [*_told(mail)] or [*complaint.by_people(mail)]


def _told(mail: mime.Mail) -> Sequence[Bounce | Complaint]:
    return complaint.by_form(mail) or amazon.read(mail) or bounce.read(mail)


def _enclosed(mail: mime.Mail) -> Iterator[mime.Mail]:
    """The reports that somebody passes on, each whole, in a mail that is none itself."""
    if "multipart/report" in mime.first(mail.headers, "content-type").lower():
        return
    whole = [part for part in mail.parts if part.kind == "message/rfc822"][:ENCLOSED]
    for part in whole:
        report = mime.split(part.body)
        kind = mime.first(report.headers, "content-type").lower()
        if "multipart/report" in kind or len(mail.parts) == 1:
            yield report


def _client(mail: mime.Mail) -> str:
    """Who brought the mail: the topmost hop that is not one of our own machines. The hops above
    it were written by us, and those below it by anybody."""
    for value in mail.headers.get("received", ())[:HOPS]:
        hop = " ".join(value[:1000].split())
        found = next(filter(None, (pattern.match(hop) for pattern in _HOPS)), None)
        address = net.address(found["ip"]) if found else ""
        if not address or address not in _PRIVATE:
            return address
    return ""


def _stamp(mail: mime.Mail) -> float:
    """When the mail came: by the topmost hop, else by its own date; 0.0 where nothing says."""
    hops = mail.headers.get("received", ())[:1]
    for text in (*(hop.rpartition(";")[2] for hop in hops), mime.first(mail.headers, "date")):
        try:
            parsed = parsedate_tz(text.strip()[:100])
            stamp = float(mktime_tz(parsed)) if parsed else 0.0
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
        if 0.0 < stamp < 253402300800.0:
            return stamp
    return 0.0
