"""Who is logged in. Sessions live in memory: a restart ends them all.

What lies in the cookie is random (256 bits); here only its SHA-256 is kept.
"""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from agents.console.access.people import Person

MOST = 2000  # sessions; of more, the one longest unused ends
LONGEST = 86400.0  # seconds of a session, however much it is used
SAID = 5  # sentences that wait to be shown


class Session(Struct):
    """Somebody at a browser, or a program."""

    person: Person
    csrf: str  # what each change must show
    begun: float  # monotonic seconds
    used: float
    said: list[tuple[str, str]]  # kind and sentence, for the next page

    def proves(self, token: str) -> bool:
        """Whether a change comes from a page of this session."""
        return hmac.compare_digest(self.csrf.encode(), token.encode("utf-8", "replace"))

    def tell(self, kind: str, sentence: str) -> None:
        """Say something on the next page."""
        self.said = [*self.said, (kind, sentence)][-SAID:]

    def told(self) -> list[tuple[str, str]]:
        said, self.said = self.said, []
        return said


class Sessions:
    """`idle` is how many seconds one may go unused. `clock` is monotonic."""

    def __init__(self, idle: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self._known: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, person: Person) -> tuple[str, Session]:
        """A new one, and what its cookie holds."""
        token, now = secrets.token_urlsafe(32), self._clock()
        session = Session(person, secrets.token_urlsafe(32), now, now, [])
        self._known[_digest(token)] = session
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return token, session

    def find(self, token: str, *, by_itself: bool = False) -> Session | None:
        """The session of a cookie. A page that looks again `by_itself` keeps none alive."""
        key, now = _digest(token), self._clock()
        session = self._known.get(key)
        if session is None:
            return None
        if now - session.used > self._idle or now - session.begun > LONGEST:
            del self._known[key]
            return None
        if not by_itself:
            session.used = now
        self._known.move_to_end(key)
        return session

    def end(self, token: str) -> None:
        self._known.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
