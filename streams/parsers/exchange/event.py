"""Windows events of mail servers: logins at Exchange and at Windows, locked accounts, cmdlets.

MSExchangeTransport and MSExchangeFrontEndTransport 1012, 1020, 1035 (Microsoft's "SmtpReceive"
events), Exchange 2003's 1708, MSExchange CmdletLogs 1 and 6 (what was changed in a mailbox), and
of Windows' security log 4625, 4740 and the changes of accounts. 1035 knows the client and no
account, 4625 of the same attempt the account and often no client (the front end's process asks):
one completes the other, and the protocol log's word on it, within seconds. A login to Windows
itself that is neither over the network nor in clear text (types 3 and 8) is nobody's mail.
"""

import re
from collections.abc import Callable

from schemas import net
from schemas.events import Auth, Change, Connection
from streams.parsers.event import event as made
from streams.parsers.exchange import changes, rows, windows
from streams.parsers.exchange.windows import Event
from streams.parsers.part import DOCUMENT, Attempt, Format, Items, Mask, Parse, Record, any_of

_TRANSPORT = "msexchange"
_SECURITY = "security-auditing"
TAGS = frozenset(
    {
        "msexchangetransport",
        "msexchangefrontendtransport",
        "msexchange",
        "mswineventlog",
        "wineventlog",
        "winevtlog",
        "microsoft-windows-security-auditing",
        "microsoft_windows_security_auditing",
        "security-auditing",
        "security",
    }
)

_FAILED = re.compile(
    r"Inbound authentication failed with error (?P<why>\w{1,80}) for Receive connector .{1,300}?\. "
    r"The authentication mechanism is (?P<mechanism>[\w-]{1,40})\. The source IP address of the "
    r"client who tried to authenticate to Microsoft Exchange is \[(?P<client>[^\[\]]{1,64})\]\."
)
_EXCEEDED = re.compile(
    r"Receive connector .{1,300}: Authentication failures have exceeded the maximum of \d{1,6} "
    r"for the connection from (?P<client>\S{1,64})\. Disconnecting\."
)
_UNFIT = re.compile(r"(?:The account|User) '(?P<who>[^']{1,320})' provided valid credentials, but ")
_OPENED = re.compile(
    r"SMTP Authentication was performed successfully with client \"?.{0,255}?\"?\. The "
    r"authentication method was \"?(?P<mechanism>[\w-]{1,40})\"? and the username was "
    r"\"?(?P<who>[^\"]{1,320}?)\"?\.$"
)
_LOGON = re.compile(
    r"Logon Type:\s{1,20}(?P<type>\d{1,2})\b.{0,20}?\s{1,20}Account For Which Logon Failed:"
    r".{0,300}?Account Name:\s{1,20}(?P<user>.{0,256}?)\s{1,20}Account Domain:",
    re.DOTALL,
)
_CAUSE = re.compile(r"Status:\s{1,20}(?P<status>0x[0-9A-Fa-f]{1,8})")
_PROCESS = re.compile(
    r"Caller Process Name:\s{1,20}(?P<name>[^\t\r\n]{1,260}?\.exe|-)\s", re.IGNORECASE
)
_ACCOUNT = re.compile(
    r"(?:Account That Was Locked Out|Target Account):.{0,300}?"
    r"Account Name:\s{1,20}(?P<user>.{1,256}?)"
    r"(?:\s{1,20}(?:Account Domain|Additional Information)|$)",
    re.DOTALL,
)

_SERVICES = {
    "edgetransport.exe": "smtp",
    "msexchangefrontendtransport.exe": "smtp",
    "inetinfo.exe": "smtp",
    "microsoft.exchange.imap4.exe": "imap",
    "microsoft.exchange.imap4service.exe": "imap",
    "microsoft.exchange.pop3.exe": "pop3",
    "microsoft.exchange.pop3service.exe": "pop3",
    "w3wp.exe": "web",
}
_MAIL_LOGONS = frozenset({"3", "8"})  # over the network, and that with the password in clear

