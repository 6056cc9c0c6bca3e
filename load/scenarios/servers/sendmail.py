"""Sendmail 8.17 with Dovecot's mailboxes: passwords at submission are checked by saslauthd.

The wording is that of sendmail/{srvrsmtp,deliver,envelope,collect,savemail,milter}.c at
``LogLevel`` 9, the tags and daemons' names are Debian's. A filter (SpamAssassin's milter) refuses
spam, milter-greylist those who are to come again. That a client goes is not logged, nor that it
comes; whether the account exists is not told, for saslauthd does not say.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from agents.demo.addresses import Client
from agents.demo.dovecot_lines import Dovecot
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MTA, MSP = "MTA-v4", "MSP-v4"  # port 25, submission
TLS = "version=TLSv1.3, verify=NO, cipher=TLS_AES_256_GCM_SHA384, bits=256/256"
GREYLISTED = "451 4.7.1 Greylisting in action, please come back in 00:05:00"
SPAM = "Blocked by SpamAssassin"


class Sendmail:
    def __init__(self, house: House, boxes: Dovecot) -> None:
        self._house = house
        self._random = house.random
        self._boxes = boxes
        self._pid = house.random.randrange(2000, 60000)
        self._sequence = 0

    # -- single lines ---------------------------------------------------------------------------

    def _line(self, at: float, pid: int, text: str, program: str = "sm-mta") -> None:
        self._house.log.write(at, self._house.host, f"{program}[{pid}]: {text}")

    def _process(self) -> int:
        self._pid = 2000 + (self._pid - 1999) % 900_000
        return self._pid

    def _id(self, at: float, pid: int) -> str:
        """assign_queueid() in sendmail/queue.c: year to second, a counter, the pid."""
        when = datetime.fromtimestamp(int(at), UTC)
        self._sequence = (self._sequence + 1) % 3600
        numbers = (
            (when.year - 1900) % 60, when.month - 1, when.day, when.hour, when.minute,
            when.second, self._sequence // 60, self._sequence % 60,
        )  # fmt: skip
        return "".join(DIGITS[number] for number in numbers) + f"{pid:06d}"

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        pid = self._process()
        self._silent(at + 0.02, pid, client, MTA)

    def _silent(self, at: float, pid: int, client: Client, daemon: str) -> None:
        who = _relay(client)
        text = f"{who} did not issue MAIL/EXPN/VRFY/ETRN during connection to {daemon}"
        self._line(at, pid, f"{self._id(at, pid)}: {text}")

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        why = "authentication failure (-13) SASL(-13): authentication failure: checkpass failed"
        self._fails(at, client, account, why)

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        self._fails(at, client, account, "generic failure (-1) SASL(-1): generic failure: ")

    def _fails(self, at: float, client: Client, account: str, why: str) -> None:
        pid = self._process()
        self._starts_tls(at + 0.1, pid, client)
        text = f"AUTH failure (LOGIN): {why}, user={account}, relay={_relay(client)}"
        self._line(at + 2.1, pid, f"{self._id(at, pid)}: {text}")
        self._silent(at + 2.3, pid, client, MSP)

    def _starts_tls(self, at: float, pid: int, client: Client) -> None:
        self._line(at, pid, f"STARTTLS=server, relay={_relay(client)}, {TLS}")

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        pid = self._process()
        if why == "listed":  # FEATURE(`dnsbl') refuses the client before it can say anything
            name = f"[{client.ip}]" if client.name == "unknown" else client.name
            reply = f"reject=550 5.7.1 Rejected: {client.ip} listed at bl.dnsbl.example"
            relay = f"relay={_relay(client)}"
            text = f"ruleset=check_relay, arg1={name}, arg2=127.0.0.2, {relay}, {reply}"
            self._line(at, pid, text)
            return
        queue_id = self._id(at, pid)
        for recipient in recipients:
            at += 0.2
            self._refuses(at, pid, queue_id, client, recipient, why)
        self._arrives(at + 0.05, pid, queue_id, client, sender, 0, 0, "", MTA)

    def _refuses(
        self, at: float, pid: int, queue_id: str, client: Client, recipient: str, why: Refusal
    ) -> None:
        if why == "unknown":
            text = f"<{recipient}>... User unknown"
        elif why == "greylisted":
            text = f"Milter: to=<{recipient}>, reject={GREYLISTED}"
        else:
            relay, unnamed = _relay(client), ""
            if client.name == "unknown":
                unnamed = f". IP name lookup failed [{client.ip}]"
            reply = f"reject=550 5.7.1 <{recipient}>... Relaying denied{unnamed}"
            text = f"ruleset=check_rcpt, arg1=<{recipient}>, relay={relay}, {reply}"
        self._line(at, pid, f"{queue_id}: {text}")

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        pid = self._process()
        queue_id = self._id(at, pid)
        name = f"{self._random.getrandbits(60):015x}@{client.greeting.strip('[]')}"
        count = len(recipients)
        self._arrives(at + 0.2, pid, queue_id, client, sender, self._size(), count, name, MTA)
        self._line(at + 0.25, pid, f"{queue_id}: Milter: data, reject=550 5.7.1 {SPAM}")
        for recipient in recipients:
            text = f"to=<{recipient}>, delay=00:00:00, pri=31000, stat={SPAM}"
            self._line(at + 0.26, pid, f"{queue_id}: {text}")

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
        pid = self._process()
        queue_id = self._id(at, pid)
        self._starts_tls(at, pid, client)
        if login:
            text = f"AUTH=server, relay={_relay(client)}, authid={login}, mech=PLAIN, bits=0"
            self._line(at + 0.1, pid, text)
        for n, recipient in enumerate(refused):
            self._refuses(at + 0.13 + n * 0.001, pid, queue_id, client, recipient, "unknown")
        name = f"{self._random.getrandbits(60):015x}@{client.greeting.strip('[]')}"
        size, count, daemon = self._size(), len(recipients), MSP if login else MTA
        self._arrives(at + 0.2, pid, queue_id, client, sender, size, count, name, daemon)
        self._deliver(at + 0.2, queue_id, sender, recipients, name)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        """The submission program hands it to the daemon on this host."""
        pid = self._process()
        first, second = self._id(at, pid), self._id(at, self._process())
        name = f"{first}@{self._house.host}.{self._house.domain}"
        size, count = self._size(), len(recipients)
        head = f"from=<{sender}>, size={size}, class=0, nrcpts={count}, msgid=<{name}>"
        self._line(at, pid, f"{first}: {head}, relay=vmail@localhost", "sendmail")
        home = Client("127.0.0.1", "localhost")
        self._arrives(at + 0.1, self._pid, second, home, sender, size, count, name, MTA)
        everyone = ",".join(f"<{one}>" for one in _names(recipients))
        stat = f"Sent ({second} Message accepted for delivery)"
        sent = f"relay=[127.0.0.1] [127.0.0.1], dsn=2.0.0, stat={stat}"
        text = f"to={everyone}, delay=00:00:00, xdelay=00:00:00, mailer=relay, pri=30100, {sent}"
        self._line(at + 0.12, pid, f"{first}: {text}", "sendmail")
        self._deliver(at + 0.2, second, sender, recipients, name)

    def _size(self) -> int:
        return int(self._random.lognormvariate(9.5, 1.2)) + 700

    def _arrives(
        self,
        at: float,
        pid: int,
        queue_id: str,
        client: Client,
        sender: str,
        size: int,
        count: int,
        name: str,
        daemon: str,
    ) -> None:
        message = f"msgid=<{name}>, " if name else ""
        proto, auth = ("ESMTPSA", ", auth=PLAIN") if daemon == MSP else ("ESMTPS", "")
        text = f"from=<{sender}>, size={size}, class=0, nrcpts={count}, {message}proto={proto}, "
        text += f"daemon={daemon}, tls_verify=NO{auth}, relay={_relay(client)}"
        self._line(at, pid, f"{queue_id}: {text}")

    def _deliver(
        self, at: float, queue_id: str, sender: str, recipients: Recipients, name: str
    ) -> None:
        pid, done = self._process(), at
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        failed = False
        for many in _together(fates):
            one = many[0]
            when = at + one.took
            done = max(done, when)
            failed = failed or one.status == "bounced"
            self._line(when, pid, f"{queue_id}: {_delivery(many)}")
            for each in many if one.local else ():
                self._boxes.save(when - 0.01, each.recipient, name)
        if failed and sender:
            self._report(done + 0.01, pid, queue_id, sender)

    def _report(self, at: float, pid: int, queue_id: str, sender: str) -> None:
        report = self._id(at, pid)
        self._line(at, pid, f"{queue_id}: {report}: DSN: User unknown")
        one = fate(sender, self._house.domain, self._random)
        self._line(at + one.took, pid, f"{report}: {_delivery([one])}")
        if one.local:
            self._boxes.save(at + one.took - 0.01, sender, f"{report}@{self._house.host}")


def _names(recipients: Recipients) -> Iterator[str]:
    return (one if isinstance(one, str) else one[0] for one in recipients)


def _together(fates: Sequence[Fate]) -> Iterator[list[Fate]]:
    """Recipients at one host with one outcome stand in one line."""
    for _, many in groupby(fates, key=lambda one: (one.name, one.status)):
        yield list(many)


def _relay(client: Client) -> str:
    address = f"[IPv6:{client.ip}]" if ":" in client.ip else f"[{client.ip}]"
    return address if client.name == "unknown" else f"{client.name} {address}"


def _delivery(many: Sequence[Fate]) -> str:
    one = many[0]
    to = ",".join(f"<{each.recipient}>" for each in many)
    took = f"delay=00:00:{int(one.took):02d}, xdelay=00:00:{int(one.took):02d}"
    if one.local:
        return f"to={to}, {took}, mailer=local, pri=30100, dsn=2.0.0, stat=Sent"
    relay = f"relay={one.name}. [{one.ip}]"
    if one.status == "sent":
        said = f"Sent ({one.reply.removeprefix('250 2.0.0 ')})"
    elif one.status == "bounced":
        said = "User unknown"
    else:
        said = f"Deferred: Connection timed out with {one.name}."
        relay = f"relay={one.name}."
    end = f"pri=30100, {relay}, dsn={one.dsn}, stat={said}"
    return f"to={to}, {took}, mailer=esmtp, {end}"
