"""Facts that a mail server reports, the same for every log format.

One frozen struct for each kind of fact, told apart on the wire by the field ``type``. An event
says what was seen and judges nothing. What is not known is empty (``""``, ``0``); a field that
has its default is not sent.

Fields that all of them have:

``at``
    When it happened, by the reporting server's clock: Unix seconds, UTC.
``gateway``
    The host that the line names, else the configured name. Lines of two hosts are never joined.
``source``
    Who told: ``log``, ``policy``, ``auth_policy`` or ``intake``.
``offset``
    Where the line lay: byte offset in its file, or the number of the line in a stream without
    offsets; -1 where there is none. The file's name travels once for each batch, not here.

Addresses of mail are lower case and without ``<>``; ``client`` is a canonical IP address
(`schemas.net.address`), or ``""`` where none is known. Numbers of bytes can exceed 32 bits.
"""

from typing import ClassVar, Final

from msgspec import Struct


class Fact(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """What every event has. Not an event itself."""

    type: ClassVar[str]

    at: float
    gateway: str = ""
    source: str = "log"
    offset: int = -1


class Connection(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="connection", gc=False):
    """A client came or went, or broke the protocol."""

    type = "connection"

    client: str = ""
    name: str = ""  # reverse name as the server resolved it
    helo: str = ""
    outcome: str = "opened"  # opened, closed (also lost or timed out), refused, abuse
    reason: str = ""


class Auth(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="auth", gc=False):
    """An attempt to log in."""

    type = "auth"

    client: str = ""
    account: str = ""  # as typed, lower case; "" where the log does not tell it
    outcome: str = "failed"  # ok, failed, error (the server's own fault)
    reason: str = ""  # bad_password, unknown_account, disabled, ...
    mechanism: str = ""  # upper case, RFC 4422 name
    service: str = ""  # smtp, submission, imap, pop3, sieve, web
    password: str = ""  # keyed short fingerprint, never the password
    count: int = 1  # attempts that this one line reports; 0: more is known of one that was told


class Recipient(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="recipient", gc=False):
    """The verdict on one RCPT TO (RFC 5321, 4.1.1.3)."""

    type = "recipient"

    client: str = ""
    account: str = ""
    sender: str = ""
    recipient: str = ""
    queue_id: str = ""  # of the message; "" as long as none of its recipients was accepted
    verdict: str = "accepted"  # accepted, unknown, relay_denied, blocked, deferred, refused
    code: int = 0  # SMTP reply code
    enhanced: str = ""  # enhanced status code, RFC 3463: "5.1.1"
    reason: str = ""
    command: str = ""  # where it was not RCPT: vrfy, expn (RFC 5321, 3.5); "accepted"
    # then means that it was answered
    helo: str = ""  # the client's word for itself, where the same line tells it


class Message(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="message", gc=False):
    """A message was accepted into the queue; our own reports, with the null sender, included."""

    type = "message"

    client: str = ""
    account: str = ""
    sender: str = ""
    message_id: str = ""
    queue_id: str = ""
    recipients: int = 0  # how many
    size: int = 0  # bytes
    auto: bool = False  # an automatic reply (RFC 3834)
    helo: str = ""  # the client's word for itself, where the same line tells it
    answers: str = ""  # whom it answers, where that is told; "<>" the null sender


class Delivery(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="delivery", gc=False):
    """What became of a message for one recipient."""

    type = "delivery"

    queue_id: str = ""
    message_id: str = ""
    client: str = ""
    account: str = ""
    sender: str = ""
    recipient: str = ""
    original: str = ""  # the address given at RCPT, where an alias or forward made another of it
    relay: str = ""  # host name or transport that took it; "" where none did
    status: str = "sent"  # sent, deferred, bounced, expired
    enhanced: str = ""
    reason: str = ""


class Bounce(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="bounce", gc=False):
    """A delivery report (DSN, RFC 3464) was made here, or came in."""

    type = "bounce"

    direction: str = "received"  # made, received
    queue_id: str = ""  # of the report
    about: str = ""  # queue id or Message-ID that it answers
    client: str = ""  # who had sent the mail that is reported (made), or the report (received)
    account: str = ""  # the login that had sent the mail that is reported (made)
    recipient: str = ""  # who gets the report
    failed_recipient: str = ""
    status: str = ""  # bounced, deferred, expired, ...
    code: int = 0
    enhanced: str = ""
    reason: str = ""  # a class: user_unknown, mailbox_full, ... (streams/reports/reasons.py)
    reply: str = ""  # the SMTP reply, cut


class Complaint(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="complaint", gc=False):
    """A feedback-loop report (ARF, RFC 5965), or a user's."""

    type = "complaint"

    account: str = ""
    sender: str = ""
    client: str = ""
    message_id: str = ""
    reporter: str = ""
    kind: str = ""  # abuse, fraud, virus, not-spam, ...


class Verdict(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="verdict", gc=False):
    """A filter's opinion of a message."""

    type = "verdict"

    client: str = ""
    account: str = ""
    sender: str = ""
    queue_id: str = ""
    kind: str = ""  # spam, virus, ham, spf, dkim, dmarc, grey
    score: float = 0.0
    scale: str = ""  # what the score is measured in: SCL, rspamd, SpamAssassin, ...


class Queue(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="queue", gc=False):
    """A sample of the mail queue."""

    type = "queue"

    active: int = 0
    deferred: int = 0
    incoming: int = 0
    hold: int = 0
    bytes: int = 0
    oldest: float = 0.0  # Unix seconds
    null_sender: int = 0  # messages
    top_senders: tuple[tuple[str, int], ...] = ()
    disk_free: int = 0  # bytes


class Change(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="change", gc=False):
    """A mailbox or an account was changed."""

    type = "change"

    client: str = ""
    account: str = ""
    actor: str = ""
    what: str = ""  # rule, forward, identity, signature, password, mfa, disabled, enabled
    detail: str = ""


class Signal(Fact, frozen=True, kw_only=True, omit_defaults=True, tag="signal", gc=False):
    """What the watcher of one subject tells the watcher of another. Internal.

    To hear a signal twice must change nothing: after a crash it is sent again. A signal never
    causes a signal of its own kind.
    """

    type = "signal"

    about: str = ""  # the key (schemas.keys) whose watcher is told
    kind: str = ""
    client: str = ""
    account: str = ""
    finding: str = ""  # id of the incident that it is about: what comes of it is part of that
    detail: str = ""


Event = (
    Connection
    | Auth
    | Recipient
    | Message
    | Delivery
    | Bounce
    | Complaint
    | Verdict
    | Queue
    | Change
    | Signal
)

EVENTS: Final[tuple[type[Fact], ...]] = (
    Connection,
    Auth,
    Recipient,
    Message,
    Delivery,
    Bounce,
    Complaint,
    Verdict,
    Queue,
    Change,
    Signal,
)

OFFENSIVE_VERDICTS: Final = frozenset({"unknown", "relay_denied", "blocked", "refused"})


def offence(event: Fact) -> bool:
    """Whether the client did something that an honest one seldom does."""
    if isinstance(event, Auth):
        return event.outcome == "failed" and event.count != 0  # 0: it was told already
    if isinstance(event, Recipient):
        return event.verdict in OFFENSIVE_VERDICTS
    if isinstance(event, Connection):
        return event.outcome in ("abuse", "refused")
    return False