# NTSTATUS (Microsoft's [MS-ERREF]); those of a failed login
_STATUSES = {
    0xC000006A: ("failed", "bad_password"),
    0xC0000064: ("failed", "unknown_account"),
    0xC000006D: ("failed", "rejected"),
    0xC000006F: ("failed", "not_authorized"),
    0xC0000070: ("failed", "not_authorized"),
    0xC000015B: ("failed", "not_authorized"),
    0xC0000071: ("failed", "expired"),
    0xC0000193: ("failed", "expired"),
    0xC0000224: ("failed", "expired"),
    0xC0000072: ("failed", "disabled"),
    0xC0000234: ("failed", "locked"),
    0xC0000413: ("failed", "policy"),
    0xC000005E: ("error", "server"),
    0xC0000133: ("error", "server"),
    0xC00000DC: ("error", "server"),
    0xC0000192: ("error", "server"),
}
_CHANGES = {
    4740: ("disabled", "locked out"),
    4767: ("enabled", "unlocked"),
    4725: ("disabled", ""),
    4722: ("enabled", ""),
    4723: ("password", "changed"),
    4724: ("password", "reset"),
}


def _refused(record: Record, event: Event) -> Items:
    """1035: a login that was refused; who it was is not told."""
    if len(event.data) >= 4:
        why, _, mechanism, client = event.data[:4]
    else:
        found = _FAILED.search(event.message)
        if found is None:
            return ()
        why, mechanism, client = found["why"], found["mechanism"], found["client"]
    outcome, reason = rows.refusal(why)
    auth = made(
        Auth,
        record,
        client=rows.address(client),
        outcome=outcome,
        reason=reason,
        mechanism=mechanism.upper()[:40],
        service="smtp",
    )
    return (Attempt("single", auth),)


def _exceeded(record: Record, event: Event) -> Items:
    found = None if len(event.data) >= 3 else _EXCEEDED.search(event.message)
    if found is None and len(event.data) < 3:
        return ()
    client = rows.address(found["client"] if found else event.data[2])
    return (made(Connection, record, client=client, outcome="abuse", reason="too_many_errors"),)


def _unfit(record: Record, event: Event) -> Items:
    found = _UNFIT.search(event.message)
    who = event.data[0] if event.data else found["who"] if found else ""
    if not who or who.endswith("$"):
        return ()
    auth = made(
        Auth,
        record,
        account=rows.account(who),
        outcome="failed",
        reason="not_authorized",
        service="smtp",
    )
    return (Attempt("single", auth),)


def _opened(record: Record, event: Event) -> Items:
    """1708 of Exchange 2003; the client is only known by the name it gave itself."""
    if len(event.data) >= 3:
        mechanism, who = event.data[1:3]
    else:
        found = _OPENED.search(event.message.strip())
        if found is None:
            return ()
        mechanism, who = found["mechanism"], found["who"]
    auth = made(
        Auth,
        record,
        account=rows.account(who),
        outcome="ok",
        mechanism=mechanism.upper()[:40],
        service="smtp",
    )
    return (auth,)


def _logon(record: Record, event: Event) -> Items:
    """4625: Windows refused a login."""
    named = event.named
    if "targetusername" in named:
        user, kind = named["targetusername"], named.get("logontype", "")
        status = named.get("substatus", "")
        if not status.strip("0x"):
            status = named.get("status", "")
        process, address = named.get("processname", ""), named.get("ipaddress", "")
    else:
        found = _LOGON.search(event.message)
        if found is None:
            return ()
        user, kind = found["user"], found["type"]
        # What stands before may be the client's word; the last of each is Windows'.
        tail = event.message.rpartition("Failure Information:")[2]
        causes = [one for one in _CAUSE.findall(tail) if one.strip("0x")]
        status = causes[-1] if causes else ""
        called = _PROCESS.search(tail)
        process = called["name"] if called else ""
        address = tail.rpartition("Source Network Address:")[2].strip().partition("\t")[0]
        address = address.split(maxsplit=1)[0] if address else ""
    account = rows.account(user)
    if kind not in _MAIL_LOGONS or rows.probe(user) or account.endswith("$"):
        return ()
    client = net.address(address)
    outcome, reason = _STATUSES.get(_status(status), ("failed", "rejected"))
    auth = made(
        Auth,
        record,
        client="" if client in ("127.0.0.1", "::1") else client,
        account=account,
        outcome=outcome,
        reason=reason,
        service=_SERVICES.get(process.rpartition("\\")[2].lower(), ""),
    )
    return (Attempt("single", auth),)


