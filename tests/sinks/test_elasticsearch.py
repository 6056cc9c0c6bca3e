"""Elasticsearch cannot be had here: these tests speak with a stand-in (tests/sinks/elastic.py) that
follows the published bulk protocol, and show nothing of a real cluster."""

import base64
import logging
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents import configuration
from agents.single.delivery import Delivery
from schemas.settings import Settings, SettingsError
from streams import metrics
from streams.sink import SinkError
from streams.sinks.elasticsearch import Elasticsearch, ElasticsearchSettings
from tests.sinks.alerts import alert, evil
from tests.sinks.elastic import Cluster
from tests.waiting import wait_for

STREAM = "logs-mailwarden.alert-default"
MAPPING = (400, "document_parsing_exception", "failed to parse field [x]")
BUSY = (429, "es_rejected_execution_exception", "rejected execution")


@pytest.fixture
def clusters() -> Iterator[Callable[..., Cluster]]:
    made: list[Cluster] = []

    def make(authorization: str = "") -> Cluster:
        made.append(Cluster(authorization))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def cluster(clusters: Callable[..., Cluster]) -> Cluster:
    return clusters()


def sink(url: str, **settings: Any) -> Elasticsearch:
    return Elasticsearch(ElasticsearchSettings(url=url, **settings))


def refused(name: str = "elasticsearch") -> float:
    return metrics.SINK_REFUSED.labels(name)._value.get()


def test_each_revision_is_a_document_of_the_data_stream(cluster: Cluster) -> None:
    sink(cluster.url).send([alert("a1"), alert("a1", revision=2), evil("a2")])
    kept = cluster.documents[STREAM]
    assert list(kept) == ["a1-1", "a1-2", "a2-1"]
    assert kept["a1-2"]["mailwarden"]["alert"]["id"] == "a1"
    assert kept["a1-2"]["event"]["id"] == "a1-2"
    assert len(cluster.requests) == 1


def test_another_data_stream_is_named_in_its_documents(cluster: Cluster) -> None:
    sink(cluster.url + "/", stream="logs-mail.security-prod").send([alert()])
    [document] = cluster.documents["logs-mail.security-prod"].values()
    assert document["data_stream"] == {
        "type": "logs",
        "dataset": "mail.security",
        "namespace": "prod",
    }


def test_what_is_there_already_is_fine(cluster: Cluster) -> None:
    told = sink(cluster.url)
    told.send([alert("a1")])
    told.send([alert("a1"), alert("a2")])
    assert list(cluster.documents[STREAM]) == ["a1-1", "a2-1"]


@pytest.mark.parametrize("status", [429, 500, 503, 403])
def test_what_may_not_be_written_now_is_sent_again(cluster: Cluster, status: int) -> None:
    cluster.refuse = {"a2-1": (status, "es_rejected_execution_exception", "rejected execution")}
    told = sink(cluster.url)
    with pytest.raises(SinkError, match=rf"1 of 3 documents not taken: {status} es_rejected"):
        told.send([alert("a1"), alert("a2"), alert("a3")])
    cluster.refuse = {}
    told.send([alert("a1"), alert("a2"), alert("a3")])
    assert sorted(cluster.documents[STREAM]) == ["a1-1", "a2-1", "a3-1"]


