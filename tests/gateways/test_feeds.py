import gzip
import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from agents import configuration
from schemas.findings import Decision
from schemas.settings import Settings, SettingsError, convert
from streams.gateways import feeds as module
from streams.gateways.feeds import Feeds, FeedsSettings
from streams.gateways.feeds.formats import FORMATS
from streams.gateways.feeds.settings import ListSettings
from tests.gateways.asking import Reply, ask
from tests.gateways.decided import decided, pardoned

NOW = 1000.0
ONE, TWO = decided("192.0.2.1"), decided("198.51.100.0/24", "reject")


class Served:
    def __init__(self, lifted: Callable[[], bool], **settings: Any) -> None:
        self.now = NOW
        self.gateway = Feeds(
            FeedsSettings(**{"listen": "127.0.0.1:0", **settings}),
            "feeds",
            lifted,
            lambda: self.now,
        )

    def apply(self, *decisions: Decision) -> None:
        assert self.gateway.apply(decisions)

    def ask(self, name: str, headers: dict[str, str] | None = None, method: str = "GET") -> Reply:
        path = name if name.startswith("/") else f"/feeds/{name}"
        return ask(self.gateway.port, path, headers, method=method)

    def lines(self, name: str) -> list[str]:
        return [line for line in self.ask(name).text.splitlines() if not line.startswith("#")]


Serve = Callable[..., Served]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[Served] = []

    def build(lifted: Callable[[], bool] = lambda: False, **settings: Any) -> Served:
        made.append(Served(lifted, **settings))
        return made[-1]

    yield build
    for each in made:
        each.gateway.close()


@pytest.mark.parametrize("name", FORMATS)
def test_there_is_a_list_for_each_format(serve: Serve, name: str) -> None:
    served = serve()
    served.apply(ONE)
    reply = served.ask(FORMATS[name].file)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == FORMATS[name].kind
    assert ("192.0.2.1" in reply.text) is (name != "ip6")
    assert reply.text.startswith(FORMATS[name].header)


