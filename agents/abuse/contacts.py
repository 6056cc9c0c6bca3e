"""Whom a network wants to be told of abuse: from a file that the site keeps, else by DNS if that is
switched on. RDAP would be the registry's own word, and is asked for nowhere: it is a web service of
five registries, with limits, that a program should not call for each attacker.

The file has one network, or AS number, and one address a line, the narrowest network counts::

    192.0.2.0/24, abuse@example.net
    AS64496, abuse@example.org

or is an MMDB whose records name the address as ``email``, ``abuse_contact`` or ``abuse``, as
IPinfo's. By DNS it is the TXT record of the reversed address in a zone of abuse contacts, as
https://docs.abusix.com/abuse-contact-db keeps one.
"""

import asyncio
import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import dns.reversename

from agents import resolver
from schemas import net
from schemas.settings import AbuseSettings, SettingsError

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
SYSTEM = re.compile(r"AS(\d{1,10})", re.IGNORECASE)
KEYS = ("email", "abuse_contact", "abuse")
MOST = 1_000_000  # lines of the file
PLACES = {4: dns.name.from_text("in-addr.arpa."), 6: dns.name.from_text("ip6.arpa.")}


class Contacts:
    """`system` gives the AS number of an address, as ``as64496``. Raises SettingsError where the
    file cannot be used."""

    def __init__(self, settings: AbuseSettings, system: Callable[[str], str]) -> None:
        self._settings = settings
        self._system = system
        self._networks: dict[tuple[int, int, int], str] = {}
        self._systems: dict[str, str] = {}
        self._database = None
        path = settings.contacts
        try:
            if path.endswith(".mmdb"):
                import maxminddb  # noqa: PLC0415 - only who has such a file waits for it

                self._database = maxminddb.open_database(path)
            elif path:
                self._read(Path(path))
        except (OSError, UnicodeDecodeError, RuntimeError) as error:
            why = getattr(error, "strerror", "") or str(error)
            raise SettingsError(f"abuse.contacts: {path}: {why}") from error

    def of(self, address: str) -> str:
        """The contact of the network around an address; "" where none is known."""
        return self._written(address) or self._looked_up(address) or self._asked(address)

    def _written(self, address: str) -> str:
        version, _, value = net.prefix(address)
        bits = 32 if version == 4 else 128
        for length in range(bits, -1, -1):
            found = self._networks.get((version, length, value >> (bits - length)))
            if found:
                return found
        return self._systems.get(self._system(address), "")

    def _looked_up(self, address: str) -> str:
        if self._database is None:
            return ""
        try:
            record = self._database.get(address)
        except (ValueError, RuntimeError):  # a file of IPv4 only; a damaged one
            return ""
        values = [record.get(key) for key in KEYS] if isinstance(record, dict) else []
        return next((v for v in values if isinstance(v, str) and ADDRESS.fullmatch(v)), "")

    def _asked(self, address: str) -> str:
        if not self._settings.zone:
            return ""
        labels = dns.reversename.from_address(address)
        name = labels.relativize(PLACES[ip_address(address).version]).to_text()
        asked = resolver.new(self._settings.resolvers)
        try:
            texts = asyncio.run(resolver.records(asked, f"{name}.{self._settings.zone}", "TXT"))
        except resolver.Unanswered:
            return ""
        return next((text for text in texts if ADDRESS.fullmatch(text)), "")

    def _read(self, path: Path) -> None:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                text = line.partition("#")[0].strip()
                if text:
                    whose, _, contact = (part.strip() for part in text.partition(","))
                    self._take(whose, contact, f"{path}:{number}")
                if number >= MOST:
                    raise SettingsError(f"abuse.contacts: {path}: more than {MOST:,} lines")

    def _take(self, whose: str, contact: str, place: str) -> None:
        if not ADDRESS.fullmatch(contact):
            raise SettingsError(f"abuse.contacts: {place}: expected NETWORK, ADDRESS")
        if match := SYSTEM.fullmatch(whose):
            self._systems[f"as{int(match[1])}"] = contact
            return
        try:
            self._networks[net.prefix(str(net.parse_network(whose)))] = contact
        except ValueError as error:
            expected = "expected a network or an AS number"
            raise SettingsError(f"abuse.contacts: {place}: {expected}, not {whose!r}") from error
