"""Cyrus IMAP 3.6 beside Postfix: both ask saslauthd about passwords, and Postfix delivers by LMTP.

The wording is that of imap/{imapd,pop3d,lmtpd}.c and saslauthd/saslauthd-main.c; the tags are
Debian's. The end of a session is not logged, and whether an account exists is not told.
"""

from agents.demo.addresses import Client
from load.scenarios.servers.postfix import PostfixServer
from load.scenarios.servers.roles import House

WRONG = "authentication failure: checkpass failed"
DOWN = "generic failure: checkpass failed"


class Cyrus:
    def __init__(self, house: House) -> None:
        self._house = house
        self._random = house.random
        self._pid = house.random.randrange(60000, 90000)

    def _line(self, at: float, program: str, text: str) -> None:
        self._house.log.write(at, self._house.host, f"{program}[{self._pid}]: {text}")

    def _session(self, at: float) -> str:
        self._pid = 2000 + (self._pid - 1999) % 4_000_000
        number = self._random.getrandbits(63)
        return f"<cyrus-{self._pid}-{int(at)}-1-{number}>"

    def login(
        self, at: float, client: Client, account: str, *, service: str = "imap", lasts: float = 0.0
    ) -> None:
        session = self._session(at)
        text = f"login: {_host(client)} {account} PLAIN+TLS User logged in SESSIONID={session}"
        self._line(at, f"cyrus/{service}", text)

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
        self.check_fails(at, account, service)
        self._session(at)
        text = f"badlogin: {_host(client)} PLAIN ({account}) [SASL(-13): {WRONG}]"
        self._line(at + 0.01, f"cyrus/{service}", text)

    def check_fails(self, at: float, account: str, service: str) -> None:
        """What saslauthd says of a wrong password."""
        name, _, realm = account.partition("@")
        text = f"do_auth         : auth failure: [user={name}] [service={service}] "
        text += f"[realm={realm}] [mech=pam] [reason=PAM auth error]"
        self._house.log.write(at, self._house.host, f"saslauthd[812]: {text}")

    def not_ready(self, at: float, client: Client) -> None:
        self._session(at)
        text = f"badlogin: {_host(client)} PLAIN [SASL(-1): {DOWN}]"
        self._line(at, "cyrus/imap", text)

    def save(self, at: float, account: str, message_id: str) -> None:
        """The LMTP server puts a message into a mailbox."""
        self._session(at)
        text = f"Delivered: <{message_id}> to mailbox: user/{account}"
        self._line(at, "cyrus/lmtpunix", text)


class PostfixWithCyrus(PostfixServer):
    def __init__(self, house: House, boxes: Cyrus) -> None:
        super().__init__(house, boxes)
        self._cyrus = boxes

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        self._cyrus.check_fails(at + 0.1, account, "smtp")
        self._postfix.fail_login(at, client, account, reason="authentication failure")

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        self._postfix.fail_login(at, client, account, reason="generic failure")


def _host(client: Client) -> str:
    return f"[{client.ip}]" if client.name == "unknown" else f"{client.name} [{client.ip}]"
