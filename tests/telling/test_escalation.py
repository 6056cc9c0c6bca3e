"""On the bus: who took an incident on is read from mail.incidents."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.incidents.casework import Extent, after
from schemas import wire
from schemas.incidents import Case, Deed
from streams.sink import SinkSettings
from tests.sinks.alerts import alert
from tests.telling.test_telling import NOW, Siem, Site
from tests.waiting import wait_for


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "sinks")
    yield made
    for telling in made.running:
        telling.close()


def acknowledge(site: Site, incident: str) -> None:
    deed = Deed(at=NOW, what="acknowledged", by="dora")
    case = after(Case(id=incident), deed, Extent(NOW + 1e6, 1, "critical", [incident]))
    site.bus.publish("mail.incidents", incident.encode(), wire.encode(case))


def pager(name: str = "siem") -> Siem:
    return Siem(name, SinkSettings(gather=0.0, unacknowledged=900.0))


def test_what_was_acknowledged_before_is_known(site: Site) -> None:
    site.bus.publish("mail.incidents", b"rubbish", b"{")
    acknowledge(site, "i1")
    siem = pager()
    telling = site.start(siem)
    site.publish(alert("a1", incident="i1", at=NOW), alert("a2", incident="i2", at=NOW))
    wait_for(lambda: telling._readers[0]._delivery.held() == 2)
    site.now = NOW + 900
    site.publish(alert("a3", incident="i1", at=NOW))
    wait_for(lambda: siem.got)
    wait_for(lambda: site.committed() == 3)
    assert siem.got == [("a2", 1)]


def test_what_is_acknowledged_meanwhile_is_known_too(site: Site) -> None:
    siem, other = pager(), Siem("desk", SinkSettings(gather=0.0))
    telling = site.start(siem, other)
    site.publish(alert("a1", incident="i1", at=NOW), alert("a2", incident="i2", at=NOW))
    wait_for(lambda: len(other.got) == 2)  # the first sink is told at once
    wait_for(lambda: telling._readers[0]._delivery.held() == 2)
    acknowledge(site, "i1")
    taken = telling._readers[0]._taken
    wait_for(lambda: taken(alert("a1", incident="i1")))
    site.now = NOW + 901
    site.publish(alert("a3", incident="i1", at=NOW))
    wait_for(lambda: site.committed() == 3)
    assert siem.got == [("a2", 1)]
    site.bus.publish("mail.incidents", b"i1", None)
    wait_for(lambda: not taken(alert("a1", incident="i1")))
