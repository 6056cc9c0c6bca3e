"""``[gateways.postfix]``"""

from streams.gateway import GatewaySettings

LMDB = "lmdb:"


class PostfixSettings(GatewaySettings, frozen=True):
    """Which tables are written, and how Postfix is told. A path that is "" is not written; one
    that begins with ``lmdb:`` is made by postmap, and seen at once, without a reload."""

    clients: str = "/etc/postfix/mailwarden_clients.cidr"  # check_client_access cidr:..., or
    # lmdb:... for IPv4, and for IPv6 the cidr table beside it
    postscreen: str = ""  # postscreen_access_list cidr:..., or lmdb:... and cidr:... likewise
    accounts: str = ""  # check_sasl_access texthash:... or lmdb:...
    phishing: str = ""  # check_recipient_access texthash:... or lmdb:...: the list of [phishing]
    login_domain: str = ""  # logins of this domain are refused without it as well
    tarpit: int = 5  # seconds that a tarpit sleeps; 0: it defers instead
    reload_interval: float = 5.0  # seconds between two reloads, at least
    postfix: str = "postfix"  # the programs, and the instance's configuration directory
    postconf: str = "postconf"
    postmap: str = "postmap"
    config_directory: str = ""

    @property
    def reload_command(self) -> list[str]:
        return [self.postfix, *self.instance, "reload"]

    def make_command(self, path: str) -> list[str]:
        return [self.postmap, *self.instance, f"{LMDB}{path}"]

    @property
    def instance(self) -> list[str]:
        return ["-c", self.config_directory] if self.config_directory else []


def network_tables(place: str) -> list[str]:
    """The tables of networks that a setting names, as Postfix names them. An indexed one finds
    IPv4 only: the prefixes of an IPv6 address are looked up as they happen to be written."""
    if place.startswith(LMDB):
        return [place, f"cidr:{place.removeprefix(LMDB)}.cidr"]
    return [f"cidr:{place}"] if place else []


def name_tables(place: str) -> list[str]:
    """The same for logins and addresses."""
    if place.startswith(LMDB):
        return [place]
    return [f"texthash:{place}"] if place else []


def path(table: str) -> str:
    """The file of a table, as it is written."""
    return table.partition(":")[2]
