"""Alerts by mail: severe ones each by itself, the others together in a digest.

Mails go to one relay. All of one incident refer to one Message-ID (RFC 5322, 3.6.4), so that
readers show them as one thread. They say that no person wrote them (RFC 3834), so that nobody
answers by himself. Nobody gets a mail about an account that is believed to be in other hands at
the address of that account: whoever has it reads its mail.
"""

import hashlib
import logging
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import Literal
from urllib.parse import quote

from schemas.findings import SEVERITIES, Alert, Severity
from schemas.settings import SettingsError
from streams import server_place, tls
from streams.mailed import Mailed
from streams.metrics import SINK_REFUSED
from streams.rendering import mail, words
from streams.said import said
from streams.sink import Sink, SinkError, SinkSettings

log = logging.getLogger(__name__)

PORTS = {"plain": 25, "starttls": 587, "tls": 465}
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
POLICY = SMTP.clone(cte_type="7bit")  # no relay needs 8BITMIME for it


class EmailSettings(SinkSettings, frozen=True):
    """``[sinks.email]``"""

    gather: float = 900.0  # seconds in which alerts of one incident, detector and severity are told
    # as one, but for the first; 0: each is told as itself
    server: str = ""  # the relay: host or host:port (587; tls 465, plain 25); must be set
    transport: Literal["starttls", "tls", "plain"] = "starttls"
    username: str = ""  # login at the relay
    password: str = ""
    password_file: str = ""  # a file that holds it instead
    sender: str = ""  # the address that mails are from; must be set
    recipients: tuple[str, ...] = ()  # addresses; must be set
    single: Severity = "high"  # from this severity on, an alert is a mail of its own
    interval: float = 3600.0  # seconds for which all others are collected in a digest
    timeout: float = 30.0  # seconds for each answer of the relay
    ca: str = ""  # PEM file of authorities, in place of the system's
    certificate: str = ""  # PEM files, where the relay asks for a certificate
    key: str = ""


