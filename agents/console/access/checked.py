"""Whom the settings let in: asked before the console begins, and by `mailwarden check`."""

from msgspec import Struct

from agents.console.access.people import People
from schemas import net
from schemas.settings import ConsoleSettings, SettingsError
from streams.http_serving import near


class LetIn(Struct, frozen=True):
    people: People
    proxies: net.Networks
    open: bool  # whoever reaches loopback is an admin


def checked(settings: ConsoleSettings) -> LetIn:
    """Raises SettingsError (key and what was expected) where strangers could come in."""
    people, proxy = People(settings), settings.proxy
    if not settings.listen.rpartition(":")[0] or not settings.listen.rpartition(":")[2].isdecimal():
        raise SettingsError("console.listen: expected host:port")
    try:
        proxies = net.Networks(proxy.addresses if proxy else ())
    except ValueError as error:
        raise SettingsError(f"console.proxy.addresses: {error}") from error
    if proxy is not None and not proxy.addresses:
        raise SettingsError("console.proxy.addresses: expected the addresses of the proxy")
    if not near(settings.listen):
        if not people and proxy is None:
            needed = "console.users (or console.proxy) is needed"
            raise SettingsError(f"console.listen: off loopback, {needed}")
        if not settings.certificate and not settings.plain:
            needed = "console.certificate (or plain) is needed"
            raise SettingsError(f"console.listen: off loopback, {needed}")
    return LetIn(people, proxies, not people and proxy is None)
