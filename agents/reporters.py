"""One attempt to log in, several reporters: counted once. No IO, no clock.

Dovecot's auth policy reports each attempt as it is decided, and the logs of Dovecot and of the
SMTP server that asks it tell of the same one, sooner or later (within one log,
streams/attempts.py has put together what they say). Where a gateway reports the attempts of a
service, its reports count, and its log lines only add what the reports do not know:

- A log line is passed over where a report of its gateway and service was heard from `LATE`
  seconds before it to `EARLY` after it, by event time, whichever of the two comes first to us.
- What a log line told before the first report is remembered for a while: the report that tells
  of it again is passed over instead.
- Dovecot 2.3 does not report that an account does not exist. A log line that knows it is given
  on as an attempt of count 0, for the detectors that care (`Detector.enriched`).
- An SMTP server sums up attempts that it never passed on to Dovecot (no AUTH offered, or broken
  off); these have neither account nor mechanism, and count.
- What a policy refused was not looked at: it is neither a guess nor a login. So a decision is
  never prolonged by what it does itself, and a phone that was caught up in one is free
  when it ends; a guesser that goes on then has to guess wrongly anew.

The price: where reports end all of a sudden, the log counts again after `LATE` seconds only.
"""

from collections import deque
from collections.abc import Iterable

import msgspec
from msgspec import Struct, field, structs

from schemas.events import Auth

REPORT = "auth_policy"  # the source of a report
LATE = 600.0  # seconds from an attempt to the line about it: sessions end by time-out
EARLY = 5.0  # seconds that a line's stamp may be before the report's
SERVICES = 1024  # of all gateways
SPANS = 8  # times during which a service was reported, that are remembered
LINES = 4096  # attempts told by log lines that are remembered, in case reports begin

_GROUPS = {"submission": "smtp", "smtps": "smtp", "lmtp": "smtp"}

_Place = tuple[str, str]  # first label of the gateway's name, group of services


class Span(Struct, array_like=True):
    """From one report of a service to the last one that followed it within `LATE`."""

    gateway: str
    first: float
    last: float


class _Line(Struct, gc=False):
    event: Auth
    left: int  # attempts that no report has told of yet


class _Packed(Struct, array_like=True):
    label: str
    group: str
    spans: list[Span] = field(default_factory=list)


_decoder = msgspec.msgpack.Decoder(list[_Packed])


class Reporters:
    """Hears every attempt before it is folded, and says what of it is news."""

    def __init__(self) -> None:
        self._spans: dict[_Place, list[Span]] = {}
        self._lines: deque[_Line] = deque(maxlen=LINES)  # not covered by any report
        self._again: dict[tuple[str, str], list[_Line]] = {}  # of them, by label and client
        self._until = 0.0  # when what is in `_again` has been told again, if ever

    def hear(self, event: Auth) -> Auth | None:
        """The event where it counts; None where it says nothing new; a copy of count 0 where it
        only adds to what was told."""
        if event.source == "log":
            if self._spans and self._is_reported(event):
                knows = event.reason == "unknown_account" and event.outcome == "failed"
                return structs.replace(event, count=0) if knows else None
            self._lines.append(_Line(event, event.count))
        elif event.source == REPORT:
            self._note(event)
            if self._again and self._was_told(event):
                return None
            if event.reason == "policy":
                return None
        return event

    def pack(self) -> bytes:
        return msgspec.msgpack.encode([_Packed(*key, spans) for key, spans in self._spans.items()])

    def restore(self, packed: bytes) -> None:
        """Raises ValueError where it is none of `pack`."""
        self._spans = {(one.label, one.group): one.spans for one in _decoder.decode(packed)}

    # -- log lines ----------------------------------------------------------------------------

    def _is_reported(self, event: Auth) -> bool:
        label, group = _label(event.gateway), _group(event.service)
        if group:
            if group == "smtp" and not (event.account or event.mechanism):
                return False
            return _covered(event, self._spans.get((label, group), ()))
        return any(_covered(event, s) for place, s in self._spans.items() if place[0] == label)

    # -- reports ------------------------------------------------------------------------------

    def _note(self, event: Auth) -> None:
        """A service is reported at this time."""
        at = event.at
        place = (_label(event.gateway), _group(event.service))
        spans = self._spans.get(place)
        if spans is None:
            if len(self._spans) >= SERVICES:
                del self._spans[min(self._spans, key=lambda one: self._spans[one][-1].last)]
            spans = self._spans[place] = []
        for span in reversed(spans):
            if span.gateway == event.gateway and span.first - LATE <= at <= span.last + LATE:
                span.first, span.last = min(span.first, at), max(span.last, at)
                break
        else:
            if len(spans) >= SPANS:
                spans.pop(0)
            spans.append(Span(event.gateway, at, at))
            self._look_back(event)
        if at > self._until:
            self._again.clear()

    def _look_back(self, event: Auth) -> None:
        """Reports begin: what was told of this service already may be told by them again."""
        label, group = _label(event.gateway), _group(event.service)
        for line in self._lines:
            told = line.event
            near = -EARLY <= told.at - event.at <= LATE and _label(told.gateway) == label
            if near and line.left > 0 and _group(told.service) in (group, ""):
                lines = self._again.setdefault((label, told.client), [])
                if not any(one is line for one in lines):
                    lines.append(line)
        self._until = max(self._until, event.at + LATE)

    def _was_told(self, event: Auth) -> bool:
        """Whether a log line told of this attempt before; each of its attempts only once."""
        for line in self._again.get((_label(event.gateway), event.client), ()):
            told = line.event
            if (
                line.left > 0
                and (told.outcome == "ok") == (event.outcome == "ok")
                and -EARLY <= told.at - event.at <= LATE
                and (not told.account or _local(told.account) == _local(event.account))
                and _group(told.service) in (_group(event.service), "")
                and _same_gateway(told.gateway, event.gateway)
            ):
                line.left -= 1
                return True
        return False


def _covered(event: Auth, spans: Iterable[Span]) -> bool:
    return any(
        span.first - EARLY <= event.at <= span.last + LATE
        and _same_gateway(span.gateway, event.gateway)
        for span in spans
    )


def _group(service: str) -> str:
    """Services behind which one authentication server stands alike. "" where it is unknown."""
    return _GROUPS.get(service, service)


def _label(gateway: str) -> str:
    return gateway.partition(".")[0].lower()


def _same_gateway(one: str, other: str) -> bool:
    """A log may shorten a host's name to its first label."""
    one, other = one.lower(), other.lower()
    return one == other or one.startswith(other + ".") or other.startswith(one + ".")


def _local(account: str) -> str:
    return account.partition("@")[0]
