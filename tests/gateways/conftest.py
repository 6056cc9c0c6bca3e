"""A real Postfix of the test's own: smtpd on a free port of loopback, nothing delivered."""

import base64
import os
import re
import shutil
import smtplib
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

MAIN = """\
compatibility_level = 3.6
myhostname = mx.example.org
mydestination = example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
local_recipient_maps =
smtpd_peername_lookup = no
alias_maps =
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


DOCS = Path(__file__).resolve().parent.parent.parent / "docs" / "gateways"


@pytest.fixture
def documented() -> Callable[..., str]:
    """The text of a block of ``docs/gateways/NAME.md``, by the words behind its fence
    (```` ```ini main.cf````: "main.cf"). What is shown to people is what is tried here: values
    of an example are replaced by the test's own, and each of them must be there."""

    def block(name: str, block: str, replaced: Mapping[str, str] | None = None) -> str:
        text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
        found = re.search(
            rf"^```\w+ {re.escape(block)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
        )
        assert found, f"docs/gateways/{name}.md: no block {block}"
        text = found[1]
        for old, new in (replaced or {}).items():
            assert old in text, f"docs/gateways/{name}.md: {block}: no {old}"
            text = text.replace(old, new)
        return text

    return block


class Auth(socketserver.ThreadingUnixStreamServer):
    """Stands in for Dovecot's auth service (its authentication protocol, version 1.1): the
    password of everybody is ``right``."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.tries: list[str] = []
        super().__init__(str(path), Conversation)
        path.chmod(0o666)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class Conversation(socketserver.StreamRequestHandler):
    server: Auth

    def handle(self) -> None:
        self.wfile.write(
            b"VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n"
        )
        for line in self.rfile:
            fields = line.decode().rstrip("\n").split("\t")
            if fields[0] == "AUTH":
                given = next(field for field in fields if field.startswith("resp="))
                _, name, password = base64.b64decode(given[5:]).decode().split("\0")
                self.server.tries.append(name)
                word = "OK" if password == "right" else "FAIL"
                self.wfile.write(f"{word}\t{fields[1]}\tuser={name}\n".encode())


class Server:
    """Postfix under a folder of its own; needs root, as Postfix does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "etc"
        self.table = self.config / "clients.cidr"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        self._started = False
        self.auth: Auth | None = None
        shutil.chown(folder / "data", "postfix")
        (self.config / "main.cf").write_text(MAIN.format(folder=folder))
        (self.config / "master.cf").write_text(MASTER.format(port=self.port))

    def set(self, option: str, assignment: str) -> None:
        self.run("postconf", option, assignment)

    def age(self) -> None:
        """Postfix waits until a file that it reads is older than a second; let it not."""
        for path in self.config.iterdir():
            os.utime(path, (1e9, 1e9))

    def run(self, program: str, *arguments: str) -> str:
        self.age()
        done = subprocess.run(
            [program, "-c", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self._started = True
        self.run("postfix", "start")

    def take_logins(self) -> Auth:
        """Offer AUTH; returns who checks the passwords."""
        path = self.folder / "queue" / "auth"
        self.auth = Auth(path)
        for assignment in (
            "smtpd_sasl_type=dovecot",
            "smtpd_sasl_path=auth",
            "smtpd_sasl_auth_enable=yes",
        ):
            self.set("-e", assignment)
        return self.auth

    def stop(self) -> None:
        if self.auth is not None:
            self.auth.shutdown()
            self.auth.server_close()
        if not self._started:
            return
        subprocess.run(
            ["postfix", "-c", str(self.config), "stop"],
            capture_output=True,
            timeout=60,
            check=False,
        )

    def greeting(self, client: str) -> int:
        """The code of the first reply to a client of that loopback address."""
        try:
            with smtplib.SMTP(
                "127.0.0.1", self.port, timeout=10, source_address=(client, 0)
            ) as smtp:
                return smtp.noop()[0]
        except smtplib.SMTPConnectError as error:
            return error.smtp_code
        except smtplib.SMTPServerDisconnected:
            return 0

    def recipient(self, client: str, login: str = "") -> int:
        """The code of the reply to RCPT TO, of a message that is not sent."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=10, source_address=(client, 0)) as smtp:
            smtp.ehlo("client.example.net")
            if login:
                smtp.login(login, "right", initial_response_ok=True)
            assert smtp.mail("a@example.net")[0] == 250
            return smtp.rcpt("b@example.org")[0]


@pytest.fixture
def postfix() -> Iterator[Server]:
    """A configured Postfix that is not started yet."""
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-postfix-"))
    folder.chmod(0o755)  # Postfix's own user must reach its queue
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for something to become true, at most 30 s."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it did not come about within 30 s"

    return wait
