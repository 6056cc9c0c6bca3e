"""What Dovecot sends: weakforced's requests as JSON, with the attributes that the site chose.

``allow`` before a password is looked at (and once more after it was right), ``report`` when the
attempt is over. ``pwhash`` is a hash of nonce, user and password, cut to 12 bits: the same for
one password at one account, else telling next to nothing. Dovecot 2.4 says why an attempt failed
(``fail_type``, doc.dovecot.org); 2.3 does not.
"""

from collections.abc import Callable

import msgspec
from msgspec import Struct

from schemas import net
from schemas.events import Auth

SERVICES = {"smtp": "submission", "managesieve": "sieve"}
"""Dovecot does not know which port of the SMTP server it was; exported events read alike."""

PASSWORDS = frozenset({"", "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"})
"""Mechanisms that show the password, or a token. For others (CRAM-MD5, SCRAM) ``pwhash`` is that
of no password: always the same. "" is a mechanism that was not told."""

_FAILED = {
    "credentials": ("failed", "bad_password"),
    "account": ("failed", "unknown_account"),
    "expired": ("failed", "expired"),
    "disabled": ("failed", "disabled"),
    "policy": ("failed", "policy"),
    "internal": ("error", "server"),
}


class More(Struct, gc=False):
    """Attributes that are nested, as ``attrs/mech=%m``."""

    mech: str = ""
    host: str = ""


class Request(Struct, gc=False):
    """Unknown attributes are passed over; those that are missing are empty."""

    login: str = ""
    remote: str = ""
    protocol: str = ""
    pwhash: str = ""
    mech: str = ""
    host: str = ""
    attrs: More = msgspec.field(default_factory=More)
    success: bool = False
    policy_reject: bool = False
    fail_type: str = ""

    @property
    def client(self) -> str:
        return net.address(self.remote)

    @property
    def account(self) -> str:
        return self.login.strip("<>").lower()[:320]


_decode = msgspec.json.Decoder(Request).decode


def decode(body: bytes) -> Request:
    """Raises ValueError where it is no request. Names in no known encoding are a stranger's."""
    try:
        return _decode(body)
    except ValueError:
        return _decode(body.decode(errors="replace"))


def event(
    told: Request,
    at: float,
    gateway: str,
    mask: Callable[[str], str],
    is_right: Callable[[str, str], bool],
) -> Auth:
    """A report as an event. `mask` makes the fingerprint of a password; `is_right` says whether
    a fingerprint is that of the password which opened an account last.

    Dovecot 2.3 reports its own faults (a database that is away) as failures like any other. A
    failure with the right password is not the client's.
    """
    account = told.account
    mechanism = (told.mech or told.attrs.mech).upper()[:40]
    password = ""
    if told.pwhash and mechanism in PASSWORDS:
        # With the account: as by chance one hash in 4096 is alike, and means nothing.
        password = mask(f"{account}\0{told.pwhash}")
    if told.success:
        outcome, reason = "ok", ""
    elif told.policy_reject:
        outcome, reason = _FAILED["policy"]
    elif told.fail_type:
        outcome, reason = _FAILED.get(told.fail_type, ("failed", "rejected"))
    elif password and is_right(account, password):
        outcome, reason = _FAILED["internal"]
    else:
        outcome, reason = "failed", "rejected"
    service = told.protocol.lower()[:40]
    return Auth(
        at=at,
        gateway=gateway,
        source="auth_policy",
        client=told.client,
        account=account,
        outcome=outcome,
        reason=reason,
        mechanism=mechanism,
        service=SERVICES.get(service, service),
        password=password,
    )