def _status(text: str) -> int:
    """A status as hexadecimal or decimal text, signed or not."""
    try:
        return int(text, 0) & 0xFFFFFFFF
    except ValueError:
        return 0


def _account_changed(record: Record, event: Event) -> Items:
    what, detail = _CHANGES[event.id]
    named = event.named
    user, actor = named.get("targetusername", ""), named.get("subjectusername", "")
    if not user:
        found = _ACCOUNT.search(event.message)
        if found is None:
            return ()
        user = found["user"].strip()
    if user.endswith("$") or rows.probe(user):
        return ()
    by = "" if actor.endswith("$") else rows.account(actor)
    return (made(Change, record, account=rows.account(user), actor=by, what=what, detail=detail),)


def _cmdlet(record: Record, event: Event) -> Items:
    """MSExchange CmdletLogs: cmdlet, parameters, who ran it, and more."""
    if len(event.data) < 3:
        return ()
    cmdlet, parameters, actor = event.data[:3]
    return changes.of_cmdlet(record, cmdlet, changes.given(parameters), actor)


_BY_TRANSPORT: dict[int, Callable[[Record, Event], Items]] = {
    1012: _exceeded,
    1020: _unfit,
    1035: _refused,
    1708: _opened,
}
_WANTED = frozenset({1, 6, 4625, *_BY_TRANSPORT, *_CHANGES})
_SENTENCES = (
    ("Inbound authentication failed with error ", _refused),
    ("Authentication failures have exceeded ", _exceeded),
    (" provided valid credentials, but ", _unfit),
    ("SMTP Authentication was performed ", _opened),
)


def _read(record: Record, event: Event) -> Items | None:
    if event.computer or event.at:
        record = _as_told(record, event)
    number, provider = event.id, event.provider
    if _SECURITY in provider or provider in ("security", "microsoft_windows_security_auditing"):
        if number in _CHANGES:
            return _account_changed(record, event)
        if number == 4625 or (not number and "Account For Which Logon Failed:" in event.message):
            return _logon(record, event)
        return ()
    if provider.startswith(_TRANSPORT):
        if "cmdletlogs" in provider and number in (1, 6):
            return _cmdlet(record, event)
        read = _BY_TRANSPORT.get(number)
        if read is not None:
            return read(record, event)
        return _by_sentence(record, event) if not number else ()
    return None


def _by_sentence(record: Record, event: Event) -> Items:
    message = event.message
    for words, read in _SENTENCES:
        if words in message[:400]:
            return read(record, event)
    return ()


def _as_told(record: Record, event: Event) -> Record:
    return Record(
        event.at or record.at,
        record.host or event.computer.partition(".")[0].lower(),
        record.program,
        record.pid,
        "",
        record.offset,
    )


def _document(record: Record) -> Items | None:
    event = windows.of_json(record.data, _WANTED)
    return changes.of_json(record, record.data) if event is None else _read(record, event)


_TEXTS = ("<Event ", "MSWinEventLog", "WinEvtLog: ")
_WHOLE_SENTENCES = ("Inbound authentication failed ", "Receive connector ")


def _by_text(record: Record) -> Items | None:
    """A line without a tag: an event's XML, Snare's or OSSEC's line, or Exchange's sentence."""
    text = record.text
    if text.startswith(_TEXTS):
        event = windows.of_text("", text)
        return None if event is None else _read(record, event)
    if text.startswith(_WHOLE_SENTENCES):
        return _by_sentence(record, Event(0, "", "", {}, [], text, 0.0)) or None
    return None


def _tagged(record: Record) -> Items | None:
    event = windows.of_text(record.program, record.text)
    return None if event is None else _read(record, event)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program == DOCUMENT:
        return _document
    if not program:
        return _by_text
    if program[0] == "#":
        return rows.of_table(
            program, "RecordType", ("recordtype", "operation", "data"), changes.layout
        )
    return _tagged if program.lower().replace(" ", "") in TAGS else None


FORMAT = Format(
    "exchange-event",
    parser,
    begins=any_of(*_TEXTS, *_WHOLE_SENTENCES),
    keys=("winlog", "EventID", "event_id", "Event", "CmdletName", "Operation"),
)
