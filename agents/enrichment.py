"""Whose network an address lies in: autonomous system and country, from MMDB files that a site has
(MaxMind's GeoLite2 or GeoIP2, DB-IP, IPinfo: https://maxmind.github.io/MaxMind-DB/).

The files are mapped into memory and what was asked is remembered, so a lookup waits for nobody.
Without a file an address is placed by its prefix, and nothing is said of it. A new file takes
effect with the next reload of the settings.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schemas import net
from schemas.settings import EnrichmentSettings, SettingsError

if TYPE_CHECKING:
    import maxminddb

KNOWN = 65_536  # addresses that are remembered
SAID = 5  # origins that an alert names

_NAMES = ("autonomous_system_organization", "as_name", "name", "organization")


class Enrichment:
    """Raises SettingsError where a file that is named cannot be used."""

    def __init__(self, settings: EnrichmentSettings) -> None:
        self._asn = _opened("asn", settings.asn)
        self._country = _opened("country", settings.country)
        self._look = lru_cache(KNOWN)(self._looked)
        self.place = net.wide if self._asn is None else lru_cache(KNOWN)(self._placed)

    def origins(self, clients: Iterable[str]) -> list[str]:
        """Where most of these come from: "AS64496 Example Net, NL" with how many do, where
        there are several. Empty where nothing is known of them."""
        found = Counter(filter(None, map(self._described, clients)))
        return [
            f"{origin} ({count})" if count > 1 else origin
            for origin, count in found.most_common(SAID)
        ]

    def _placed(self, client: str) -> str:
        number, _, _ = self._look(client)
        return f"as{number}" if number else net.wide(client)

    def _described(self, client: str) -> str:
        number, name, country = self._look(client)
        system = f"AS{number} {name}".strip() if number else ""
        return ", ".join(filter(None, (system, country)))

    def _looked(self, client: str) -> tuple[int, str, str]:
        """(number, name of the autonomous system, ISO code of the country)."""
        address = client.partition("/")[0]
        system, country = _get(self._asn, address), _get(self._country, address)
        number = system.get("autonomous_system_number", system.get("asn", 0))
        if isinstance(number, str):  # IPinfo writes AS64496
            number = int(number[2:]) if number[2:].isdecimal() else 0
        name = next((system[key] for key in _NAMES if isinstance(system.get(key), str)), "")
        code = country.get("country") or country.get("registered_country") or ""
        if isinstance(code, dict):
            code = code.get("iso_code", "")
        return number if isinstance(number, int) else 0, name[:80], str(code)[:2]


def _opened(key: str, path: str) -> "maxminddb.Reader | None":
    if not path:
        return None
    import maxminddb  # noqa: PLC0415 - slow to load, and most edges have no file of it

    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise SettingsError(f"enrichment.{key}: {path}: {why}") from error


def _get(reader: "maxminddb.Reader | None", address: str) -> dict[str, Any]:
    """What a file says of an address; nothing where it is none, or the file is of IPv4 only."""
    if reader is None:
        return {}
    try:
        found = reader.get(address)
    except (ValueError, RuntimeError):  # no address; a damaged file (InvalidDatabaseError)
        return {}
    return found if isinstance(found, dict) else {}
