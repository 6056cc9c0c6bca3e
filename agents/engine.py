"""Event + detectors + record -> findings and signals, each said once. No IO, no clock.

The engine owns what all detectors need alike: whom to ask about an event, what is said again
and what is not, the episode and its id, the samples, and the silence after a finding until
there is more to say. More is: another shape, a higher severity, twice the evidence, or the
subject's return after its sentence. What is not said at once is said by `drain`.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from agents import episodes
from agents.detector import Detector, Mark, Question, Said, View, Withdraw
from agents.domains import inherited
from agents.record import RECENT, Episode, Record
from agents.windows import DAY, Past
from schemas import keys, net, wire
from schemas.events import Auth, Fact, Signal, offence
from schemas.findings import (
    SAMPLES,
    SEVERITIES,
    Evidence,
    Finding,
)
from schemas.keys import Key, Site

WARM = 7 * DAY  # of logins, before a silence may rest on the past

NOTHING: frozenset[str] = frozenset()
NOBODY: dict[str, Any] = {}

RANK: dict[str, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


# A detector with what is asked of it at every event: its name, `observe`, and `minds` where it
# has one of its own.
Listener = tuple[
    Detector,
    str,
    Callable[[Any, Any, View], Iterable[Said]],
    Callable[[Any, View], bool] | None,
]


class Listeners:
    """Who hears one type of event for one letter of keys."""

    __slots__ = ("all", "awake", "sleepers")

    def __init__(self) -> None:
        self.all: list[Listener] = []
        self.awake: list[Listener] = []  # those that hear it whether it is an offence or not
        self.sleepers: frozenset[str] = frozenset()  # the others, by name

    def add(self, detector: Detector) -> None:
        minds = detector.minds if type(detector).minds is not Detector.minds else None
        listener = (detector, detector.name, detector.observe, minds)
        self.all.append(listener)
        if detector.sleeps:
            self.sleepers |= {detector.name}
        else:
            self.awake.append(listener)


Variants = dict[str, dict[str, Detector]]  # by detector and domain


class Engine:
    """Folds events into records. What comes of it lies in `findings`, `signals` and `questions`
    until taken; `broken` is told of each exception of a detector, which stops nothing else.

    `variants` are detectors with other settings, for the mailboxes of a domain (and of those
    below it that have none of their own).
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        site: Site,
        broken: Callable[[Detector, Fact, Exception], None] | None = None,
        variants: Variants | None = None,
    ) -> None:
        self.site = site
        self._variants: Variants = variants or {}
        self.findings: list[Finding] = []
        self.signals: list[Signal] = []
        self.questions: list[Question] = []
        self._broken = broken
        self._owners = {  # of findings, by name
            name: detector for detector in detectors for name in (detector.name, *detector.findings)
        }
        self._horizons = {name: owner.horizon for name, owner in self._owners.items()}
        self._decoders = {
            detector.name: msgspec.msgpack.Decoder(detector.state) for detector in detectors
        }
        self._listeners: dict[type[Fact], dict[str, Listeners]] = {
            Auth: {letter: Listeners() for letter in "cnm"}  # the past hears of every login
        }
        self.enriched: dict[str, Listeners] = {}  # of those that hear an attempt of count 0
        for detector in detectors:
            if detector.enabled and detector.enriched:
                for letter, types in detector.hears.items():
                    if Auth in types:
                        self.enriched.setdefault(letter, Listeners()).add(detector)
            if detector.enabled:
                for letter, types in detector.hears.items():
                    for heard in types:
                        by_letter = self._listeners.setdefault(heard, {})
                        by_letter.setdefault(letter, Listeners()).add(detector)
        self._view = View(site, lambda key: None)
        self._sampled: tuple[Fact | None, tuple[float, str, str]] = (None, (0.0, "", ""))
        self._place = ""
        self._bad = False
        self._quiet = False  # the event is one that sleepers need not hear
        self._account = self._origin = ""  # of a login that succeeded: mailbox and network
        self.horizon = max((d.horizon for d in detectors if d.enabled), default=DAY)
        self.memory = {d.name: max(d.memory, d.horizon) for d in detectors if d.enabled}

    def surround(self, around: Callable[[Key], Past | None]) -> None:
        """`around` gives the past of the network around a client, where it is known."""
        self._view = View(self.site, around)

    def listeners(self, event: Fact) -> dict[str, Listeners]:
        """The detectors that hear this kind of event, by the letter of the key; a letter
        without any is heard by the past only."""
        return self._listeners.get(type(event), NOBODY)

    def look(self, event: Fact, *, cold: bool, place: str) -> bool:
        """Take up an event, before it is shown with `fold` for each of its keys. `place` says
        where the batch of the event lay: a file, or topic and partition."""
        view, site = self._view, self.site
        view.at, view.cold = event.at, cold
        client = getattr(event, "client", "")
        view.trusted = client != "" and client in site.trusted
        self._place = place
        self._bad = bad = offence(event)
        self._quiet = not bad and type(event) is not Signal
        self._account = self._origin = ""
        if type(event) is Auth and event.outcome == "ok":
            if event.account:
                self._account = keys.mailbox(event.account, site.default_domain)
            if client:
                self._origin = net.network(client)
        return bad

    def fold(self, event: Fact, key: Key, record: Record, listeners: Listeners) -> None:
        """Show the event that was looked at to the detectors that hear it for `key`."""
        at = event.at
        if self._bad:
            self._remember(event, key, record)
        states = record.states
        heard = listeners.all
        if self._quiet and listeners.sleepers.isdisjoint(states):
            heard = listeners.awake
        if heard:
            view = self._view
            view.turn(key, record.past)
            view.open = self._open(record, at) if record.episodes else NOTHING
            if self._variants and key[0] in "md":
                heard = [self._varied(listener, key) for listener in heard]
            for detector, name, observe, minds in heard:
                seen = states.get(name)
                if seen is None:
                    if minds is not None and not minds(event, view):
                        continue
                    seen = states[name] = detector.state()
                elif type(seen) is Raw:
                    seen = self._thaw(detector, record)
                try:
                    for said in observe(event, seen, view):
                        if type(said) is Signal:
                            self.signals.append(self._about(said, detector, event, record))
                        elif type(said) is Withdraw:
                            self._withdraw(detector, said, key, record)
                        elif type(said) is Question:
                            self.questions.append(said)
                        else:
                            self._mark(detector, said, event, key, record)  # type: ignore[arg-type]
                except Exception as error:
                    if self._broken is None:
                        raise
                    self._broken(detector, event, error)
        if at > record.last:
            record.last = at
        if key[0] == "m":
            if self._origin:
                record.past.note(self._origin, at)
        elif self._account:
            record.past.note(self._account, at, Past.CROWD)

    def drain(self, key: Key, record: Record, *, cold: bool) -> None:
        """Say what has not been said yet of the subject's open findings."""
        view = self._view
        for episode in record.episodes.values():
            if episode.told < episode.touches:
                owner = self._owners.get(episode.name)
                if owner is None:
                    continue
                detector = self._of_domain(owner, key)
                view.turn(key, record.past)
                view.at, view.cold, view.trusted = record.last, cold, False
                view.open = self._open(record, record.last)
                mark = Mark(episode.name, episode.shape, episode.severity, episode.about)  # type: ignore[arg-type]
                self._tell(detector, mark, key, record, episode)

    def weigh(
        self, key: Key, record: Record, at: float, *, cold: bool
    ) -> Iterator[tuple[str, list[Evidence]]]:
        """Each detector's counts of a subject beside their thresholds, whether it says anything
        or not."""
        view = self._view
        view.turn(key, record.past)
        view.at, view.cold, view.trusted = at, cold, False
        view.open = self._open(record, at)
        for name in record.states:
            owner = self._owners.get(name)
            detector = self._of_domain(owner, key) if owner is not None else None
            for shape in detector.weighs if detector is not None else ():
                mark = Mark(name, shape, "info")
                yield name, detector.judge(mark, self._state(detector, record), view).evidence  # type: ignore[union-attr, arg-type]

    def pending(self, record: Record) -> bool:
        return any(episode.told < episode.touches for episode in record.episodes.values())

    def _varied(self, listener: Listener, key: Key) -> Listener:
        """The listener that the domain of a mailbox has in place of this one."""
        detector, name, _, minds = listener
        if name not in self._variants:
            return listener
        varied = self._of_domain(detector, key)
        return (varied, name, varied.observe, varied.minds if minds is not None else None)

    def _of_domain(self, detector: Detector, key: Key) -> Detector:
        """The detector with the settings of the domain that a key lies in."""
        variants = self._variants.get(detector.name)
        if not variants or key[0] not in "md":
            return detector
        return inherited(variants, key[2:].rpartition("@")[2]) or detector

    # -- what is behind it ------------------------------------------------------------------

    def _open(self, record: Record, at: float) -> set[str]:
        """Names of the findings that stand: their episodes have not ended."""
        horizons = self._horizons
        return {
            episode.name
            for episode in record.episodes.values()
            if not episode.withdrawn and at - episode.last <= horizons.get(episode.name, math.inf)
        }

    def _about(self, word: Signal, detector: Detector, event: Fact, record: Record) -> Signal:
        """A signal with the incident that it is about: that of the finding of the detector that
        speaks, where one stands, else that which the detector was told of."""
        if word.finding:
            return word
        incident = event.finding if type(event) is Signal else ""
        for episode in record.episodes.values():
            if episode.name in self._view.open and self._owners.get(episode.name) is detector:
                incident = episode.incident or episode.id
        return msgspec.structs.replace(word, finding=incident) if incident else word

    def _state(self, detector: Detector, record: Record) -> Struct:
        seen = record.states.get(detector.name)
        if seen is None:
            seen = record.states[detector.name] = detector.state()
        return self._thaw(detector, record) if type(seen) is Raw else seen

    def _thaw(self, detector: Detector, record: Record) -> Struct:
        try:
            seen = self._decoders[detector.name].decode(record.states[detector.name])
        except ValueError:  # another version of the detector wrote it
            seen = detector.state()
        record.states[detector.name] = seen
        return seen

    def _mark(self, detector: Detector, mark: Mark, event: Fact, key: Key, record: Record) -> None:
        view, bad = self._view, self._bad
        slot = f"{mark.name}|{mark.about}" if mark.about else mark.name
        episode = record.episodes.get(slot)
        incident = mark.incident or (event.finding if type(event) is Signal else "")
        if episode is None or event.at - episode.last > detector.horizon:
            episode = episodes.begin(mark, event, key, record, bad=bad)
            record.episodes[slot] = episode
            view.open = {*view.open, mark.name}  # for the detectors that come after this one
        elif episode.withdrawn:
            episode.withdrawn, episode.told = False, 0
            view.open = {*view.open, mark.name}
        episode.incident = episode.incident or incident
        episode.touches += 1
        episode.last = max(episode.last, event.at)
        if len(episode.samples) < SAMPLES and not bad and type(event) is not Signal:
            episode.samples.append(self._sample(event))
        elif bad and len(episode.samples) < SAMPLES and record.recent:
            newest = record.recent[-1]
            if newest not in episode.samples:
                episode.samples.append(newest)
        raised = RANK[mark.severity] > RANK[episode.severity]
        new = mark.shape not in episode.shapes
        if (
            raised
            or new
            or episode.touches >= 2 * episode.told
            or (record.sentences and _served(record, event.at))
        ):
            if new:
                episode.shapes.append(mark.shape)
            if raised or (new and mark.severity == episode.severity):
                episode.severity = mark.severity
                episode.shape = mark.shape
            self._tell(detector, mark, key, record, episode)

    def _withdraw(self, detector: Detector, said: Withdraw, key: Key, record: Record) -> None:
        """Take back a finding that stands, or one client's part in it."""
        view = self._view
        slot = f"{said.name}|{said.about}" if said.about else said.name
        episode = record.episodes.get(slot)
        if episode is None or episode.withdrawn or said.name not in view.open:
            return
        mark = Mark(episode.name, episode.shape, episode.severity, episode.about)  # type: ignore[arg-type]
        if said.client:
            if said.client in episode.clients:
                episode.clients.remove(said.client)
                episode.clients_count -= 1
                self._tell(detector, mark, key, record, episode)
            return
        episode.withdrawn = True
        view.open = self._open(record, view.at)
        self._tell(detector, mark, key, record, episode, said.why)

    def _tell(
        self,
        detector: Detector,
        mark: Mark,
        key: Key,
        record: Record,
        episode: Episode,
        why: str = "",
    ) -> None:
        """Tell what is known of an episode; `why` it is withdrawn, if it is."""
        view = self._view
        judgement = detector.judge(mark, self._state(detector, record), view)
        if not why:
            episodes.absorb(episode, judgement)
        episode.told = episode.touches
        episode.revision += 1
        standing = [e for e in record.episodes.values() if e.name in view.open and not e.withdrawn]
        self.findings.append(
            episodes.finding(episode, judgement, detector, record, standing, key, view.at, why)
        )

    def _remember(self, event: Fact, key: Key, record: Record) -> None:
        at = event.at
        if at - record.offended_last > DAY or not record.offended:
            record.offended = at
            record.offences = 0
        record.offended = min(record.offended, at)
        record.offended_last = max(record.offended_last, at)
        if key[0] in "cm":
            record.offences += 1
            recent = record.recent
            if len(recent) >= RECENT:
                del recent[: 1 - RECENT]
            recent.append(self._sample(event))

    def _sample(self, event: Fact) -> tuple[float, str, str]:
        """The event as a sample; it is encoded once for all its keys."""
        sampled, sample = self._sampled
        if sampled is not event:
            place = f"{self._place}:{event.offset}" if event.offset >= 0 else self._place
            sample = (event.at, wire.encode(event).decode(), place)
            self._sampled = (event, sample)
        return sample


def _served(record: Record, at: float) -> bool:
    """Whether a sentence of the subject has ended."""
    return any(0 < sentence.until < at for sentence in record.sentences.values())
