"""The settings file made into the parts that run: site, detectors, gateways, sinks, shard.

Wrong settings raise SettingsError: the file, the key, and what was expected.
"""

import math
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from agents import policies
from agents.checked import networks, unknown
from agents.detector import Detector
from agents.detectors import DETECTORS
from agents.enrichment import Enrichment
from agents.naming import NAMES
from agents.phishing import PhishingList
from agents.running import state
from schemas import net
from schemas.keys import Key, Site
from schemas.settings import (
    CustomSettings,
    KafkaSettings,
    Settings,
    SettingsError,
    convert,
    read,
)
from streams import signing as signing_keys
from streams.blocklist import Blocklist
from streams.gateway import Gateway
from streams.gateways import GATEWAYS
from streams.sink import Sink
from streams.sinks import SINKS

if TYPE_CHECKING:
    from agents.engine import Variants
    from agents.shard import Shard
    from streams.parsers.part import Format

P = TypeVar("P")

ENVIRONMENT = "MAILWARDEN_CONFIG"
PLACES = (Path("mailwarden.toml"), Path("/etc/mailwarden/mailwarden.toml"))

DOMAINS = "domains"  # the table of a detector that has settings by domain


class Config(Struct, frozen=True):
    """What the settings amount to."""

    settings: Settings
    site: Site
    enrichment: Enrichment
    phishing: PhishingList
    allowed: net.Networks  # never decided against
    detectors: list[Detector]  # all there are, those switched off included
    variants: "Variants"  # of them, with the settings of a domain
    policies: policies.Policies  # what a domain has of its own beside that
    gateways: list[Gateway]
    sinks: list[Sink]
    custom: dict[str, CustomSettings] = {}  # the rules of the site's own formats, by name
    formats: "tuple[Format, ...]" = ()  # made of them
    path: Path | None = None  # the file that was read; None: these are the defaults

    @property
    def host(self) -> str:
        """What this machine is called: the gateway of lines that name none."""
        return self.settings.site.host or socket.gethostname()

    @property
    def where(self) -> str:
        """What errors name as the place of a setting."""
        return str(self.path) if self.path else "settings"

    def lifted(self) -> bool:
        """Whether the kill switch is pulled: nothing is enforced while its file exists."""
        return _lifted(self.settings)


def find() -> Path | None:
    """The file that counts where none is named: $MAILWARDEN_CONFIG, ./mailwarden.toml,
    /etc/mailwarden/mailwarden.toml."""
    named = os.environ.get(ENVIRONMENT)
    if named:
        return Path(named)
    return next((place for place in PLACES if place.is_file()), None)


def load(path: Path | None = None) -> Config:
    """The configuration of `path`, else of the file that `find` finds, else the defaults."""
    path = path or find()
    return build(read(path) if path else Settings(), path)


def build(settings: Settings, path: Path | None = None) -> Config:
    """The parts that `settings` describe. Raises SettingsError."""
    where = str(path) if path else "settings"
    _check(settings, where)
    allowed = networks(where, "network.allow", settings.network.allow)
    custom = {
        name: convert(table, CustomSettings, where, f"parsers.custom.{name}")
        for name, table in settings.parsers.custom.items()
    }
    try:
        enrichment = Enrichment(settings.enrichment)
        phishing = PhishingList(settings.phishing, state.phishing(settings))
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from error
    of_domains = policies.build(settings, where)
    return Config(
        settings=settings,
        site=_site(settings, where, enrichment, phishing),
        phishing=phishing,
        enrichment=enrichment,
        allowed=allowed,
        detectors=_detectors(settings, where),
        variants=_variants(settings, where),
        policies=of_domains,
        gateways=_gateways(settings, where),
        sinks=_sinks(settings, where, of_domains),
        custom=custom,
        formats=_formats(custom, where),
        path=path,
    )


def build_shard(
    config: Config, mine: Callable[[Key], bool] | None = None, budget_share: float = 1.0
) -> "Shard":
    """A shard that watches the keys which `mine` names; `budget_share` is its part of the
    budget of new decisions, where there are several."""
    # An edge that starts again, and every command, must not wait for what thinks.
    from agents.broken import Broken  # noqa: PLC0415
    from agents.engine import Engine  # noqa: PLC0415
    from agents.response import Response  # noqa: PLC0415
    from agents.shard import Shard  # noqa: PLC0415

    site = config.site
    response = Response(
        config.settings.response,
        config.allowed,
        site.own,
        trusted=site.trusted,
        shared=site.shared,
        domains=site.domains,
        policies=config.policies,
        origins=config.enrichment.origins,
        share=budget_share,
    )
    engine = Engine(config.detectors, site, broken=Broken(), variants=config.variants)
    return Shard(engine, response, mine)


