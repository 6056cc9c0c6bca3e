"""netqmail with spamdyke and vpopmail: queue, refusals, logins, all by way of syslog (splogger).

The wording is that of qmail-send.c and qmail-remote.c, of spamdyke's README_LOGGING and of
vpopmail's vchkpw.c. Which client a queued message came from is not told: spamdyke's line on each
recipient names client and login, qmail's on the message the sender alone. What spam a content
filter refuses is spamdyke's DENIED_OTHER.
"""

from collections.abc import Sequence

from agents.demo.addresses import Client
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

DENIALS: dict[Refusal, tuple[str, str]] = {
    "unknown": ("DENIED_OTHER", "550_sorry,_no_mailbox_here_by_that_name_(#5.1.1)"),
    "relay": ("DENIED_RELAYING", "(empty)"),
    "listed": ("DENIED_RBL_MATCH", "bl.dnsbl.example"),
    "greylisted": ("DENIED_GRAYLISTED", "(empty)"),
}
SPAM = "554_Spam_message_rejected_(#5.7.1)"


class Vpopmail:
    """vchkpw, which whoever serves mailboxes asks about passwords."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._pid = house.random.randrange(60000, 90000)

    def says(self, at: float, service: str, text: str) -> None:
        self._pid += 1
        line = f"vpopmail[{self._pid}]: vchkpw-{service}: {text}"
        self._house.log.write(at, self._house.host, line)

    def login(
        self, at: float, client: Client, account: str, *, service: str = "imap", lasts: float = 0.0
    ) -> None:
        self.says(at, service, f"(PLAIN) login success {account}:{client.ip}")

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
        why = "password fail" if known else "vpopmail user not found"
        self.says(at, service, f"{why} {account}:{client.ip}")

    def not_ready(self, at: float, client: Client) -> None:
        """Its database is down: nothing is logged."""


class Qmail:
    def __init__(self, house: House, boxes: Vpopmail) -> None:
        self._house = house
        self._random = house.random
        self._boxes = boxes
        self._pid = house.random.randrange(2000, 60000)
        self._deliveries = 0

    # -- single lines ---------------------------------------------------------------------------

    def _line(self, at: float, text: str) -> None:
        self._house.log.write(at, self._house.host, f"qmail: {at:.6f} {text}")

    def _dyke(
        self, at: float, what: str, client: Client, sender: str, recipient: str, auth: str, why: str
    ) -> None:
        """One of spamdyke's lines."""
        self._pid += 1
        name = "(unknown)" if client.name == "unknown" else client.name
        text = f"{what} from: {sender or '(unknown)'} to: {recipient or '(unknown)'} "
        text += f"origin_ip: {client.ip} origin_rdns: {name} auth: {auth or '(unknown)'} "
        text += f"encryption: TLS reason: {why}"
        self._house.log.write(at, self._house.host, f"spamdyke[{self._pid}]: {text}")

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        """Nobody says anything of that."""

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        self._boxes.fail_login(at + 0.1, client, account, password, known=known, service="smtp")
        self._dyke(at + 0.2, "FAILED_AUTH", client, "", "", account, "(empty)")

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        self._dyke(at + 0.2, "FAILED_AUTH", client, "", "", account, "(empty)")

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        for recipient in recipients:
            at += 0.2
            what, reason = DENIALS[why]
            self._dyke(at, what, client, sender, recipient, "", reason)

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        for recipient in recipients:
            self._dyke(at + 0.25, "DENIED_OTHER", client, sender, recipient, "", SPAM)

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
        if login:
            self._boxes.login(at + 0.05, client, login, service="smtp")
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        for one in fates:
            self._dyke(at + 0.1, "ALLOWED", client, sender, one.recipient, login, "250_ok")
        for recipient in refused:
            what, reason = DENIALS["unknown"]
            self._dyke(at + 0.13, what, client, sender, recipient, "", reason)
        self._queue(at + 0.2, sender, fates, 89)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        self._queue(at, sender, fates, 1000)

    def _queue(self, at: float, sender: str, fates: Sequence[Fate], uid: int) -> None:
        message = self._random.randrange(10**6, 10**7)
        size = int(self._random.lognormvariate(9.5, 1.2)) + 700
        self._pid += 1
        self._line(at, f"new msg {message}")
        info = f"info msg {message}: bytes {size} from <{sender}> qp {self._pid} uid {uid}"
        self._line(at, info)
        done = at
        for one in fates:
            done = max(done, at + one.took)
            self._delivery(at, message, one)
        if sender and any(one.status == "bounced" for one in fates):
            self._line(done + 0.01, f"bounce msg {message} qp {self._pid + 1}")
            self._queue(done + 0.02, "", [fate(sender, self._house.domain, self._random)], 87)
        if not any(one.status == "deferred" for one in fates):
            self._line(done + 0.03, f"end msg {message}")

    def _delivery(self, at: float, message: int, one: Fate) -> None:
        self._deliveries += 1
        number, to = self._deliveries, one.recipient
        where = f"local {to.rpartition('@')[2]}-{to}" if one.local else f"remote {to}"
        self._line(at + 0.001, f"starting delivery {number}: msg {message} to {where}")
        if one.local:
            said = "success: did_0+0+1/"
        elif one.status == "sent":
            accepted = f"{one.ip}_accepted_message./Remote_host_said:_{one.reply}/"
            said = f"success: {accepted}"
        elif one.status == "bounced":
            end = f"Giving_up_on_{one.ip}./"
            refused = f"{one.ip}_does_not_like_recipient./Remote_host_said:_{one.reply}/"
            said = f"failure: {refused}{end}"
        else:
            said = "deferral: Sorry,_I_wasn't_able_to_establish_an_SMTP_connection._(#4.4.1)/"
        outcome, _, words = said.partition(": ")
        text = f"delivery {number}: {outcome}: {words.replace(' ', '_')}"
        self._line(at + one.took, text)
