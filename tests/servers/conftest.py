"""A real mail server of the tests' own: Postfix and Dovecot, on free ports of loopback."""

import fcntl
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from imaplib import IMAP4
from pathlib import Path
from poplib import POP3

import pytest

from tests.waiting import wait_for
from tools.kafka import free_ports

DEADLINE = 30.0  # seconds; reached only where something is wrong
FRONT = "127.0.0.1"  # whose word on the client's address the servers take
PASSWORD = "correct horse"
ACCOUNTS = tuple(f"{name}@example.org" for name in ("alice", "bob", "carol", "dora", "emil"))
LEFT = "gone@example.org"  # Postfix still takes mail for this one; Dovecot has no such mailbox
REPORTS = "reports@example.org"  # what comes for it goes on to the port `reports`, by LMTP

MAIN = """\
compatibility_level = 3.6
myhostname = mail.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
mynetworks =
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
alias_maps =
smtpd_peername_lookup = no
smtpd_authorized_xclient_hosts = 127.0.0.1
smtp_dns_support_level = disabled
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_data_restrictions = reject_unauth_pipelining
virtual_mailbox_domains = example.org
virtual_mailbox_maps = inline:{{ {mailboxes} }}
virtual_transport = lmtp:unix:private/dovecot-lmtp
default_transport = error:no mail leaves this machine
transport_maps = inline:{{
    {{ down.example.net = smtp:[127.0.0.1]:{closed} }}
    {{ {reports_address} = lmtp:inet:127.0.0.1:{reports} }} }}
"""
MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
    -o smtpd_hard_error_limit=3
127.0.0.1:{submission} inet n - n - - smtpd
    -o syslog_name=postfix/submission
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_sasl_type=dovecot
    -o smtpd_sasl_path=private/auth
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
DOVECOT = """\
base_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap pop3 lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_verbose = yes
login_trusted_networks = 127.0.0.1
mail_location = maildir:{folder}/mail/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
default_vsz_limit = 0
passdb {{
    driver = passwd-file
    args = {folder}/users
}}
userdb {{
    driver = static
    args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service imap-login {{
    inet_listener imap {{
        port = {imap}
    }}
    inet_listener imaps {{
        port = 0
    }}
}}
service pop3-login {{
    inet_listener pop3 {{
        port = {pop3}
    }}
    inet_listener pop3s {{
        port = 0
    }}
}}
service lmtp {{
    unix_listener {folder}/queue/private/dovecot-lmtp {{
        user = postfix
        mode = 0600
    }}
}}
service auth {{
    unix_listener {folder}/queue/private/auth {{
        user = postfix
        mode = 0600
    }}
}}
# Its growing delays for a client that guesses would only make the tests slow.
service anvil {{
    unix_listener anvil-auth-penalty {{
        mode = 0
    }}
}}
"""


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), DEADLINE).close()
    except ConnectionRefusedError:
        return False
    return True


class MailServer:
    """Needs root, as both servers do, and the packages of tools/debian-packages. `dovecot` is
    added to Dovecot's configuration."""

    def __init__(self, folder: Path, dovecot: str = "") -> None:
        self.folder = folder
        self.smtp, self.submission, self.imap, self.pop3, closed, self.reports = free_ports(6)
        self.postfix_log = folder / "postfix.log"
        self.dovecot_log = folder / "dovecot.log"
        for name in ("etc", "queue", "data", "run", "mail"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        shutil.chown(folder / "mail", "nobody", "nogroup")
        mailboxes = " ".join(f"{{ {account} = there }}" for account in (*ACCOUNTS, LEFT, REPORTS))
        values = {**vars(self), "mailboxes": mailboxes, "closed": closed}
        values["reports_address"] = REPORTS
        (folder / "etc" / "main.cf").write_text(MAIN.format_map(values))
        (folder / "etc" / "master.cf").write_text(MASTER.format_map(values))
        (folder / "dovecot.conf").write_text(DOVECOT.format_map(values) + dovecot)
        (folder / "users").write_text(
            "".join(f"{account}:{{PLAIN}}{PASSWORD}\n" for account in ACCOUNTS)
        )
        self._dovecot: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        for path in (self.folder / "etc").iterdir():
            os.utime(path, (1e9, 1e9))  # Postfix waits until they are older than a second
        self._postfix("start")  # makes the folder of Dovecot's sockets
        self._dovecot = subprocess.Popen(["dovecot", "-F", "-c", self.folder / "dovecot.conf"])
        # An smtpd that is asked before Dovecot's auth socket is there dies, and Postfix starts
        # no other for a minute: nobody may connect to submission earlier.
        for name in ("auth", "dovecot-lmtp"):
            wait_for((self.folder / "queue" / "private" / name).exists, name)
        for port in (self.imap, self.pop3, self.smtp, self.submission):
            wait_for(lambda port=port: listens(port), f"a server at {port}")

    def stop(self) -> None:
        if self._dovecot is not None:
            self._dovecot.terminate()
            self._dovecot.wait(DEADLINE)
        if (self.folder / "queue" / "pid" / "master.pid").exists():
            self._postfix("stop")

    def _postfix(self, command: str) -> None:
        subprocess.run(
            ["postfix", "-c", self.folder / "etc", command],
            check=True,
            capture_output=True,
            timeout=DEADLINE,
        )

    # -- clients, each at an address of its own --------------------------------------------

    def speak_smtp(self, client: str, port: int) -> smtplib.SMTP:
        smtp = smtplib.SMTP(
            "127.0.0.1",
            port,
            local_hostname="client.example.net",
            timeout=DEADLINE,
            source_address=(_source(client), 0),
        )
        smtp.ehlo()
        if _source(client) == FRONT:
            smtp.docmd("XCLIENT", f"ADDR={client} NAME=[UNAVAILABLE]")
            smtp.ehlo()
        return smtp

    def speak_imap(self, client: str) -> IMAP4:
        imap = Imap(client, self.imap)
        if _source(client) == FRONT:
            imap.xatom("ID", f'("x-originating-ip" "{client}")')
        return imap

    def speak_pop3(self, client: str) -> POP3:
        return Pop3(client, self.pop3)


def _source(client: str) -> str:
    """Loopback addresses speak for themselves. Others, which this machine does not have, are
    told to the servers as a front end tells them: XCLIENT, and IMAP's ID."""
    return client if client.startswith("127.") else FRONT


class Imap(IMAP4):
    """From an address that is chosen."""

    def __init__(self, client: str, port: int) -> None:
        self._source = (_source(client), 0)
        super().__init__("127.0.0.1", port, DEADLINE)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, self._source)


class Pop3(POP3):
    """From an address that is chosen."""

    def __init__(self, client: str, port: int) -> None:
        self._source = (_source(client), 0)
        super().__init__("127.0.0.1", port, DEADLINE)

    def _create_socket(self, timeout: float) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, self._source)


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    """A running one."""
    with running() as server:
        yield server


@contextmanager
def running(dovecot: str = "") -> Iterator[MailServer]:
    for program in ("postfix", "dovecot"):
        assert shutil.which(program), f"{program} is missing: run tools/debian-setup"
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-mail-"))
    folder.chmod(0o755)  # the servers' own users must reach their sockets
    server = MailServer(folder, dovecot)
    with (Path(tempfile.gettempdir()) / "mailwarden-mail.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # one at a time, whatever runs beside this process
        try:
            server.start()
            yield server
        finally:
            server.stop()
            shutil.rmtree(folder)