def test_a_list_follows_the_decisions(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    assert served.lines("cidr.txt") == ["192.0.2.1/32"]
    served.apply(ONE, TWO)
    assert served.lines("cidr.txt") == ["192.0.2.1/32", "198.51.100.0/24"]
    served.apply(pardoned("192.0.2.1"))
    assert served.lines("cidr.txt") == []


def test_a_list_is_written_once_for_each_change(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    render = module.render

    def counted(decisions: Any, chosen: Any, generation: int, *rest: Any) -> Any:
        calls.append(generation)
        return render(decisions, chosen, generation, *rest)

    monkeypatch.setattr(module, "render", counted)
    served = serve()
    served.apply(ONE)
    for headers in ({}, {}, {"Accept-Encoding": "gzip"}):
        served.ask("cidr.txt", headers)
    served.apply(ONE)
    served.ask("cidr.txt")
    assert calls == [1]
    served.apply(TWO)
    served.ask("cidr.txt")
    assert calls == [1, 2]


def test_who_has_the_list_already_is_sent_nothing(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    first = served.ask("cidr.txt")
    tag = first.headers["ETag"]
    for shown in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        reply = served.ask("cidr.txt", {"If-None-Match": shown})
        assert (reply.status, reply.body) == (304, b"")
        assert reply.headers["ETag"] == tag
        assert reply.headers["Cache-Control"] == "private, max-age=30"
    assert served.ask("cidr.txt", {"If-None-Match": '"x"'}).status == 200
    served.apply(TWO)
    assert served.ask("cidr.txt", {"If-None-Match": tag}).status == 200
    served.apply(ONE)
    assert served.ask("cidr.txt", {"If-None-Match": tag}).status == 304


def test_each_change_has_a_date_of_its_own(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)

    def date(headers: dict[str, str] | None = None) -> str:
        return served.ask("cidr.txt", headers).headers["Last-Modified"]

    first = date()
    assert parsedate_to_datetime(first).timestamp() == NOW
    assert served.ask("cidr.txt", {"If-Modified-Since": first}).status == 304
    served.apply(TWO)  # within the same second
    second = date()
    assert parsedate_to_datetime(second).timestamp() == NOW + 1
    assert served.ask("cidr.txt", {"If-Modified-Since": first}).status == 200
    assert served.ask("cidr.txt", {"If-Modified-Since": second}).status == 304
    served.now += 60.5
    served.apply(TWO, decided("alice@example.org", "lock", kind="account"))
    assert date() == second
    served.apply(ONE)
    assert parsedate_to_datetime(date()).timestamp() == NOW + 61
    assert served.ask("cidr.txt", {"If-Modified-Since": "nonsense"}).status == 200
    both = {"If-Modified-Since": date(), "If-None-Match": '"x"'}
    assert served.ask("cidr.txt", both).status == 200


def test_a_list_is_packed_for_those_who_take_it(serve: Serve) -> None:
    served = serve()
    served.apply(*(decided(f"192.0.2.{n}") for n in range(200)))
    plain = served.ask("cidr.txt")
    packed = served.ask("cidr.txt", {"Accept-Encoding": "gzip"})
    assert plain.headers["Content-Encoding"] is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for reply in (plain, packed):
        known = {"If-None-Match": reply.headers["ETag"], "Accept-Encoding": "gzip"}
        assert served.ask("cidr.txt", known).status == 304


def test_its_head_can_be_asked_for(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    full, head = served.ask("cidr.txt"), served.ask("cidr.txt", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("ETag", "Content-Length", "Last-Modified"):
        assert head.headers[name] == full.headers[name]


def test_nothing_else_is_there(serve: Serve) -> None:
    served = serve()
    served.apply()
    for path in ("/", "/feeds/", "/feeds/none.txt", "/cidr.txt", "/feeds/../cidr.txt"):
        assert served.ask(path).status == 404
    reply = served.ask("cidr.txt", method="POST")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")
    assert json.loads(served.ask("/health").body)["status"] == "up"


def test_a_list_may_be_chosen_and_replace_a_standard_one(serve: Serve) -> None:
    lists = {
        "office": ListSettings(format="plain", kind="account", actions=("lock",)),
        "cidr.txt": ListSettings(actions=("reject",), comment=False),
    }
    served = serve(lists=lists)
    served.apply(ONE, TWO, decided("alice@example.org", "lock", kind="account"))
    assert served.lines("office") == ["alice@example.org"]
    assert served.ask("cidr.txt").text == "198.51.100.0/24\n"
    assert served.lines("ip.txt")[0] == "192.0.2.1"
    alone = serve(lists=lists, standard=False)
    alone.apply()
    assert alone.ask("office").status == 200
    assert alone.ask("ip.txt").status == 404


def test_who_may_fetch_what(serve: Serve, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("edge Quince-1\noffice Medlar-2\n")
    served = serve(key_file=str(keys), lists={"secret": ListSettings(keys=("office",))})
    served.apply(ONE)
    edge, office = ({"Authorization": f"Bearer {key}"} for key in ("Quince-1", "Medlar-2"))
    assert served.ask("cidr.txt").status == 401
    assert served.ask("cidr.txt", edge).status == 200
    assert served.ask("secret", edge).status == 403
    assert served.ask("secret", office).status == 200
    assert served.ask("/health").status == 200


@pytest.mark.parametrize("switch", ["enabled", "lifted"])
def test_where_nothing_is_to_be_enforced_lists_are_empty_not_missing(
    serve: Serve, switch: str
) -> None:
    served = serve(lambda: switch == "lifted", enabled=switch != "enabled")
    served.apply(ONE)
    for form in FORMATS.values():
        reply = served.ask(form.file)
        assert reply.status == 200
        assert "192.0.2.1" not in reply.text


def test_what_is_only_observed_is_not_listed(serve: Serve) -> None:
    served = serve()
    served.apply(decided("192.0.2.1", enforced=False))
    assert served.lines("cidr.txt") == []


def test_too_many_at_once_are_turned_away(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SENDING", 1)
    monkeypatch.setattr(module, "WAIT", 0.0)
    served = serve()
    served.apply(ONE)
    busy, free = threading.Event(), threading.Event()
    body = module.Rendered.body

    def slow(self: Any, *, packed: bool) -> bytes:
        busy.set()
        free.wait(30)
        return body(self, packed=packed)

    with monkeypatch.context() as patched:
        patched.setattr(module.Rendered, "body", slow)
        asking = threading.Thread(target=served.ask, args=("cidr.txt",))
        asking.start()
        assert busy.wait(30)
        assert served.ask("cidr.txt").status == 503
        free.set()
        asking.join(30)
    assert served.ask("cidr.txt").status == 200


def count(answer: str) -> float:
    labels = {"gateway": "feeds", "answer": answer}
    return REGISTRY.get_sample_value("mailwarden_gateway_answers_total", labels) or 0.0


def test_answers_are_counted(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    before = {name: count(name) for name in ("list", "unchanged")}
    tag = served.ask("cidr.txt").headers["ETag"]
    served.ask("cidr.txt", {"If-None-Match": tag})
    assert {name: count(name) - before[name] for name in before} == {"list": 1, "unchanged": 1}


@pytest.mark.parametrize(
    ("name", "chosen", "words"),
    [
        ("a/b", {}, r"lists\.\"a/b\": expected a file's name"),
        (".x", {}, "expected a file's name"),
        ("x", {"kind": "account"}, r"lists\.\"x\"\.format: account needs one of plain, json"),
    ],
)
def test_a_list_that_cannot_be_is_an_error(name: str, chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Feeds(FeedsSettings(lists={name: ListSettings(**chosen)}))


def test_what_it_can_carry_out() -> None:
    gateway = Feeds(FeedsSettings())
    assert gateway.reaches(decided())
    assert not gateway.reaches(decided(action="tarpit"))
    assert not gateway.reaches(decided("alice@example.org", "lock", kind="account"))
    accounts = ListSettings(format="jsonl", kind="account", actions=("lock",))
    gateway = Feeds(FeedsSettings(lists={"accounts": accounts}, standard=False))
    assert gateway.reaches(decided("alice@example.org", "lock", kind="account"))
    assert not gateway.reaches(decided())


def test_what_check_says(serve: Serve) -> None:
    served = serve()
    served.apply()
    served.ask("cidr.txt")
    settings = FeedsSettings(listen=f"127.0.0.1:{served.gateway.port}")
    asked, named, open_ = Feeds(settings).review()
    assert asked.good
    assert "a reader asked last 0 s ago" in asked.text
    assert named.text.startswith("/feeds/: cidr.txt, ip.txt, ")
    assert not open_.good
    closed, named = Feeds(FeedsSettings(listen="127.0.0.1:1", key="Quince-1")).review()
    assert not closed.good
    assert named.good


def test_the_shown_settings_are_right(documented: Callable[..., str], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("edge Quince-1\n")
    text = documented("feeds", "mailwarden.toml", {"/etc/mailwarden/feeds.keys": str(keys)})
    config = configuration.build(convert(tomllib.loads(text), Settings, "settings"))
    assert "grave.txt" in config.gateways[0].review()[1].text
