"""Dovecot's authentication server and its workers: one password database's word on an attempt.

Wordings from src/auth/auth-request.c, auth-policy.c and passdb-*.c; PAM's from Linux-PAM's
pam_unix_auth.c and its neighbours. Names of users and, where the site logs them, passwords pass
into the log as they are: an address counts only where no other reading of the line has another
one.
"""

import re

from schemas import net
from schemas.events import Auth
from streams.parsers.dovecot.words import LEVEL, account
from streams.parsers.part import Attempt, Items, Mask, Record

_AUTH = re.compile(
    r",(?P<ip>[0-9A-Fa-f.:]{3,45})(?:,<(?P<old>[^<>\s]{1,64})>)?(?:,sasl:(?P<method>[\w-]{1,20}))?\)"
    r"(?:<(?P<session>[^<>\s]{1,64})>)?: "
)
# Up to 2.3: "auth-worker(12): conn unix:auth-worker (pid=1,uid=97): auth-worker<3>: sql(user,ip):"
_OLD = re.compile(
    rf"(?:\(\w*\): )?{LEVEL}(?:conn unix:\S+ \([^()]*\): auth-worker<\d+>: )?[a-z][\w-]*\("
)
# 2.4: "auth(user,ip,sasl:plain)<session>: Info: sql: text"
_NEW = re.compile(rf"{LEVEL}(?:[a-z][\w-]*: )?")
_GIVEN = re.compile(r" ?\((?P<sha1>SHA1 of )?given password: (?P<secret>.*)\)", re.DOTALL)
_REASONS = (
    ("unknown user", "unknown_account"),
    ("User unknown", "unknown_account"),
    ("pam_authenticate() failed: User not known", "unknown_account"),
    ("Username character disallowed", "unknown_account"),
    ("Password mismatch", "bad_password"),
    ("password mismatch", "bad_password"),
    ("invalid credentials", "bad_password"),
    ("pam_authenticate() failed:", "bad_password"),
    ("Authentication failure due to policy", "policy"),
    ("allow_nets check failed", "policy"),
    ("Empty username", "unknown_account"),
    ("Attempted login with password having illegal chars", "bad_password"),
    ("Login failed", "bad_password"),  # checkpassword
    ("oauth2 failed: ", "bad_password"),
    ("Password expired", "expired"),
    ("Attempted master login with no master passdbs", "not_authorized"),
    ("Master user login attempted without master passdbs", "not_authorized"),
    ("User found from deny passdb", "disabled"),
    ("User is disabled", "disabled"),
    ("Account is disabled", "disabled"),
    ("pam_acct_mgmt() failed:", "disabled"),
)
_PAM = re.compile(
    r"pam_\w{1,20}\([\w-]+:auth\): authentication failure; .*\brhost=(?P<ip>\S+)"
    r"(?:  ?user=(?P<user>.*))?"
)

_WINBIND = re.compile(
    r"pam_winbind\([\w-]{1,32}:auth\): user '(?P<user>.{0,320})' denied access \([^()]{1,200}\)",
    re.DOTALL,
)


def read(mask: Mask, record: Record, rest: str) -> Items:
    """A detail of an attempt: one password database's word on it."""
    if "rhost=" in rest and ":auth)" in rest:
        return _pam(record, rest)
    if rest.startswith("pam_winbind("):
        return _winbind(record, rest)
    found = list(_AUTH.finditer(rest))
    if not found:
        return ()
    who = found[0]
    if len({one["ip"] for one in found}) > 1:
        return ()  # a name or password made to look like this line: who it was is unknown
    before, text = rest[: who.start()], rest[who.end() :]
    old = _OLD.match(before)
    if old:
        user = before[old.end() :]
    elif before.startswith("("):
        user, text = before[1:], text[_end(_NEW.match(text)) :]
    else:
        return ()
    reason = next((reason for words, reason in _REASONS if text.startswith(words)), "")
    if not reason:
        return ()
    given = _GIVEN.search(text)
    password = ""
    if given:
        password = mask(("sha1:" if given["sha1"] else "") + given["secret"])
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=net.address(who["ip"]),
        account=account(user),
        outcome="failed",
        reason=reason,
        mechanism=(who["method"] or "").upper(),
        password=password,
    )
    return (Attempt("detail", auth, who["old"] or who["session"] or ""),)


def _end(found: re.Match[str] | None) -> int:
    return found.end() if found else 0


def _pam(record: Record, rest: str) -> Items:
    found = _PAM.search(rest)
    if found is None or (rest.count("rhost=") > 1 and " user=" in rest):
        return ()  # a name made to look like the rest of the line: who it was is unknown
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        client=net.address(found["ip"]),
        account=account(found["user"] or ""),
        outcome="failed",
        reason="bad_password",
    )
    return (Attempt("early", auth),) if auth.client else ()


def _winbind(record: Record, rest: str) -> Items:
    """Winbind's word; it does not know the client, whom Dovecot's own line names."""
    found = _WINBIND.fullmatch(rest)
    if found is None:
        return ()
    auth = Auth(
        at=record.at,
        gateway=record.host,
        offset=record.offset,
        account=account(found["user"]),
        outcome="failed",
        reason="bad_password",
    )
    return (Attempt("early", auth),)
