"""Exchange 2016/2019: its SMTP receive protocol log, its message tracking log, and the logs of
IMAP4 and POP3, all of them tables in files, which a shipper follows.

The columns are those of the headers that Exchange writes, the wording that of Microsoft's manual
("Protocol logging", "Message tracking event types") and of the samples that the parsers' cases
name. Whether an account exists is not told; neither are clients of mail that a mailbox submits
by MAPI, which no scenario does.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from agents.demo.addresses import Client
from load.scenarios.carriers import stamp
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

LOGS = r"C:\Program Files\Microsoft\Exchange Server\V15"
RECEIVE = LOGS + r"\TransportRoles\Logs\FrontEnd\ProtocolLog\SmtpReceive\RECV.LOG"
TRACKING = LOGS + r"\TransportRoles\Logs\MessageTracking\MSGTRK.LOG"
MAILBOXES = LOGS + r"\Logging\{}\{}.LOG"
OURS = "192.168.10.20"
HEADERS = {
    RECEIVE: (
        "date-time,connector-id,session-id,sequence-number,local-endpoint,remote-endpoint,event,"
        "data,context"
    ),
    TRACKING: (
        "date-time,client-ip,client-hostname,server-ip,server-hostname,source-context,"
        "connector-id,source,event-id,internal-message-id,message-id,network-message-id,"
        "recipient-address,recipient-status,total-bytes,recipient-count,"
        "related-recipient-address,reference,message-subject,sender-address,return-path,"
        "message-info,directionality,tenant-id,original-client-ip,original-server-ip,"
        "custom-data,transport-traffic-type,log-id,schema-version"
    ),
    "mailboxes": (
        "dateTime,sessionId,seqNumber,sIp,cIp,user,duration,rqsize,rpsize,command,parameters,"
        "context,puid"
    ),
}
REFUSALS: dict[Refusal, str] = {
    "unknown": (
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
    ),
    "relay": "550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain",
    "listed": "550 5.7.1 Service unavailable; client host [{ip}] blocked using bl.dnsbl.example",
    "greylisted": "451 4.7.1 Greylisting in action, please come back later",
}
SPAM = "550 5.7.1 Message rejected as spam by Content Filtering."


class Tables:
    """The files of one host; each begins with its header."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._begun: set[str] = set()

    def row(self, at: float, file: str, columns: str, values: Iterable[Any]) -> None:
        log, host = self._house.log, self._house.host
        when = stamp(at)
        if file not in self._begun:
            self._begun.add(file)
            log.follow(0.0, host, file, f"#Fields: {columns}")
        log.follow(at, host, file, ",".join((when, *(_cell(value) for value in values))))


class Session:
    """One conversation in the receive protocol log."""

    def __init__(
        self, tables: Tables, house: House, at: float, client: Client, *, submission: bool
    ) -> None:
        self._tables = tables
        random, host = house.random, house.host
        kind, port = ("Client", 587) if submission else ("Default", 25)
        self._connector = rf"{host}\{kind} Frontend {host}"
        self._id = f"08D{random.getrandbits(52):013X}"
        self._ours = f"{OURS}:{port}"
        self._theirs = _endpoint(client.ip, random.randrange(1024, 65536))
        self._number = 0
        self.says(at, "+", "")
        self.says(at, ">", f"220 {host}.{house.domain} Microsoft ESMTP MAIL Service ready")
        self.says(at + 0.02, "<", f"EHLO {client.greeting}")
        hello = f"250  {host}.{house.domain} Hello [{client.ip}] SIZE 37748736 PIPELINING DSN"
        self.says(at + 0.02, ">", hello)

    def says(self, at: float, event: str, data: str, context: str = "") -> None:
        values = (
            self._connector, self._id, self._number, self._ours, self._theirs, event, data, context
        )  # fmt: skip
        self._tables.row(at, RECEIVE, HEADERS[RECEIVE], values)
        self._number += 1

    def asks(self, at: float, command: str, reply: str) -> None:
        self.says(at, "<", command)
        self.says(at, ">", reply)

    def ends(self, at: float) -> None:
        self.asks(at, "QUIT", "221 2.0.0 Service closing transmission channel")
        self.says(at, "-", "", "Local")