def build_blocklist(config: Config) -> Blocklist:
    """An empty list of decisions that refuses what the configuration spares."""
    response = config.settings.response
    spared = net.Networks([*config.allowed, *config.site.own, *config.site.trusted])
    widest = (response.widest_v4, response.widest_v6)
    return Blocklist(spared, widest, domains=config.site.domains)


def signing(config: Config) -> signing_keys.Keys | None:
    """The keys that sign decisions on Kafka, if any are configured. Raises SettingsError."""
    named = config.settings.response.signing_key_file
    try:
        return signing_keys.load(Path(named)) if named else None
    except signing_keys.SigningError as error:
        raise SettingsError(f"{config.where}: response.signing_key_file: {error}") from error


# -- sections ---------------------------------------------------------------------------------


def _site(settings: Settings, where: str, enrichment: Enrichment, phishing: PhishingList) -> Site:
    network, site = settings.network, settings.site
    domains = [domain.lower().rstrip(".") for domain in site.domains]
    filters = networks(where, "network.filters", network.filters)
    return Site(
        domains=frozenset(domains),
        default_domain=domains[0] if domains else "",
        own=networks(where, "network.own", network.own, net.PRIVATE),
        trusted=networks(
            where,
            "network.upstream",
            network.upstream,
            (*net.LOOPBACK, *network.allow, *filters),
        ),
        filters=filters,
        shared=networks(where, "network.shared", network.shared),
        honeypots=frozenset(name.lower() for name in site.honeypots),
        bulk=frozenset(name.lower() for name in site.bulk),
        phishing=phishing,
        place=enrichment.place,
    )


def _detectors(settings: Settings, where: str) -> list[Detector]:
    for name in settings.detectors:
        if name not in DETECTORS:
            raise SettingsError(unknown(where, f"detectors.{name}", "detector", name, DETECTORS))
    detectors = []
    for name, kind in DETECTORS.items():
        key = f"detectors.{name}"
        detector = convert(_without_domains(settings, name), kind, where, key)
        _check_numbers(detector, where, key, zero=False)
        detectors.append(detector)
    return detectors


def _without_domains(settings: Settings, name: str) -> Any:
    table = settings.detectors.get(name, {})
    if not isinstance(table, dict):
        return table
    return {key: value for key, value in table.items() if key != DOMAINS}


def _variants(settings: Settings, where: str) -> "Variants":
    """Detectors with other settings for a domain: ``[detectors.NAME.domains."example.org"]``.
    What is not set there is as for everybody."""
    found: Variants = {}
    for name, table in settings.detectors.items():
        domains = table.get(DOMAINS, {}) if isinstance(table, dict) else {}
        key = f"detectors.{name}.{DOMAINS}"
        if domains and not set(DETECTORS[name].hears) <= {"m", "d"}:
            raise SettingsError(f"{where}: {key}: {name} watches no mailboxes: it is one for all")
        if not isinstance(domains, dict):
            raise SettingsError(f"{where}: {key}: expected a table for each domain")
        for domain, changed in domains.items():
            of_domain = f'{key}."{domain}"'
            if not isinstance(changed, dict):
                raise SettingsError(f"{where}: {of_domain}: expected a table of settings")
            usual = _without_domains(settings, name)
            detector = convert({**usual, **changed}, DETECTORS[name], where, of_domain)
            _check_numbers(detector, where, of_domain, zero=False)
            found.setdefault(name, {})[domain.lower()] = detector
    return found


def _lifted(settings: Settings) -> bool:
    return os.path.lexists(state.panic(settings))


