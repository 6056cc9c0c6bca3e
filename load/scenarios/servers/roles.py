"""What a story asks of a gateway, whatever programs run there.

Times are Unix seconds. Each method writes one dialogue with a client, as the program would log it.
"""

from collections.abc import Sequence
from random import Random
from typing import Literal, Protocol

from msgspec import Struct

from agents.demo.addresses import Client
from agents.demo.postfix_lines import Outcome
from load.scenarios.log import CarriedLog

Refusal = Literal["unknown", "relay", "listed", "greylisted"]
"""Why a recipient is refused: nobody has the address; it is not ours; the client is on a block
list; the client is to come back later."""

Recipients = Sequence[str | tuple[str, Outcome]]


class Transfer(Protocol):
    """The mail transfer agent."""

    def look(self, at: float, client: Client) -> None:
        """A client connects, sees that somebody is there, and quits."""

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        """A login at submission that fails; `known`: the account exists."""

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        """A login at submission that nobody can check: what checks passwords is down."""

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        """A connection all of whose recipients are refused."""

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        """A filter calls a message spam at the end of its data; nothing of it is kept."""

    def accept(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Recipients,
        *,
        login: str = "",
        refused: Sequence[str] = (),
    ) -> None:
        """A client hands over a message, at submission where there is a `login`; it goes to
        each recipient. `refused` are recipients of the same message that nobody has."""

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        """A program on the host itself sends a message."""


class Mailboxes(Protocol):
    """The server of mailboxes."""

    def login(
        self, at: float, client: Client, account: str, *, service: str = "imap", lasts: float = 0.0
    ) -> None:
        """A login that succeeds; the session ends after `lasts` seconds (0: it is not shown)."""

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
        """One attempt that fails; `known`: the account exists."""

    def not_ready(self, at: float, client: Client) -> None:
        """A client waits for a login in vain: what checks passwords is down."""


class Gateway(Struct, frozen=True):
    mail: Transfer
    boxes: Mailboxes
    host: str


class House(Struct, frozen=True):
    """Where a server is set up: what it writes to, and what it needs to know. `talkative`
    servers say why a login failed, where the program can."""

    log: CarriedLog
    host: str
    random: Random
    domain: str
    talkative: bool
