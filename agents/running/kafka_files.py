"""The files that ``[kafka]`` names: whether they can be used.

Only what talks to Kafka asks: on a server without it, a file that is missing hurts nobody.
"""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from agents.configuration import Config
from schemas.settings import KafkaSettings, SettingsError

SECRET = "expected a file whose first line is the password"  # noqa: S105 - words for people
PEM = "expected a PEM file"


def require(config: Config) -> None:
    """Raises SettingsError, which names the key and its file, for the first that is no use."""
    for wrong in unusable(config.settings.kafka):
        raise SettingsError(f"{config.where}: {wrong}")


def unusable(settings: KafkaSettings) -> Iterator[str]:
    """``kafka.KEY: what was expected, and why FILE is not it``, for each file that is no use."""
    if settings.security.endswith("SSL"):
        yield from _tried("ca", settings.ca, PEM, _authority)
        # The key may lie in the certificate's file.
        yield from _tried("key", settings.key, PEM, _readable)
        yield from _tried(
            "certificate",
            settings.certificate,
            f"{PEM} that goes with kafka.key" if settings.key else f"{PEM}, its key in it",
            lambda path: _chain(path, settings.key),
        )
    if settings.security.startswith("SASL"):
        yield from _tried("password_file", settings.password_file, SECRET, _secret)


def _tried(key: str, path: str, expected: str, use: Callable[[str], None]) -> Iterator[str]:
    if not path:
        return
    try:
        use(path)
    except ssl.SSLError:  # its words are those of the library's source
        yield f"kafka.{key}: {expected}; {path} is none"
    except OSError as error:
        yield f"kafka.{key}: {expected}; {path}: {error.strerror}"
    except ValueError as error:
        yield f"kafka.{key}: {expected}; {path}: {error}"


def _readable(path: str) -> None:
    Path(path).read_bytes()


def _authority(path: str) -> None:
    ssl.create_default_context(cafile=path)


def _chain(path: str, key: str) -> None:
    # An encrypted key would be asked for on the terminal: none of the clients could use it.
    context = ssl.create_default_context()
    context.load_cert_chain(path, key or None, password=lambda: b"")


def _secret(path: str) -> None:
    if not Path(path).read_text(encoding="utf-8").partition("\n")[0]:
        raise ValueError("its first line is empty")
