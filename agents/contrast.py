"""What one of two settings counts while the other finds something: both see the same events.

When all is read those counts are gone: windows have passed on. So they are noted at the moment
when one side tells of a finding that the other has not.
"""

from agents.shard import Shard, key_of
from schemas.events import Fact
from schemas.findings import Alert, Evidence

NOTED = 10_000  # findings that the counts of the other side are remembered for


class Contrast:
    """Two shards side by side, looked at after each event that both have seen. `counts` has, for
    each side, what it counted of the subjects of findings that only the other has: by the
    finding's id, each sign at its highest."""

    def __init__(self, ours: Shard, theirs: Shard) -> None:
        self._shards = (ours, theirs)
        self._outcomes = [shard.outcome for shard in self._shards]  # that were looked at last
        self._read = [0, 0]  # how many alerts of them
        self._found: tuple[set[str], set[str]] = (set(), set())
        self.counts: tuple[dict[str, dict[str, Evidence]], ...] = ({}, {})

    def __call__(self, event: Fact) -> None:
        news: list[tuple[int, Alert]] = []
        for side, shard in enumerate(self._shards):
            outcome = shard.outcome
            if outcome is not self._outcomes[side]:  # the former one was taken
                self._outcomes[side], self._read[side] = outcome, 0
            if len(outcome.alerts) == self._read[side]:
                continue
            for alert in outcome.alerts[self._read[side] :]:
                self._found[side].add(alert.id)
                self.counts[side].pop(alert.id, None)
                news.append((1 - side, alert))
            self._read[side] = len(outcome.alerts)
        for other, alert in news:
            if alert.id not in self._found[other]:
                self._note(other, alert)

    def _note(self, side: int, alert: Alert) -> None:
        noted = self.counts[side]
        if alert.id not in noted and len(noted) >= NOTED:
            return
        peaks = noted.setdefault(alert.id, {})
        for name, evidence in self._shards[side].weigh(key_of(alert.subject), alert.at):
            for seen in evidence if name == alert.rule else ():
                before = peaks.get(seen.sign)
                if before is None or before.count < seen.count:
                    peaks[seen.sign] = seen
