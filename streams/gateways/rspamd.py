"""rspamd: maps of its multimap module.

Each line is a key and the symbol that a mail gets for it; what a symbol does is said by
force_actions. Hold is rspamd's quarantine, which its milter makes Postfix's hold. rspamd watches
the files (inotify(7)), and reads a new one within seconds. Of the networks that hold a client the
narrowest counts. Maps must not share symbols: rspamd would wait for only one of them before it
acts.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from schemas.findings import Decision
from streams import prefixes, targets
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.writing import HEADER, Writing, asked

WORDS = {
    "drop": "REJECT",
    "reject": "REJECT",
    "lock": "REJECT",
    "tarpit": "DEFER",
    "greylist": "DEFER",
    "hold": "HOLD",
    "stamp": "STAMP",
}
SPARED = "SPARED"
SECTIONS = ("multimap", "force_actions", "actions")
"""What of rspamd's configuration is looked at for `check`."""

Keys = Callable[[Decision], Iterator[str]]


class RspamdSettings(GatewaySettings, frozen=True):
    """Which maps are written. A path that is "" is not."""

    clients: str = "/etc/rspamd/maps.d/mailwarden-clients"  # type ip
    accounts: str = ""  # type user
    senders: str = ""  # type from: addresses
    domains: str = ""  # type from, filter email:domain
    login_domain: str = ""  # logins of this domain are meant without it as well
    rspamadm: tuple[str, ...] = ("rspamadm",)  # the command


class Rspamd(Writing):
    """Writes the maps."""

    Settings = RspamdSettings
    blind_to = (
        "all that comes before the content of a mail: connections, logins, refused recipients"
    )
    settings: RspamdSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "rspamd",
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(settings, name, lifted)

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        return {path: _map(decisions, kind, keys) for path, kind, keys in self._maps()}

    def reaches(self, decision: Decision) -> bool:
        return bool(_word(decision)) and any(any(keys(decision)) for _, _, keys in self._maps())

    def review(self) -> list[Note]:
        try:
            config = asked([*self.settings.rspamadm, "configdump", *SECTIONS])
        except GatewayError as error:
            return [Note("unknown", str(error))]
        notes = [_used(config, path, kind) for path, kind, _ in self._maps()]
        if not re.search(r"^\s*quarantine\b", config, re.MULTILINE):
            text = "rspamd knows no action quarantine: nothing is held"
            remedy = ('quarantine = { flags = ["no_threshold"]; } # actions.conf',)
            notes.append(Note("failed", text, remedy))
        return notes

    def _maps(self) -> Iterator[tuple[str, str, Keys]]:
        """Each map that is written: its path, whom it is about, the keys that a decision has."""
        settings = self.settings
        for path, kind, keys in (
            (settings.clients, "CLIENT", _client),
            (settings.accounts, "ACCOUNT", lambda d: targets.logins(d, settings.login_domain)),
            (settings.senders, "SENDER", lambda d: filter(None, [targets.mailbox(d)])),
            (settings.domains, "DOMAIN", lambda d: filter(None, [targets.domain(d)])),
        ):
            if path:
                yield path, kind, keys


def _used(config: str, path: str, kind: str) -> Note:
    """Whether a rule of multimap looks into a map, and every symbol of it does something."""
    if f'"{path}"' not in config:
        text = f"no rule of multimap names {path}: it does nothing"
        return Note("failed", text, (f'map = "{path}"; # multimap.conf',))
    symbols = [f"MAILWARDEN_{kind}_{word}" for word in dict.fromkeys(WORDS.values())]
    # Each is named by the rule, and by an expression of force_actions.
    lacking = [one for one in symbols if len(re.findall(rf"\b{one}\b", config)) < 2]
    if lacking:
        text = f"rspamd looks into {path}, but does nothing about {', '.join(lacking)}"
        remedy = ("see multimap.conf and force_actions.conf in docs/gateways/rspamd.md",)
        return Note("failed", text, remedy)
    return Note("ok", f"rspamd looks into {path}")


def _map(decisions: Sequence[Decision], kind: str, keys: Keys) -> str:
    rows: dict[str, str] = {}
    for decision in decisions:
        word = _word(decision)
        if word:
            for key in keys(decision):
                rows.setdefault(key, f"MAILWARDEN_{kind}_{word}")
    return HEADER + "".join(f"{key} {symbol}\n" for key, symbol in rows.items())


def _client(decision: Decision) -> Iterator[str]:
    found = targets.prefix(decision)
    if found is not None:
        yield prefixes.write(found)


def _word(decision: Decision) -> str:
    return SPARED if targets.pardoned(decision) else WORDS.get(decision.action, "")
