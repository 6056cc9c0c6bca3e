"""The persons that the settings name, with their roles and the hashes of their passwords.

Argon2id (RFC 9106) by argon2-cffi, with its defaults (the profile for little memory). To ask about
somebody who is not there takes as long as a wrong password.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from schemas.settings import ConsoleSettings, Role, SettingsError, UserSettings

ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most."""

LONGEST = 1024  # characters of a password
_hasher = PasswordHasher()


class Person(Struct, frozen=True):
    """Who uses the console."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether they may do what needs that role."""
        return ROLES.index(self.role) >= ROLES.index(role)


def hashed(password: str) -> str:
    """What is put into the settings."""
    return _hasher.hash(password)


class People:
    """Raises SettingsError: key and what was expected."""

    def __init__(self, settings: ConsoleSettings) -> None:
        users = dict(settings.users)
        if settings.users_file:
            users |= _read(Path(settings.users_file))
        for name, user in users.items():
            key = f"console.users.{name}"
            if not name.isprintable() or not name or len(name) > 100 or name != name.strip():
                raise SettingsError(f"{key}: expected a name of 1 to 100 characters")
            if user.password and not _is_hash(user.password):
                raise SettingsError(
                    f"{key}.password: expected a hash, as `mailwarden console password` makes it"
                )
            if not user.password and settings.proxy is None:
                raise SettingsError(f"{key}.password: expected a hash: there is no proxy")
        self._users: Mapping[str, UserSettings] = users
        self._nobody = ""  # the hash of no password

    def __bool__(self) -> bool:
        return bool(self._users)

    def __len__(self) -> int:
        return len(self._users)

    @property
    def with_password(self) -> bool:
        """Whether anybody can log in here."""
        return any(user.password for user in self._users.values())

    def find(self, name: str) -> Person | None:
        user = self._users.get(name)
        return Person(name, user.role) if user else None

    def check(self, name: str, password: str) -> Person | None:
        """Who that is, if the password is theirs. Takes its time, whoever is named."""
        user = self._users.get(name)
        known = user.password if user else ""
        if not known and not self._nobody:
            self._nobody = hashed("nobody has this one")
        right = _verified(known or self._nobody, password[:LONGEST])
        return Person(name, user.role) if user and known and right else None


def _verified(known: str, password: str) -> bool:
    try:
        return _hasher.verify(known, password)
    except (VerificationError, InvalidHashError):
        return False


def _is_hash(text: str) -> bool:
    try:
        _hasher.check_needs_rehash(text)
    except InvalidHashError:
        return False
    return text.startswith("$argon2")


def _read(path: Path) -> dict[str, UserSettings]:
    """``NAME ROLE HASH``, one a line; ``#`` in front says nothing."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "not UTF-8"
        raise SettingsError(f"console.users_file: {path}: {why}") from error
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = line.split()
        if len(words) != 3 or words[1] not in ROLES:
            where = f"console.users_file: {path}, line {number}"
            raise SettingsError(f"{where}: expected NAME, one of {', '.join(ROLES)}, HASH")
        found[words[0]] = UserSettings(role=words[1], password=words[2])
    return found
