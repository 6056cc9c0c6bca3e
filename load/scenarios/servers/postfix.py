"""Postfix and Dovecot, as the demo writes them."""

from collections.abc import Sequence

from agents.demo.addresses import Client
from agents.demo.dovecot_lines import Dovecot
from agents.demo.postfix_lines import USER_UNKNOWN, Delivered, Postfix
from load.scenarios.servers.roles import House, Recipients, Refusal

REPLIES: dict[Refusal, str] = {
    "unknown": f"550 5.1.1 <{{}}>: {USER_UNKNOWN}",
    "relay": "554 5.7.1 <{}>: Relay access denied",
    "listed": (
        "554 5.7.1 Service unavailable; Client host [{ip}] blocked using bl.dnsbl.example; "
        "https://dnsbl.example/query/ip/{ip}"
    ),
    "greylisted": (
        "450 4.2.0 <{}>: Recipient address rejected: Greylisted, come back in five minutes"
    ),
}
SPAM = "5.7.1 Spam message rejected"
DOWN = "Connection lost to authentication server"


class TerseDovecot(Dovecot):
    """Dovecot with ``auth_verbose = no``: only its login processes say that a login failed."""

    def _refuse(self, at: float, who: str, password: str, *, known: bool) -> None:
        """The auth process keeps silent."""


def dovecot(house: House) -> Dovecot:
    make = Dovecot if house.talkative else TerseDovecot
    return make(house.log, house.host, house.random)


class PostfixServer:
    """Postfix, which delivers to the mailboxes of another program."""

    def __init__(self, house: House, boxes: Delivered) -> None:
        self._postfix = Postfix(
            house.log, house.host, house.random, domain=house.domain, dovecot=boxes
        )

    def look(self, at: float, client: Client) -> None:
        self._postfix.look(at, client)

    def refuse(
        self,
        at: float,
        client: Client,
        sender: str,
        recipients: Sequence[str],
        why: Refusal = "unknown",
    ) -> None:
        reply = REPLIES[why].replace("{ip}", client.ip)
        self._postfix.refuse(at, client, sender, recipients, reply=reply)

    def refuse_content(
        self, at: float, client: Client, sender: str, recipients: Sequence[str]
    ) -> None:
        self._postfix.refuse_content(at, client, sender, recipients, SPAM)

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
        self._postfix.accept(at, client, sender, recipients, login=login, refused=refused)

    def originate(self, at: float, sender: str, recipients: Recipients) -> None:
        self._postfix.originate(at, sender, recipients)


class PostfixWithDovecot(PostfixServer):
    """Postfix asks Dovecot about passwords, and delivers to it."""

    def __init__(self, house: House, boxes: Dovecot) -> None:
        super().__init__(house, boxes)
        self._dovecot = boxes

    def fail_login(
        self, at: float, client: Client, account: str, password: str, *, known: bool = True
    ) -> None:
        self._dovecot.refuse_for_postfix(at + 0.1, client, account, password, known=known)
        self._postfix.fail_login(at, client, account)

    def cannot_check(self, at: float, client: Client, account: str) -> None:
        self._postfix.fail_login(at, client, account, reason=DOWN)
