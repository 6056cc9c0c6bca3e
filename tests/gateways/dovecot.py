"""A real Dovecot of a test's own: IMAP, in the foreground."""

import imaplib
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

PASSWORD = "right"
CONFIG = """\
base_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = *, ::
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_verbose = yes
login_trusted_networks = 127.0.0.1
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
default_vsz_limit = 0
{first}
passdb {{
    driver = static
    args = password={password}
}}
userdb {{
    driver = static
    args = uid=nobody gid=nogroup home={folder}/mail/%u
}}
service imap-login {{
    inet_listener imap {{
        port = {port}
        {listener}
    }}
    inet_listener imaps {{
        port = 0
    }}
}}
# Its growing delays for a client that guesses would only make the tests slow.
service anvil {{
    unix_listener anvil-auth-penalty {{
        mode = 0
    }}
}}
"""


class Dovecot:
    """Everybody's password is ``right``. `first` is configuration that comes before the usual
    passdb; `command` runs it elsewhere, as in a network namespace; `listener` is said of the
    IMAP port."""

    def __init__(self, port: int, command: tuple[str, ...] = (), listener: str = "") -> None:
        self.port = port
        self.listener = listener
        self.folder = Path(tempfile.mkdtemp(prefix="mailwarden-dovecot-"))
        self.folder.chmod(0o755)  # Dovecot's own users must reach their sockets
        self.log = self.folder / "log"
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, first: str = "") -> Path:
        """The configuration."""
        config = self.folder / "dovecot.conf"
        config.write_text(
            CONFIG.format(
                folder=self.folder,
                port=self.port,
                listener=self.listener,
                first=first,
                password=PASSWORD,
            )
        )
        return config

    def start(self, first: str = "") -> None:
        config = self.write(first)
        mail = self.folder / "mail"
        mail.mkdir()
        shutil.chown(mail, "nobody", "nogroup")
        self._process = subprocess.Popen([*self._command, "dovecot", "-F", "-c", str(config)])

    def ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "Dovecot ended"
        return (self.folder / "run" / "master.pid").exists()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        shutil.rmtree(self.folder)


FRONT = "127.0.0.1"  # whose word on the client's address Dovecot takes


class Imap(imaplib.IMAP4):
    """From an address that is chosen. Where this machine has no such address, Dovecot is told of
    it as a front end tells it."""

    def __init__(self, server: str, port: int, client: str) -> None:
        elsewhere = server == FRONT and not client.startswith("127.")
        self._source = FRONT if elsewhere else client
        super().__init__(server, port, 30.0)
        if elsewhere:
            self.xatom("ID", f'("x-originating-ip" "{client}")')

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._source, 0))


def logs_in(
    account: str, password: str = PASSWORD, *, server: str = FRONT, port: int, client: str
) -> bool:
    """Whether that client may log in. Raises OSError where it is not even served."""
    imap = Imap(server, port, client)
    try:
        return imap.login(account, password)[0] == "OK"
    except imaplib.IMAP4.error:
        return False
    finally:
        imap.shutdown()
