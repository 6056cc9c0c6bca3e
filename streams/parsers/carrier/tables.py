"""Tables: files whose rows mean what a header line says.

``#Fields: date-time,connector-id,…`` begins the rows of Microsoft Exchange (comma-separated
values, RFC 4180), ``#Fields: date time c-ip …`` those of IIS (W3C Extended Log File Format:
separated by spaces). A header stands at the start of each file and whenever its columns change.
A shipper that begins in the middle of a file, or mixes several, shows rows without their header:
`shaped` knows those by how many values they have and by what some of them are. Times are UTC.
Exports of Microsoft 365 have the header of a spreadsheet, see `headed`.
``"(PDH-CSV 4.0) (…)(-60)","\\\\EX1\\…"`` begins a log of Windows' performance counters: each column
is a counter, times are local, and the header tells how many minutes they are behind UTC.
"""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from streams.parsers.moments import moment

FIELDS = "#Fields:"
COUNTERS = '"(PDH-CSV '
MOST_COLUMNS = 200
KEPT = 4096  # minutes that are remembered

_STAMP = re.compile(
    r"(?P<minute>\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(?P<second>\d\d(?:\.\d{1,9})?)"
    r"(?:Z|(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d))?"
)
_COUNTED = re.compile(
    r"(?P<month>\d\d)/(?P<day>\d\d)/(?P<year>\d{4}) (?P<clock>\d\d:\d\d:\d\d(?:\.\d{1,6})?)"
)
_BEHIND = re.compile(r"\)\((?P<minutes>-?\d{1,4})\)")
# A row with neither header nor carrier: Exchange's, IIS's.
_ROW = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d\.\d{1,7}Z?,|"
    r" \d\d:\d\d:\d\d (?:[0-9a-f.:]{3,45}|(?:W3SVC|SMTPSVC)\d{1,10}) )"
)


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ ()/-]{0,60}")
FEWEST_COLUMNS = 5
TIMES = (
    "date-time",
    "datetime",
    "timestamp",
    "received",
    "receiveddatetime",
    "date_time_utc",
    "origin_timestamp_utc",
    "creationdate",
    "date (utc)",
)
"""Columns that tell when a row happened, in lower case."""


class Table:
    """`program` stands for a syslog tag in the rows' records: ``#`` and the names of the columns
    as the header has them, joined by commas."""

    def __init__(self, header: str) -> None:
        """`header` is a line that begins with FIELDS."""
        self.header = header
        said = header[len(FIELDS) :].strip()
        self._commas = "," in said
        names = said.split(",") if self._commas else said.split()
        self.columns = [name.strip() for name in names[:MOST_COLUMNS]]
        self.program = "#" + ",".join(self.columns)
        self._time = _time(self.columns)
        self._minutes: dict[str, float] = {}

    def row(self, line: str) -> list[str] | None:
        """The values of a row, as many as there are columns; None where it is none."""
        values = split(line, self._commas)
        return values if len(values) == len(self.columns) else None

    def at(self, values: list[str]) -> float | None:
        """When a row says that it happened: Unix seconds; where it names no zone, UTC."""
        stamp = self._time(values)
        minute = self._minutes.get(stamp[:16])
        second = stamp[17:-1] if stamp[-1:] == "Z" else stamp[17:]
        if minute is not None and second.replace(".", "", 1).isdecimal():
            return minute + float(second)
        found = _STAMP.fullmatch(stamp)
        if found is None:
            return moment(stamp) or None
        local = datetime.fromisoformat(found["minute"])
        zone: timezone = UTC
        if found["sign"]:
            ahead = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"]))
            zone = timezone(-ahead if found["sign"] == "-" else ahead)
        minute = local.replace(tzinfo=zone).timestamp()
        if zone is UTC:
            if len(self._minutes) >= KEPT:
                self._minutes.clear()
            self._minutes[stamp[:16]] = minute
        return minute + float(found["second"])


class Counters(Table):
    """A log of performance counters: `program` is ``#`` and its header."""

    def __init__(self, header: str) -> None:
        self.header = header
        self._commas = True
        self.columns = split(header, commas=True)[:MOST_COLUMNS]
        self.program = "#" + header.strip('"')
        found = _BEHIND.search(self.columns[0]) if self.columns else None
        self._behind = int(found["minutes"]) * 60.0 if found else 0.0

    def at(self, values: list[str]) -> float | None:
        found = _COUNTED.fullmatch(values[0])
        if found is None:
            return None
        stamp = f"{found['year']}-{found['month']}-{found['day']}T{found['clock']}+00:00"
        return datetime.fromisoformat(stamp).timestamp() + self._behind


def split(line: str, commas: bool) -> list[str]:
    """The values of a row."""
    if not commas:
        return line.split(" ")
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader((line,)), [])
    except csv.Error:
        return []  # it has a NUL, or a value longer than any


def _time(columns: list[str]) -> Callable[[list[str]], str]:
    """Reads the time of a row."""
    lower = [name.lower() for name in columns]
    if "date" in lower and "time" in lower:
        date, time = lower.index("date"), lower.index("time")
        return lambda values: f"{values[date]}T{values[time]}"
    for name in TIMES:
        if name in lower:
            at = lower.index(name)
            return lambda values: values[at]
    return lambda values: values[0]


