"""Haraka 3 with Dovecot's mailboxes: mail for them goes by LMTP, passwords are Dovecot's.

The wording is that of connection.js, plugins.js, plugins/auth/auth_base.js, outbound/hmail.js and
of the plugins rcpt_to.in_host_list, dns_list, greylist and spamassassin, at the log level notice
with the hooks' results (info). Who logs in, well or not, is not logged: Dovecot's auth process
tells of those that fail. Deliveries name no recipient, only their domain.
"""

from collections.abc import Sequence

from agents.demo.addresses import Client
from agents.demo.dovecot_lines import Dovecot
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

OURS = "192.168.10.20"
DENIALS: dict[Refusal, tuple[str, str]] = {
    "unknown": ("DENY", "550 5.1.1 User unknown"),
    "relay": ("CONT", ""),  # nobody takes responsibility: "I cannot deliver mail for <...>"
    "listed": ("DENY", "host [{ip}] is listed on bl.dnsbl.example"),
    "greylisted": ("DENYSOFT", "Greylisted: come back in 5 minutes"),
}
SPAM = "550 5.7.1 Spam message rejected"


class Haraka:
    def __init__(self, house: House, boxes: Dovecot) -> None:
        self._house = house
        self._random = house.random
        self._boxes = boxes
        self._pid = house.random.randrange(2000, 60000)

    # -- single lines ---------------------------------------------------------------------------

    def _line(self, at: float, uuid: str, source: str, text: str, level: str = "NOTICE") -> None:
        line = f"haraka[{self._pid}]: [{level}] [{uuid}] [{source}] {text}"
        self._house.log.write(at, self._house.host, line)

    def _comes(self, at: float, client: Client, port: int) -> str:
        """A connection begins; its UUID."""
        bits = f"{self._random.getrandbits(128):032X}"
        uuid = "-".join((bits[:8], bits[8:12], bits[12:16], bits[16:20], bits[20:]))
        theirs = f"ip={client.ip} port={self._random.randrange(1024, 65536)}"
        self._line(at, uuid, "core", f"connect {theirs} local_ip={OURS} local_port={port}")
        return uuid

    def _goes(
        self, at: float, uuid: str, client: Client, counts: tuple[int, int, int], said: str = ""
    ) -> None:
        """`counts`: recipients accepted and refused, messages accepted."""
        good, bad, messages = counts
        name = "NXDOMAIN" if client.name == "unknown" else client.name
        who = f'ip={client.ip} rdns="{name}" helo="{client.greeting}" relay=N early=N esmtp=Y '
        who += f"tls=Y pipe=N errors={bad} txns={int(good + bad > 0)} rcpts={good}/0/{bad} "
        text = f'{who}msgs={messages}/0/0 bytes=0 lr="{said}" time=0.350'
        self._line(at, uuid, "core", f"disconnect {text}")

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        self._goes(at + 0.02, self._comes(at, client, 25), client, (0, 0, 0))

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        self._boxes.refuse_for_postfix(at + 0.1, client, account, password, known=known)
        uuid = self._comes(at, client, 587)
        self._line(at + 0.2, uuid, "auth/auth_dovecot", "delaying for 1 seconds")
        self._goes(at + 1.4, uuid, client, (0, 0, 0), "535 5.7.8 Authentication failed")

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        uuid = self._comes(at, client, 587)
        self._line(at + 0.2, uuid, "auth/auth_dovecot", "connect ECONNREFUSED", "ERROR")
        self._line(at + 0.2, uuid, "auth/auth_dovecot", "delaying for 1 seconds")
        self._goes(at + 1.4, uuid, client, (0, 0, 0), "535 5.7.8 Authentication failed")

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        uuid = self._comes(at, client, 25)
        if why == "listed":
            said = DENIALS[why][1].replace("{ip}", client.ip)
            hook = "hook=connect plugin=dns_list function=check_ip"
            text = f'{hook} params="" retval=DENY msg="{said}"'
            self._line(at + 0.1, uuid, "core", text, "INFO")
            self._goes(at + 0.2, uuid, client, (0, 0, 0), f"550 {said}")
            return
        self._sender(at + 0.1, uuid, sender)
        for recipient in recipients:
            at += 0.2
            self._refuses(at, uuid, sender, recipient, why)
        self._goes(at + 0.05, uuid, client, (0, len(recipients), 0))

    def _sender(self, at: float, uuid: str, sender: str) -> None:
        self._line(at, f"{uuid}.1", "core", f'sender <{sender}> code=CONT msg=""')

    def _refuses(self, at: float, uuid: str, sender: str, recipient: str, why: Refusal) -> None:
        code, said = DENIALS[why]
        text = f'recipient <{recipient}> code={code} msg="{said}" sender="{sender}"'
        self._line(at, f"{uuid}.1", "core", text)

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        uuid = self._comes(at, client, 25)
        self._sender(at + 0.1, uuid, sender)
        for recipient in recipients:
            self._accepts(at + 0.12, uuid, sender, recipient)
        spam = 'status=Yes, score=9.3, required=5.0, reject=5, tests="BAYES_99"'
        self._line(at + 0.2, f"{uuid}.1", "spamassassin", spam, "INFO")
        self._message(at + 0.25, uuid, client, len(recipients), 0, f'code=DENY msg="{SPAM}"')
        self._goes(at + 0.35, uuid, client, (len(recipients), 1, 0), SPAM)

    def _accepts(self, at: float, uuid: str, sender: str, recipient: str) -> None:
        text = f'recipient <{recipient}> code=OK msg="" sender="{sender}"'
        self._line(at, f"{uuid}.1", "core", text)

    def _message(self, at: float, uuid: str, client: Client, good: int, bad: int, end: str) -> str:
        """The end of its data; its name."""
        name = f"{self._random.getrandbits(60):015x}@{client.greeting.strip('[]')}"
        size = int(self._random.lognormvariate(9.5, 1.2)) + 700
        text = f'message mid="<{name}>" size={size} rcpts={good}/0/{bad} delay=0.125 {end}'
        self._line(at, f"{uuid}.1", "core", text)
        return name

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
        uuid = self._comes(at, client, 587 if login else 25)
        self._sender(at + 0.1, uuid, sender)
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        for one in fates:
            self._accepts(at + 0.12, uuid, sender, one.recipient)
        for n, recipient in enumerate(refused):
            self._refuses(at + 0.13 + n * 0.001, uuid, sender, recipient, "unknown")
        end = 'code=CONT msg=""'
        name = self._message(at + 0.2, uuid, client, len(fates), len(refused), end)
        queued = f'queue code=OK msg="Message Queued ({uuid}.1)"'
        self._line(at + 0.2, f"{uuid}.1", "core", queued)
        self._goes(at + 0.35, uuid, client, (len(fates), len(refused), 1))
        self._deliver(at + 0.2, uuid, fates, name)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        """Haraka has no program for that: the host's own mail comes by SMTP."""
        self.accept(at, Client("127.0.0.1", "localhost"), sender, recipients)

    def _deliver(self, at: float, uuid: str, fates: Sequence[Fate], name: str) -> None:
        for number, one in enumerate(fates, 1):
            file = f"{int(at * 1000)}_0_{self._pid}_{number}"
            when = at + one.took
            if one.status == "deferred":
                text = f"Temp failing {file} for 64 seconds: Tried all MXs"
            elif one.status == "bounced":
                text = f"bouncing mail: {one.reply}"
            else:
                domain = one.recipient.rpartition("@")[2]
                host, ip, port = one.name or OURS, one.ip or OURS, 25 if one.name else 24
                mode = "SMTP" if one.name else "LMTP"
                reply = one.reply or f"250 2.0.0 <{one.recipient}> Saved"
                text = f'delivered file={file} domain="{domain}" host="{host}" ip={ip} '
                text += f'port={port} mode={mode} tls=Y auth=N response="{reply}" '
                text += f"delay={one.took:.3f} fails=0 rcpts=1/0/0"
            self._line(when, f"{uuid}.1.{number}", "outbound", text)
            if one.local and one.status == "sent":
                self._boxes.save(when - 0.01, one.recipient, name)