def _formats(rules: dict[str, CustomSettings], where: str) -> "tuple[Format, ...]":
    if not rules:
        return ()
    # All parsers come with them: a gateway that starts again must not wait for those.
    from agents import custom_rules  # noqa: PLC0415
    from streams.parsers import PARSERS  # noqa: PLC0415

    found = []
    for name, rule in rules.items():
        key = f"parsers.custom.{name}"
        if name in PARSERS:
            raise SettingsError(f"{where}: {key}: {name} is a format that is known already")
        try:
            found.append(custom_rules.build(name, rule))
        except ValueError as error:
            raise SettingsError(f"{where}: {key}.{error}") from error
    return tuple(found)


def _gateways(settings: Settings, where: str) -> list[Gateway]:
    def switch() -> bool:
        return _lifted(settings)

    gateways = []
    listed = settings.phishing
    for key, name, kind, table in _chosen(settings.gateways, GATEWAYS, where, "gateway"):
        chosen = convert(table, kind.Settings, where, key)
        _check_numbers(chosen, where, key)
        if getattr(chosen, "phishing", "") and not (listed.file or listed.url):
            expected = "expected file or url in [phishing] as well: which addresses these are"
            raise SettingsError(f"{where}: {key}.phishing: {expected}")
        try:
            gateways.append(kind(chosen, name, switch))
        except SettingsError as error:
            raise SettingsError(f"{where}: {key}.{error}") from error
    return gateways


def _sinks(settings: Settings, where: str, of_domains: policies.Policies) -> list[Sink]:
    sinks: list[Sink] = []
    for key, name, kind, table in _chosen(settings.sinks, SINKS, where, "sink"):
        chosen = convert(table, kind.Settings, where, key)
        _check_numbers(chosen, where, key)
        for index, detector in enumerate(chosen.detectors):
            if detector not in NAMES:
                place = f"{key}.detectors[{index}]"
                raise SettingsError(unknown(where, place, "detector", detector, NAMES))
        try:
            sink = kind(chosen, name)
            sink.folder = state.sinks(settings)
        except SettingsError as error:
            raise SettingsError(f"{where}: {key}.{error}") from error
        if name in of_domains.sinks():
            sink.concerned = of_domains.telling(name)
        sinks.append(sink)
    return sinks


def _chosen(
    sections: Mapping[str, Any],
    registry: Mapping[str, type[P]],
    where: str,
    what: str,
) -> Iterator[tuple[str, str, type[P], dict[str, Any]]]:
    """(key, name, class, table) of each section; `kind` names the class where the section's
    name does not, so that there can be two of a kind."""
    for name, section in sections.items():
        key = f"{what}s.{name}"
        if not isinstance(section, dict):
            raise SettingsError(f"{where}: {key}: expected a table")
        table = dict(section)
        kind = str(table.pop("kind", name))
        if kind not in registry:
            place = f"{key}.kind" if "kind" in section else key
            raise SettingsError(unknown(where, place, what, kind, registry))
        yield key, name, registry[kind], table


