"""The closed loop through a proxy in front of a mail server: Dovecot logs, Mailwarden sees and
decides, the proxy refuses."""

import imaplib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.gateways.dovecot import PASSWORD, Dovecot, logs_in
from tests.gateways.loop import HONEYPOT, Loop
from tools.namespaces import Wire, wire

ATTACKER, INNOCENT = "203.0.113.9", "203.0.113.10"
BEHIND = 10143  # Dovecot's port; the proxy takes 143

Until = Callable[[Callable[[], object]], None]


class Proxy(Protocol):
    settings: dict[str, str]  # of the page, with what they are here

    def start(self, until: Until) -> None: ...

    def remove(self) -> None: ...


def a_guesser_is_refused_until_its_lease_ends_and_nobody_else(
    name: str,
    proxy: Callable[[tuple[str, ...]], Proxy],
    documented: Callable[..., str],
    folder: Path,
    until: Until,
) -> None:
    """`name` is the gateway's; `proxy` makes one that is run by the command which it is given."""
    with wire(f"{ATTACKER}/24", f"{INNOCENT}/24") as between:
        dovecot = Dovecot(BEHIND, between.server.command, "haproxy = yes")
        server = proxy(between.server.command)

        def login(client: str, account: str = "alice@example.org", word: str = PASSWORD) -> bool:
            return between.outside.within(
                lambda: logs_in(account, word, server=Wire.here[4], port=143, client=client)
            )

        def refused(client: str) -> bool:
            try:
                login(client)
            except (OSError, imaplib.IMAP4.abort):
                return True
            return False

        try:
            dovecot.start("haproxy_trusted_networks = 127.0.0.0/8\n")
            server.start(until)
            until(dovecot.ready)
            section = documented(name, "mailwarden.toml", server.settings)
            loop = Loop(folder, dovecot.log, section)
            try:
                until(lambda: not refused(INNOCENT))
                assert not login(ATTACKER, HONEYPOT, "guess")
                until(lambda: refused(ATTACKER))
                assert login(INNOCENT)
                loop.end_leases()
                until(lambda: not refused(ATTACKER))
            finally:
                loop.close()
        finally:
            server.remove()
            dovecot.stop()
