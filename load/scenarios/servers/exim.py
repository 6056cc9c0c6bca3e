"""Exim 4 with Dovecot: passwords are Dovecot's, and mailboxes (by LMTP).

The wording is that of src/{receive,deliver,smtp_in,host,log}.c and of the default configuration's
access lists. Two houses: Debian's own (`log_selector` of its exim4-config; the main log in a
file of its own, ids of 4.96), and one that logs all that tells about clients, by way of syslog,
where main and reject log are one stream (ids of 4.97). By default Exim does not log connections,
nor whom a message is for.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from agents.demo.addresses import Client
from agents.demo.dovecot_lines import Dovecot
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

MAINLOG, REJECTLOG = "/var/log/exim4/mainlog", "/var/log/exim4/rejectlog"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
OURS = "192.168.10.20"  # the address that clients connect to
TLS = "TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256"
REFUSALS: dict[Refusal, str] = {
    "unknown": "rejected RCPT <{}>: Unrouteable address",
    "relay": "rejected RCPT <{}>: relay not permitted",
    "listed": ("rejected RCPT <{}>: rejected because {ip} is in a black list at bl.dnsbl.example"),
    "greylisted": "temporarily rejected RCPT <{}>: greylisted.",
}


class Exim:
    """`full`: the selectors beside the default ones are pid, millisec, incoming_port,
    incoming_interface, smtp_connection, smtp_no_mail, received_sender, received_recipients,
    sender_on_delivery."""

    def __init__(self, house: House, boxes: Dovecot, *, full: bool) -> None:
        self._house = house
        self._random = house.random
        self._boxes = boxes
        self._full = full
        self._pid = house.random.randrange(2000, 60000)

    # -- single lines ---------------------------------------------------------------------------

    def _line(self, at: float, pid: int, text: str, *, rejects: bool = False) -> None:
        """`rejects`: it goes into the reject log as well."""
        log, host = self._house.log, self._house.host
        stamp = f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%d %H:%M:%S}"
        if not self._full:
            log.follow(at, host, MAINLOG, f"{stamp} {text}")
            if rejects:
                log.follow(at, host, REJECTLOG, f"{stamp} {text}")
            return
        stamp = f"{stamp}.{int((at - int(at)) * 1000):03d}"
        for _ in range(2 if rejects else 1):
            log.write(at, host, f"exim[{pid}]: {stamp} [{pid}] {text}")

    def _process(self) -> int:
        self._pid = 2000 + (self._pid - 1999) % 4_000_000
        return self._pid

    def _id(self, at: float, pid: int) -> str:
        fraction = int((at - int(at)) * (500_000 if self._full else 2000))
        pid_digits, last = (11, 4) if self._full else (6, 2)
        return f"{_base62(int(at), 6)}-{_base62(pid, pid_digits)}-{_base62(fraction, last)}"

    def _peer(self, client: Client, port: int, *, submission: bool = False) -> str:
        """host_and_ident(): name, greeting where it is another, address, our side."""
        name = "" if client.name == "unknown" else f"{client.name} "
        greeting = client.greeting
        helo = "" if greeting in (client.name, f"[{client.ip}]") else f"({greeting}) "
        if not self._full:
            return f"{name}{helo}[{client.ip}]"
        ours = f"I=[{OURS}]:{587 if submission else 25}"
        return f"{name}{helo}[{client.ip}]:{port} {ours}"

    def _port(self) -> int:
        return self._random.randrange(1024, 65536)

    def _comes(self, at: float, pid: int, client: Client, port: int, *, submission: bool) -> None:
        if self._full:
            ours = f"I=[{OURS}]:{587 if submission else 25}"
            text = f"SMTP connection from [{client.ip}]:{port} {ours} (TCP/IP connection count = 1)"
            self._line(at, pid, text)

    def _goes(
        self, at: float, pid: int, who: str, took: float, commands: str, login: str = ""
    ) -> None:
        """`commands`: those of a connection that brought no mail."""
        if self._full:
            self._line(at, pid, f"SMTP connection from {who} D={took:.3f}s closed by QUIT")
            if commands:
                by = f" A=dovecot_plain:{login}" if login else ""
                text = f"no MAIL in SMTP connection from {who} D={took:.3f}s{by} C={commands}"
                self._line(at, pid, text)

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        pid, port = self._process(), self._port()
        self._comes(at, pid, client, port, submission=False)
        name = "" if client.name == "unknown" else f"{client.name} "
        who = f"{name}[{client.ip}]:{port} I=[{OURS}]:25"
        self._goes(at + 0.02, pid, who, 0.02, "QUIT")

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        self._boxes.refuse_for_postfix(at + 0.1, client, account, password, known=known)
        self._fails(at, client, f"535 Incorrect authentication data (set_id={account})")

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        why = "authentication socket connection error"
        self._fails(at, client, f"435 Unable to authenticate at present: {why}")

    def _fails(self, at: float, client: Client, reply: str) -> None:
        pid, port = self._process(), self._port()
        self._comes(at, pid, client, port, submission=True)
        who = self._peer(client, port, submission=True)
        text = f"dovecot_login authenticator failed for {who}: {reply}"
        self._line(at + 2.1, pid, text, rejects=True)
        self._goes(at + 2.3, pid, who, 2.3, "EHLO,STARTTLS,EHLO,AUTH,QUIT")

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        pid, port, began = self._process(), self._port(), at
        self._comes(at, pid, client, port, submission=False)
        who = self._peer(client, port)
        for recipient in recipients:
            at += 0.2
            self._refuses(at, pid, who, sender, recipient, why, client.ip)
        self._goes(at + 0.05, pid, who, at - began, "")

    def _refuses(
        self, at: float, pid: int, who: str, sender: str, recipient: str, why: Refusal, ip: str
    ) -> None:
        said = REFUSALS[why].replace("{ip}", ip).format(recipient)
        self._line(at, pid, f"H={who} F=<{sender}> {said}", rejects=True)

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        pid, port = self._process(), self._port()
        self._comes(at, pid, client, port, submission=False)
        who = self._peer(client, port)
        said = "rejected after DATA: This message scored 9.3 spam points."
        text = f"{self._id(at, pid)} H={who} F=<{sender}> {said}"
        self._line(at + 0.25, pid, text, rejects=True)
        self._goes(at + 0.35, pid, who, 0.35, "")

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
        pid, port = self._process(), self._port()
        submission = bool(login)
        self._comes(at, pid, client, port, submission=submission)
        who = self._peer(client, port, submission=submission)
        for n, recipient in enumerate(refused):
            self._refuses(at + 0.13 + n * 0.001, pid, who, sender, recipient, "unknown", client.ip)
        by = f" A=dovecot_plain:{login}" if login else ""
        how = f"H={who} P=esmtps{'a' if login else ''} X={TLS} CV=no{by}"
        self._queue(at + 0.2, pid, sender, how, recipients, client.greeting.strip("[]"))
        self._goes(at + 0.35, pid, who, 0.35, "")

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        how = "U=vmail P=local"
        self._queue(at, self._process(), sender, how, recipients, self._house.host)

    def _queue(
        self, at: float, pid: int, sender: str, how: str, recipients: Recipients, origin: str
    ) -> None:
        name, size = self._id(at, pid), int(self._random.lognormvariate(9.5, 1.2)) + 700
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        message_id = f"{self._random.getrandbits(60):015x}@{origin}"
        to = ""
        if self._full:
            to = f" from <{sender}> for {' '.join(one.recipient for one in fates)}"
        text = f"{name} <= {sender or '<>'} {how} S={size} id={message_id}{to}"
        self._line(at, pid, text)
        self._deliver(at, name, sender, fates, message_id)

    def _deliver(
        self, at: float, name: str, sender: str, fates: Sequence[Fate], message_id: str
    ) -> None:
        pid, done = self._process(), at
        for one in fates:
            done = max(done, at + one.took)
            self._line(at + one.took, pid, f"{name} {self._delivery(one, sender)}")
            if one.local and one.status == "sent":
                self._boxes.save(at + one.took - 0.01, one.recipient, message_id)
        if sender and any(one.status == "bounced" for one in fates):
            self._report(done + 0.01, name, sender)
        if not any(one.status == "deferred" for one in fates):
            self._line(done + 0.03, pid, f"{name} Completed")

    def _delivery(self, one: Fate, sender: str) -> str:
        by = f" F=<{sender}>" if self._full else ""
        if one.local:
            reply = f"250 2.0.0 <{one.recipient}> Saved"
            return f'=> {one.recipient}{by} R=dovecot T=dovecot_lmtp C="{reply}"'
        route = f"{one.recipient}{by} R=dnslookup T=remote_smtp"
        if one.status == "deferred":
            return f"== {route} defer (110): Connection timed out"
        where = f"{route} H={one.name} [{one.ip}]{':25' if self._full else ''} X={TLS} CV=yes"
        if one.status == "sent":
            return f'=> {where} C="{one.reply}"'
        after = f"SMTP error from remote mail server after RCPT TO:<{one.recipient}>"
        return f"** {where}: {after}: {one.reply}"

    def _report(self, at: float, about: str, sender: str) -> None:
        """The sender is told that a message was not delivered."""
        pid = self._process()
        name = self._id(at, pid)
        self._line(at, pid, f"{name} <= <> R={about} U=Debian-exim P=local S=4100")
        to = fate(sender, self._house.domain, self._random)
        self._deliver(at, name, "", [to], f"E{name}@{self._house.host}.{self._house.domain}")


def _base62(number: int, length: int) -> str:
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text
