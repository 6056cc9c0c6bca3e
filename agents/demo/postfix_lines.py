"""What Postfix 3.9 writes about a connection, a message, a delivery.

The wording is that of src/smtpd/smtpd.c, smtpd_sasl_glue.c and smtpd_check.c, src/cleanup,
src/qmgr, src/global/log_adhoc.c and src/bounce of its sources.
"""

from collections.abc import Sequence
from random import Random
from typing import Protocol
from zlib import crc32

from msgspec import Struct

from agents.demo.addresses import Client
from agents.demo.log import Log

USER_UNKNOWN = "Recipient address rejected: User unknown in virtual mailbox table"


class Outcome(Struct, frozen=True):
    """How a delivery ended: the recipient's server, the status, and what it replied."""

    relay: str
    status: str = "sent"
    dsn: str = "2.0.0"
    reply: str = ""


MAILBOXES = "mail.lindhafen.example[192.168.10.20]:24"


def exchanger_of(domain: str) -> str:
    """The mail exchanger of another organisation, as a delivery names it."""
    return f"mx.{domain}[240.9.{crc32(domain.encode()) % 250}.26]:25"


def bounced(recipient: str) -> Outcome:
    """The recipient's server does not know the recipient."""
    relay = exchanger_of(recipient.rpartition("@")[2])
    reply = (
        f"host {relay.removesuffix(':25')} said: 550 5.1.1 <{recipient}>: Recipient address "
        "rejected: User unknown (in reply to RCPT TO command)"
    )
    return Outcome(relay, "bounced", "5.1.1", reply)


class Delivered(Protocol):
    """The server of mailboxes that mail is delivered to."""

    def save(self, at: float, account: str, message_id: str) -> None:
        """It puts a message into a mailbox."""