# -- rows without their header ---------------------------------------------------------------

_DIALOGUE = (
    "date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,"
    "data,context"
)
_MAILBOX = "dateTime,sessionId,seqNumber,sIp,cIp,user,duration,{sizes}command,parameters,context"
_TRACKING = (
    "date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,connector-id,"
    "source,event-id,internal-message-id,message-id,{network}recipient-address,recipient-status,"
    "total-bytes,recipient-count,related-recipient-address,reference,message-subject,"
    "sender-address,return-path,message-info"
)
_TENANT = ",directionality,tenant-id,original-client-ip,original-server-ip,custom-data"
_FILTER = (
    "Timestamp,SessionId,LocalEndpoint,RemoteEndpoint,EnteredOrgFromIP,MessageId,P1FromAddress,"
    "P2FromAddresses,Recipient,NumRecipients,Agent,Event,Action,SmtpResponse,Reason,ReasonData"
)
_PLACE = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent)"
_SMTP = (
    "date time c-ip cs-username s-sitename s-computername s-ip s-port cs-method cs-uri-stem "
    "cs-uri-query sc-status sc-win32-status sc-bytes cs-bytes time-taken cs-version cs-host "
    "cs(User-Agent) cs(Cookie) cs(Referer)"
)
_EVENT_KINDS = frozenset("+-><*")
_SESSION = re.compile(r"[0-9A-Fa-f]{8,32}").fullmatch

_Test = Callable[[list[str]], object]


def _dialogue(values: list[str]) -> object:
    return _SESSION(values[2]) and (not values[6] or values[6] in _EVENT_KINDS)


def _mailbox(values: list[str]) -> object:
    return (
        _SESSION(values[1]) and values[2].isdecimal() and (not values[6] or values[6].isdecimal())
    )


def _tracking(values: list[str]) -> object:
    return values[7].isupper() and values[8].isupper()


def _filter(values: list[str]) -> object:
    return _SESSION(values[1]) and values[11].startswith("On")


def _iis(values: list[str]) -> object:
    return values[3].isupper() and values[4][:1] == "/" and values[6].isdecimal()


def _iis6(values: list[str]) -> object:
    return values[4].isupper() and values[5][:1] == "/" and values[7].isdecimal()


def _smtp(values: list[str]) -> object:
    return values[4].startswith("SMTPSVC") and values[11].isdecimal()


_2013 = _TRACKING.format(network="network-message-id,") + _TENANT
# How many values, what they are like, the header that such rows usually have.
_COMMAS: dict[int, tuple[_Test, str]] = {
    9: (_dialogue, _DIALOGUE),
    10: (_mailbox, _MAILBOX.format(sizes="")),
    12: (_mailbox, _MAILBOX.format(sizes="rqsize,rpsize,")),
    13: (_mailbox, _MAILBOX.format(sizes="rqsize,rpsize,") + ",puid"),
    16: (_filter, _FILTER),
    17: (_filter, _FILTER + ",Diagnostics"),
    20: (_filter, _FILTER + ",Diagnostics,NetworkMsgID,TenantID,Directionality"),
    21: (_tracking, _TRACKING.format(network="")),
    26: (_tracking, _TRACKING.format(network="") + _TENANT),
    27: (_tracking, _2013),
    29: (_tracking, _2013 + ",transport-traffic-type,log-id"),
    30: (_tracking, _2013 + ",transport-traffic-type,log-id,schema-version"),
}
_SPACES: dict[int, tuple[_Test, str]] = {
    14: (_iis, _PLACE + " sc-status sc-substatus sc-win32-status time-taken"),
    15: (_iis, _PLACE + " cs(Referer) sc-status sc-substatus sc-win32-status time-taken"),
    16: (
        _iis,
        _PLACE + " cs(Referer) sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For",
    ),
    21: (_smtp, _SMTP),
}
_IIS6 = _PLACE.replace("s-ip", "s-sitename s-ip", 1) + " sc-status sc-substatus sc-win32-status"


@lru_cache
def table(header: str) -> Table:
    """The table of a header line; one for all files that have it."""
    return Counters(header) if header.startswith(COUNTERS) else Table(header)


def headed(line: str) -> Table | None:
    """The table of a header as spreadsheets have it: nothing but names, one of them a time's."""
    names = [name.strip() for name in split(line, True)]
    if len(names) < FEWEST_COLUMNS or not all(map(_NAME.fullmatch, names)):
        return None
    if not any(name.lower() in TIMES for name in names):
        return None
    return table(f"{FIELDS} {','.join(names)}")


def shaped(line: str) -> tuple[Table, list[str], float] | None:
    """The table that a row without its header belongs to, its values and its time; None where
    it is no such row."""
    if not _ROW.match(line):
        return None
    commas = line[10] == "T"
    values = split(line, commas)
    test, header = (_COMMAS if commas else _SPACES).get(len(values), (_nothing, ""))
    if not commas and not test(values):
        test, header = (_iis6, _IIS6) if len(values) == 14 else (_nothing, "")
    if not test(values):
        return None
    found = table(f"{FIELDS} {header}")
    at = found.at(values)
    return (found, values, at) if at is not None else None


def _nothing(values: list[str]) -> object:
    return None
