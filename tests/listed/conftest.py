"""A real block list: rbldnsd (Debian package), asked through a real resolver of dnspython's."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.conftest import DEADLINE
from tests.waiting import wait_for
from tools.kafka import free_ports

ZONES = {
    "good.example": ":127.0.0.2:Spam of $, see http://list.example/\n127.0.0.2\n192.0.2.25\n"
    "192.0.2.26 :127.0.0.4:Exploited\n",
    "deaf.example": ":127.255.255.254:Error: open resolver\n0.0.0.0/1\n128.0.0.0/1\n",
    "choosy.example": ":127.0.0.2:Spam\n127.0.0.2\n192.0.2.25 :127.255.255.255:too many\n",
    "all.example": ":127.0.0.2:gone\n0.0.0.0/1\n128.0.0.0/1\n",
    "none.example": ":127.0.0.2:nobody\n198.51.100.1\n",
    "sold.example": ":203.0.113.80:parked\n0.0.0.0/1\n128.0.0.0/1\n",
}
SIX = {"six.example": ":127.0.0.3:Spam over IPv6\n::ffff:7f00:2\n2001:db8:25::/64\n"}


class BlockList:
    """Lists what the files of its zones say. `write` changes one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.resolver = f"127.0.0.1:{self.port}"
        for zone, text in {**ZONES, **SIX}.items():
            self.write(zone, text)
        kinds = {**dict.fromkeys(ZONES, "ip4set"), **dict.fromkeys(SIX, "ip6trie")}
        zones = [f"{zone}:{kind}:{zone}" for zone, kind in kinds.items()]
        # -t: so short that a change is heard of, as a resolver must forget what it was told
        arguments = [
            "-n",
            "-q",
            "-t",
            "1",
            "-c",
            "1s",
            "-w",
            folder,
            "-b",
            f"127.0.0.1/{self.port}",
        ]
        self._process = subprocess.Popen(
            ["rbldnsd", "-u", "nobody", *arguments, *zones],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers, "rbldnsd")

    def write(self, zone: str, text: str) -> None:
        path = self.folder / f"{zone}.new"
        path.write_text(f"$SOA 1 ns.list.example. admin.list.example. 1 1 1 1 1\n{text}")
        path.chmod(0o644)
        path.rename(self.folder / zone)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "rbldnsd ended"
        query = bytes.fromhex("000701000001000000000000") + b"\x04good\x07example\0\0\x06\0\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.1)
            asking.connect(("127.0.0.1", self.port))
            try:
                asking.send(query)
                return bool(asking.recv(512))
            except OSError:
                return False


@pytest.fixture(scope="module")
def block_list() -> Iterator[BlockList]:
    assert shutil.which("rbldnsd"), "rbldnsd is missing: run tools/debian-setup"
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-listed-"))
    folder.chmod(0o755)  # for the list's own user
    made = BlockList(folder)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)