class ExchangeMailboxes:
    """IMAP4 and POP3."""

    def __init__(self, house: House, tables: Tables) -> None:
        self._random = house.random
        self._tables = tables

    def _rows(
        self, at: float, client: Client, account: str, service: str, context: str, lasts: float
    ) -> None:
        """A session with one login, whose outcome is `context`."""
        name = {"imap": "Imap4", "pop3": "Pop3"}[service]
        file = MAILBOXES.format(name, name.upper())
        session = f"{self._random.getrandbits(64):016X}"
        ours = f"{OURS}:{993 if service == 'imap' else 995}"
        theirs = _endpoint(client.ip, self._random.randrange(1024, 65536))
        command, parameters = ("login", f"{account} *****"), ("pass", "*****")
        said = command if service == "imap" else parameters
        steps = [(at - 0.1, "", ("OpenSession", ""), "", 0)]
        if service == "pop3":
            steps.append((at - 0.05, account, ("user", account), "R=OK", 1))
        steps.append((at, account, said, context, 163))
        steps.append((at + max(lasts, 0.3), account, ("CloseSession", ""), "", 0))
        for number, (when, user, (what, how), result, took) in enumerate(steps):
            values = (session, number, ours, theirs, user, took, 31, 34, what, how, result, "")
            self._tables.row(when, file, HEADERS["mailboxes"], values)

    def login(
        self, at: float, client: Client, account: str, *, service: str = "imap", lasts: float = 0.0
    ) -> None:
        self._rows(at, client, account, service, "R=OK", lasts)

    def fail_login(
        self,
        at: float,
        client: Client,
        account: str,
        password: str,
        *,
        known: bool = True,
        service: str = "imap",
    ) -> None:
        said = '"2 NO LOGIN failed."'
        if service == "pop3":
            said = '"-ERR Logon failure: unknown user name or bad password."'
        context = (
            f'R={said};Msg="AuthFailed:LogonDenied,User: {account}";ErrMsg=AuthFailed:LogonDenied'
        )
        self._rows(at, client, account, service, context, 2.0)

    def not_ready(self, at: float, client: Client) -> None:
        context = 'R="3 NO Server Unavailable. 15";Msg="ProxyFailed"'
        self._rows(at, client, "", "imap", context, 2.0)


