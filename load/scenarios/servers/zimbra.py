"""Zimbra 8.8 and later: its Postfix, whose passwords saslauthd asks Zimbra about, and the audit and
mailbox logs of its IMAP and POP3, which are files of its own.

The wording is that of ZimbraLog's formatter, of com.zimbra.cs.account.auth and of saslauthd's
auth_zimbra. The end of a session is not in the audit log.
"""

from datetime import UTC, datetime

from agents.demo.addresses import Client
from load.scenarios.servers.postfix import PostfixServer
from load.scenarios.servers.roles import House

AUDIT, MAILBOX = "/opt/zimbra/log/audit.log", "/opt/zimbra/log/mailbox.log"
PROXY = "192.168.10.20"
AGENT = "ua=Zimbra/10.0.7_GA_4598"


class ZimbraMailboxes:
    def __init__(self, house: House) -> None:
        self._house = house
        self._thread = 0

    def _line(self, at: float, file: str, level: str, where: str, text: str) -> None:
        when = f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%d %H:%M:%S}"
        stamp = f"{when},{int((at - int(at)) * 1000):03d}"
        line = f"{stamp} {level:5} {where} {text}"
        self._house.log.follow(at, self._house.host, file, line)

    def _where(self, client: Client, service: str) -> str:
        """The thread, and the client behind nginx."""
        self._thread = self._thread % 500 + 1
        server = {"imap": "ImapSSLServer", "pop3": "Pop3SSLServer"}[service]
        via = f"via={PROXY}(nginx/1.20.0)"
        return f"[{server}-{self._thread}] [ip={PROXY};oip={client.ip};{via};{AGENT};cid=7;]"

    def login(
        self, at: float, client: Client, account: str, *, service: str = "imap", lasts: float = 0.0
    ) -> None:
        text = f"security - cmd=Auth; account={account}; protocol={service};"
        self._line(at, AUDIT, "INFO", self._where(client, service), text)

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
        why = "invalid password" if known else "account not found"
        error = f"error=authentication failed for [{account}], {why};"
        text = f"security - cmd=Auth; account={account}; protocol={service}; {error}"
        self._line(at, AUDIT, "WARN", self._where(client, service), text)

    def not_ready(self, at: float, client: Client) -> None:
        error = "error=system failure: unable to connect to LDAP;"
        text = f"security - cmd=Auth; account=; protocol=imap; {error}"
        self._line(at, AUDIT, "WARN", self._where(client, "imap"), text)

    def save(self, at: float, account: str, message_id: str) -> None:
        """The LMTP server puts a message into a mailbox."""
        self._thread = self._thread % 500 + 1
        where = f"[LmtpServer-{self._thread}] [name={account};mid=257;ip={PROXY};]"
        text = (
            f"mailop - Adding Message: id=257, Message-ID=<{message_id}>, parentId=-1, folderId=2"
        )
        self._line(at, MAILBOX, "INFO", where, f"{text}, folderName=Inbox acct=0.")


class PostfixWithZimbra(PostfixServer):
    def __init__(self, house: House, boxes: ZimbraMailboxes) -> None:
        super().__init__(house, boxes)
        self._house = house

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        said = f"auth_zimbra: {account} auth failed: authentication failed for [{account}]"
        self._house.log.write(at + 0.1, self._house.host, f"saslauthd[812]: {said}")
        self._postfix.fail_login(at, client, account, reason="authentication failure")

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        self._postfix.fail_login(at, client, account, reason="generic failure")
