"""OpenSMTPD 7 with Dovecot's mailboxes; passwords of submission are in a table of its own.

The wording is that of usr.sbin/smtpd/{smtp_session,mta_session,mda,bounce}.c. Filters refuse
clients on block lists, those that are to come again, and spam, in the words of ``filter ...
reject``. A message's id and that of a bounce are not logged together, nor whether an account
exists.
"""

from collections.abc import Sequence

from agents.demo.addresses import Client
from agents.demo.dovecot_lines import Dovecot
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

RESULTS: dict[Refusal, str] = {
    "unknown": "550 Invalid recipient: <{}>",
    "relay": "550 Invalid recipient: <{}>",  # it does not tell the one from the other
    "listed": "550 5.7.1 listed at bl.dnsbl.example",
    "greylisted": "451 4.7.1 Greylisted, try again later",
}
SPAM = "550 5.7.1 Spam message rejected"


class OpenSmtpd:
    def __init__(self, house: House, boxes: Dovecot) -> None:
        self._house = house
        self._random = house.random
        self._boxes = boxes
        self._pid = house.random.randrange(2000, 60000)

    # -- single lines ---------------------------------------------------------------------------

    def _line(self, at: float, session: str, text: str) -> None:
        self._house.log.write(at, self._house.host, f"smtpd[{self._pid}]: {session} {text}")

    def _hex(self, digits: int) -> str:
        return f"{self._random.getrandbits(digits * 4):0{digits}x}"

    def _comes(self, at: float, client: Client, *, tls: bool = True) -> str:
        session = self._hex(16)
        address = f"[{client.ip}]" if ":" in client.ip else client.ip
        name = "<unknown>" if client.name == "unknown" else client.name
        self._line(at, session, f"smtp connected address={address} host={name}")
        if tls:
            self._line(at + 0.05, session, "smtp tls ciphers=TLSv1.3:TLS_AES_256_GCM_SHA384:256")
        return session

    def _goes(self, at: float, session: str) -> None:
        self._line(at, session, "smtp disconnected reason=quit")

    def _fails(self, at: float, session: str, command: str, result: str) -> None:
        text = f'smtp failed-command command="{command}" result="{result}"'
        self._line(at, session, text)

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        self._goes(at + 0.02, self._comes(at, client, tls=False))

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        session = self._comes(at, client)
        self._line(at + 0.1, session, f"smtp authentication user={account} result=permfail")
        self._fails(at + 0.11, session, "AUTH LOGIN (password)", "535 Authentication failed")
        self._goes(at + 0.3, session)

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        session = self._comes(at, client)
        self._line(at + 0.1, session, f"smtp authentication user={account} result=tempfail")
        result = "421 4.3.0 Temporary Error"
        self._fails(at + 0.11, session, "AUTH LOGIN (password)", result)
        self._goes(at + 0.3, session)

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        session = self._comes(at, client, tls=False)
        for recipient in recipients:
            at += 0.2
            result = RESULTS[why].format(recipient)
            self._fails(at, session, f"RCPT TO:<{recipient}>", result)
        self._goes(at + 0.05, session)

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        session = self._comes(at, client, tls=False)
        self._fails(at + 0.25, session, ".", SPAM)
        self._goes(at + 0.35, session)

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
        session = self._comes(at, client)
        if login:
            self._line(at + 0.1, session, f"smtp authentication user={login} result=ok")
        for n, recipient in enumerate(refused):
            result = RESULTS["unknown"].format(recipient)
            self._fails(at + 0.13 + n * 0.001, session, f"RCPT TO:<{recipient}>", result)
        self._queue(at + 0.2, session, sender, recipients)
        self._goes(at + 0.35, session)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        session = self._hex(16)
        host = f"{self._house.host}.{self._house.domain}"
        self._line(at, session, f"smtp connected address=local host={host}")
        self._queue(at + 0.1, session, sender, recipients)
        self._goes(at + 0.15, session)

    def _queue(self, at: float, session: str, sender: str, recipients: Recipients) -> None:
        message, size = self._hex(8), int(self._random.lognormvariate(9.5, 1.2)) + 700
        text = f"smtp message msgid={message} size={size} nrcpt={len(recipients)} proto=ESMTP"
        self._line(at, session, text)
        failed, done = False, at
        for given in recipients:
            one = fate(given, self._house.domain, self._random)
            envelope = message + self._hex(8)
            route = f"from=<{sender}> to=<{one.recipient}>"
            self._line(at + 0.001, session, f"smtp envelope evpid={envelope} {route}")
            self._deliver(at, envelope, route, one)
            failed = failed or one.status == "bounced"
            done = max(done, at + one.took)
        if failed and sender:
            self._report(done + 0.01, sender)

    def _deliver(self, at: float, envelope: str, route: str, one: Fate) -> None:
        session, when, delay = self._hex(16), at + one.took, f"{int(one.took)}s"
        head = f"delivery evpid={envelope} {route}"
        if one.local:
            name = one.recipient.partition("@")[0]
            result = f"user={name} delay={delay} result=Ok stat=Delivered"
            self._line(when, session, f"mda {head} rcpt=<{one.recipient}> {result}")
            self._boxes.save(when - 0.01, one.recipient, f"{envelope}@{self._house.host}")
            return
        result, stat = {
            "sent": ("Ok", one.reply),
            "bounced": ("PermFail", one.reply),
            "deferred": ("TempFail", "Connection timeout"),
        }[one.status]
        relay = f'source="192.0.2.1" relay="{one.ip} ({one.name})" delay={delay}'
        text = f'mta {head} rcpt=<-> {relay} result="{result}" stat="{stat}"'
        self._line(when, session, text)

    def _report(self, at: float, sender: str) -> None:
        """A bounce is a local session with the null sender."""
        session = self._hex(16)
        host = f"{self._house.host}.{self._house.domain}"
        self._line(at, session, f"smtp connected address=local host={host}")
        self._queue(at + 0.01, session, "", [sender])
        self._goes(at + 0.02, session)