class Postfix:
    """The Postfix of one host. Times are Unix seconds; each method writes one dialogue.

    Mail to `domain` goes to the mailboxes of `dovecot`, by LMTP (RFC 2033).
    """

    def __init__(
        self, log: Log, host: str, random: Random, *, domain: str, dovecot: Delivered
    ) -> None:
        self._log = log
        self._random = random
        self._host = host
        self._domain = domain
        self._dovecot = dovecot
        self._pid = random.randrange(2000, 60000)

    # -- single lines -----------------------------------------------------------------------

    def _line(self, at: float, service: str, pid: int, text: str) -> None:
        self._log.write(at, self._host, f"postfix/{service}[{pid}]: {text}")

    def _process(self) -> int:
        """A process id: no two connections overlap in one smtpd process."""
        self._pid = 2000 + (self._pid - 1999) % 4_000_000
        return self._pid

    def _queue_id(self) -> str:
        return f"{self._random.getrandbits(44):011X}"

    # -- connections without mail -------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        """A client connects, sees that somebody is there, and quits."""
        pid = self._process()
        self._line(at, "smtpd", pid, f"connect from {client.namaddr}")
        bye = f"disconnect from {client.namaddr} quit=1 commands=1"
        self._line(at + 0.02, "smtpd", pid, bye)

    def fail_login(
        self,
        at: float,
        client: Client,
        account: str,
        *,
        reason: str = "(reason unavailable)",
        mechanism: str = "LOGIN",
        service: str = "submission/smtpd",
        named: bool = True,
    ) -> None:
        """One attempt to log in, refused. Before 3.9 smtpd does not name the account."""
        pid = self._process()
        self._line(at, service, pid, f"connect from {client.namaddr}")
        user = f", sasl_username={account}" if named else ""
        text = f"warning: {client.namaddr}: SASL {mechanism} authentication failed: {reason}{user}"
        self._line(at + 2.1, service, pid, text)
        counts = "ehlo=2 starttls=1 auth=0/1 quit=1 commands=4/5"
        self._line(at + 2.3, service, pid, f"disconnect from {client.namaddr} {counts}")

    def speak_http(self, at: float, client: Client) -> None:
        """A client that takes us for a web server."""
        pid, who = self._process(), client.namaddr
        self._line(at, "smtpd", pid, f"connect from {who}")
        self._line(at + 0.1, "smtpd", pid, f"warning: non-SMTP command from {who}: GET / HTTP/1.1")
        self._line(at + 0.1, "smtpd", pid, f"disconnect from {who} unknown=0/1 commands=0/1")

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        *,
        reply: str = f"550 5.1.1 <{{}}>: {USER_UNKNOWN}",
        pace: float = 0.2,
    ) -> float:
        """All RCPT TO of a connection are refused; returns when it ended. The ``{}`` of
        `reply` is the recipient."""
        pid = self._process()
        self._line(at, "smtpd", pid, f"connect from {client.namaddr}")
        for recipient in recipients:
            at += pace
            self._line(at, "smtpd", pid, self._refusal(client, sender, recipient, reply))
        at += 0.05
        n = len(recipients)
        counts = f"ehlo=1 mail=1 rcpt=0/{n} quit=1 commands=3/{n + 3}"
        self._line(at, "smtpd", pid, f"disconnect from {client.namaddr} {counts}")
        return at

    @staticmethod
    def _refusal(client: Client, sender: str, recipient: str, reply: str) -> str:
        return (
            f"NOQUEUE: reject: RCPT from {client.namaddr}: {reply.format(recipient)}; "
            f"from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{client.greeting}>"
        )

    # -- mail ---------------------------------------------------------------------------------

    def accept(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str | tuple[str, Outcome]],
        *,
        login: str = "",
        refused: Sequence[str] = (),
        message_id: str = "",
        size: int = 0,
    ) -> str:
        """A client hands over a message; it goes to each recipient, with the outcome that is
        given or the usual one. Returns the queue id.

        With `login` it came in on the submission port. `refused` are recipients of the same
        message that are not known here.
        """
        pid, queue_id = self._process(), self._queue_id()
        service = "submission/smtpd" if login else "smtpd"
        who = client.namaddr
        self._line(at, service, pid, f"connect from {who}")
        sasl = f", sasl_method=PLAIN, sasl_username={login}" if login else ""
        self._line(at + 0.12, service, pid, f"{queue_id}: client={who}{sasl}")
        for n, recipient in enumerate(refused):
            line = self._refusal(client, sender, recipient, f"550 5.1.1 <{{}}>: {USER_UNKNOWN}")
            line = line.replace("NOQUEUE", queue_id, 1)
            self._line(at + 0.13 + n * 0.001, service, pid, line)
        self._queue(at + 0.2, queue_id, sender, recipients, message_id, size)
        known, all_of_them = len(recipients), len(recipients) + len(refused)
        auth = "auth=1 " if login else ""
        rcpt = str(known) if not refused else f"{known}/{all_of_them}"
        total = 6 + known + bool(login)
        commands = str(total) if not refused else f"{total}/{total + len(refused)}"
        counts = f"ehlo=2 starttls=1 {auth}mail=1 rcpt={rcpt} data=1 quit=1 commands={commands}"
        self._line(at + 0.35, service, pid, f"disconnect from {who} {counts}")
        return queue_id

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str], reply: str
    ) -> None:
        """A milter refuses a message at the end of its data; nothing of it is kept."""
        pid, queue_id, who = self._process(), self._queue_id(), client.namaddr
        self._line(at, "smtpd", pid, f"connect from {who}")
        self._line(at + 0.12, "smtpd", pid, f"{queue_id}: client={who}")
        name = f"{queue_id}.{int(at)}@{client.greeting.strip('[]')}"
        self._line(at + 0.2, "cleanup", 1207, f"{queue_id}: message-id=<{name}>")
        text = f"{queue_id}: milter-reject: END-OF-MESSAGE from {who}: {reply}; "
        text += f"from=<{sender}> to=<{recipients[0]}> proto=ESMTP helo=<{client.greeting}>"
        self._line(at + 0.25, "cleanup", 1207, text)
        n = len(recipients)
        counts = f"ehlo=1 mail=1 rcpt={n} data=0/1 quit=1 commands={3 + n}/{4 + n}"
        self._line(at + 0.35, "smtpd", pid, f"disconnect from {who} {counts}")

    def originate(
        self,
        at: float,
        sender: str,
        recipients: Sequence[str | tuple[str, Outcome]],
        message_id: str = "",
    ) -> str:
        """A program on the host itself sends a message (pickup(8)). Returns the queue id."""
        queue_id = self._queue_id()
        self._line(at, "pickup", 1184, f"{queue_id}: uid=5000 from=<{sender}>")
        self._queue(at + 0.01, queue_id, sender, recipients, message_id, 0)
        return queue_id

    # -- behind the queue ---------------------------------------------------------------------

    def _queue(
        self,
        at: float,
        queue_id: str,
        sender: str,
        recipients: Sequence[str | tuple[str, Outcome]],
        message_id: str,
        size: int,
    ) -> None:
        message_id = message_id or f"{queue_id}.{int(at)}@{self._host}.{self._domain}"
        self._line(at, "cleanup", 1207, f"{queue_id}: message-id=<{message_id}>")
        size = size or int(self._random.lognormvariate(9.5, 1.2)) + 700
        text = f"from=<{sender}>, size={size}, nrcpt={len(recipients)} (queue active)"
        self._line(at + 0.02, "qmgr", 1185, f"{queue_id}: {text}")
        done, waits, failed = at + 0.03, False, False
        for given in recipients:
            recipient, outcome = (given, None) if isinstance(given, str) else given
            outcome = outcome or self._usual(recipient)
            done = max(done, self._deliver(at, queue_id, recipient, outcome, message_id))
            waits = waits or outcome.status == "deferred"
            failed = failed or outcome.status == "bounced"
        if failed and sender:
            self._report(done + 0.01, queue_id, sender)
        if not waits:
            self._line(done + 0.03, "qmgr", 1185, f"{queue_id}: removed")

    def _deliver(
        self, at: float, queue_id: str, recipient: str, outcome: Outcome, message_id: str
    ) -> float:
        local = outcome.relay == MAILBOXES
        took = 0.08 + self._random.random() * (0.2 if local else 1.6)
        reply = outcome.reply or f"250 2.0.0 Ok: queued as {self._queue_id()}"
        if local and outcome.status == "sent":
            self._dovecot.save(at + took - 0.01, recipient, message_id)
            reply = f"250 2.0.0 <{recipient}> Saved"
        self._line(
            at + took,
            "lmtp" if local else "smtp",
            700 + self._random.randrange(40),
            f"{queue_id}: to=<{recipient}>, relay={outcome.relay}, delay={took + 0.2:.2g}, "
            f"delays=0.2/0.01/0.02/{took:.2g}, dsn={outcome.dsn}, "
            f"status={outcome.status} ({reply})",
        )
        return at + took

    def _usual(self, recipient: str) -> Outcome:
        domain = recipient.rpartition("@")[2]
        if domain == self._domain:
            return Outcome(MAILBOXES)
        return Outcome(exchanger_of(domain))

    def _report(self, at: float, queue_id: str, sender: str) -> None:
        """The bounce daemon tells `sender` that a message was not delivered."""
        report = self._queue_id()
        text = f"{queue_id}: sender non-delivery notification: {report}"
        self._line(at, "bounce", 1391, text)
        self._queue(at - 0.005, report, "", [sender], "", 4100)