class Email(Sink):
    """The relay's certificate must be that of the name in `server`. There is no mail without TLS
    unless `transport` says so."""

    Settings = EmailSettings
    settings: EmailSettings

    def __init__(
        self,
        settings: SinkSettings,
        name: str = "email",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises SettingsError where the settings cannot be used."""
        super().__init__(settings, name)
        chosen = self.settings
        self._place = server_place.parsed(chosen.server, PORTS[chosen.transport])
        if not ADDRESS.fullmatch(chosen.sender):
            raise SettingsError("sender: expected an address such as mailwarden@example.org")
        if not chosen.recipients:
            raise SettingsError("recipients: expected one address or more")
        for index, address in enumerate(chosen.recipients):
            if not ADDRESS.fullmatch(address):
                raise SettingsError(f"recipients[{index}]: expected an address, not {address!r}")
        if chosen.timeout <= 0:
            raise SettingsError("timeout: expected a number of seconds above 0")
        if chosen.interval <= 0:
            raise SettingsError("interval: expected a number of seconds above 0")
        self._password = tls.held_secret(chosen.password, chosen.password_file, "password")
        if bool(self._password) != bool(chosen.username):
            raise SettingsError("username: expected a name and its password, or neither")
        if self._password and chosen.transport == "plain":
            raise SettingsError("transport: expected starttls or tls, as there is a password")
        self._tls = tls.to_server(chosen.ca, chosen.certificate, chosen.key)
        self._domain = chosen.sender.rpartition("@")[2]
        self._clock = clock
        self._memory: Mailed | None = None

    @property
    def _mailed(self) -> Mailed:
        """Read when it is first asked, as a command that only looks at the settings may not."""
        if self._memory is None:
            path = self.folder / f"{quote(self.name, safe='')}.mailed.json" if self.folder else None
            self._memory = Mailed(path)
        return self._memory

    def received(self, alerts: Sequence[Alert]) -> set[tuple[str, int]]:
        """Those that a mail told of, as the file of an earlier process says."""
        return {(one.id, one.revision) for one in alerts if self._mailed.told(one)}

    def about(self) -> str:
        chosen = self.settings
        where = server_place.shown(self._place)
        return (
            f"mails to {', '.join(chosen.recipients)} by {chosen.transport} through {where}, each"
            f" alert from {chosen.single} on, and a digest every {chosen.interval:g} s"
        )

    # -- which alert is a mail of its own -----------------------------------------------------

    @property
    def digest(self) -> float:
        return self.settings.interval

    def waits(self, alert: Alert) -> bool:
        """A mild one, and more evidence for what a mail told of: not worth another mail."""
        if _rank(alert.severity) < _rank(self.settings.single):
            return True
        told = self._mailed.single(alert.id)
        return (
            told is not None and alert.state == "open" and _rank(alert.severity) <= _rank(told[1])
        )

    def deliver(self, alerts: Sequence[Alert]) -> None:
        with self._relay() as relay:
            for alert in alerts:
                told = self._mailed.single(alert.id)
                if told is not None and told[0] == alert.revision:
                    continue  # it left before the one that failed
                message = self._single(alert)
                if message is None:
                    self._untold(alert.id, "it accuses every recipient")
                else:
                    self._send(relay, message)
                self._mailed.note_single(alert)

    def deliver_digest(self, alerts: Sequence[Alert]) -> None:
        """Recipients that some of the alerts accuse get a digest without these."""
        groups: dict[tuple[str, ...], list[str]] = {}  # recipients by the ids that they may read
        for recipient in self.settings.recipients:
            ids = tuple(one.id for one in alerts if not accuses(one, recipient))
            groups.setdefault(ids, []).append(recipient)
        told = {name for ids in groups for name in ids}
        with self._relay() as relay:
            for ids, recipients in groups.items():
                chosen = [one for one in alerts if one.id in ids]
                if chosen:
                    self._send(relay, self._digest(chosen, recipients))
        for one in alerts:
            if one.id not in told:
                self._untold(one.id, "it accuses every recipient")
        self._mailed.note_digest(alerts)

    # -- what a mail says ---------------------------------------------------------------------

    def _single(self, alert: Alert) -> EmailMessage | None:
        recipients = [one for one in self.settings.recipients if not accuses(alert, one)]
        if not recipients:
            return None
        message = self._message(mail.subject(alert), recipients)
        thread = f"<incident.{_word(alert.incident or alert.id)}@{self._domain}>"
        message["Message-ID"] = f"<{_word(alert.id)}.{alert.revision}@{self._domain}>"
        message["In-Reply-To"] = message["References"] = thread
        message["X-Mailwarden-Alert"] = f"{_word(alert.id)}-{alert.revision}"
        message["X-Mailwarden-Detector"] = _word(alert.detector)
        message["X-Mailwarden-Severity"] = alert.severity
        message.set_content(mail.text(alert))
        message.add_alternative(mail.html(alert), subtype="html")
        return message

    def _digest(self, alerts: Sequence[Alert], recipients: Sequence[str]) -> EmailMessage:
        message = self._message(mail.digest_subject(alerts), recipients)
        known = " ".join(sorted(f"{one.id}-{one.revision}" for one in alerts))
        digest = hashlib.blake2b(known.encode(), digest_size=12).hexdigest()
        message["Message-ID"] = f"<digest.{digest}@{self._domain}>"
        message.set_content(mail.digest_text(alerts))
        message.add_alternative(mail.digest_html(alerts), subtype="html")
        return message

    def _message(self, subject: str, recipients: Sequence[str]) -> EmailMessage:
        message = EmailMessage(POLICY)
        message["From"] = self.settings.sender
        message["To"] = ", ".join(recipients)
        message["Subject"] = subject
        message["Date"] = formatdate(self._clock())
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"  # what Exchange minds instead
        return message

    # -- the relay ----------------------------------------------------------------------------

    @contextmanager
    def _relay(self) -> Iterator[smtplib.SMTP]:
        """A session that may send. Raises SinkError for whatever goes wrong in it."""
        where = server_place.shown(self._place)
        try:
            relay = self._connected()
            try:
                yield relay
            finally:
                with suppress(smtplib.SMTPException, OSError):
                    relay.quit()
                relay.close()
        except smtplib.SMTPRecipientsRefused as error:
            # As a whole: it may be that the relay does not know us.
            _, (code, reply) = next(iter(error.recipients.items()))
            raise SinkError(f"{where}: {code} {_said(reply)}") from error
        except smtplib.SMTPResponseException as error:
            raise SinkError(f"{where}: {error.smtp_code} {_said(error.smtp_error)}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise SinkError(f"{where}: {getattr(error, 'strerror', '') or error}") from error

    def _connected(self) -> smtplib.SMTP:
        chosen = self.settings
        host, port = self._place
        own = socket.gethostname()
        if chosen.transport == "tls":
            relay: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, own, timeout=chosen.timeout, context=self._tls
            )
        else:
            relay = smtplib.SMTP(host, port, own, timeout=chosen.timeout)
        try:
            if chosen.transport == "starttls":
                relay.starttls(context=self._tls)
            if chosen.username:
                relay.login(chosen.username, self._password)
        except (smtplib.SMTPException, ssl.SSLError, OSError):
            relay.close()
            raise
        return relay

    def _send(self, relay: smtplib.SMTP, message: EmailMessage) -> None:
        name = str(message["Message-ID"])
        try:
            refused = relay.send_message(message)
        except smtplib.SMTPDataError as error:
            if error.smtp_code < 500:
                raise
            # Its text will be refused again: the others must not wait for that.
            self._untold(name, f"{error.smtp_code} {_said(error.smtp_error)}")
            return
        for address, (code, reply) in refused.items():
            why = f"{code} {_said(reply)}"
            what = said("mail refused", sink=self.name, recipient=address, mail=name, reason=why)
            log.warning(what)

    def _untold(self, name: str, reason: str) -> None:
        SINK_REFUSED.labels(self.name).inc()
        log.error(said("alert refused", sink=self.name, alert=name, reason=reason))


def accuses(alert: Alert, recipient: str) -> bool:
    """Whether an address is that of somebody whom an alert accuses, as far as it names them: an
    account without a domain is that of anybody who is called so."""
    local, _, domain = recipient.lower().rpartition("@")
    names = {f"{local}@{domain}", local}
    if "+" in local:
        names |= {f"{local.partition('+')[0]}@{domain}", local.partition("+")[0]}
    return any(_plain(each) in names for each in _accused(alert))


def _accused(alert: Alert) -> Iterator[str]:
    if alert.severity == "info":
        return
    yield from alert.accounts
    kind, value = alert.subject.kind, alert.subject.value
    if kind in ("account", "address") and value not in alert.targets:
        yield value


def _plain(account: str) -> str:
    """An account without what follows a plus sign."""
    local, at, domain = account.lower().partition("@")
    return local.partition("+")[0] + at + domain


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


def _word(text: str) -> str:
    """As a word of a header."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text)[:100]


def _said(reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return words.plain(text, 300)
