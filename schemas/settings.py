"""The TOML file as structs. An unknown key is an error that names file and key.

Detectors, gateways and sinks bring their own structs: their sections stay as they were read
here and are converted by their registries (agents/configuration.py).
"""

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Struct, field

from schemas.findings import Action, Stage

T = TypeVar("T")


class SettingsError(Exception):
    """A setting that cannot be used: the file, the key, and what was expected."""


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class SiteSettings(Section, frozen=True):
    """``[site]``: who we are."""

    host: str = ""  # gateway name for lines that name no host
    domains: tuple[str, ...] = ()  # ours; the first is that of logins without a domain
    zone: str = ""  # IANA name of the zone of stamps that have none; "" is this machine's
    honeypots: tuple[str, ...] = ()  # logins that nobody has
    bulk: tuple[str, ...] = ()  # mailboxes that may send much
    silent_after: float = 600.0  # seconds until an expected gateway's silence is an alert
    gateways: tuple[str, ...] = ()  # those that are expected to speak


class NetworkSettings(Section, frozen=True):
    """``[network]``: addresses that are not strangers'."""

    own: tuple[str, ...] = ()  # beside the private ranges
    upstream: tuple[str, ...] = ()  # front ends, webmail, backup MX: not the client
    filters: tuple[str, ...] = ()  # hosted filters that all mail from outside comes through; what
    # comes around them is found (detectors.filter_bypass). They are upstream as well
    allow: tuple[str, ...] = ()  # never decided against
    shared: tuple[str, ...] = ()  # carrier NAT, campus, VPN exits: never blocked wholesale


class DomainSettings(Section, frozen=True):
    """``[domains."example.org"]``: what holds for a domain of ours and for those below it, unless
    they say otherwise. What a domain does not set is as above it, and at last as for everybody."""

    allow: tuple[str, ...] | None = None  # networks never decided against for its mailboxes' sake
    severest: Action | None = None  # the most severe action that is taken for their sake
    stage: Stage | None = None  # how far detectors are trusted about them: this far at most
    sinks: tuple[str, ...] | None = None  # names; a sink that domains name hears of these only


class LogSettings(Section, frozen=True):
    """``[logs]``: what is followed."""

    files: tuple[str, ...] = ()  # paths and patterns; none: found
    journal: Literal["auto", "yes", "no"] = "auto"
    format: str = "auto"  # a log format's name, where the lines do not tell
    history: bool = False  # read rotated and compressed files on the first start


class ResponseSettings(Section, frozen=True):
    """``[response]``: what is done about a finding."""

    enforce: bool = False  # without it everything is only shown
    first: float = 600.0  # seconds of the first decision
    longest: float = 604800.0  # of any; each return doubles the time up to it
    budget: int = 60  # new decisions a minute
    incident_budget: int = 1000  # the same for each incident that many clients take part in
    freshness: float = 900.0  # seconds: older events decide nothing
    collateral: int = 0  # accounts with good evidence that a decision may cut off
    widest_v4: int = 24  # the shortest prefixes that may be decided about
    widest_v6: int = 48
    panic: str = ""  # while this file exists, nothing is enforced; "": panic, beside the store
    signing_key_file: str = ""  # keys that sign decisions on Kafka, one a line; unsigned ones are
    # refused then. The first signs
    approve: tuple[Action, ...] = ()  # actions that wait until two persons have approved them
    canary: float = 0.0  # share of the gateways that enforce a new decision first; 0: all do
    canary_gateways: tuple[str, ...] = ()  # those instead, by name
    canary_seconds: float = 300.0  # until the others follow, unless a person takes it back
    overdue: float = 60.0  # seconds until a gateway that is gone or behind is an alert


class StorageSettings(Section, frozen=True):
    """``[storage]``: what outlives the process."""

    path: str = ""  # the SQLite file; "" is the state directory's mailwarden.db
    dead: str = ""  # dead letters as JSON lines; "" is beside it
    keep_days: int = 90  # alerts
    audit_days: int = 730  # who changed what


class IncidentSettings(Section, frozen=True):
    """``[incidents]``: which alerts are told as one."""

    window: float = 86400.0  # seconds after the last alert about a client's network, an account, a
    # gateway or a domain in which another one about it joins its incident


class ListedSettings(Section, frozen=True):
    """``[listed]``: block lists that are asked whether they list us."""

    gateways: tuple[str, ...] = ()  # addresses or names of ours that send mail; none: nobody asks
    lists: tuple[str, ...] = ("zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com")
    interval: float = 3600.0  # seconds over which the questions are spread
    resolvers: tuple[str, ...] = ()  # address or address:port; none: the system's. Many lists do
    # not answer public ones


