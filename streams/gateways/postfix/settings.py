"""``[gateways.postfix]``"""

from streams.gateway import GatewaySettings


class PostfixSettings(GatewaySettings, frozen=True):
    """Which tables are written, and how Postfix is told. A path that is "" is not written."""

    clients: str = "/etc/postfix/mailwarden_clients.cidr"  # check_client_access cidr:...
    postscreen: str = ""  # postscreen_access_list cidr:...
    accounts: str = ""  # check_sasl_access texthash:...
    login_domain: str = ""  # logins of this domain are refused without it as well
    tarpit: int = 5  # seconds that a tarpit sleeps; 0: it defers instead
    reload_interval: float = 5.0  # seconds between two reloads, at least
    postfix: str = "postfix"  # the programs, and the instance's configuration directory
    postconf: str = "postconf"
    config_directory: str = ""

    @property
    def reload_command(self) -> list[str]:
        return [self.postfix, *self.instance, "reload"]

    @property
    def instance(self) -> list[str]:
        return ["-c", self.config_directory] if self.config_directory else []
