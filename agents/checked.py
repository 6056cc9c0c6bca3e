"""Values of settings that types alone do not check. Raises SettingsError: the file, the key, and
what was expected."""

import difflib
from collections.abc import Iterable

from schemas import net
from schemas.settings import SettingsError


def unknown(where: str, key: str, what: str, name: str, known: Iterable[str]) -> str:
    """That nothing is known by a name, what may have been meant, and what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{where}: {key}: no such {what}; {hint}there are: {', '.join(names)}"


def networks(
    where: str, key: str, texts: Iterable[str], always: Iterable[str] = ()
) -> net.Networks:
    """Networks as a setting lists them, with those that are `always` among them."""
    found = net.Networks(always)
    for index, text in enumerate(texts):
        try:
            found.add(text)
        except ValueError as error:
            raise SettingsError(
                f"{where}: {key}[{index}]: expected an address or a network such as"
                f" 192.0.2.0/24 or 2001:db8::/48, not {text!r}"
            ) from error
    return found
