"""What the engine keeps of a finding that stands, and the finding that is told of it."""

from collections.abc import Iterable, Sequence

from agents.detector import Detector, Judgement, Mark
from agents.record import Episode, Record
from agents.windows import DAY, merged
from schemas import keys
from schemas.events import Fact
from schemas.findings import LISTED, Evidence, Finding, Sample, Subject, finding_id
from schemas.keys import Key


def begin(mark: Mark, event: Fact, key: Key, record: Record, *, bad: bool) -> Episode:
    """A finding begins with the first offence of the run that led to it. `bad`: the event is one
    of them."""
    first = event.at
    if record.offended and event.at - record.offended_last <= DAY:
        first = min(first, record.offended)
    kind, value = keys.subject(key)
    name = f"{mark.name}|{mark.about}" if mark.about else mark.name
    return Episode(
        id=finding_id(name, Subject(kind, value), first),  # type: ignore[arg-type]
        name=mark.name,
        about=mark.about,
        shape=mark.shape,
        severity=mark.severity,
        first=first,
        last=event.at,
        samples=list(record.recent),
        before=max(0, len(record.recent), record.offences) - (bad and key[0] in "cm"),
    )


def finding(
    episode: Episode,
    judgement: Judgement,
    detector: Detector,
    record: Record,
    standing: Sequence[Episode],
    key: Key,
    at: float,
    why: str,
) -> Finding:
    """What is told of an episode; `why` it is withdrawn, if it is. `standing` are those of the
    same subject that stand."""
    kind, value = keys.subject(key)
    accusing = [each for each in standing if each.severity != "info"]
    return Finding(
        id=episode.id,
        detector=episode.name,
        shape=episode.shape,
        severity=episode.severity,  # type: ignore[arg-type]
        subject=Subject(kind, value),  # type: ignore[arg-type]
        first=episode.first,
        last=episode.last,
        at=at,
        summary=why or judgement.summary,
        revision=episode.revision,
        clients=list(episode.clients),
        clients_count=episode.clients_count,
        accounts=list(episode.accounts),
        accounts_count=episode.accounts_count,
        targets=list(episode.targets),
        targets_count=episode.targets_count,
        evidence=[Evidence(sign, *counted) for sign, counted in episode.evidence.items()],
        technique=detector.technique,
        rule=detector.name,
        version=detector.version,
        window=detector.horizon,
        samples=[Sample(*sample) for sample in episode.samples],
        events=episode.before + episode.touches,
        blind_to=detector.blind_to,
        checks=judgement.checks,
        wish=None if why else judgement.wish,
        collateral=record.past.regulars(episode.first) if key[0] in "cn" else 0,
        stage=detector.stage,
        state="withdrawn" if why else "open",
        alone=not (why and accusing),
        incident=episode.incident or _incident(episode, accusing),
        shared=episode.incident != "",
    )


def _incident(episode: Episode, accusing: Sequence[Episode]) -> str:
    """What a finding goes back to: the first that stands against the same subject."""
    if episode.severity == "info":
        return episode.id
    head = min([episode, *accusing], key=lambda each: (each.first, each.id))
    return head.incident or head.id


def absorb(episode: Episode, judgement: Judgement) -> None:
    """Keep the peak of each count, and every name up to the bound."""
    for seen in judgement.evidence:
        peak: tuple[float, bool] = (seen.count, seen.estimated)
        before = episode.evidence.get(seen.sign)
        if before is not None and before[0] > seen.count:
            peak = (before[0], before[3:] == [True])  # older records have no fourth
        episode.evidence[seen.sign] = [peak[0], seen.threshold, seen.unit, peak[1]]
    episode.clients, episode.clients_count = _grown(
        episode.clients, episode.clients_count, judgement.clients, judgement.clients_count
    )
    episode.accounts, episode.accounts_count = _grown(
        episode.accounts, episode.accounts_count, judgement.accounts, judgement.accounts_count
    )
    episode.targets, episode.targets_count = _grown(
        episode.targets, episode.targets_count, judgement.targets, judgement.targets_count
    )


def _grown(
    values: list[str], count: int, more: Iterable[str], more_count: int
) -> tuple[list[str], int]:
    grown = merged(values, more, LISTED)
    return grown, max(count, more_count, len(grown))
