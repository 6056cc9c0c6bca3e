"""Block lists asked by the workers: each gateway by one of them, with the ids of one process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.commands import cli
from load.cluster import Cluster, wait
from schemas.findings import Alert, Subject, finding_id
from tests.listed.conftest import ZONES, BlockList
from tools.kafka import Broker

pytestmark = [pytest.mark.broker, pytest.mark.servers, pytest.mark.xdist_group("listed")]

US, TOO, LIST = "192.0.2.25", "192.0.2.26", "good.example"
SECONDS = 40.0
MORE = """
[listed]
gateways = ["{us}", "{too}"]
lists = ["{zone}"]
interval = 1.0
resolvers = ["{resolver}"]
"""


@pytest.fixture
def cluster(broker: Broker, block_list: BlockList, tmp_path: Path) -> Iterator[Cluster]:
    more = MORE.format(us=US, too=TOO, zone=LIST, resolver=block_list.resolver)
    made = Cluster(
        broker.bootstrap, tmp_path, partitions=4, worker=("-m", "mailwarden", "worker"), more=more
    )
    yield made
    made.close()


def test_a_worker_asks_and_a_person_is_heard(
    cluster: Cluster, block_list: BlockList, tmp_path: Path
) -> None:
    def found(address: str = US) -> Alert | None:
        return next((a for a in cluster.alerts().values() if a.subject.value == address), None)

    def shape() -> str:
        alert = found()
        return alert.shape if alert else ""

    first = cluster.start()
    assert wait(lambda: found() and found(TOO), SECONDS)
    alert = found()
    assert alert is not None
    subject = Subject("network", US)
    assert alert.id == finding_id(f"listed {LIST} {US}", subject, alert.first)
    assert alert.revision == 1

    settings = ["-c", str(tmp_path / "mailwarden.toml"), "--kafka"]
    said = CliRunner().invoke(cli, ["listed", "asked", *settings, US, LIST])
    assert said.exit_code == 0, said.output
    assert wait(lambda: shape() == "asked", SECONDS)
    unknown = CliRunner().invoke(cli, ["listed", "asked", *settings, US, "other.example"])
    assert unknown.exit_code == 2

    assert first.end() == 0
    second = cluster.start()  # goes on with what the first one knew
    block_list.write(LIST, ZONES[LIST].replace(f"{US}\n", ""))
    assert wait(lambda: shape() == "gone", SECONDS)
    told = found()
    assert told is not None
    assert (told.id, told.revision, told.state) == (alert.id, 3, "withdrawn")
    assert "asked" in told.summary
    other = found(TOO)
    assert other is not None
    assert other.revision == 1, "nothing was said twice"
    assert second.end() == 0
