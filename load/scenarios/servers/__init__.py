"""The programs that a gateway can consist of: one file each, one line each in SERVERS."""

from collections.abc import Callable

from load.scenarios.servers.courier import Courier, CourierMailboxes
from load.scenarios.servers.cyrus import Cyrus, PostfixWithCyrus
from load.scenarios.servers.exim import Exim
from load.scenarios.servers.postfix import PostfixWithDovecot, dovecot
from load.scenarios.servers.roles import Gateway, House
from load.scenarios.servers.sendmail import Sendmail


def postfix_dovecot(house: House) -> Gateway:
    boxes = dovecot(house)
    return Gateway(PostfixWithDovecot(house, boxes), boxes, house.host)


def exim(house: House) -> Gateway:
    boxes = dovecot(house)
    return Gateway(Exim(house, boxes, full=False), boxes, house.host)


def exim_full(house: House) -> Gateway:
    boxes = dovecot(house)
    return Gateway(Exim(house, boxes, full=True), boxes, house.host)


def sendmail(house: House) -> Gateway:
    boxes = dovecot(house)
    return Gateway(Sendmail(house, boxes), boxes, house.host)


def courier(house: House) -> Gateway:
    return Gateway(Courier(house), CourierMailboxes(house), house.host)


def cyrus(house: House) -> Gateway:
    boxes = Cyrus(house)
    return Gateway(PostfixWithCyrus(house, boxes), boxes, house.host)


SERVERS: dict[str, Callable[[House], Gateway]] = {
    "postfix": postfix_dovecot,
    "exim": exim,
    "exim-full": exim_full,
    "sendmail": sendmail,
    "courier": courier,
    "cyrus": cyrus,
}
"""By the name that ``--server`` takes."""