def test_what_will_never_be_taken_is_counted_and_logged_and_left_out(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.refuse = {"a2-1": MAPPING}
    before = refused()
    with caplog.at_level(logging.ERROR):
        sink(cluster.url).send([alert("a1"), alert("a2"), alert("a3")])
    assert list(cluster.documents[STREAM]) == ["a1-1", "a3-1"]
    assert refused() == before + 1
    assert "alert refused sink=elasticsearch alert=a2-1" in caplog.text
    assert "failed to parse field [x]" in caplog.text


def test_a_cluster_that_takes_nothing_is_not_set_up_for_us(cluster: Cluster) -> None:
    missing = (400, "illegal_argument_exception", "pipeline with id [x] does not exist")
    cluster.refuse = {"a1-1": missing, "a2-1": missing}
    before = refused()
    told = sink(cluster.url)
    with pytest.raises(SinkError, match="2 of 2 documents not taken: 400 illegal_argument"):
        told.send([alert("a1"), alert("a2")])
    assert refused() == before
    told.send([alert("a1"), alert("a3")])  # it takes others: a1 will never do
    assert refused() == before + 1
    assert list(cluster.documents[STREAM]) == ["a3-1"]


def test_what_was_refused_is_not_sent_again_with_its_batch(cluster: Cluster) -> None:
    cluster.refuse = {"a1-1": MAPPING, "a2-1": BUSY}
    told = sink(cluster.url)
    before = refused()
    batch = [alert("a1"), alert("a2")]
    for _ in range(3):
        with pytest.raises(SinkError, match="1 of"):
            told.send(batch)
    assert refused() == before + 1
    assert cluster.requests == [["a1-1", "a2-1"], ["a2-1"], ["a2-1"]]
    told.send([alert("a1")])
    assert len(cluster.requests) == 3


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
def test_any_other_answer_to_the_whole_is_an_error(cluster: Cluster, status: int) -> None:
    cluster.status = status
    with pytest.raises(SinkError, match=f"answered {status} "):
        sink(cluster.url).send([alert()])


def test_a_batch_that_is_too_large_is_sent_in_parts(cluster: Cluster) -> None:
    cluster.largest = 6000
    sink(cluster.url).send([alert(f"a{number}") for number in range(20)])
    assert len(cluster.documents[STREAM]) == 20
    assert len(cluster.requests) > 1


def test_one_that_is_too_large_by_itself_is_left_out(cluster: Cluster) -> None:
    cluster.largest = 6000
    before = refused()
    sink(cluster.url).send([alert("a1"), evil("big", length=100), alert("a2")])
    assert list(cluster.documents[STREAM]) == ["a1-1", "a2-1"]
    assert refused() == before + 1


@pytest.mark.parametrize("answer", [b"<html>", b"{}", b'{"items": [{"index": {}}]}', b"[]"])
def test_what_is_no_cluster_is_not_taken_for_one(cluster: Cluster, answer: bytes) -> None:
    cluster.answer = answer
    with pytest.raises(SinkError, match="not the answer of a bulk request"):
        sink(cluster.url).send([alert()])
    cluster.answer = b'{"errors": false, "items": []}'
    with pytest.raises(SinkError, match="0 answers for 1"):
        sink(cluster.url).send([alert()])


def test_a_key_or_a_name_logs_in(clusters: Callable[..., Cluster], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("aWQ6a2V5\n")
    sink(clusters("ApiKey aWQ6a2V5").url, api_key_file=str(secret)).send([alert()])
    both = base64.b64encode(b"warden:aWQ6a2V5").decode()
    named = clusters(f"Basic {both}")
    sink(named.url, username="warden", password_file=str(secret)).send([alert()])
    assert len(named.documents[STREAM]) == 1
    with pytest.raises(SinkError, match="answered 401") as caught:
        sink(named.url, username="warden", password="wrong").send([alert()])
    assert "wrong" not in str(caught.value)


def test_what_was_owed_while_the_cluster_was_busy_arrives_once(cluster: Cluster) -> None:
    cluster.status = 429
    delivery = Delivery(sink(cluster.url), patience=(0.01, 0.02))
    delivery.put(alert(f"a{number}") for number in range(250))
    wait_for(lambda: "429" in delivery.trouble)
    cluster.status = 200
    wait_for(delivery.idle)
    delivery.close()
    assert len(cluster.documents[STREAM]) == 250


def test_the_documentation_says_how(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/sinks.md").read_text()
    [example] = re.findall(r"```toml\n(\[sinks\.elasticsearch\].*?)```", page, re.DOTALL)
    for name in ("elastic.key", "elastic-ca.pem"):
        example = example.replace(f"/etc/mailwarden/{name}", str(tmp_path / name))
    (tmp_path / "elastic.key").write_text("aWQ6a2V5")
    with pytest.raises(SettingsError, match=r"sinks\.elasticsearch\.ca: .* cannot be read"):
        configuration.build(Settings(sinks=tomllib.loads(example)["sinks"]))
    example = re.sub(r"ca = .*\n", "", example)
    [made] = configuration.build(Settings(sinks=tomllib.loads(example)["sinks"])).sinks
    assert made.about() == f"ECS documents to {STREAM} of https://elastic.example.org:9200"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": ""}, "url: expected http://"),
        ({"timeout": 0.0}, "timeout: expected a number of seconds above 0"),
        ({"stream": "mailwarden"}, "stream: expected logs-DATASET-NAMESPACE"),
        ({"stream": "logs-A-b"}, "stream: expected logs-DATASET-NAMESPACE"),
        ({"stream": "logs-a-b/_x"}, "stream: expected logs-DATASET-NAMESPACE"),
        ({"api_key": "a", "username": "b"}, "username: expected either"),
        ({"api_key": "a\r\nx: y"}, "api_key: expected one word"),
        ({"password": "b"}, "username: expected the name"),
        ({"api_key_file": "/none"}, "api_key_file: /none cannot be read"),
        ({"ca": "/none"}, "ca: /none cannot be read"),
        ({"key": "/none"}, "certificate: expected the file"),
    ],
)
def test_settings_that_cannot_be_used_name_the_key(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        sink(**{"url": "http://127.0.0.1:1", **settings})
    assert str(caught.value).startswith(said)
