"""The addresses that phishers collect answers at: a file of the site's own and a list of others.

Lists of this kind name an address a line, with a remark behind a comma (the format of the
Anti-Phishing Email Reply project). What was fetched is kept on disk, so that neither a restart
nor a server that is away makes us forget it. The detectors ask `in`, and wait for nobody.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from schemas.keys import mailbox
from schemas.settings import PhishingSettings, SettingsError
from streams import atomic

log = logging.getLogger(__name__)

Change = Callable[[list[str]], list[str]]
"""The lines of a list after a change, from those before it."""

LARGEST = 32 << 20  # bytes of a list
TIMEOUT = 30.0  # seconds


class PhishingList:
    """Reads the file, and what was fetched last (`kept`). `watch` looks for news in a thread of its
    own until `close`. Raises SettingsError where the file is named and cannot be read."""

    def __init__(self, settings: PhishingSettings, kept: Path) -> None:
        if settings.url and urlsplit(settings.url).scheme not in ("http", "https"):
            raise SettingsError("phishing.url: expected http://... or https://...")
        self._settings = settings
        self._kept = kept
        self._tag = ""  # of what was fetched last (RFC 9110, ETag)
        self._trouble = ""
        self._closing = threading.Event()
        self._own = self._read_own() if settings.file else frozenset()
        self._others = self._read_kept() if settings.url else frozenset()
        self.known = self._own | self._others  # the same object until they change

    def __contains__(self, address: object) -> bool:
        return address in self.known

    def __len__(self) -> int:
        return len(self.known)

    def watch(self) -> None:
        if self._settings.file and not Path(self._settings.file).exists():
            log.warning("phishing.file: %s is not there yet", self._settings.file)
        if self._settings.file or self._settings.url:
            threading.Thread(target=self._run, name="phishing", daemon=True).start()

    def close(self) -> None:
        self._closing.set()

    def look(self) -> None:
        """Look for news once; what cannot be had stays as it was, and is said once."""
        trouble = ""
        try:
            if self._settings.file:
                self._own = self._read_own()
        except SettingsError as error:
            trouble = str(error)
        try:
            if self._settings.url:
                asyncio.run(self._fetch())
        except Exception as error:
            # Whatever a server of others does, the list that was there counts on.
            place = urlsplit(self._settings.url).hostname
            trouble = f"phishing.url: {place}: {str(error) or type(error).__name__}"
        found = self._own | self._others
        if found != self.known:
            self.known = found
        if trouble and trouble != self._trouble:
            log.warning("%s; the addresses known before count on", trouble)
        self._trouble = trouble

    def _run(self) -> None:
        while not self._closing.is_set():
            self.look()
            self._closing.wait(self._settings.interval)

    async def _fetch(self) -> None:
        # Here, for every command reads the settings, and few of them fetch.
        import aiohttp  # noqa: PLC0415

        headers = {"If-None-Match": self._tag} if self._tag else {}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
            session.get(self._settings.url, headers=headers) as answer,
        ):
            if answer.status == 304:
                return
            if answer.status != 200:
                raise ValueError(f"it answered {answer.status}")
            data = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                data += chunk
                if len(data) > LARGEST:
                    raise ValueError(f"the list is larger than {LARGEST} bytes")
            text = data.decode("utf-8", "replace")
            self._others = addresses(text)
            self._tag = answer.headers.get("ETag", "")
            self._kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            atomic.replace(self._kept, text, 0o600)

    def _read_own(self) -> frozenset[str]:
        try:
            return read(Path(self._settings.file))
        except FileNotFoundError:  # the first address that a person adds makes it
            return frozenset()
        except OSError as error:
            raise SettingsError(
                f"phishing.file: {self._settings.file}: {error.strerror}"
            ) from error

    def _read_kept(self) -> frozenset[str]:
        try:
            return read(self._kept)
        except OSError:
            return frozenset()


def read(path: Path) -> frozenset[str]:
    """The addresses of a file. Raises OSError."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return addresses(file.read(LARGEST))


def addresses(text: str) -> frozenset[str]:
    """The addresses of a list, each in its one spelling."""
    found = set()
    for line in text.splitlines():
        word = line.partition("#")[0].partition(",")[0].strip()
        if "@" in word and " " not in word:
            found.add(mailbox(word))
    return frozenset(found)


def changed(path: Path, change: Change) -> None:
    """Write the lines that `change` makes of those of the file, which need not be there yet.
    Raises OSError."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    atomic.replace(path, "".join(f"{line}\n" for line in change(lines)))
