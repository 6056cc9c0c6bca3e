"""Network namespaces of a test's own (ip-netns(8)): nothing in them reaches this machine."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import ClassVar, TypeVar

T = TypeVar("T")

PATIENCE = 30.0  # seconds
NEWNET = 0x40000000  # CLONE_NEWNET, sched.h

_numbers = count()
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One of them, with loopback up."""

    def __init__(self) -> None:
        self.name = f"mw-{os.getpid()}-{next(_numbers)}"
        self.command = ("ip", "netns", "exec", self.name)
        _ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> None:
        _ip("-n", self.name, *arguments)

    def run(self, *command: str) -> str:
        """What a program says that runs here."""
        return _said(*self.command, *command)

    def within(self, function: Callable[[], T]) -> T:
        """Call it in here. Sockets that it makes stay here."""
        results: list[T] = []
        errors: list[BaseException] = []

        def enter() -> None:
            place = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
            try:
                if _libc.setns(place, NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                results.append(function())
            except BaseException as error:
                errors.append(error)
            finally:
                os.close(place)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(PATIENCE)
        if errors:
            raise errors[0]
        return results[0]

    def remove(self) -> None:
        _ip("netns", "del", self.name)


class Wire:
    """A server and the world outside, joined by one cable. The server is at 203.0.113.1 and
    2001:db8::1; `world` are the addresses outside, with their prefix lengths."""

    here: ClassVar = {4: "203.0.113.1", 6: "2001:db8::1"}

    def __init__(self, world: tuple[str, ...]) -> None:
        self.server, self.outside = Namespace(), Namespace()
        number = self.server.name.rpartition("-")[2]
        ends = (f"mws{number}", f"mwo{number}")
        self.server.ip(
            "link", "add", ends[0], "type", "veth", "peer", ends[1], "netns", self.outside.name
        )
        for place, end in zip((self.server, self.outside), ends, strict=True):
            place.ip("link", "set", end, "up")
        for address in ("203.0.113.1/24", "2001:db8::1/64"):
            self.server.ip("addr", "add", address, "dev", ends[0], "nodad")
        for address in ("203.0.113.2/24", "2001:db8::2/64", *world):
            self.outside.ip("addr", "add", address, "dev", ends[1], "nodad")
        self.server.ip("route", "add", "default", "via", "203.0.113.2")
        self.server.ip("-6", "route", "add", "default", "via", "2001:db8::2")
        self._listening: list[socket.socket] = []

    def listen(self, port: int) -> None:
        """Take connections at the server, and say nothing: the kernel does."""
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            self._listening.append(self.server.within(lambda f=family, a=address: _at(f, a, port)))  # type: ignore[misc]

    def knock(self, source: str, port: int = 25, to: str = "") -> str:
        """What becomes of a connection from there: open, refused or dropped."""
        place = to or self.here[6 if ":" in source else 4]
        return self.outside.within(lambda: _knock(source, place, port))

    def remove(self) -> None:
        for each in self._listening:
            each.close()
        self.server.remove()
        self.outside.remove()


@contextmanager
def wire(*world: str) -> Iterator[Wire]:
    made = Wire(world)
    try:
        yield made
    finally:
        made.remove()


def _at(family: int, address: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.listen(1000)
    return made


def _knock(source: str, server: str, port: int) -> str:
    try:
        socket.create_connection((server, port), 1.0, (source, 0)).close()
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "dropped"
    return "open"


def _ip(*arguments: str) -> None:
    _said("ip", *arguments)


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout
