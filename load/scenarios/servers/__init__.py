"""The programs that a gateway can consist of: one file each, one line each in SERVERS."""

from collections.abc import Callable

from load.scenarios.servers.courier import Courier, CourierMailboxes
from load.scenarios.servers.cyrus import Cyrus, PostfixWithCyrus
from load.scenarios.servers.exchange import Exchange, ExchangeMailboxes, Tables
from load.scenarios.servers.exim import Exim
from load.scenarios.servers.haraka import Haraka
from load.scenarios.servers.opensmtpd import OpenSmtpd
from load.scenarios.servers.postfix import PostfixWithDovecot, dovecot
from load.scenarios.servers.qmail import Qmail, Vpopmail
from load.scenarios.servers.roles import Gateway, House
from load.scenarios.servers.sendmail import Sendmail
from load.scenarios.servers.stalwart import Stalwart


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


def haraka(house: House) -> Gateway:
    boxes = dovecot(house)
    return Gateway(Haraka(house, boxes), boxes, house.host)


def opensmtpd(house: House) -> Gateway:
    boxes = dovecot(house)
    return Gateway(OpenSmtpd(house, boxes), boxes, house.host)


def stalwart(house: House) -> Gateway:
    both = Stalwart(house)
    return Gateway(both, both, house.host)


def exchange(house: House) -> Gateway:
    tables = Tables(house)
    return Gateway(Exchange(house, tables), ExchangeMailboxes(house, tables), house.host)


def qmail(house: House) -> Gateway:
    boxes = Vpopmail(house)
    return Gateway(Qmail(house, boxes), boxes, house.host)


SERVERS: dict[str, Callable[[House], Gateway]] = {
    "postfix": postfix_dovecot,
    "exim": exim,
    "exim-full": exim_full,
    "sendmail": sendmail,
    "courier": courier,
    "cyrus": cyrus,
    "haraka": haraka,
    "opensmtpd": opensmtpd,
    "stalwart": stalwart,
    "exchange": exchange,
    "qmail": qmail,
}
"""By the name that ``--server`` takes."""
