"""Mails to the help desk and to the owner of an account, about what was decided and done."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

import aiosmtplib

from schemas.findings import Decision
from streams.gateway import GatewayError, Note
from streams.gateways.account_actions.settings import AccountActionsSettings

HELP_DESK = """\
{account} may be in other hands.

What was seen: {reason}
Decided: {action}, until {until}
Done: {done}
Alert: {alert}

To undo it: mailwarden decisions remove account:{account}
Who is responsible for the account needs a new password before that.
"""
USER = """\
Something unusual was seen at your account {account}: mail or logins that may not be yours.

{effect}
Please call your help desk. Nobody will ask you for your password in a mail.
"""
EFFECTS = {
    "kick": "You were logged out everywhere.",
    "purge": "Mail that had not left yet was held back.",
}
FAILURES = (aiosmtplib.SMTPException, OSError, ValueError)
LOCKED = "You cannot log in at the moment."


def send(decision: Decision, account: str, done: Sequence[str], s: AccountActionsSettings) -> str:
    """Tell whoever is to be told; says whom. Raises GatewayError where the relay does not take
    it."""
    mails = [help_desk(decision, account, done, s)] if s.help_desk else []
    if s.tell_user and "@" in account:
        mails.append(user(decision, account, done, s))
    for mail in mails:
        _deliver(mail, s)
    return "told " + ", ".join(str(mail["To"]) for mail in mails) if mails else "nobody to tell"


def reachable(s: AccountActionsSettings) -> Note:
    """Whether the relay takes mail from here; none is sent."""
    try:
        asyncio.run(_greeted(s))
    except FAILURES as error:
        remedy = ('relay = "HOST:PORT" of a relay that takes mail from here',)
        return Note("failed", f"the relay {s.relay} does not answer: {error}", remedy)
    return Note("ok", f"the relay {s.relay} answers")


async def _greeted(s: AccountActionsSettings) -> None:
    host, _, port = s.relay.rpartition(":")
    relay = aiosmtplib.SMTP(
        hostname=host.strip("[]"), port=int(port), timeout=s.timeout, validate_certs=False
    )
    async with relay:
        await relay.noop()


def help_desk(
    decision: Decision, account: str, done: Sequence[str], s: AccountActionsSettings
) -> EmailMessage:
    until = datetime.fromtimestamp(decision.until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    text = HELP_DESK.format(
        account=account,
        reason=_one_line(decision.reason),
        action=decision.action,
        until=until,
        done=", ".join(done) or "nothing more",
        alert=_one_line(decision.alert) or "none: a person decided",
    )
    return _mail(", ".join(s.help_desk), f"Account {account}: {decision.action}", text, s)


def user(
    decision: Decision, account: str, done: Sequence[str], s: AccountActionsSettings
) -> EmailMessage:
    effects = [words for step, words in EFFECTS.items() if step in done]
    if decision.action == "lock":
        effects.append(LOCKED)
    effect = "".join(f"{words}\n" for words in effects)
    return _mail(account, "Your mail account", USER.format(account=account, effect=effect), s)


def _mail(to: str, subject: str, text: str, s: AccountActionsSettings) -> EmailMessage:
    mail = EmailMessage()
    sender = s.sender or f"mailwarden@{socket.gethostname()}"
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody answers by itself
    mail.set_content(text)
    return mail


def _deliver(mail: EmailMessage, s: AccountActionsSettings) -> None:
    host, _, port = s.relay.rpartition(":")
    try:
        asyncio.run(
            aiosmtplib.send(
                mail,
                hostname=host.strip("[]"),
                port=int(port),
                timeout=s.timeout,
                validate_certs=False,  # TLS where the relay has it, as between all relays
            )
        )
    except FAILURES as error:
        raise GatewayError(f"{s.relay}: {error}") from error


def _one_line(text: str) -> str:
    """What a log line said cannot begin a line of its own."""
    return "".join(c if c.isprintable() else "?" for c in text)[:500]
