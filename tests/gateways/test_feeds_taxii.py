"""TAXII 2.1, as the client of OASIS (taxii2-client) and a careless one see it."""

import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
import stix2

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of 2021
    from taxii2client.exceptions import AccessError
    from taxii2client.v21 import ApiRoot, Collection, Server, as_pages

from requests.exceptions import HTTPError

from schemas.findings import Decision
from streams.gateways.feeds import Feeds, FeedsSettings, taxii
from streams.gateways.feeds.settings import ListSettings
from tests.gateways.asking import Reply, ask
from tests.gateways.decided import decided, pardoned

NOW = 1_700_000_000.0
KIND = "application/taxii+json;version=2.1"
ROOT = "/taxii/decisions/"


def block(value: str, since: float = NOW, **more: Any) -> Decision:
    made = decided(value, until=NOW + 3600, **more)
    return msgspec.structs.replace(made, since=since, severity="high")


class Served:
    def __init__(self, **settings: Any) -> None:
        self.now = NOW
        given = {"listen": "127.0.0.1:0", "key": "secret", **settings}
        self.gateway = Feeds(FeedsSettings(**given), "feeds", lambda: False, lambda: self.now)

    def apply(self, *decisions: Decision) -> None:
        assert self.gateway.apply(decisions)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.gateway.port}{path}"

    def collection(self, password: str = "secret", title: str = "stix.json") -> Collection:
        root = ApiRoot(self.url(ROOT), user="x", password=password)
        [found] = [one for one in root.collections if one.title == title]
        return found

    def ask(self, path: str, accept: str = KIND, key: str = "secret", method: str = "GET") -> Reply:
        headers = {"Accept": accept, "X-API-Key": key}
        return ask(self.gateway.port, path, headers, method=method)

    def objects(self, query: str = "") -> dict[str, Any]:
        reply = self.ask(f"{ROOT}collections/{self.collection().id}/objects/{query}")
        assert reply.status == 200
        found: dict[str, Any] = json.loads(reply.body)
        return found


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[Served] = []

    def build(**settings: Any) -> Served:
        made.append(Served(**settings))
        made[-1].apply(block("192.0.2.1"), block("198.51.100.0/24"))
        return made[-1]

    yield build
    for each in made:
        each.gateway.close()


def patterns(envelope: dict[str, Any]) -> list[str]:
    return [one["pattern"] for one in envelope.get("objects", []) if one["type"] == "indicator"]


ONE, TWO = "[ipv4-addr:value = '192.0.2.1']", "[ipv4-addr:value ISSUBSET '198.51.100.0/24']"


def test_the_client_finds_its_way_from_discovery_to_the_objects(serve: Serve) -> None:
    served = serve()
    server = Server(served.url("/taxii2/"), user="anybody", password="secret")
    assert server.title == "mailwarden"
    [root] = server.api_roots
    assert server.default.url == root.url
    assert root.versions == [KIND]
    [collection] = root.collections
    assert (collection.title, collection.can_read, collection.can_write) == (
        "stix.json",
        True,
        False,
    )
    assert collection.media_types == ["application/stix+json;version=2.1"]
    found = collection.get_objects()
    assert patterns(found) == [ONE, TWO]
    for one in found["objects"]:
        stix2.parse(one)
    [indicator] = [one for one in found["objects"] if one.get("pattern") == ONE]
    [again] = collection.get_object(indicator["id"])["objects"]
    assert again == indicator
    [version] = collection.object_versions(indicator["id"])["versions"]
    assert version == indicator["modified"]
    manifest = collection.get_manifest()["objects"]
    assert [one["id"] for one in manifest] == [one["id"] for one in found["objects"]]
    assert {one["media_type"] for one in manifest} == {"application/stix+json;version=2.1"}


def test_who_comes_again_gets_what_is_new(serve: Serve) -> None:
    served = serve()
    collection = served.collection()
    reply = served.ask(f"{ROOT}collections/{collection.id}/objects/")
    last = reply.headers["X-TAXII-Date-Added-Last"]
    assert served.objects(f"?added_after={last}") == {}
    served.now = NOW + 60
    # It was decided before that, and came here only now.
    served.apply(block("192.0.2.1"), block("198.51.100.0/24"), block("192.0.2.9", since=NOW - 60))
    fresh = collection.get_objects(added_after=last)
    assert patterns(fresh) == ["[ipv4-addr:value = '192.0.2.9']"]
    assert served.objects("?added_after=2099-01-01T00:00:00Z") == {}


def test_what_is_taken_back_is_told_as_revoked(serve: Serve) -> None:
    served = serve()
    collection = served.collection()
    reply = served.ask(f"{ROOT}collections/{collection.id}/objects/")
    last = reply.headers["X-TAXII-Date-Added-Last"]
    served.now = NOW + 60
    served.apply(pardoned("192.0.2.1"), block("192.0.2.1"), block("198.51.100.0/24"))
    found = collection.get_objects(added_after=last)
    [revoked] = found["objects"]
    assert (revoked["pattern"], revoked["revoked"]) == (ONE, True)
    assert revoked["modified"] > revoked["created"]
    stix2.parse(revoked)
    served.now = NOW + 120
    served.apply(block("192.0.2.1"), block("198.51.100.0/24"))  # it holds again
    assert [one.get("revoked") for one in collection.get_objects()["objects"]] == [None] * 3
    served.now = NOW + 4000
    served.apply()  # their time is over: nothing is to be said of it
    assert patterns(collection.get_objects()) == []


