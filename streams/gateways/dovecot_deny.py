"""Dovecot: logins that are denied by passwd-files in front of its other passdbs.

A passdb with ``deny = yes`` refuses whom it finds (Dovecot's manual, Passdb). Dovecot looks once a
second whether a file has changed, so nothing is reloaded. A key is what `username_format` makes
of an attempt: the login, the client's address, or the two together. It ends at a colon, so an
IPv6 address cannot be one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from schemas.findings import Decision
from streams import prefixes, targets
from streams.gateway import GatewayError, GatewaySettings, Note
from streams.writing import HEADER, Writing, asked

DENIED = ("reject", "drop", "lock")

_PASSDB = re.compile(r"^passdb[^\n{]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


class DovecotDenySettings(GatewaySettings, frozen=True):
    """Which files are written. A path that is "" is not."""

    accounts: str = "/etc/dovecot/mailwarden-accounts"  # logins
    pairs: str = ""  # client and login together; username_format=%r/%u
    clients: str = ""  # single IPv4 addresses; username_format=%r
    login_domain: str = ""  # logins of this domain are denied without it as well
    doveconf: tuple[str, ...] = ("doveconf",)  # the command


class DovecotDeny(Writing):
    """Writes the files; what is denied fails whatever the password."""

    Settings = DovecotDenySettings
    blind_to = "sessions that stand already, networks, and clients by IPv6"
    settings: DovecotDenySettings

    def __init__(
        self,
        settings: GatewaySettings,
        name: str = "dovecot_deny",
        lifted: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(settings, name, lifted)

    def render(self, decisions: Sequence[Decision]) -> dict[str, str]:
        denied = [decision for decision in decisions if decision.action in DENIED]
        return {path: _file(denied, keys) for path, keys in self._files()}

    def reaches(self, decision: Decision) -> bool:
        return decision.action in DENIED and any(any(keys(decision)) for _, keys in self._files())

    def review(self) -> list[Note]:
        paths = [path for path, _ in self._files()]
        try:
            text = asked([*self.settings.doveconf, "passdb"])
        except GatewayError as error:
            return [Note("unknown", str(error))]
        return [_placed(path, _PASSDB.findall(text)) for path in paths]

    def _files(self) -> Iterator[tuple[str, Callable[[Decision], Iterator[str]]]]:
        """Each file that is written, with the keys that a decision has there."""
        settings = self.settings
        if settings.accounts:
            yield settings.accounts, lambda d: targets.logins(d, settings.login_domain)
        if settings.pairs:
            yield settings.pairs, lambda d: _pair(d, settings.login_domain)
        if settings.clients:
            yield settings.clients, _client


def _file(decisions: Iterable[Decision], keys: Callable[[Decision], Iterator[str]]) -> str:
    rows = dict.fromkeys(key for decision in decisions for key in keys(decision))
    return HEADER + "".join(f"{row}:\n" for row in rows)


def _client(decision: Decision) -> Iterator[str]:
    found = targets.prefix(decision)
    if found is not None and _is_host(found):
        yield prefixes.address(found)


def _pair(decision: Decision, login_domain: str) -> Iterator[str]:
    found = targets.pair(decision)
    if found is not None and _is_host(found[0]):
        for name in targets.spellings(found[1], login_domain):
            yield f"{prefixes.address(found[0])}/{name}"


def _is_host(found: prefixes.Prefix) -> bool:
    return found[0] == 4 and found[2] == 32


def _placed(path: str, passdbs: list[str]) -> Note:
    """Whether a passdb denies by that file before any that lets in."""
    for passdb in passdbs:
        deny = re.search(r"^\s*deny = yes$", passdb, re.MULTILINE)
        if re.search(rf"^.*[ =]{re.escape(path)}$", passdb, re.MULTILINE):
            if deny:
                return Note("ok", f"Dovecot denies whom {path} names")
            return Note("failed", f"{path}: its passdb lacks deny = yes: it lets everybody in")
        if not deny:
            break
    return Note(
        "failed",
        f"Dovecot does not look into {path} before it takes passwords",
        (f"passdb {{ driver = passwd-file  deny = yes  args = {path} }}", "before the others"),
    )
