"""What a person orders: a decision of their own, or a pardon.

Both outrank what the machine decides (streams/blocklist.py). Networks that are our own, allowed
or trusted are refused to people as well: who locks themselves out cannot undo it.
"""

import ipaddress

from agents.configuration import Config
from agents.operator.person import UNNAMED
from agents.response import APPROVERS
from schemas import keys, net
from schemas.events import Signal
from schemas.findings import Action, Decision, Target, approved, decision_id
from streams.blocklist import ALWAYS, SHORTEST

STEPS = {4: 8, 6: 16}  # bits
LONGEST_DOMAIN = 253  # characters

DEFAULT: dict[str, Action] = {
    "network": "drop",
    "account": "lock",
    "address": "reject",
    "domain": "reject",
    "client_account": "reject",
}
KINDS = tuple(DEFAULT)


class OrderError(Exception):
    """What was ordered cannot be done, and why."""


def target(text: str, config: Config) -> Target:
    """What is meant by an address, a network, a login, or ``KIND:VALUE``.

    A single IPv6 address stands for its /64, which one host commands. Raises OrderError.
    """
    text = text.strip()
    kind, colon, value = text.partition(":")
    if colon and kind in KINDS:
        return _canonical(kind, value.strip(), config)
    if net.address(text) or _is_network(text):
        return _canonical("network", text, config)
    if "@" in text:
        return _canonical("account", text, config)
    raise OrderError(
        f"{text!r} is no address, network or login; say what it is, as account:{text or 'NAME'}"
        f" (one of {', '.join(KINDS)})"
    )


def decision(
    on: Target,
    config: Config,
    *,
    action: Action | None,
    seconds: float,
    reason: str,
    now: float,
    force: bool = False,
    by: str = "",
    login: str = "",
) -> Decision:
    """A decision that holds whatever the machine thinks; `force` for what is likely a slip, and
    is meant all the same. Where its action needs two persons, who orders it is the first: `by` as
    they say, `login` as the system does. Raises OrderError."""
    client, account = on.value, on.value
    if on.kind == "client_account":
        client, _, account = on.value.partition(" ")
    if on.kind in ("network", "client_account"):
        _permitted(client, config)
        if not force:
            _narrow(client, config)
    if on.kind == "domain" and on.value in config.site.domains:
        raise OrderError(f"{on.value} is a domain of ours")
    if on.kind != "network" and not force:
        _plausible(on.kind, account, config)
    name, _, domain = on.value.rpartition("@")
    if on.kind == "address" and name in ALWAYS and domain in config.site.domains:
        raise OrderError(f"{on.value} must take mail, whatever happens (RFC 5321, 4.5.1)")
    chosen = action or DEFAULT[on.kind]
    waits = chosen in config.settings.response.approve
    return Decision(
        id=f"{decision_id(on, chosen)}:manual",
        target=on,
        action=chosen,
        reason=reason,
        origin="manual",
        since=now,
        until=now + seconds,
        enforced=not waits,
        needs=APPROVERS if waits else 0,
        approvals=(named(by, login),) if waits else (),
    )


def approval(decision: Decision, *, name: str, login: str) -> Decision:
    """The decision with the approval of one more person. `name` is who they say they are,
    `login` who the system says. Raises OrderError where it needs none, or not theirs."""
    if not decision.needs or decision.enforced:
        raise OrderError(f"{decision.id} waits for nobody's approval")
    person = named(name, login)
    for before in decision.approvals:
        if _names(person) & _names(before):
            raise OrderError(f"{before} has approved already: it needs another person")
    return approved(decision, person)


def named(name: str, login: str) -> str:
    """A person by the name they give and their login; by one where they are the same. A login
    that several share is no name. Raises OrderError."""
    own = "" if login in UNNAMED else login
    if not name and not own:
        raise OrderError("several persons may be behind this login: say with --by who you are")
    if not name or name == own:
        return own
    return f"{name} ({own})" if own else name


def _names(person: str) -> set[str]:
    return set(person.rstrip(")").split(" ("))


def pardon(on: Target, *, seconds: float, reason: str, now: float) -> Decision:
    """Nothing is done about the target, whatever the machine decides meanwhile. Raises
    OrderError."""
    if on.kind in ("network", "client_account"):
        _conceivable(on.value.partition(" ")[0], "; `mailwarden panic` lifts everything")
    return Decision(
        id=f"{decision_id(on, 'observe')}:pardon",
        target=on,
        action="observe",
        reason=reason,
        origin="pardon",
        since=now,
        until=now + seconds,
        enforced=True,
    )


