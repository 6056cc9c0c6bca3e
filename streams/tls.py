"""TLS to servers of others, by settings that name files."""

import ssl
from pathlib import Path

from schemas.settings import SettingsError


def to_server(ca: str = "", certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Trusts the authorities in the file `ca`, else the system's; shows `certificate` to who asks
    for one. Raises SettingsError that names the setting."""
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"ca: {ca} cannot be read: {error}") from error
    if key and not certificate:
        raise SettingsError("certificate: expected the file of the certificate that key is of")
    if certificate:
        try:
            context.load_cert_chain(certificate, key or None, password=_none)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"certificate: {certificate} cannot be used: {error}") from error
    return context


def held_secret(value: str, file: str, name: str) -> str:
    """What the setting `name` says, or the file that ``{name}_file`` names."""
    if not file:
        return value
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_file: {file} cannot be read: {error}") from error


def _none() -> str:
    """A key that is locked is an error: nobody is asked for its password at a terminal."""
    return ""
