"""Exim: clients in a file for ``iplsearch``, logins in one for ``lsearch`` (Exim specification, 9).

Exim opens them at each look-up, so nothing is reloaded. It reads from the top until a line
matches: the order of the decisions counts, and a long file costs each connection time. A line is
a key, a colon, and what the ACL is to do; the ACL of our page understands it.
"""

from collections.abc import Callable, Iterator, Sequence

from schemas.findings import Decision
from streams import prefixes, targets
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.writing import HEADER, Writing, asked

CLIENT_WORDS = {"drop": "drop", "reject": "reject", "tarpit": "defer", "greylist": "defer"}
LOGIN_WORDS = {"drop": "reject", "reject": "reject", "lock": "reject", "hold": "hold"}
SPARED = "spared"


class EximListsSettings(GatewaySettings, frozen=True):
    """Which files are written. A path that is "" is not."""

    clients: str = "/etc/exim4/mailwarden-clients"  # iplsearch
    accounts: str = ""  # lsearch, of logins
    login_domain: str = ""  # logins of this domain are refused without it as well
    exim: tuple[str, ...] = ("exim4",)  # the command


class EximLists(Writing):
    """Writes the files."""

    Settings = EximListsSettings
    blind_to = "logins by IMAP and POP3, which never come to Exim"
    settings: EximListsSettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "exim_lists",
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(settings, name, lifted)

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        return {
            path: HEADER + "".join(row for decision in decisions for row in rows(decision))
            for path, rows in self._files()
        }

    def reaches(self, decision: Decision) -> bool:
        return any(any(rows(decision)) for _, rows in self._files())

    def review(self) -> list[Note]:
        paths = [path for path, _ in self._files()]
        notes = []
        try:
            config = asked([*self.settings.exim, "-bP", "config"])
        except GatewayError as error:
            return [Note("unknown", str(error))]
        for path in paths:
            if f"lsearch{{{path}}}" in config:
                notes.append(Note("ok", f"an ACL of Exim looks into {path}"))
            else:
                text = f"Exim does not look into {path}: it refuses nobody"
                key, kind = "$authenticated_id", "lsearch"
                if path == self.settings.clients:
                    key, kind = "$sender_host_address", "iplsearch"
                notes.append(Note("failed", text, (f"${{lookup{{{key}}}{kind}{{{path}}}}}",)))
        return notes

    def _files(self) -> Iterator[tuple[str, Callable[[Decision], Iterator[str]]]]:
        """Each file that is written, with the rows that a decision has there."""
        settings = self.settings
        if settings.clients:
            yield settings.clients, _client
        if settings.accounts:
            yield settings.accounts, lambda d: _logins(d, settings.login_domain)


def _client(decision: Decision) -> Iterator[str]:
    found, word = targets.prefix(decision), _word(decision, CLIENT_WORDS)
    if found is not None and word:
        yield f'"{prefixes.write(found)}": {word} {targets.reference(decision)}\n'


def _logins(decision: Decision, login_domain: str) -> Iterator[str]:
    word = _word(decision, LOGIN_WORDS)
    if word:
        for name in targets.logins(decision, login_domain):
            yield f"{name}: {word} {targets.reference(decision)}\n"


def _word(decision: Decision, words: dict[str, str]) -> str:
    return SPARED if targets.pardoned(decision) else words.get(decision.action, "")
