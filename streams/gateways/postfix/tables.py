"""Decisions as the text of Postfix tables: cidr_table(5), access(5), postscreen(8).

The order of the decisions is kept, since the first line of a cidr table that matches counts. An
indexed table is asked for an address, then for its first three octets, two, one: what is more
specific counts, and in the order of decisions that comes first.
"""

from collections.abc import Callable, Iterable, Iterator

from schemas.findings import Decision
from streams import prefixes, targets
from streams.prefixes import Prefix
from streams.writing import HEADER

PHISHING = "REJECT 5.7.1 Phishers collect passwords at this address; ask your help desk"

Act = Callable[[Decision], str]
"""What a table says about a decision; "" where it can say nothing."""


def cidr(decisions: Iterable[Decision], act: Act, versions: Iterable[int] = (4, 6)) -> str:
    """A cidr table of the networks of these IP versions."""
    wanted = set(versions)
    rows = (
        f"{prefixes.address(found)}/{found[2]} {action}\n"
        for found, action in _networks(decisions, act)
        if found[0] in wanted
    )
    return HEADER + "".join(rows)


def indexed(decisions: Iterable[Decision], act: Act) -> str:
    """A table of IPv4 networks for postmap. Prefixes between the octets are written out, in up
    to 256 rows."""
    rows: dict[str, str] = {}
    for found, action in _networks(decisions, act):
        if found[0] == 4:
            for key in _keys(found):
                rows.setdefault(key, action)
    return HEADER + "".join(f"{key} {action}\n" for key, action in rows.items())


def logins(decisions: Iterable[Decision], login_domain: str) -> str:
    """A table for check_sasl_access. Logins of `login_domain` are written without it as well,
    since people may log in either way."""
    rows: dict[str, str] = {}
    for decision in decisions:
        action = account_action(decision)
        if action:
            for name in targets.logins(decision, login_domain):
                rows.setdefault(name, action)
    return HEADER + "".join(f"{name} {action}\n" for name, action in rows.items())


def recipients(addresses: Iterable[str]) -> str:
    """A table for check_recipient_access of addresses that phishers collect answers at. Those of
    a list of others that are no plain addresses are left out."""
    plain = sorted(filter(None, map(targets.address, addresses)))
    return HEADER + "".join(f"{address} {PHISHING}\n" for address in plain)


def client_action(decision: Decision, tarpit: int) -> str:
    """What access(5) is told to do about a client; "" where it can do nothing.

    521 makes smtpd hang up after the reply; with smtpd_delay_reject=yes both that and REJECT
    come at RCPT TO.
    """
    match decision.action:
        case "drop":
            return f"521 5.7.1 Refused [{targets.reference(decision)}]"
        case "reject":
            return f"REJECT 5.7.1 Refused [{targets.reference(decision)}]"
        case "hold":
            return f"HOLD [{targets.reference(decision)}]"
        case "greylist":
            return f"DEFER_IF_PERMIT 4.7.1 Try again later [{targets.reference(decision)}]"
        case "tarpit":
            return (
                f"sleep {tarpit}"
                if tarpit
                else f"DEFER 4.7.1 Later [{targets.reference(decision)}]"
            )
        case "stamp":
            return f"PREPEND Mailwarden-Decision: [{targets.reference(decision)}]"
        case _:
            return _spared(decision, "DUNNO")


def postscreen_action(decision: Decision) -> str:
    if decision.action in ("drop", "reject"):
        return "reject"
    return _spared(decision, "dunno")


def account_action(decision: Decision) -> str:
    match decision.action:
        case "drop" | "reject" | "lock":
            return (
                f"REJECT 5.7.1 This account may not send mail now [{targets.reference(decision)}]"
            )
        case "hold":
            return f"HOLD [{targets.reference(decision)}]"
        case _:
            return _spared(decision, "DUNNO")


def _spared(decision: Decision, word: str) -> str:
    """A pardon is written down, since it must win against a wider network further below."""
    return word if targets.pardoned(decision) else ""


def _networks(decisions: Iterable[Decision], act: Act) -> Iterator[tuple[Prefix, str]]:
    for decision in decisions:
        found, action = targets.prefix(decision), act(decision)
        if found is not None and action:
            yield found, action


def _keys(found: Prefix) -> Iterator[str]:
    """What smtpd asks an indexed table for: whole octets (access(5))."""
    _, first, length = found
    octets = max(1, (length + 7) // 8)
    for number in range(1 << (8 * octets - length)):
        address = prefixes.address((4, first + (number << (32 - 8 * octets)), 32))
        yield ".".join(address.split(".")[:octets])