def release(decision: Decision, at: float) -> Signal | None:
    """What the watchers of an account hear of its pardon: it has a day of grace."""
    if decision.origin != "pardon" or decision.target.kind != "account":
        return None
    account = decision.target.value
    return Signal(at=at, about=f"m:{account}", kind="released", account=account)


def _canonical(kind: str, value: str, config: Config) -> Target:
    default_domain = config.site.default_domain
    if kind == "network":
        return Target("network", _network(value))
    if kind == "account":
        name = keys.mailbox(value, default_domain)
    elif kind == "client_account":
        client, _, account = value.partition(" ")
        name = f"{_network(client)} {keys.mailbox(account, default_domain)}" if account else ""
    else:
        name = value.lower().rstrip(".")
    if not name or not name.isprintable():
        raise OrderError(f"{kind}:{value} names nobody")
    return Target(kind, name)  # type: ignore[arg-type]


def _network(text: str) -> str:
    address = net.address(text)
    if address:
        return net.client(address)
    try:
        found = net.parse_network(text)
    except ValueError as error:
        raise OrderError(f"{text!r} is neither an address nor a network") from error
    _whole(text)
    single = found.prefixlen == found.max_prefixlen
    return str(found.network_address) if single else str(found)


def _whole(text: str) -> None:
    """Raises OrderError where an address is longer than its network: one of the two is a slip."""
    given = ipaddress.ip_interface(text.strip())
    if given.ip == given.network.network_address:
        return
    bits = given.max_prefixlen
    set_bits = bits - (int(given.ip) & -int(given.ip)).bit_length() + 1
    step = STEPS[given.version]
    longer = -(-set_bits // step) * step  # where people cut networks
    name = str(given.ip) if longer == bits else f"{given.ip}/{longer}"
    raise OrderError(
        f"{text.strip()} is no network: do you mean {given.network}"
        f" ({given.network.num_addresses:,} addresses) or {name}?"
    )


def _narrow(network: str, config: Config) -> None:
    """Raises OrderError for what the machine may not decide about: it may be a slip."""
    response, found = config.settings.response, net.parse_network(network)
    widest = response.widest_v4 if found.version == 4 else response.widest_v6
    if found.prefixlen < widest:
        raise OrderError(
            f"{network} is {found.num_addresses:,} addresses, and wider than"
            f" response.widest_v{found.version} (a /{widest}): --force if it is meant"
        )


def _plausible(kind: str, value: str, config: Config) -> None:
    """Raises OrderError for a name that no mail can have."""
    name, at, domain = value.rpartition("@") if kind != "domain" else ("", "@", value)
    if at:
        if not all(map(_is_label, domain.split("."))) or len(domain) > LONGEST_DOMAIN:
            raise OrderError(f"{value}: {domain!r} is no domain: --force if it is meant")
        if "." not in domain and domain not in config.site.domains:
            raise OrderError(f"{value}: {domain!r} is no whole domain: --force if it is meant")
    if kind == "domain":
        return
    if kind == "address" and not at:
        raise OrderError(f"{value} is no mail address, such as name@example.org")
    local = name if at else value
    quoted = len(local) > 2 and local[0] == local[-1] == '"'  # RFC 5321, 4.1.2
    if not local or (not quoted and any(c.isspace() or c in '@"<>,;' for c in local)):
        raise OrderError(f"{value}: {local!r} is no mailbox: --force if it is meant")


def _is_label(text: str) -> bool:
    """A part of a domain's name; letters of all scripts, and _ as in the names of services."""
    return 0 < len(text) < 64 and all(c.isalnum() or c in "-_" for c in text)


def _permitted(network: str, config: Config) -> None:
    site = config.site
    for spared, what in (
        (config.allowed, "on the allow list"),
        (site.own, "one of our own networks"),
        (site.trusted, "a trusted relay"),
    ):
        if network in spared:
            raise OrderError(f"{network} is {what}: no decision may be made against it")
        if spared.overlapping(network):
            raise OrderError(f"{network} holds an address that is {what}")
    _conceivable(network)


def _conceivable(network: str, instead: str = "") -> None:
    found = net.parse_network(network)
    shortest = SHORTEST[found.version]
    if found.prefixlen < shortest:
        raise OrderError(f"{network} is too wide: at least a /{shortest}{instead}")


def _is_network(text: str) -> bool:
    try:
        net.parse_network(text)
    except ValueError:
        return False
    return True
