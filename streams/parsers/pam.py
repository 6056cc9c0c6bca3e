"""saslauthd and PAM where mail services ask them: who wanted to log in, and why not.

saslauthd's wordings from cyrus-sasl's saslauthd/saslauthd-main.c (``do_auth : auth failure:
[user=U] [service=S] [realm=R] [mech=M] [reason=T]``) and auth_zimbra; PAM's from Linux-PAM's
pam_unix_auth.c and pam_faillock.c, and sssd's pam_sss.c. saslauthd is never told the client;
PAM only by some programs. The program that asked logs the same attempt: these are its details.
Dovecot's PAM lines are read with Dovecot's.
"""

import re

from schemas import net
from schemas.events import Auth
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Items, Mask, Parse, Record

SERVICES = {
    **dict.fromkeys(("smtp", "smtps", "smtpd", "sendmail", "postfix", "exim", "esmtp"), "smtp"),
    **dict.fromkeys(("submission", "submissions"), "submission"),
    **dict.fromkeys(("imap", "imaps", "imapd", "imap4"), "imap"),
    **dict.fromkeys(("pop", "pop3", "pop3s", "pop3d", "ipop3d"), "pop3"),
    **dict.fromkeys(("sieve", "managesieve", "timsieved"), "sieve"),
    **dict.fromkeys(("squirrelmail", "roundcube", "horde", "sogo", "webmail"), "web"),
    **dict.fromkeys(("mail", "cyrus", "courier", "perdition", "lmtp", "saslauthd"), ""),
}
TAGS = frozenset(
    {"saslauthd", "authdaemond", "auth", "imap", "imapd", "pop3", "pop3d", "ipop3d", "perdition"}
)

_PAM = re.compile(
    r"(?:(?P<module>pam_(?:unix|sss|faillock|tally2?|ldap|krb5|winbind))\((?P<service>[\w-]{1,32})"
    r":(?:auth|account)\)|(?P<old>[\w-]{1,32})\(pam_unix\)(?:\[\d+\])?): (?P<said>.*)",
    re.DOTALL,
)
_MANY = re.compile(r"(?P<count>\d{1,4}) more authentication failures?; ")
_RECEIVED = re.compile(r"received for user (?P<user>.{0,320}): (?P<code>\d{1,3}) \(.*\)", re.DOTALL)
_SASL = re.compile(
    r".{0,30}: ?auth (?P<what>failure|success): \[user=(?P<user>.*)\] "
    r"\[service=(?P<service>[^\]]*)\] \[realm=(?P<realm>[^\]]*)\]"
    r"(?: \[mech=[^\]]*\])?(?: \[reason=[^\]]*\])?",
    re.DOTALL,
)
_ZIMBRA = re.compile(r"auth_zimbra: (?P<user>.{1,320}) auth failed: .*", re.DOTALL)
_CODES = {"7": "bad_password", "10": "unknown_account", "13": "disabled", "6": "not_authorized"}


def _read(record: Record) -> Items | None:
    text = record.text
    if text.startswith("pam_") or "(pam_unix)" in text[:50]:
        return _pam(record, text)
    if " auth failure: [" in text[:60] or " auth success: [" in text[:60]:
        return _sasl(record, text)
    if text.startswith("auth_zimbra: "):
        found = _ZIMBRA.fullmatch(text)
        if found is None:
            return ()
        return (Attempt("detail", _auth(record, "smtp", "", found["user"], "bad_password")),)
    return None


def _pam(record: Record, text: str) -> Items | None:
    found = _PAM.fullmatch(text)
    if found is None:
        return None
    service = SERVICES.get(found["service"] or found["old"])
    if service is None:
        return None  # somebody logs in to the machine
    said = found["said"]
    received = _RECEIVED.fullmatch(said)
    if received:
        reason = _CODES.get(received["code"], "")
        if not reason:
            return ()
        return (Attempt("early", _auth(record, service, "", received["user"], reason)),)
    many = _MANY.match(said)
    if many is None and not said.startswith("authentication failure; "):
        return ()  # "check pass; user unknown" comes before the line that tells more
    client, user = _fields(said)
    count = int(many["count"]) if many else 1
    return (Attempt("early", _auth(record, service, client, user, "bad_password", count)),)


def _fields(said: str) -> tuple[str, str]:
    """(client, account) of ``... ruser=X rhost=HOST  user=NAME``; nothing where a name was made
    to look like the rest of the line: who it was is then unknown."""
    before, found, rest = said.rpartition(" rhost=")
    if not found or "rhost=" in rest or _forged(before, rest):
        return "", ""
    host, _, who = rest.partition(" ")
    return net.address(host), who.lstrip(" ").removeprefix("user=")


def _forged(before: str, rest: str) -> bool:
    """Whether there are two hosts, of which either may be PAM's: a name that looks like a host
    stands before PAM's as ``ruser=``, after it as ``user=``."""
    earlier = before.find("rhost=")
    return earlier >= 0 and ("user=" in rest or "  user=" in before[earlier:])


def _sasl(record: Record, text: str) -> Items | None:
    found = _SASL.fullmatch(text)
    if found is None:
        return ()
    if found["what"] == "success":
        return ()
    realm, user = found["realm"], found["user"]
    account = f"{user}@{realm}" if realm and "@" not in user else user
    service = SERVICES.get(found["service"].lower(), "")
    return (Attempt("detail", _auth(record, service, "", account, "bad_password")),)


def _auth(
    record: Record, service: str, client: str, user: str, reason: str, count: int = 1
) -> Auth:
    return event(
        Auth,
        record,
        client=client,
        account=name(user),
        outcome="failed",
        reason=reason,
        service=service,
        count=count,
    )


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`. Dovecot's own comes before it."""
    return _read if program in TAGS or not program else None


FORMAT = Format(
    "pam",
    parser,
    begins="pam_|auth_zimbra: ",
    holds=("(pam_unix)", " auth failure: [", " auth success: ["),
)
