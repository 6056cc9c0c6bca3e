"""A real Postfix that is asked from outside: one port is closed, one relays for all, one
takes any name, one says later, one hangs up soon."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.servers.conftest import DEADLINE, listens
from tests.waiting import wait_for
from tools.kafka import free_ports

OURS = "example.org"

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
smtp_dns_support_level = disabled
smtpd_error_sleep_time = 0
virtual_mailbox_domains = example.org
virtual_mailbox_maps = inline:{{ postmaster@example.org=there, info@example.org=there }}
virtual_transport = discard:
default_transport = smtp:[127.0.0.1]:{elsewhere}
"""
MASTER = """\
127.0.0.1:{closed} inet n - n - - smtpd
127.0.0.1:{open} inet n - n - - smtpd
    -o mynetworks=0.0.0.0/0
127.0.0.1:{anybody} inet n - n - - smtpd
    -o virtual_mailbox_maps=static:there
127.0.0.1:{later} inet n - n - - smtpd
    -o smtpd_relay_restrictions=defer
127.0.0.1:{shut} inet n - n - - smtpd
    -o smtpd_hard_error_limit=2
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Needs root, and the packages of tools/debian-packages. Mail for elsewhere goes to the port
    `elsewhere` of loopback, nobody listens at `extra`. `services` are added to master.cf."""

    def __init__(self, folder: Path, services: str = "") -> None:
        self.folder = folder
        self.closed, self.open, self.anybody, self.later, self.shut = free_ports(5)
        self.elsewhere, self.extra, self.guarded = free_ports(3)
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        (folder / "etc" / "main.cf").write_text(MAIN.format_map(vars(self)))
        (folder / "etc" / "master.cf").write_text((services + MASTER).format_map(vars(self)))

    def start(self) -> None:
        assert shutil.which("postfix"), "postfix is missing: run tools/debian-setup"
        for path in (self.folder / "etc").iterdir():
            os.utime(path, (1e9, 1e9))  # Postfix waits until they are older than a second
        self._postfix("start")
        for port in (self.closed, self.open, self.anybody, self.later, self.shut):
            wait_for(lambda port=port: listens(port), f"a server at {port}")

    def stop(self) -> None:
        if (self.folder / "queue" / "pid" / "master.pid").exists():
            self._postfix("stop")

    def _postfix(self, command: str) -> None:
        subprocess.run(
            ["postfix", "-c", self.folder / "etc", command],
            check=True,
            capture_output=True,
            timeout=DEADLINE,
        )
