"""Courier as a whole: its mail server, IMAP and POP3.

The wording is that of courier/courieresmtpd.c, courier/submit.C, courier/courierd.C and its
modules, imap/imaplogin.c, imap/imapd.c, imap/pop3login.c and imap/pop3dserver.c. The mail server
repeats the client's last command where it refuses it, so that a login that fails is named where
the client sent name and password in one word (AUTH PLAIN, as most mail programs do), and not
where it sent them one after the other. A client that quits leaves no line, and a message's size
stands only in the lines of its deliveries.
"""

from base64 import b64encode
from collections.abc import Sequence
from random import Random
from zlib import crc32

from agents.demo.addresses import Client
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

REPLIES: dict[Refusal, str] = {
    "unknown": "550 User unknown.",
    "relay": "513 Relaying denied.",
    "listed": "511 Blacklisted by bl.dnsbl.example",
    "greylisted": "451 4.7.1 Greylisting in effect. Please try again in 5 minutes.",
}
SPAM = "550 5.7.1 Spam message rejected"
IN_TWO_WORDS = 3  # of ten clients


def _mapped(client: Client) -> str:
    return client.ip if ":" in client.ip else f"::ffff:{client.ip}"


class CourierMailboxes:
    """imapd and pop3d, each with TLS in the session (``stls``)."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._random = house.random

    def _line(self, at: float, service: str, text: str) -> None:
        self._house.log.write(at, self._house.host, f"{service}d: {text}")

    def _peer(self, client: Client, port: int) -> str:
        return f"ip=[{_mapped(client)}], port=[{port}]"

    def login(
        self, at: float, client: Client, account: str, *, service: str = "imap", lasts: float = 0.0
    ) -> None:
        who = self._peer(client, self._random.randrange(1024, 65536))
        self._line(at - 0.2, service, f"Connection, {who}")
        user = f"user={account}, {who}"
        protocol = service.upper()
        self._line(at, service, f"LOGIN, {user}, protocol={protocol}, stls=1")
        if lasts:
            received = self._random.randrange(60, 9000)
            counts = f"rcvd={received}, sent={received * 7}, time={int(lasts)}, starttls=1"
            self._line(at + lasts, service, f"LOGOUT, {user}, headers=0, body=0, {counts}")

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
        who = self._peer(client, self._random.randrange(1024, 65536))
        self._line(at, service, f"Connection, {who}")
        self._line(at + 0.1, service, f"LOGIN FAILED, user={account}, {who}")
        self._line(at + 5.2, service, f"LOGOUT, {who}, rcvd=58, sent=342, time=5, starttls=1")

    def not_ready(self, at: float, client: Client) -> None:
        who = self._peer(client, self._random.randrange(1024, 65536))
        self._line(at, "imap", f"Connection, {who}")
        self._line(at + 0.1, "imap", "authentication error: Input/output error")
        self._line(at + 0.2, "imap", f"DISCONNECTED, {who}, rcvd=58, sent=342, time=0")


class Courier:
    def __init__(self, house: House) -> None:
        self._house = house
        self._random: Random = house.random

    # -- single lines ---------------------------------------------------------------------------

    def _line(self, at: float, program: str, text: str) -> None:
        self._house.log.write(at, self._house.host, f"{program}: {text}")

    def _comes(self, at: float, client: Client, program: str = "courieresmtpd") -> str:
        """A client's beginning; what its errors name it by."""
        port = self._random.randrange(1024, 65536)
        self._line(at, program, f"started,ip=[{_mapped(client)}],port=[{port}]")
        return f"error,relay={_mapped(client)},port={port}"

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        self._comes(at, client)

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        who = self._comes(at, client, "courieresmtpd-msa")
        command = "AUTH PLAIN " + _base64(f"\0{account}\0{password}")
        if crc32(client.ip.encode()) % 10 < IN_TWO_WORDS:
            command = _base64(password)
        text = f'{who},msg="535 Authentication failed.",cmd: {command}'
        self._line(at + 2.1, "courieresmtpd-msa", text)

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        who = self._comes(at, client, "courieresmtpd-msa")
        text = f'{who},msg="435 Temporary authentication failure",cmd: AUTH LOGIN'
        self._line(at + 2.1, "courieresmtpd-msa", text)

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        who = self._comes(at, client)
        for recipient in recipients:
            at += 0.2
            self._refuses(at, who, sender, recipient, REPLIES[why])

    def _refuses(self, at: float, who: str, sender: str, recipient: str, reply: str) -> None:
        self._line(at, "courieresmtpd", f"{who},from=<{sender}>,to=<{recipient}>: {reply}")

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        who = self._comes(at, client)
        for recipient in recipients:
            self._refuses(at + 0.25, who, sender, recipient, SPAM)

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
        who = self._comes(at, client, "courieresmtpd-msa" if login else "courieresmtpd")
        for n, recipient in enumerate(refused):
            self._refuses(at + 0.13 + n * 0.001, who, sender, recipient, REPLIES["unknown"])
        name = "" if client.name == "unknown" else f"{client.name} "
        auth = f", auth={login}" if login else ""
        source = f"{auth}: dns; {client.greeting} ({name}[{_mapped(client)}])"
        self._queue(at + 0.2, sender, recipients, source)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        self._queue(at, sender, recipients, ": uid 5000")

    def _queue(self, at: float, sender: str, recipients: Recipients, source: str) -> None:
        numbers = self._random.getrandbits(24), int(at), self._random.getrandbits(16)
        queue_id = ".".join(f"{number:08X}" for number in numbers)
        self._line(at, "courierd", f"newmsg,id={queue_id}{source}")
        size = int(self._random.lognormvariate(9.5, 1.2)) + 700
        done, failed, waits = at, False, False
        for given in recipients:
            one = fate(given, self._house.domain, self._random)
            self._delivery(at, queue_id, sender, one, size)
            done = max(done, at + one.took)
            failed = failed or one.status == "bounced"
            waits = waits or one.status == "deferred"
        if failed and sender:
            self._queue(done + 0.01, "", [sender], "; dsn: uid 1")
        if not waits:
            self._line(done + 0.03, "courierd", f"completed,id={queue_id}")

    def _delivery(self, at: float, queue_id: str, sender: str, one: Fate, size: int) -> None:
        module = "local" if one.local else "esmtp"
        domain = one.recipient.rpartition("@")[2]
        local = f"{one.recipient}!!5000!5000!/var/mail/{one.recipient}!!"
        host = local if one.local else domain
        head = f"id={queue_id},from=<{sender}>"
        started = f"started,{head},module={module},host={host},addr=<{one.recipient}>"
        self._line(at + 0.01, "courierd", started)
        name, to = f"courier{module}", f"{head},addr=<{one.recipient}>"
        when = at + one.took
        if one.local:
            self._line(when, name, f"{to},size={size},success: Message delivered.")
            return
        if one.status == "sent":
            self._line(when, name, f"{to}: {one.reply}")
            where = f"{one.name} [{_mapped(Client(one.ip))}]"
            self._line(when, name, f"{to},size={size},success: delivered: {where}")
            return
        said, status = one.reply, "failure"
        if one.status == "deferred":
            said, status = "Connection timed out", "deferred"
        self._line(when, name, f"{to}: {said}")
        self._line(when, name, f"{to},status: {status}")


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
