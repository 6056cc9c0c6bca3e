"""What was found in a mix, held against its truth."""

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct, field

from load.accusations import Accusations
from load.scenarios.truth import Innocent, Truth

Said = dict[str, tuple[float, str]]


class Row(Struct):
    """An attack, and how much of it was found: of its clients, the accounts that it held, its
    victims. Times to detection are seconds from the first act of each."""

    group: str
    form: str
    story: str
    clients: int = 0
    found: int = 0
    fail2ban: int = 0
    accounts: int = 0
    accounts_found: int = 0
    victims: int = 0
    victims_found: int = 0
    waits: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)  # some of them


class Judgement(Struct):
    """Of one mix. `hits` (by alerts), `decided_hits` (by decisions) and `fail2ban_hits` count
    innocents by story; `hit` names them with the finding that does."""

    mix: str
    lines: int
    attacks: list[Row]
    innocents: int = 0
    clients_right: int = 0
    clients_wrong: int = 0
    accounts_right: int = 0
    accounts_wrong: int = 0
    victims_right: int = 0
    victims_wrong: int = 0
    fail2ban_right: int = 0
    fail2ban_wrong: int = 0
    decided_right: int = 0  # clients against whom something was decided
    decided_wrong: int = 0
    guilty: int = 0  # clients that took part in an attack
    decided_hits: dict[str, int] = field(default_factory=dict)
    hits: dict[str, int] = field(default_factory=dict)
    fail2ban_hits: dict[str, int] = field(default_factory=dict)
    hit: list[str] = field(default_factory=list)


def judge(
    mix: str, domain: str, lines: int, truth: Truth, said: Accusations, banned: dict[str, float]
) -> Judgement:
    """`banned` are the clients that fail2ban finds, and when. Victims are those of `domain`:
    whom our own servers molest elsewhere is another matter."""
    clients = _stories(truth, lambda record: record.clients)
    accounts = _stories(truth, lambda record: record.accounts)
    known = [*clients, *(name for attack in truth.attacks for name in attack.clients)]
    named = _spread(said.clients, known)
    guilty = {name for attack in truth.attacks for name in attack.clients}
    taken = {name for attack in truth.attacks for name in attack.accounts}
    victims = {name for attack in truth.attacks for name in attack.victims}
    noise = {name for record in truth.noise for name in record.clients}
    result = Judgement(mix, lines, list(_rows(truth, said, named, banned)))
    result.innocents = len(clients) + len(accounts.keys() - taken)
    wrong = {name: why for name, why in named.items() if name not in guilty | noise}
    wrongly = {name: why for name, why in said.accounts.items() if name not in taken}
    result.clients_right = len(named.keys() & guilty)
    result.clients_wrong = len(wrong)
    result.accounts_right = len(said.accounts.keys() & taken)
    result.accounts_wrong = len(wrongly)
    result.victims_right = len(said.victims.keys() & victims)
    ours = {name for name in said.victims if name.endswith(f"@{domain}")}
    result.victims_wrong = len(ours - victims)
    result.fail2ban_right = len(banned.keys() & guilty)
    result.fail2ban_wrong = len(banned.keys() - guilty - noise)
    result.hits = _count(
        [clients.get(name, "in no story") for name in wrong]
        + [accounts.get(name, "in no story") for name in wrongly]
    )
    decided = _spread(said.decided, known)
    result.guilty = len(guilty)
    result.decided_right = len(decided.keys() & guilty)
    struck = {name: why for name, why in decided.items() if name not in guilty | noise}
    result.decided_wrong = len(struck)
    result.decided_hits = _count(clients.get(name, "in no story") for name in struck)
    result.hit += [
        f"decided: {clients.get(name, 'in no story')}: {name}: {why}"
        for name, (_, why) in sorted(struck.items())
    ]
    result.fail2ban_hits = _count(
        clients.get(name, "in no story") for name in banned.keys() - guilty - noise
    )
    for stories, names in ((clients, wrong), (accounts, wrongly)):
        result.hit += [
            f"{stories.get(name, 'in no story')}: {name}: {why}"
            for name, (_, why) in sorted(names.items())
        ]
    return result


def _rows(truth: Truth, said: Accusations, named: Said, banned: dict[str, float]) -> Iterator[Row]:
    for attack in truth.attacks:
        row = Row(attack.group, attack.form, attack.story)
        row.clients, row.accounts = len(attack.clients), len(attack.accounts)
        row.victims = len(attack.victims)
        row.found = len(attack.clients.keys() & named.keys())
        row.fail2ban = len(attack.clients.keys() & banned.keys())
        row.accounts_found = len(attack.accounts.keys() & said.accounts.keys())
        row.victims_found = len(attack.victims.keys() & said.victims.keys())
        # An account is what counts where one was taken, and a victim where there is one.
        for names, found in (
            (attack.accounts, said.accounts),
            (attack.victims, said.victims),
            (attack.clients, named),
        ):
            if names:
                row.waits = [max(found[n][0] - names[n], 0.0) for n in names if n in found]
                break
        for names, found in (
            (attack.accounts, said.accounts),
            (attack.victims, said.victims),
            (attack.clients, named),
        ):
            row.missed += [name for name in names if name not in found][:3]
        yield row


def _stories(truth: Truth, names: Callable[[Innocent], dict[str, float]]) -> dict[str, str]:
    """The story of each innocent: of several, the one with the fewest people in it, which says
    most about them."""
    found: dict[str, str] = {}
    for record in sorted(truth.innocents, key=lambda record: -len(names(record))):
        found.update(dict.fromkeys(names(record), record.story))
    return found


def _spread(said: Said, known: Iterable[str]) -> Said:
    """Accused networks become the known clients in them."""
    found = dict(said)
    networks = defaultdict(list)
    for text in said:
        network = ipaddress.ip_network(text)
        if "/" in text and not (network.version == 6 and network.prefixlen == 64):
            networks[network.version].append((network, text))
            del found[text]
    if not networks:
        return found
    for name in known:
        client = ipaddress.ip_network(name)
        for network, text in networks[client.version]:
            if network.supernet_of(client):  # type: ignore[arg-type] # of one version
                found[name] = min(said[text], found.get(name, said[text]))
    return found


def _count(stories: Iterable[str]) -> dict[str, int]:
    return dict(Counter(stories).most_common())
