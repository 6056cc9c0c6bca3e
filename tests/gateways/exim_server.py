"""A real Exim of the test's own: Debian's package, unpacked beside the Postfix that is installed.

It wants the user that its installation would have made, so it runs with an /etc/passwd of its
own, in a mount namespace; needs root.
"""

import os
import shlex
import smtplib
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "exim4-daemon-light"
USER = "Debian-exim"

MAIN = """\
primary_hostname = mx.example.org
exim_user = nobody
exim_group = nogroup
spool_directory = {folder}/spool
log_file_path = {folder}/log/%s.log
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
domainlist local_domains = example.org
tls_advertise_hosts =
keep_environment =
queue_only
smtp_accept_max_per_host = 100
{main}
begin acl
{acl}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if eq{{$auth3}}{{right}}}}
  server_set_id = $auth2
  server_advertise_condition = yes
begin routers
here:
  driver = accept
  domains = +local_domains
  local_parts = bob
  transport = nowhere
begin transports
nowhere:
  driver = appendfile
  file = /dev/null
"""


def unpacked() -> Path:
    """Where the package lies; it is fetched where it does not."""
    done = subprocess.run(
        [ROOT / "tools" / "debian-unpack", PACKAGE], check=True, capture_output=True, text=True
    )
    return Path(done.stdout.strip())


class Exim:
    """`main` and `acl` are parts of its configuration."""

    def __init__(self, folder: Path, port: int, main: str, acl: str) -> None:
        self.folder = folder
        self.port = port
        self.log = folder / "log" / "main.log"
        for name in ("spool", "log"):
            (folder / name).mkdir()
            os.chown(folder / name, _id("nobody", "passwd"), _id("nogroup", "group"))
        self.config = folder / "exim.conf"
        self.config.write_text(MAIN.format(folder=folder, port=port, main=main, acl=acl))
        for name, entry in (
            ("passwd", f"{USER}:x:64242:64242::/nonexistent:/usr/sbin/nologin\n"),
            ("group", f"{USER}:x:64242:\n"),
        ):
            (folder / name).write_text(Path("/etc", name).read_text() + entry)
        self._package = unpacked()
        self._daemon: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        own = " && ".join(
            f"mount --bind {shlex.quote(f'{self.folder}/{name}')} /etc/{name}"
            for name in ("passwd", "group")
        )
        program = str(self._package / "usr" / "sbin" / "exim4")
        words = shlex.join([program, "-C", str(self.config), *arguments])
        return ["unshare", "--mount", "sh", "-c", f"{own} && exec {words}"]

    @property
    def environment(self) -> dict[str, str]:
        folders = {str(path.parent) for path in self._package.rglob("*.so*")}
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(folders))}

    def start(self, until: Callable[[Callable[[], object]], None]) -> None:
        """A daemon at `port`."""
        self._daemon = subprocess.Popen(self.command("-bdf"), env=self.environment)
        until(self._listens)

    def stop(self) -> None:
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(30)

    def speak(self, client: str) -> smtplib.SMTP:
        """With the daemon, from an address of loopback."""
        smtp = smtplib.SMTP("127.0.0.1", self.port, "client.example.net", 30, (client, 0))
        smtp.ehlo()
        return smtp

    def speak_as(self, client: str) -> "Piped":
        """With an Exim of this conversation's own, which takes our word for the address."""
        return Piped(self, client)

    def _listens(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, "exim has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Piped(smtplib.SMTP):
    """Exim's standard input and output are the connection (``exim -bs``)."""

    def __init__(self, exim: Exim, client: str) -> None:
        self._exim, self._client = exim, client
        super().__init__("exim", 25, "client.example.net", 30)
        self.ehlo()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        ours, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                self._exim.command("-bs", "-oMa", f"{self._client}.1025"),
                env=self._exim.environment,
                stdin=its,
                stdout=its,
            )
        ours.settimeout(timeout)
        return ours

    def close(self) -> None:
        super().close()
        self._process.wait(30)


def _id(name: str, database: str) -> int:
    for line in Path("/etc", database).read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2])
    raise KeyError(name)