class Exchange:
    def __init__(self, house: House, tables: Tables) -> None:
        self._house = house
        self._random = house.random
        self._tables = tables
        self._number = house.random.randrange(10**12, 10**13)

    def _session(self, at: float, client: Client, *, submission: bool = False) -> Session:
        return Session(self._tables, self._house, at, client, submission=submission)

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        self._session(at, client).ends(at + 0.02)

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        session = self._session(at, client, submission=True)
        session.asks(at + 0.1, "AUTH LOGIN", "334 <authentication response>")
        why = "Inbound AUTH LOGIN failed because of LogonDenied"
        session.says(at + 0.3, "*", "", why)
        session.says(at + 0.3, "*", "", f"User Name: {account}")
        session.says(at + 0.3, "*", "Tarpit for '0.00:00:05' due to '535 5.7.3 Authentication "
                     "unsuccessful'")  # fmt: skip
        session.says(at + 5.3, ">", "535 5.7.3 Authentication unsuccessful")
        session.ends(at + 5.4)

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        session = self._session(at, client, submission=True)
        session.asks(at + 0.1, "AUTH LOGIN", "334 <authentication response>")
        session.says(at + 0.3, ">", "454 4.7.0 Temporary authentication failure")
        session.ends(at + 0.4)

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        session = self._session(at, client)
        session.asks(at + 0.1, f"MAIL FROM:<{sender}>", "250 2.1.0 Sender OK")
        for recipient in recipients:
            at += 0.2
            reply = REFUSALS[why].replace("{ip}", client.ip)
            session.asks(at, f"RCPT TO:<{recipient}>", reply)
        session.ends(at + 0.05)

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        session = self._session(at, client)
        self._envelope(at + 0.1, session, sender, recipients, 0)
        session.says(at + 0.25, ">", SPAM)
        session.ends(at + 0.35)

    def _envelope(
        self, at: float, session: Session, sender: str, recipients: Sequence[str], size: int
    ) -> None:
        told = f" SIZE={size}" if size else ""
        session.asks(at, f"MAIL FROM:<{sender}>{told}", "250 2.1.0 Sender OK")
        for recipient in recipients:
            session.asks(at + 0.02, f"RCPT TO:<{recipient}>", "250 2.1.5 Recipient OK")
        session.asks(at + 0.05, "DATA", "354 Start mail input; end with <CRLF>.<CRLF>")

    # -- mail -----------------------------------------------------------------------------------

    def accept(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Recipients,
        *,
        login: str = "",
        refused: Sequence[str] = (),
    ) -> None:
        session = self._session(at, client, submission=bool(login))
        if login:
            session.asks(at + 0.05, "AUTH LOGIN", "334 <authentication response>")
            proxied = "Proxy session was successfully set up. Session for "
            session.says(at + 0.08, "*", "", f"{proxied}{login} will now be proxied")
            session.says(at + 0.08, ">", "235 2.7.0 Authentication successful")
        size = int(self._random.lognormvariate(9.5, 1.2)) + 700
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        for n, recipient in enumerate(refused):
            reply = REFUSALS["unknown"]
            session.asks(at + 0.09 + n * 0.001, f"RCPT TO:<{recipient}>", reply)
        self._envelope(at + 0.1, session, sender, [one.recipient for one in fates], size)
        self._number += 1
        name = f"{self._random.getrandbits(60):015x}@{client.greeting.strip('[]')}"
        host = f"{self._house.host}.{self._house.domain}"
        queued = f"250 2.6.0 <{name}> [InternalId={self._number}, Hostname={host}] "
        queued += f"{size} bytes in 0.101, 43.2 KB/sec Queued mail for delivery"
        session.says(at + 0.25, ">", queued)
        session.ends(at + 0.35)
        self._track(at + 0.2, name, client, sender, fates, size)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        self._number += 1
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        name = f"{self._random.getrandbits(60):015x}@{self._house.host}.{self._house.domain}"
        self._track(at, name, None, sender, fates, 3000)

    def _track(
        self,
        at: float,
        name: str,
        client: Client | None,
        sender: str,
        fates: Sequence[Fate],
        size: int,
    ) -> None:
        """The way of a message in the tracking log."""
        number, done = self._number, at
        everyone = ";".join(one.recipient for one in fates)
        about = {
            "internal-message-id": number, "message-id": f"<{name}>", "total-bytes": size,
            "sender-address": sender or "<>", "return-path": sender or "<>",
            "network-message-id": f"{number:08x}-39c5-46e7-130e-08d4a138ac67",
            "server-hostname": self._house.host, "recipient-count": len(fates),
            "message-subject": "Re: Hello", "transport-traffic-type": "Email",
        }  # fmt: skip
        origin = {"original-client-ip": client.ip if client else ""}
        self._event(at, "SMTP", "RECEIVE", {
            **about, **origin, "client-ip": OURS, "server-ip": OURS,
            "recipient-address": everyone, "directionality": "Incoming",
            "connector-id": rf"{self._house.host}\Default {self._house.host}",
        })  # fmt: skip
        local = [one for one in fates if one.local]
        if local:
            to = ";".join(one.recipient for one in local)
            self._event(at + local[0].took, "STOREDRIVER", "DELIVER", {
                **about, "recipient-address": to, "recipient-count": len(local),
            })  # fmt: skip
        for one in fates:
            done = max(done, at + one.took)
            if not one.local:
                self._outside(at + one.took, about, one)
        if sender and any(one.status == "bounced" for one in fates):
            self._report(done + 0.01, name, sender)

    def _outside(self, at: float, about: dict[str, Any], one: Fate) -> None:
        event, status, extra = {
            "sent": ("SENDEXTERNAL", "250 2.1.5 Recipient OK", {"source-context": ";250 2.0.0 OK"}),
            "bounced": ("FAIL", one.reply, {}),
            "deferred": ("DEFER", "[{LED=451 4.4.1 Connection timed out};{FQDN=};{IP=}]", {}),
        }[one.status]  # fmt: skip
        self._event(at, "SMTP", event, {
            **about, **extra, "recipient-address": one.recipient, "recipient-status": status,
            "recipient-count": 1, "server-ip": one.ip, "server-hostname": one.name,
            "client-hostname": self._house.host, "connector-id": "Outbound to Internet",
        })  # fmt: skip

    def _report(self, at: float, about: str, sender: str) -> None:
        self._number += 1
        name = f"{self._random.getrandbits(60):015x}@{self._house.host}.{self._house.domain}"
        values = {
            "internal-message-id": self._number, "message-id": f"<{name}>", "total-bytes": 7631,
            "recipient-address": sender, "recipient-count": 1, "reference": f"<{about}>",
            "message-subject": "Undeliverable: Hello", "return-path": "<>",
            "sender-address": f"postmaster@{self._house.domain}", "directionality": "Originating",
            "network-message-id": f"{self._number:08x}-39c5-46e7-130e-08d4a138ac67",
            "server-hostname": self._house.host,
        }  # fmt: skip
        self._event(at, "DSN", "DSN", values)
        values["source-context"] = "08DC1DB12C345BE5"
        self._event(at + 0.2, "STOREDRIVER", "DELIVER", values)

    def _event(self, at: float, source: str, event: str, values: dict[str, Any]) -> None:
        told = {**values, "source": source, "event-id": event}
        names = HEADERS[TRACKING].split(",")[1:]
        self._tables.row(at, TRACKING, HEADERS[TRACKING], (told.get(name, "") for name in names))


def _endpoint(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _cell(value: Any) -> str:
    text = str(value)
    if not any(mark in text for mark in ',"'):
        return text
    quoted = text.replace('"', '""')
    return f'"{quoted}"'