def _check(settings: Settings, where: str) -> None:
    """What types alone do not say."""
    response = settings.response
    brokers = settings.kafka.bootstrap
    lmtp, maildir = settings.intake.lmtp, settings.intake.maildir
    listed = settings.listed
    expect = (
        ("response.first", response.first > 0, "a number of seconds above 0"),
        ("response.longest", response.longest >= response.first, "at least response.first"),
        ("response.budget", response.budget >= 0, "0 or more decisions a minute"),
        ("response.incident_budget", response.incident_budget >= 0, "0 or more decisions a minute"),
        ("response.freshness", response.freshness > 0, "a number of seconds above 0"),
        ("response.collateral", response.collateral >= 0, "0 or more accounts"),
        ("response.widest_v4", 8 <= response.widest_v4 <= 32, "a prefix length from 8 to 32"),
        ("response.widest_v6", 16 <= response.widest_v6 <= 128, "a prefix length from 16 to 128"),
        ("response.canary", 0 <= response.canary <= 1, "a share from 0 to 1"),
        ("response.canary_gateways", all(response.canary_gateways), "names of gateways"),
        ("response.overdue", response.overdue > 0, "a number of seconds above 0"),
        ("site.zone", _is_zone(settings.site.zone), "an IANA zone such as Europe/Berlin"),
        ("site.silent_after", settings.site.silent_after > 0, "a number of seconds above 0"),
        ("storage.audit_days", settings.storage.audit_days > 0, "1 or more days"),
        ("storage.keep_days", settings.storage.keep_days > 0, "1 or more days"),
        (
            "intake.lmtp.listen",
            lmtp is None or (bool(lmtp.listen) and _is_listen(lmtp.listen)),
            "host:port",
        ),
        ("intake.lmtp.largest", lmtp is None or lmtp.largest > 0, "1 or more bytes"),
        ("intake.lmtp.connections", lmtp is None or lmtp.connections > 0, "1 or more"),
        ("intake.maildir.path", maildir is None or bool(maildir.path), "the path of a maildir"),
        ("listed.gateways", all(listed.gateways), "addresses or names"),
        ("listed.lists", all(listed.lists), "names of DNS block lists"),
        ("hosts.names", all(map(_is_place, settings.hosts.names)), "hosts such as mx1.example.org"),
        ("hosts.interval", settings.hosts.interval > 0, "a number of seconds above 0"),
        ("phishing.interval", settings.phishing.interval > 0, "a number of seconds above 0"),
        ("listed.interval", listed.interval > 0, "a number of seconds above 0"),
        (
            "listed.resolvers",
            all(_is_resolver(one) for one in listed.resolvers),
            "addresses such as 192.0.2.53 or 127.0.0.1:5353",
        ),
        (
            "abuse.resolvers",
            all(_is_resolver(one) for one in settings.abuse.resolvers),
            "addresses such as 192.0.2.53 or 127.0.0.1:5353",
        ),
        (
            "traces.url",
            not settings.traces.url or settings.traces.url.startswith(("http://", "https://")),
            "http:// or https:// of a collector, as http://127.0.0.1:4318/v1/traces",
        ),
        ("http.listen", _is_listen(settings.http.listen), "host:port, or nothing"),
        (
            "kafka.bootstrap",
            bool(brokers) and all(broker and _is_listen(broker) for broker in brokers),
            "host:port of one broker or more",
        ),
        *_credentials(settings.kafka),
        ("kafka.session", settings.kafka.session > 0, "a number of seconds above 0"),
        ("kafka.outbox_bytes", settings.kafka.outbox_bytes > 0, "1 or more bytes"),
        ("kafka.partitions", settings.kafka.partitions > 0, "1 or more"),
        ("kafka.replication", settings.kafka.replication > 0, "1 or more"),
    )
    for key, right, expected in expect:
        if not right:
            raise SettingsError(f"{where}: {key}: expected {expected}")
    _check_numbers(settings, where)


def _credentials(kafka: KafkaSettings) -> Iterator[tuple[str, bool, str]]:
    """What kafka.security asks for. Whether the files are there is asked by those that talk to
    Kafka (agents/running/kafka_files.py)."""
    if kafka.security.startswith("SASL"):
        asked = f"as kafka.security is {kafka.security}"
        yield "kafka.username", bool(kafka.username), f"a name, {asked}"
        secret = bool(kafka.password or kafka.password_file)
        yield "kafka.password_file", secret, f"a file with the password, {asked}"
    yield "kafka.certificate", bool(kafka.certificate or not kafka.key), "that of kafka.key"


def _check_numbers(section: Struct, where: str, key: str = "", *, zero: bool = True) -> None:
    """TOML knows negative numbers, nan and inf; no setting of ours means anything by them. Nor
    does 0 as a window or a threshold of a detector; as a weight it switches a sign off."""
    for field in structs.fields(section):
        value = getattr(section, field.name)
        path = f"{key}.{field.name}" if key else field.name
        if isinstance(value, Struct):
            _check_numbers(value, where, path)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            right = math.isfinite(value) and (value > 0 or (zero and value == 0))
            expected = "a number that is not negative" if zero else "a number above 0"
            if not right:
                raise SettingsError(f"{where}: {path}: expected {expected}")


def _is_zone(name: str) -> bool:
    try:
        return not name or ZoneInfo(name) is not None
    except (ValueError, OSError, KeyError):
        return False


def _is_listen(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return not text or (bool(host) and port.isascii() and port.isdigit() and int(port) < 65536)


def _is_place(text: str) -> bool:
    """A host, with or without a port."""
    if net.address(text):
        return True
    return bool(text) and (":" not in text or _is_listen(text))


def _is_resolver(text: str) -> bool:
    """An address, with or without a port."""
    return bool(net.address(text) or (_is_listen(text) and net.address(text.rpartition(":")[0])))
