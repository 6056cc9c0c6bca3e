"""Decisions as the text of Postfix tables: cidr_table(5), access(5), postscreen(8).

The order of the decisions is kept, since the first line of a cidr table that matches counts.
What others wrote never reaches a table as it is: addresses are written anew by `ipaddress`,
logins are taken only if they are plain, and ids keep harmless characters only.
"""

import re
from collections.abc import Callable, Iterable

from schemas import net
from schemas.findings import Decision

HEADER = "# Written by mailwarden from the decisions in force. Changes made here are lost.\n"

# Without white space, quotes, comment signs and backslashes; texthash: keys are one such word.
_PLAIN_LOGIN = re.compile(r"[\w!$%&'*+/=?^`{|}~.@-]{1,160}")
_HARMFUL = re.compile(r"[^A-Za-z0-9:./@_-]")


def clients(decisions: Iterable[Decision], tarpit: int) -> str:
    """A cidr table for check_client_access. A tarpit sleeps so many seconds; 0: it defers."""
    return _table(decisions, lambda decision: client_action(decision, tarpit))


def postscreen(decisions: Iterable[Decision]) -> str:
    """A cidr table for postscreen_access_list, which knows permit, reject and dunno only."""
    return _table(decisions, postscreen_action)


def accounts(decisions: Iterable[Decision], login_domain: str) -> str:
    """A texthash table for check_sasl_access. Logins of `login_domain` are written without it
    as well, since people may log in either way."""
    rows: dict[str, str] = {}
    for decision in decisions:
        name, action = login(decision), account_action(decision)
        if not name or not action:
            continue
        rows.setdefault(name, action)
        bare, _, domain = name.rpartition("@")
        if bare and domain == login_domain:
            rows.setdefault(bare, action)
    return HEADER + "".join(f"{name} {action}\n" for name, action in rows.items())


def network(decision: Decision) -> str:
    """The canonical network of a decision; "" where it has none, or is about one domain's
    mail, which a table of clients cannot tell."""
    if decision.target.kind != "network" or decision.domain:
        return ""
    try:
        return str(net.parse_network(decision.target.value))
    except ValueError:
        return ""


def login(decision: Decision) -> str:
    """The login of a decision; "" where it has none that can be written down."""
    if decision.target.kind != "account" or decision.domain:
        return ""
    return decision.target.value if _PLAIN_LOGIN.fullmatch(decision.target.value) else ""


def client_action(decision: Decision, tarpit: int) -> str:
    """What access(5) is told to do about a client; "" where it can do nothing.

    521 makes smtpd hang up after the reply; with smtpd_delay_reject=yes both that and REJECT
    come at RCPT TO.
    """
    match decision.action:
        case "drop":
            return f"521 5.7.1 Refused {_reference(decision)}"
        case "reject":
            return f"REJECT 5.7.1 Refused {_reference(decision)}"
        case "hold":
            return f"HOLD {_reference(decision)}"
        case "greylist":
            return f"DEFER_IF_PERMIT 4.7.1 Try again later {_reference(decision)}"
        case "tarpit":
            return f"sleep {tarpit}" if tarpit else f"DEFER 4.7.1 Later {_reference(decision)}"
        case "stamp":
            return f"PREPEND Mailwarden-Decision: {_reference(decision)}"
        case _:
            return _spared(decision, "DUNNO")


def postscreen_action(decision: Decision) -> str:
    if decision.action in ("drop", "reject"):
        return "reject"
    return _spared(decision, "dunno")


def account_action(decision: Decision) -> str:
    match decision.action:
        case "drop" | "reject" | "lock":
            return f"REJECT 5.7.1 This account may not send mail now {_reference(decision)}"
        case "hold":
            return f"HOLD {_reference(decision)}"
        case _:
            return _spared(decision, "DUNNO")


def _spared(decision: Decision, word: str) -> str:
    """A pardon is written down, since it must win against a wider network further below."""
    return word if decision.origin == "pardon" else ""


def _reference(decision: Decision) -> str:
    return f"[{_HARMFUL.sub('_', decision.id)[:120]}]"


def _table(decisions: Iterable[Decision], action: Callable[[Decision], str]) -> str:
    rows = ((network(decision), action(decision)) for decision in decisions)
    return HEADER + "".join(f"{left} {right}\n" for left, right in rows if left and right)
