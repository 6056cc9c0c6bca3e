"""The programs that a gateway can consist of: one file each, one line each in SERVERS."""

from collections.abc import Callable

from load.scenarios.servers.postfix import PostfixWithDovecot, dovecot
from load.scenarios.servers.roles import Gateway, House


def postfix_dovecot(house: House) -> Gateway:
    boxes = dovecot(house)
    return Gateway(PostfixWithDovecot(house, boxes), boxes, house.host)


SERVERS: dict[str, Callable[[House], Gateway]] = {
    "postfix": postfix_dovecot,
}
"""By the name that ``--server`` takes."""
