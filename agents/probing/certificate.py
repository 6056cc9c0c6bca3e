"""STARTTLS on a server of ours: is it offered, whose certificate is it, and what comes after it."""

import ssl

from agents.probing.grades import Graded
from agents.probing.session import Session, Target
from agents.words import many
from schemas import net

SOON = 14  # days before its end at which a certificate should have been renewed
DAY = 86400.0
NAME = "STARTTLS"
PORT_25 = 25


async def starttls(target: Target, trusted: ssl.SSLContext, now: float) -> list[Graded]:
    """What `trusted` makes of the server's certificate, `now` in Unix seconds. Raises
    NoAnswerError."""
    async with Session(target) as session:
        await session.hello()
        if "starttls" not in session.extensions:
            cure = "give it a certificate (in Postfix smtpd_tls_security_level = may)"
            return [Graded(NAME, "warning", "it is not offered", cure)]
        # A server that is named by its address goes by the name that it greets with.
        name = session.greeting.text.partition(" ")[0] if net.address(target.host) else target.host
        try:
            await session.starttls(trusted, name)
        except ssl.SSLCertVerificationError as error:
            return [_refused(name, error)]
        except ssl.SSLError as error:
            text = f"it fails: {error.reason or error}"
            return [Graded(NAME, "critical", text, "see the server's log for its reason")]
        found = [_valid(name, session.tls, now)]
        await session.hello()
        if target.port == PORT_25:
            found.append(_logins(session))
        return found


def _refused(name: str, error: ssl.SSLCertVerificationError) -> Graded:
    expired = "expired" in error.verify_message
    return Graded(
        NAME,
        "critical" if expired else "warning",
        f"the certificate is not good for {name}: {error.verify_message}",
        "renew it" if expired else f"get one for {name} from an authority that others trust",
    )


def _valid(name: str, tls: ssl.SSLObject | None, now: float) -> Graded:
    certificate = (tls.getpeercert() if tls else None) or {}
    until = certificate.get("notAfter")
    if not isinstance(until, str):
        return Graded(NAME, "ok", f"the certificate is good for {name}")
    days = int((ssl.cert_time_to_seconds(until) - now) // DAY)
    text = f"the certificate is good for {name}, for {many(days, 'day')} more"
    if days < SOON:
        return Graded(NAME, "warning", text, "renew it, and see why nothing did")
    return Graded(NAME, "ok", text)


def _logins(session: Session) -> Graded:
    offered = session.extensions.get("auth", "")
    if "auth" not in session.extensions:
        return Graded("auth on port 25", "ok", "no login is offered there")
    return Graded(
        "auth on port 25",
        "warning",
        f"logins are offered on the port of other servers: {offered}",
        "let users log in on 587 and 465 only (in Postfix smtpd_sasl_auth_enable = no for smtp)",
    )
