"""vpopmail 4.x and 5.x: who may read and send mail on a qmail server (vchkpw, authvchkpw).

Wordings from vchkpw.c: ``vchkpw-SERVICE: what happened USER@DOMAIN:ADDRESS``; the domain is
empty where the client gave none. With logging set to "p" or "y" the password stands before the
user. Which program asked (qmail-smtpd, qmail-pop3d, courier-imap) is known from the service
alone, and only since 5.4; who came through a webmail has its address.
"""

import re

from schemas import net
from schemas.events import Auth
from streams.parsers.event import event, name
from streams.parsers.part import Attempt, Format, Items, Mask, Parse, Record

SERVICES = {
    "pop3": "pop3",
    "pop3s": "pop3",
    "imap": "imap",
    "imaps": "imap",
    "smtp": "smtp",
    "smtps": "submission",
    "submission": "submission",
    "webmail": "web",
}

_SUCCESS = re.compile(r"(?:\((?P<mechanism>[\w-]{1,20})\) )?login success ")
_REASONS = (
    # words, outcome, reason
    ("password fail ", "failed", "bad_password"),
    ("null password given ", "failed", "bad_password"),
    ("system password fail ", "failed", "bad_password"),
    ("user has no password ", "failed", "bad_password"),
    ("vpopmail user not found ", "failed", "unknown_account"),
    ("system user not found ", "failed", "unknown_account"),
    ("system user shadow entry not found ", "failed", "unknown_account"),
    ("null user name given ", "failed", "unknown_account"),
    ("invalid user/domain characters ", "failed", "unknown_account"),
    ("pop access denied ", "failed", "disabled"),
    ("smtp access denied ", "failed", "disabled"),
    ("imap access denied ", "failed", "disabled"),
    ("webmail access denied ", "failed", "disabled"),
)
_SECRET = "(pass: '"  # noqa: S105 - what stands before one


class _Parser:
    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def parse(self, record: Record) -> Items | None:
        head, colon, said = record.text.partition(": ")
        if not colon or not head.startswith("vchkpw"):
            return None
        return self._read(record, head[7:], said)

    def of_service(self, service: str) -> Parse:
        """A parser of lines whose tag names the service."""
        return lambda record: self._read(record, service, record.text)

    def _read(self, record: Record, service: str, said: str) -> Items:
        mechanism = password = ""
        success = _SUCCESS.match(said)
        if success:
            outcome, reason, who = "ok", "", said[success.end() :]
            mechanism = (success["mechanism"] or "").upper()
        else:
            for words, outcome, reason in _REASONS:  # noqa: B007 - what is found is used
                if said.startswith(words):
                    who = said[len(words) :]
                    break
            else:
                return ()
        if who.startswith(_SECRET):
            secret, _, who = who[len(_SECRET) :].rpartition("') ")
            password = self._mask(secret)
        account, client = _who(who)
        auth = event(
            Auth,
            record,
            client=client,
            account=name(account).rstrip("@"),
            outcome=outcome,
            reason=reason,
            mechanism=mechanism,
            service=SERVICES.get(service, ""),
            password=password,
        )
        if outcome == "failed" and auth.service in ("smtp", "submission"):
            return (Attempt("smtp", auth, asked(client, auth.account)),)
        return (auth,)


def asked(client: str, account: str) -> str:
    """What joins vchkpw's word on a login at SMTP with that of the program that asked it."""
    return f"vchkpw {client} {account.partition('@')[0]}"


def _who(text: str) -> tuple[str, str]:
    """(account, client) of ``user@domain:address``; an IPv6 address has colons of its own."""
    account, _, address = text.rpartition(":")
    client = net.address(address) if "." in address else ""
    if client:
        return account.removesuffix(":::ffff"), client
    user, at, domain = text.rpartition("@")
    domain, _, address = (domain if at else text).partition(":")
    return user + at + domain if at else domain, net.address(address)


def parser(mask: Mask, program: str) -> Parse | None:
    """The parser of a tag; see `Format`."""
    if program in ("vpopmail", "vchkpw", "authvchkpw", ""):
        return _Parser(mask).parse
    if program.startswith("vchkpw-"):
        return _Parser(mask).of_service(program[7:])
    return None


FORMAT = Format(
    "vpopmail",
    parser,
    begins="vchkpw",
)