class HostsSettings(Section, frozen=True):
    """``[hosts]``: servers of ours that are checked as `mailwarden check host` does: by
    `run`, or by the worker whose partition watches a server."""

    names: tuple[str, ...] = ()  # HOST or HOST:PORT; none: nobody is asked
    domain: str = ""  # one of ours that they take mail for; "" is the first of site.domains
    interval: float = 86400.0  # seconds between two rounds; only differences are alerts


class PhishingSettings(Section, frozen=True):
    """``[phishing]``: addresses that phishers collect answers at, one a line, what follows a comma
    or ``#`` is a remark."""

    file: str = ""  # the site's own list; `mailwarden phishing add` writes to it
    url: str = ""  # http(s):// of a list that others keep
    interval: float = 3600.0  # seconds between two looks at either


class EnrichmentSettings(Section, frozen=True):
    """``[enrichment]``: MMDB files that say whose network an address lies in."""

    asn: str = ""  # path, as GeoLite2-ASN.mmdb; "": networks are told apart by their prefix, /16
    country: str = ""  # path, as GeoLite2-Country.mmdb


class AbuseSettings(Section, frozen=True):
    """``[abuse]``: drafts of reports to the networks that attacks come from."""

    sender: str = ""  # the address that they are from, and answers come to
    organisation: str = ""  # who we are; "" is the sender's domain
    contacts: str = ""  # a file of NETWORK, ADDRESS or AS64496, ADDRESS a line, or an MMDB file
    zone: str = ""  # of abuse contacts in the DNS, as abuse-contacts.abusix.zone; "" asks nobody
    resolvers: tuple[str, ...] = ()  # for it, address or address:port; none: the system's


class TracesSettings(Section, frozen=True):
    """``[traces]``: OpenTelemetry traces of an alert's way, by OTLP over HTTP."""

    url: str = ""  # of a collector, as http://127.0.0.1:4318/v1/traces; "" traces nothing
    headers: dict[str, str] = {}  # that the collector asks for; they may be secrets
    ca: str = ""  # PEM file of authorities, in place of those that Mozilla trusts
    timeout: float = 10.0  # seconds for one request


class HttpSettings(Section, frozen=True):
    """``[http]``: metrics and health."""

    listen: str = "127.0.0.1:9473"  # host:port; "" serves nothing


Role = Literal["viewer", "analyst", "admin"]
"""What a person may do at the console: look; act on incidents and blocks; the kill switch too."""


class UserSettings(Section, frozen=True):
    """``[console.users.NAME]``: a person who may use the console."""

    role: Role = "viewer"
    password: str = ""  # its hash, as `mailwarden console password` makes it; "": the proxy knows


class ProxySettings(Section, frozen=True):
    """``[console.proxy]``: a reverse proxy that says who somebody is."""

    addresses: tuple[str, ...] = ()  # of the proxy: from nobody else the headers are believed
    header: str = "X-Remote-User"  # that names the person; the proxy must set it itself
    role: Literal["", "viewer", "analyst", "admin"] = ""  # of those that console.users does not
    # name; "": they are refused


class ConsoleSettings(Section, frozen=True):
    """``[console]``: the operator's console. Its section switches it on in `run`."""

    listen: str = "127.0.0.1:8025"  # host:port
    users: dict[str, UserSettings] = {}  # none: whoever reaches loopback is an admin
    users_file: str = ""  # more of them, one a line: NAME ROLE HASH
    proxy: ProxySettings | None = None
    certificate: str = ""  # PEM file: TLS
    certificate_key: str = ""  # PEM file, where the certificate's does not hold it
    plain: bool = False  # off loopback without TLS: only where the network between is ours
    idle: float = 28800.0  # seconds without a request after which a session ends
    path: str = ""  # the read model, an SQLite file; "" is console.db, beside the store


class KafkaSettings(Section, frozen=True):
    """``[kafka]``: the bus of many servers."""

    bootstrap: tuple[str, ...] = ("127.0.0.1:9092",)
    partitions: int = 8  # of the topics that are made; cannot be changed later
    replication: int = 1
    group: str = "mailwarden"
    prefix: str = ""  # of every topic's name: several sites on one cluster
    session: float = 10.0  # seconds until the work of a worker that fell silent goes to others
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str = ""
    password: str = ""
    password_file: str = ""  # a file that holds it instead
    ca: str = ""  # PEM files
    certificate: str = ""
    key: str = ""
    outbox: str = ""  # what `ship` has read and no broker took; "" is the state's outbox.db
    outbox_bytes: int = 1 << 30  # beyond it `ship` stops reading until a broker takes some


class LmtpSettings(Section, frozen=True):
    """``[intake.lmtp]``: bounce and complaint mails that an MTA hands over. Its section switches
    it on."""

    listen: str = "127.0.0.1:8024"  # host:port; whoever reaches it can tell of bounces
    largest: int = 1 << 26  # bytes of a mail; only the first MiB of it is kept
    connections: int = 20  # at the same time


