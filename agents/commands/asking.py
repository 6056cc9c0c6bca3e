"""What the commands that ask a server have in common."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from schemas import net

F = TypeVar("F", bound=Callable[..., Any])


class Host(click.ParamType):
    """``name``, ``name:port``, ``192.0.2.1``, ``[2001:db8::1]:25``: (host, port)."""

    name = "HOST[:PORT]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        if net.address(value):
            return net.address(value), 25
        host, colon, port = value.rpartition(":")
        if not colon:
            host, port = value, "25"
        host = host.removeprefix("[").removesuffix("]")
        right = port.isascii() and port.isdigit() and 0 < int(port) < 65536
        if not host or not right or (":" in host and not net.address(host)):
            self.fail(f"{value!r} is no host such as mx1.example.org or 192.0.2.1:25", param, ctx)
        return host, int(port)


class Address(click.ParamType):
    """``name@example.org``."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name, at, domain = value.rpartition("@")
        plain = value.isascii() and value.isprintable() and not set(value) & set(' <>"()[],;:\\')
        if not name or not at or not domain or "@" in name or not plain:
            self.fail(f"{value!r} is no address such as name@example.org", param, ctx)
        return str(value)


class IpAddress(click.ParamType):
    """``192.0.2.1``."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        found = net.address(value)
        if not found and value:
            self.fail(f"{value!r} is no IP address", param, ctx)
        return found


def asking(command: F) -> F:
    """--port, --helo, --source, --domain and --timeout: whom to ask, and as whom."""
    for option in (
        click.option(
            "--timeout",
            type=click.FloatRange(0, min_open=True),
            default=30.0,
            show_default=True,
            help="Seconds for an answer.",
        ),
        click.option("--domain", help="One that HOST takes mail for; else our first, else HOST."),
        click.option("--source", type=IpAddress(), default="", help="Address of ours to ask from."),
        click.option("--helo", help="Our name; else this machine's."),
        click.option("--port", type=click.IntRange(1, 65535), help="Instead of that of HOST."),
    ):
        command = option(command)
    return command
