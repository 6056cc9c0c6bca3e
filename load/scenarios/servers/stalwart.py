"""Stalwart 0.10 alone: its text tracer, which the journal or a file takes, at the level debug.

The wording is that of crates/trc/src/serializers/text.rs and crates/trc/src/event of its sources.
Failed logins are logged at debug only. That a message is refused as spam, or a client by a block
list, is not told; a login that cannot be checked names no account.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from agents.demo.addresses import Client
from load.scenarios.servers.outcomes import Fate, fate
from load.scenarios.servers.roles import House, Recipients, Refusal

LISTENERS = {
    "smtp": ("smtp", 25), "submission": ("submissions", 465), "imap": ("imaptls", 993),
    "pop3": ("pop3s", 995),
}  # fmt: skip


class Words(str):
    """What stands without quotes: numbers, addresses of hosts, times."""


class Stalwart:
    """Mail and mailboxes in one program."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._random = house.random
        self._queued = house.random.randrange(10**15, 10**16)

    # -- single lines ---------------------------------------------------------------------------

    def _line(self, at: float, level: str, event: str, **fields: Any) -> None:
        said = ", ".join(f"{name} = {_value(value)}" for name, value in fields.items())
        stamp = f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}"
        text = f"stalwart[812]: {stamp} {level} {event} {said}"
        self._house.log.write(at, self._house.host, text)

    def _peer(self, client: Client, service: str) -> dict[str, Any]:
        listener, port = LISTENERS[service]
        return {
            "listenerId": listener,
            "localPort": Words(port),
            "remoteIp": Words(client.ip),
            "remotePort": Words(self._random.randrange(1024, 65536)),
        }

    def _comes(self, at: float, client: Client, service: str) -> dict[str, Any]:
        who = self._peer(client, service)
        kind = {"imap": "IMAP", "pop3": "POP3"}.get(service, "SMTP")
        self._line(
            at, "INFO", f"{kind} connection started ({kind.lower()}.connection-start)", **who
        )
        return who

    def _goes(self, at: float, who: dict[str, Any], took: float, service: str) -> None:
        kind = {"imap": "IMAP", "pop3": "POP3"}.get(service, "SMTP")
        event = f"{kind} connection ended ({kind.lower()}.connection-end)"
        self._line(at, "INFO", event, **who, elapsed=Words(f"{int(took * 1000)}ms"))

    # -- logins ---------------------------------------------------------------------------------

    def login(
        self, at: float, client: Client, account: str, *, service: str = "imap", lasts: float = 0.0
    ) -> None:
        who = self._comes(at - 0.2, client, service)
        self._opens(at, who, account)
        if lasts:
            self._goes(at + lasts, who, lasts, service)

    def _opens(self, at: float, who: dict[str, Any], account: str) -> None:
        owner = {"accountName": account, "accountId": Words(3), "type": "individual"}
        self._line(at, "INFO", "Authentication successful (auth.success)", **who, **owner)

    def fail_login(
        self,
        at: float,
        client: Client,
        account: str,
        password: str,
        *,
        known: bool = True,
        service: str = "submission",
    ) -> None:
        who = self._comes(at, client, service)
        event = "Authentication failed (auth.failed)"
        self._line(at + 0.1, "DEBUG", event, **who, accountName=account)
        self._goes(at + 2.2, who, 2.2, service)

    def not_ready(self, at: float, client: Client) -> None:
        self._cannot(at, client, "imap")

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        self._cannot(at, client, "submission")

    def _cannot(self, at: float, client: Client, service: str) -> None:
        who = self._comes(at, client, service)
        event = "Authentication error (auth.error)"
        self._line(at + 0.1, "ERROR", event, **who, reason="LDAP connection failed")
        self._goes(at + 0.3, who, 0.3, service)

    # -- connections without mail ---------------------------------------------------------------

    def look(self, at: float, client: Client) -> None:
        self._goes(at + 0.02, self._comes(at, client, "smtp"), 0.02, "smtp")

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        who, began = self._comes(at, client, "smtp"), at
        self._line(
            at + 0.05, "INFO", "SMTP EHLO command (smtp.ehlo)", **who, domain=client.greeting
        )
        for recipient in recipients:
            at += 0.2
            if why != "listed":  # what an expression refuses is not logged
                self._refuses(at, who, sender, recipient, why)
        self._goes(at + 0.05, who, at - began, "smtp")

    def _refuses(
        self, at: float, who: dict[str, Any], sender: str, recipient: str, why: Refusal
    ) -> None:
        event = {
            "unknown": "Mailbox does not exist (smtp.mailbox-does-not-exist)",
            "relay": "Relay not allowed (smtp.relay-not-allowed)",
            "greylisted": "RCPT TO greylisted (smtp.rcpt-to-greylisted)",
        }[why]
        self._line(at, "INFO", event, **who, **{"from": sender}, to=recipient)

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        who = self._comes(at, client, "smtp")
        event = "Classifying message for spam (spam.classify)"
        self._line(at + 0.25, "INFO", event, **who, elapsed=Words("12ms"))
        self._goes(at + 0.35, who, 0.35, "smtp")

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
        service = "submission" if login else "smtp"
        who = self._comes(at, client, service)
        if login:
            self._opens(at + 0.1, who, login)
        for n, recipient in enumerate(refused):
            self._refuses(at + 0.13 + n * 0.001, who, sender, recipient, "unknown")
        event = "Queued message for delivery (queue.message-queued)"
        if login:
            event = "Queued message submissions for delivery (queue.authenticated-message-queued)"
        self._queue(at + 0.2, event, who, sender, recipients)
        self._goes(at + 0.35, who, 0.35, service)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        """A Sieve script's answer."""
        self._queue(at, "Queued autogenerated message for delivery "
                    "(queue.autogenerated-message-queued)", {}, sender, recipients)  # fmt: skip

    def _queue(
        self, at: float, event: str, who: dict[str, Any], sender: str, recipients: Recipients
    ) -> None:
        self._queued += 1
        size = Words(int(self._random.lognormvariate(9.5, 1.2)) + 700)
        fates = [fate(given, self._house.domain, self._random) for given in recipients]
        head = {"queueId": Words(self._queued), "from": sender or "<>"}
        to = [one.recipient for one in fates]
        self._line(at, "INFO", event, **who, **head, to=to, size=size)
        done = at
        for one in fates:
            done = max(done, at + one.took)
            self._delivery(at + one.took, head, one)
        if sender and any(one.status == "bounced" for one in fates):
            self._queue(done + 0.01, "Queued DSN for delivery (queue.dsn-queued)", {}, "", [sender])
        if not any(one.status == "deferred" for one in fates):
            self._line(done + 0.02, "INFO", "Delivery completed (delivery.completed)", **head)

    def _delivery(self, at: float, head: dict[str, Any], one: Fate) -> None:
        host = one.name or "localhost"
        where = {**head, "hostname": host, "to": one.recipient}
        if one.status == "sent":
            event = "Message delivered (delivery.delivered)"
            said = one.reply.removeprefix("250 ") or "2.1.5 OK"
            self._line(at, "INFO", event, **where, code=Words(250), details=said)
        elif one.status == "bounced":
            event = "SMTP RCPT TO rejected (delivery.rcpt-to-rejected)"
            said = one.reply.removeprefix("550 ")
            self._line(at, "INFO", event, **where, code=Words(550), details=said)
            event = "DSN permanent failure notification (delivery.dsn-perm-fail)"
            self._line(at + 0.01, "INFO", event, **where, details=said)
        else:
            event = "Connection error (delivery.connect-error)"
            self._line(at, "INFO", event, **where, details="Connection timed out")
            event = "DSN temporary failure notification (delivery.dsn-temp-fail)"
            self._line(at + 0.01, "INFO", event, **where, details="Connection timed out")


def _value(value: Any) -> str:
    if isinstance(value, Words):
        return value
    if isinstance(value, list):
        return f"[{', '.join(_value(one) for one in value)}]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
