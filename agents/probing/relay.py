"""Does a server pass on mail of strangers to strangers? Each form of address is tried.

A try ends before DATA: that a recipient is taken shows what a spammer wants to know. Some
servers take every recipient and refuse or report the mail afterwards; with a mailbox elsewhere
that we can read, a letter of each accepted form is sent there, and what arrives is the proof.
"""

import asyncio
import secrets
from collections.abc import Iterable
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from agents.probing.forms import Form
from agents.probing.session import NoAnswerError, Reply, Session, Target
from streams.parsers import reply as replies

Verdict = Literal["refused", "accepted", "relayed", "bounced", "unknown"]
Outcome = Literal["closed", "open", "unknown"]

MARK = "X-Mailwarden-Probe"
NOT_THE_FORM = ("listed", "greylisted", "overload", "no_reverse_name")
"""Reasons of a refusal that say something of the one who asks, and nothing of relaying."""
OF_THE_CLIENT = ("client host", "helo command")
"""So do words that begin with it."""
OF_SENDERS = ("null sender", "own sender", "literal sender")
"""Forms that ask about the sender: that it is refused is their answer."""


class Try(Struct, frozen=True):
    """One form and what came of it."""

    form: str
    sender: str
    recipient: str
    verdict: Verdict
    step: str  # the last command that was said
    reply: str  # to it
    seconds: float = 0.0  # that it took
    token: str = ""  # by which a letter that was sent is known again


class Plan(Struct, frozen=True):
    """What is tried, and how gently."""

    forms: tuple[Form, ...]
    domain: str  # one of the server's own
    deliver: bool = False  # send a letter where a form is accepted
    pause: float = 0.5  # seconds between two tries


async def probe(target: Target, plan: Plan) -> list[Try]:
    """Try all forms one after the other. A server that cannot be asked makes its tries unknown;
    nothing is raised."""
    asker = _Asker(target, plan)
    found = []
    try:
        takes_anybody = await asker.takes_anybody()
        for form in plan.forms:
            await asyncio.sleep(plan.pause)
            tried = await asker.patiently(form)
            if tried.verdict == "accepted" and takes_anybody and form.ours(plan.domain):
                tried = _no_proof(tried)
            found.append(tried)
    finally:
        await asker.close()
    return found


def outcome(tries: Iterable[Try]) -> Outcome:
    """One form that is accepted makes a relay; closed is what refused all of them."""
    verdicts = {tried.verdict for tried in tries}
    if verdicts & {"accepted", "relayed"}:
        return "open"
    return "closed" if verdicts and verdicts <= {"refused", "bounced"} else "unknown"


class _Asker:
    """Keeps one session for all forms; a server that hangs up is called once more."""

    def __init__(self, target: Target, plan: Plan) -> None:
        self._target = target
        self._plan = plan
        self._session: Session | None = None

    async def takes_anybody(self) -> bool:
        """Whether a name that nobody has is accepted at the server's own domain: then that it
        accepts a form which ends there says nothing."""
        nobody = f"{secrets.token_hex(8)}@{self._plan.domain}"
        form = Form("plain", self._plan.forms[0].sender, nobody)
        try:
            _, said = await self._ask(form)
        except NoAnswerError:
            return False
        return said.good

    async def patiently(self, form: Form) -> Try:
        """An answer of a session of its own, where the one before ended with too many errors."""
        fresh = self._session is None
        try:
            step, said = await self._ask(form)
        except NoAnswerError as lost:
            await self.close()
            return _tried(form, "unknown", "", str(lost)) if fresh else await self.patiently(form)
        if said.code == 421 and not fresh:
            await self.close()
            return await self.patiently(form)
        if said.good and self._plan.deliver:
            return await self._send(form)
        return _judged(form, step, said)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.__aexit__()

    async def _ask(self, form: Form) -> tuple[str, Reply]:
        """The last command and its reply, of MAIL and RCPT."""
        session = self._session
        if session is None:
            session = Session(self._target)
            await session.__aenter__()
            self._session = session
            await session.hello()
        else:
            await session.say("RSET")
        said = await session.mail(form.sender)
        if not said.good:
            return "MAIL", said
        return "RCPT", await session.rcpt(form.recipient)

    async def _send(self, form: Form) -> Try:
        token = secrets.token_hex(12)
        session = self._session
        if session is None:
            return _tried(form, "unknown", "DATA", "the session has ended")
        try:
            said = await session.data(letter(form, token))
        except NoAnswerError as lost:
            await self.close()
            return _tried(form, "unknown", "DATA", str(lost))
        if not said.good:
            return _judged(form, "DATA", said)
        return replace(_judged(form, "DATA", said), token=token)


def letter(form: Form, token: str) -> bytes:
    """A letter that says what it is, with a token that no other has."""
    message = EmailMessage()
    message["From"] = f"<{form.sender or 'postmaster'}>"
    message["Subject"] = f"relay test ({form.name})"
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{token}@mailwarden.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message[MARK] = token
    message.set_content(
        f"A test whether a mail server relays, asked for by who runs it.\n{MARK}: {token}\n"
    )
    return message.as_bytes()


def proved(tries: Iterable[Try], relayed: frozenset[str], bounced: frozenset[str]) -> list[Try]:
    """The tries with what arrived at the mailbox: tokens of letters, and of reports on them."""
    found = []
    for tried in tries:
        if tried.token and tried.token in relayed:
            found.append(replace(tried, verdict="relayed"))
        elif tried.token and tried.token in bounced:
            found.append(replace(tried, verdict="bounced"))
        else:
            found.append(tried)
    return found


def _judged(form: Form, step: str, said: Reply) -> Try:
    text = f"{said.code} {said.text}"
    verdict: Verdict = "unknown"
    if said.good:
        verdict = "accepted"
    else:
        words = _words(said)
        _, reason = replies.verdict(said.code, said.enhanced, words)
        of_client = reason in NOT_THE_FORM or words.lower().startswith(OF_THE_CLIENT)
        of_sender = step == "MAIL" or words.lower().startswith("sender address")
        if of_sender and form.name not in OF_SENDERS:
            # Nothing was said of the recipient.
            text = f"{text} (the sender is refused: name another one)"
        elif not of_client and (said.code >= 500 or reason == "relay_denied"):
            # A 4xx that denies relaying refuses it: Postfix's defer_unauth_destination.
            verdict = "refused"
    return _tried(form, verdict, step, text, said.seconds)


def _words(said: Reply) -> str:
    """Without codes and the address that the server repeats: we chose it."""
    text = said.text.removeprefix(said.enhanced).lstrip()
    return text.partition(">: ")[2] or text


def _tried(form: Form, verdict: Verdict, step: str, text: str, seconds: float = 0.0) -> Try:
    return Try(form.name, form.sender, form.recipient, verdict, step, text, seconds)


def _no_proof(tried: Try) -> Try:
    """Accepted by a server that accepts any name of its domain."""
    return replace(
        tried, verdict="unknown", reply=f"{tried.reply} (it accepts any name of its domain)"
    )
