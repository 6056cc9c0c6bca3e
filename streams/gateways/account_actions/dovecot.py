"""Dovecot: whose sessions end, by doveadm(1).

``doveadm kick`` takes masks: a name with ``*`` or ``?`` would end everybody's sessions, and one
that is an address would be taken for a client.
"""

import re

from schemas import net
from schemas.findings import Decision
from streams.gateways.account_actions.programs import run
from streams.gateways.account_actions.settings import AccountActionsSettings

NOBODY = 68  # EX_NOHOST: nobody was there to kick

# One word without masks, quotes, colons and backslashes, and nothing that looks like an option.
_PLAIN = re.compile(r"[\w!#$&'+/=^`{|}~.][\w!#$&'+/=^`{|}~.@-]{0,159}")


def login(decision: Decision) -> str:
    """The login that a decision is about; "" where it has none that can be named safely."""
    kind, value = decision.target.kind, decision.target.value
    if kind not in ("account", "client_account") or decision.domain:
        return ""
    name = value.rpartition(" ")[2] if kind == "client_account" else value
    return name if _PLAIN.fullmatch(name) and not net.address(name) else ""


def kick(decision: Decision, settings: AccountActionsSettings) -> str:
    """End the sessions of a login, those from one network only where the decision is about that;
    and forget what the cache of passwords knows of it. Raises GatewayError."""
    config = ["-c", settings.dovecot_config] if settings.dovecot_config else []
    doveadm = [settings.doveadm, *config]
    client: list[str] = []
    if decision.target.kind == "client_account":
        client = [str(net.parse_network(decision.target.value.partition(" ")[0]))]
    ended = False
    for name in spellings(login(decision), settings.login_domain):
        run([*doveadm, "auth", "cache", "flush", name], settings.timeout)
        said = run([*doveadm, "kick", name, *client], settings.timeout, well=(0, NOBODY))
        ended |= b"no users kicked" not in said
    return "sessions ended" if ended else "no session was open"


def spellings(name: str, login_domain: str) -> tuple[str, ...]:
    """How a login may be written: with its domain, and without it where that is the usual one."""
    bare, _, domain = name.rpartition("@")
    return (name, bare) if bare and domain == login_domain else (name,)