class MaildirSettings(Section, frozen=True):
    """``[intake.maildir]``: the same, read from ``new`` and put into ``cur``."""

    path: str = "/var/lib/mailwarden/reports"  # of the maildir


class TopicSettings(Section, frozen=True):
    """``[intake.topics.NAME]``: a topic on which others publish their logs."""

    format: str = "auto"  # a log format's name, where the lines do not tell
    host: str = ""  # gateway of lines for which neither they, their shipper nor their key name one
    zone: str = ""  # IANA name of the zone of stamps that have none; "" is site.zone


class IntakeSettings(Section, frozen=True):
    """``[intake]``: what is read beside the logs: topics of others, mails."""

    topics: tuple[str, ...] | dict[str, TopicSettings] = ()  # none: mail.raw
    lmtp: LmtpSettings | None = None
    maildir: MaildirSettings | None = None


class CustomCase(Section, frozen=True):
    """A line and what must come of it."""

    text: str  # what the program said, without stamp, host and tag
    event: dict[str, Any] = {}  # fields and their values; none: the line must be passed over


class CustomSettings(Section, frozen=True):
    """``[parsers.custom.NAME]``: a log format of a site's own."""

    pattern: str  # Python's regular expression for the whole text, fields as named groups
    event: str = "auth"  # what a line reports: auth, connection, recipient, message, ...
    set: dict[str, Any] = {}  # fields that every line has alike: outcome = "failed"
    programs: tuple[str, ...] = ()  # syslog tags; none: lines without a tag
    cases: tuple[CustomCase, ...] = ()  # tried by `mailwarden check`


class ParsersSettings(Section, frozen=True):
    """``[parsers]``: log formats beside those that are known."""

    custom: dict[str, Any] = {}  # tables, each a CustomSettings


class Settings(Section, frozen=True):
    site: SiteSettings = field(default_factory=SiteSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    response: ResponseSettings = field(default_factory=ResponseSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    parsers: ParsersSettings = field(default_factory=ParsersSettings)
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    incidents: IncidentSettings = field(default_factory=IncidentSettings)
    listed: ListedSettings = field(default_factory=ListedSettings)
    hosts: HostsSettings = field(default_factory=HostsSettings)
    phishing: PhishingSettings = field(default_factory=PhishingSettings)
    enrichment: EnrichmentSettings = field(default_factory=EnrichmentSettings)
    abuse: AbuseSettings = field(default_factory=AbuseSettings)
    traces: TracesSettings = field(default_factory=TracesSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    console: ConsoleSettings | None = None
    kafka: KafkaSettings = field(default_factory=KafkaSettings)
    domains: dict[str, Any] = {}  # tables, each a DomainSettings
    detectors: dict[str, Any] = {}  # tables, which their registries convert
    gateways: dict[str, Any] = {}
    sinks: dict[str, Any] = {}


def read(path: Path) -> Settings:
    """The settings of a file. Raises SettingsError where it cannot be read or used."""
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error
    return convert(table, Settings, str(path))


def convert(table: Any, kind: type[T], where: str, prefix: str = "") -> T:
    """`table` as a struct of `kind`; `where` and `prefix` say in errors what was read."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {explain(str(error), kind, prefix)}") from error


def explain(message: str, kind: type[Any], prefix: str = "") -> str:
    """msgspec's words for a wrong value as ``key: what was expected``."""
    text, _, path = message.partition(" - at `")
    key = path.rstrip("`").removeprefix("$").removeprefix(".")
    full = ".".join(part for part in (prefix, key) if part)
    if text.startswith("Object contains unknown field `"):
        name = text.split("`")[1]
        known = _fields(kind, key)
        full = ".".join(part for part in (full, name) if part)
        return f"{full}: no such setting; there are: {', '.join(known)}"
    if text.startswith("Invalid enum value"):
        choice = get_args(_type(kind, key))
        words = ", ".join(get_args(choice[0]) or choice)  # one of them, or a list of them
        return f"{full}: expected one of {words}, not {text.removeprefix('Invalid enum value ')}"
    return f"{full}: {text[:1].lower()}{text[1:]}" if full else text


def _type(kind: type[Any], key: str) -> Any:
    """The type of what lies at a path of field names."""
    found: Any = kind
    for part in filter(None, key.split(".")):
        types = {f.name: f.type for f in msgspec.structs.fields(found)}
        found = types.get(part.partition("[")[0], found)
    return found


def _fields(kind: type[Any], key: str) -> list[str]:
    try:
        return [f.name for f in msgspec.structs.fields(_type(kind, key))]
    except TypeError:
        return []
