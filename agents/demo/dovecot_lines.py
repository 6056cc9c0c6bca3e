"""What Dovecot 2.3 writes about logins and deliveries, with ``auth_verbose = yes`` and
``auth_verbose_passwords = sha1:6``.

The wording is that of src/login-common/client-common.c, src/auth/auth-request.c and
src/lib-storage/mail-storage-service.c, src/plugins/mail-log of its sources.
"""

from hashlib import sha1
from random import Random

from agents.demo.addresses import Client
from agents.demo.log import Log

LOCAL = "192.168.10.20"


class Dovecot:
    """The Dovecot of one host. Times are Unix seconds."""

    def __init__(self, log: Log, host: str, random: Random) -> None:
        self._log = log
        self._random = random
        self._host = host
        self._pid = random.randrange(60000, 90000)

    def _line(self, at: float, text: str) -> None:
        self._log.write(at, self._host, f"dovecot: {text}")

    def _session(self) -> str:
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        bits = self._random.getrandbits(96)
        return "".join(alphabet[bits >> shift & 63] for shift in range(0, 96, 6))

    def login(
        self,
        at: float,
        client: Client,
        account: str,
        *,
        service: str = "imap",
        lasts: float = 0.0,
    ) -> None:
        """A login that succeeds; the session ends after `lasts` seconds (0: it is not shown)."""
        session = self._session()
        self._pid += 1
        self._line(
            at,
            f"{service}-login: Login: user=<{account}>, method=PLAIN, rip={client.ip}, "
            f"lip={self._lip(client)}, mpid={self._pid}, {self._secured(client)}, "
            f"session=<{session}>",
        )
        if lasts:
            received = self._random.randrange(60, 9000)
            self._line(
                at + lasts,
                f"{service}({account})<{self._pid}><{session}>: Disconnected: Logged out "
                f"in={received} out={received * 7} deleted=0 expunged=0 trashed=0 hdr_count=0 "
                "hdr_bytes=0 body_count=0 body_bytes=0",
            )

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
        """One attempt that fails: the auth process says why, the login process how it ended."""
        session = self._session()
        self._refuse(at, f"{account},{client.ip},<{session}>", password, known=known)
        self._line(
            at + 2.0,
            f"{service}-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 "
            f"secs): user=<{account}>, method=PLAIN, rip={client.ip}, lip={self._lip(client)}, "
            f"{self._secured(client)}, session=<{session}>",
        )

    def refuse_for_postfix(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        """What the auth process says of an attempt at Postfix, which asks it."""
        self._refuse(at, f"{account},{client.ip}", password, known=known)

    def _refuse(self, at: float, who: str, password: str, *, known: bool) -> None:
        shown = sha1(password.encode(), usedforsecurity=False).hexdigest()[:6]
        why = "Password mismatch" if known else "unknown user"
        self._line(at, f"auth: passwd-file({who}): {why} (SHA1 of given password: {shown})")

    def not_ready(self, at: float, client: Client, *, service: str = "imap") -> None:
        """The auth process is down: the login process gives up waiting for it."""
        self._line(
            at,
            f"{service}-login: Disconnected: Connection closed (disconnected before auth was "
            f"ready, waited 20 secs): user=<>, rip={client.ip}, lip={self._lip(client)}, "
            f"{self._secured(client)}, session=<{self._session()}>",
        )

    def look(self, at: float, client: Client, *, service: str = "imap") -> None:
        """A client connects and quits without a word."""
        self._line(
            at,
            f"{service}-login: Disconnected: Connection closed (no auth attempts in 0 secs): "
            f"user=<>, rip={client.ip}, lip={self._lip(client)}, session=<{self._session()}>",
        )

    def save(self, at: float, account: str, message_id: str) -> None:
        """The LMTP server puts a message into a mailbox."""
        self._pid += 1
        self._line(
            at,
            f"lmtp({account})<{self._pid}><{self._session()}>: "
            f"msgid=<{message_id}>: saved mail to INBOX",
        )

    @staticmethod
    def _lip(client: Client) -> str:
        if client.ip.startswith("127."):
            return "127.0.0.1"
        return "2001:db8:10::20" if ":" in client.ip else LOCAL

    @staticmethod
    def _secured(client: Client) -> str:
        return "secured" if client.ip.startswith("127.") else "TLS"