def test_pages(serve: Serve) -> None:
    served = serve()
    served.apply(*(block(f"192.0.2.{n}") for n in range(25)))
    pages = list(as_pages(served.collection().get_objects, per_request=10))
    assert [len(page["objects"]) for page in pages] == [10, 10, 6]
    assert [page.get("more", False) for page in pages] == [True, True, False]
    ids = [one["id"] for page in pages for one in page["objects"]]
    assert len(set(ids)) == 26  # one is the identity
    # A page that ended at a time can be gone on from there as well.
    first = served.ask(f"{ROOT}collections/{served.collection().id}/objects/?limit=10")
    last = first.headers["X-TAXII-Date-Added-Last"]
    assert len(served.objects(f"?added_after={last}")["objects"]) == 16


def test_a_page_is_bounded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taxii, "PAGE", 5)
    served = serve()
    served.apply(*(block(f"192.0.2.{n}") for n in range(25)))
    for query in ("", "?limit=1000", "?limit=0"):
        assert len(served.objects(query)["objects"]) == 5


def test_filters(serve: Serve) -> None:
    served = serve()
    collection = served.collection()
    assert [one["type"] for one in collection.get_objects(type="identity")["objects"]] == [
        "identity"
    ]
    assert patterns(collection.get_objects(type=["indicator", "identity"])) == [ONE, TWO]
    assert served.objects("?match[type]=malware") == {}
    every = collection.get_objects()["objects"]
    assert collection.get_objects(id=every[1]["id"])["objects"] == [every[1]]
    for version in ("first", "last", "all"):
        assert len(collection.get_objects(version=version)["objects"]) == 3
    modified = every[1]["modified"]
    assert patterns(served.objects(f"?match[version]={modified}")) == [ONE, TWO]
    assert served.objects("?match[spec_version]=2.0") == {}


def test_each_list_in_stix_is_a_collection_of_those_who_may_fetch_it(
    serve: Serve, tmp_path: Any
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("soc one\nguest two\n")
    lists = {"grave": ListSettings(format="stix", severity="critical", keys=("soc",))}
    served = serve(key="", key_file=str(keys), lists=lists)
    mine, foreign = served.collection("one", "grave"), served.collection("two", "grave")
    assert (mine.can_read, foreign.can_read) == (True, False)
    assert patterns(mine.get_objects()) == []
    with pytest.raises(AccessError):
        foreign.get_objects()
    reply = served.ask(f"{ROOT}collections/{foreign.id}/objects/", key="two")
    assert (reply.status, json.loads(reply.body)["http_status"]) == (403, "403")


def test_without_a_key_nobody_learns_anything(serve: Serve) -> None:
    served = serve()
    for path in ("/taxii2/", ROOT, f"{ROOT}collections/"):
        reply = served.ask(path, key="wrong")
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Basic ")
    with pytest.raises(HTTPError, match="401"):
        assert Server(served.url("/taxii2/"), user="x", password="wrong").title


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (KIND, 200),
        ("application/taxii+json", 200),
        ("application/taxii+json; version=2.1", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/taxii+json;version=2.0", 406),
        ("application/vnd.oasis.taxii+json; version=2.0", 406),
        ("text/html", 406),
    ],
)
def test_which_language_is_spoken(serve: Serve, accept: str, status: int) -> None:
    reply = serve().ask("/taxii2/", accept)
    assert (reply.status, reply.headers["Content-Type"]) == (status, KIND)


NONE = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"collections/{NONE}/", 404),
        (f"collections/{NONE}/objects/", 404),
        ("collections/x/", 404),
        ("status/1/", 404),
        (f"collections/ID/objects/indicator--{NONE}/", 404),
        ("collections/ID/objects/?limit=-1", 400),
        ("collections/ID/objects/?next=x", 400),
        ("collections/ID/objects/?added_after=yesterday", 400),
        ("collections/ID/objects/?added_after=2026-01-01T00:00:00", 400),
        ("collections/ID/manifest/", 200),
    ],
)
def test_what_is_not_there_is_said_as_the_specification_asks(
    serve: Serve, path: str, status: int
) -> None:
    served = serve()
    reply = served.ask(ROOT + path.replace("ID", served.collection().id))
    assert (reply.status, reply.headers["Content-Type"]) == (status, KIND)
    if status != 200:
        assert json.loads(reply.body)["http_status"] == str(status)


def test_nothing_can_be_written(serve: Serve) -> None:
    served = serve()
    objects = f"{ROOT}collections/{served.collection().id}/objects/"
    assert served.ask(objects, method="POST").status == 403
    assert served.ask("/taxii2/", method="POST").status == 405
    assert served.ask("/taxii2/", method="HEAD").body == b""


def test_switched_off_everything_is_revoked(serve: Serve) -> None:
    served = serve()
    collection = served.collection()
    assert len(collection.get_objects()["objects"]) == 3
    served.now = NOW + 1
    served.apply()
    assert [one["revoked"] for one in collection.get_objects(type="indicator")["objects"]] == [
        True,
        True,
    ]
