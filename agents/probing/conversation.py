"""What a stranger learns by talking SMTP to a server of ours, each in a session of its own."""

import secrets
from collections.abc import Awaitable, Callable

from agents.probing.grades import Graded
from agents.probing.session import NoAnswerError, Reply, Session
from streams.parsers import reply as replies

GUESSES = 14  # names that nobody has: Postfix slows down after 10 errors
SLOW = 0.9  # seconds for an answer from which on guessing is slowed

Check = Callable[[Session, str], Awaitable[list[Graded]]]
"""Asks in a session that was greeted; the text is a domain of the server's own. May raise
NoAnswerError."""


async def auth_in_clear(session: Session, domain: str) -> list[Graded]:
    """Passwords that anybody on the way can read (RFC 4954, 4)."""
    offered = session.extensions.get("auth", "")
    if "auth" not in session.extensions:
        return [Graded("auth without TLS", "ok", "no login is offered before STARTTLS")]
    return [
        Graded(
            "auth without TLS",
            "critical",
            f"logins are offered without TLS: {offered}",
            "offer them only after STARTTLS (in Postfix smtpd_tls_auth_only = yes)",
        )
    ]


async def verify(session: Session, domain: str) -> list[Graded]:
    """VRFY and EXPN tell who exists (RFC 5321, 7.3)."""
    real = await session.say(f"VRFY postmaster@{domain}")
    nobody = await session.say(f"VRFY {_nobody(domain)}")
    expanded = await session.say(f"EXPN postmaster@{domain}")
    found = []
    if real.code in (250, 251) or real.good != nobody.good:
        text = f"VRFY tells who exists: {real.code} for postmaster, {nobody.code} for nobody"
        cure = "switch it off (in Postfix disable_vrfy_command = yes)"
        found.append(Graded("VRFY", "warning", text, cure))
    else:
        text = f"VRFY tells nothing: {real.code} {real.text}"
        found.append(Graded("VRFY", "ok", text))
    if expanded.code in (250, 251):
        text = f"EXPN tells who is on a list: {expanded.code} {expanded.text}"
        found.append(Graded("EXPN", "warning", text, "switch it off"))
    else:
        text = f"EXPN tells nothing: {expanded.code} {expanded.text}"
        found.append(Graded("EXPN", "ok", text))
    return found


async def unknown_recipients(session: Session, domain: str) -> list[Graded]:
    """Mail for names that nobody has must be refused at RCPT, or it comes back as a report to
    whoever the spammer has named."""
    said = await _rcpt(session, _nobody(domain))
    name = "unknown recipients"
    if said.good:
        cure = "refuse them at RCPT (in Postfix relay_recipient_maps, local_recipient_maps or"
        text = "mail for names that nobody has is accepted"
        return [Graded(name, "warning", text, f"{cure} reject_unverified_recipient)")]
    if _relay_denied(said):
        return [_not_ours(name, said)]
    if said.code < 500:
        return [Graded(name, "unknown", f"deferred: {said.code} {said.text}")]
    return [Graded(name, "ok", f"refused: {said.code} {said.text}")]


async def tarpit(session: Session, domain: str) -> list[Graded]:
    """Whether guessing of names is slowed down or ended; how fast it is."""
    name = "tarpit"
    slowest = 0.0
    for count in range(1, GUESSES + 1):
        try:
            said = await _rcpt(session, _nobody(domain), again=count > 1)
        except NoAnswerError:
            if count == 1:
                raise
            return [Graded(name, "ok", f"it hangs up after {count - 1} unknown names")]
        if said.code == 421:
            return [Graded(name, "ok", f"it hangs up after {count} unknown names")]
        if said.good or _relay_denied(said):
            return [Graded(name, "unknown", "unknown names are not refused as such")]
        slowest = max(slowest, said.seconds)
        if slowest >= SLOW:
            text = f"the answer to the {count}. unknown name took {slowest:.1f} s"
            return [Graded(name, "ok", text)]
    return [
        Graded(
            name,
            "warning",
            f"{GUESSES} unknown names are answered in {slowest:.2f} s each at most",
            "slow down and hang up on errors (in Postfix smtpd_error_sleep_time,"
            " smtpd_soft_error_limit, smtpd_hard_error_limit)",
        )
    ]


def duty(name: str, source: str) -> Check:
    """A check whether mail for `name` at our domain is accepted, as `source` demands."""

    async def check(session: Session, domain: str) -> list[Graded]:
        said = await _rcpt(session, f"{name}@{domain}")
        text = f"{name}@{domain}: {said.code} {said.text}"
        if said.good:
            return [Graded(name, "ok", text)]
        if _relay_denied(said):
            return [_not_ours(name, said)]
        if said.code < 500:
            return [Graded(name, "unknown", text)]
        cure = f"accept mail for {name}@{domain} ({source}), and read it"
        return [Graded(name, "warning", text, cure)]

    return check


CHECKS: dict[str, Check] = {
    "auth without TLS": auth_in_clear,
    "VRFY": verify,
    "unknown recipients": unknown_recipients,
    "tarpit": tarpit,
    "postmaster": duty("postmaster", "RFC 5321, 4.5.1"),
    "abuse": duty("abuse", "RFC 2142, 4"),
}


def _nobody(domain: str) -> str:
    return f"{secrets.token_hex(8)}@{domain}"


async def _rcpt(session: Session, recipient: str, *, again: bool = False) -> Reply:
    if not again:
        said = await session.mail("")  # nobody can be reported to
        if not said.good:
            return said
    return await session.rcpt(recipient)


def _relay_denied(said: Reply) -> bool:
    words = said.text.partition(">: ")[2] or said.text
    return replies.verdict(said.code, said.enhanced, words)[0] == "relay_denied"


def _not_ours(check: str, said: Reply) -> Graded:
    text = f"it takes no mail for the domain: {said.code} {said.text}"
    return Graded(check, "unknown", text, "name one that it does take mail for with --domain")
