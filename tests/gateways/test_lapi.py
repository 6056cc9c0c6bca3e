import asyncio
import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from schemas.findings import Decision
from schemas.settings import SettingsError
from streams.blocklist import Blocklist
from streams.gateway import GatewayError
from streams.gateways import lapi as module
from streams.gateways.lapi import Lapi, LapiSettings, book, memory
from tests.gateways.asking import Reply, ask
from tests.gateways.decided import decided, pardoned

NOW = 1000.0
KEY = {"X-Api-Key": "Quince-1"}
FIREWALL = {**KEY, "User-Agent": "crowdsec-firewall-bouncer/v0.0.25"}


class Site:
    def __init__(self) -> None:
        self.blocklist = Blocklist()

    def ruling(self, address: str = "", account: str = "", **_: Any) -> Decision | None:
        return self.blocklist.lookup(NOW, address, account)

    def publish(self, events: Any) -> None:
        raise NotImplementedError


class Served:
    """A LAPI with a clock that stands still, and what is asked of it."""

    def __init__(self, keys: Path, lifted: Callable[[], bool], **settings: Any) -> None:
        self.now = NOW
        self.site = Site()
        given = {"listen": "127.0.0.1:0", "key_file": str(keys), "memory": "", **settings}
        self.gateway = Lapi(LapiSettings(**given), "lapi", lifted, lambda: self.now)
        self.gateway.connect(self.site)

    def apply(self, *decisions: Decision) -> None:
        self.site.blocklist = Blocklist()
        for decision in decisions:
            self.site.blocklist.put(decision)
        assert self.gateway.apply(self.site.blocklist.in_force(self.now))

    def ask(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
        return ask(self.gateway.port, path, KEY if headers is None else headers, **more)

    def poll(self, query: str = "", headers: dict[str, str] | None = None) -> tuple[set[str], ...]:
        """What is new and what is deleted, by value."""
        reply = self.ask(f"/v1/decisions/stream?{query}", headers)
        assert reply.status == 200
        found = json.loads(reply.body)
        assert list(found) == ["deleted", "new"]
        return tuple({row["value"] for row in found[key] or ()} for key in ("new", "deleted"))

    def lookup(self, query: str) -> list[str]:
        reply = self.ask(f"/v1/decisions?{query}")
        assert reply.status == 200
        return [row["value"] for row in json.loads(reply.body) or ()]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text("firewall Quince-1\nproxy Medlar-2\n")
    return file


Serve = Callable[..., Served]


@pytest.fixture
def serve(keys: Path) -> Iterator[Serve]:
    made: list[Served] = []

    def build(lifted: Callable[[], bool] = lambda: False, **settings: Any) -> Served:
        made.append(Served(keys, lifted, **settings))
        return made[-1]

    yield build
    for each in made:
        each.gateway.close()


def count(answer: str) -> float:
    labels = {"gateway": "lapi", "answer": answer}
    return REGISTRY.get_sample_value("mailwarden_gateway_answers_total", labels) or 0.0


ONE, TWO = decided("192.0.2.1"), decided("198.51.100.0/24", "reject")


def test_a_bouncer_is_told_all_at_first_then_what_has_changed(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    assert served.poll("startup=true") == ({"192.0.2.1"}, set())
    assert served.poll() == (set(), set())
    served.apply(ONE, TWO)
    assert served.poll("startup=false") == ({"198.51.100.0/24"}, set())
    served.apply(TWO)
    assert served.poll() == (set(), {"192.0.2.1"})
    assert served.poll() == (set(), set())


def test_the_answer_is_that_of_the_real_one(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    reply = served.ask("/v1/decisions/stream?startup=true")
    assert reply.headers["Content-Type"] == "application/json"
    [row] = json.loads(reply.body)["new"]
    assert row.pop("id") > 0
    assert row == {
        "duration": "16m40.0s",
        "origin": "mailwarden",
        "scenario": "mailwarden/automatic",
        "scope": "Ip",
        "type": "ban",
        "value": "192.0.2.1",
    }
    assert served.ask("/v1/decisions/stream").body == b'{"deleted":null,"new":null}'


def test_each_bouncer_is_told_by_itself(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    others: list[dict[str, str]] = [KEY, {"X-Api-Key": "Medlar-2"}, FIREWALL]
    for headers in others:
        assert served.poll("startup=true", headers) == ({"192.0.2.1"}, set())
    served.apply()
    for headers in others:
        assert served.poll("", headers) == (set(), {"192.0.2.1"})
        assert served.poll("", headers) == (set(), set())


def test_who_asks_for_something_else_is_told_that_from_its_beginning(serve: Serve) -> None:
    served = serve()
    account = decided("alice@example.org", "lock", kind="account")
    served.apply(ONE, account)
    assert served.poll("startup=true") == ({"192.0.2.1"}, set())
    assert served.poll("scopes=username") == ({"alice@example.org"}, set())
    served.apply(ONE)
    assert served.poll() == (set(), set())
    assert served.poll("scopes=username") == (set(), {"alice@example.org"})


def test_who_is_not_known_is_told_all_and_what_it_may_hold(serve: Serve) -> None:
    served = serve()
    served.apply(ONE, TWO)
    served.apply(TWO)
    assert served.poll() == ({"198.51.100.0/24"}, {"192.0.2.1"})


def test_who_is_too_far_behind_is_told_all_anew(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MOST", 1)
    served = serve()
    served.apply(ONE)
    served.poll("startup=true")
    served.apply(TWO)
    assert served.poll() == ({"198.51.100.0/24"}, {"192.0.2.1"})


def test_who_starts_again_is_told_what_was_lifted_meanwhile(serve: Serve) -> None:
    served = serve()
    served.apply(ONE, TWO)
    served.poll("startup=true")
    served.apply(TWO)
    assert served.poll("startup=true") == ({"198.51.100.0/24"}, {"192.0.2.1"})


def test_a_renewed_lease_is_deleted_first_for_firewalls_only(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    for headers in (KEY, FIREWALL):
        served.poll("startup=true", headers)
    served.apply(decided("192.0.2.1", until=9000.0))
    assert served.poll("", KEY) == ({"192.0.2.1"}, set())
    assert served.poll("", FIREWALL) == ({"192.0.2.1"}, {"192.0.2.1"})


def test_an_answer_that_did_not_leave_is_given_again(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    served.apply()
    served.poll("startup=true")
    served.apply(ONE)

    async def lost(request: Any, response: Any) -> bool:
        request.transport.abort()
        return False

    with monkeypatch.context() as patched:
        patched.setattr(module, "send", lost)
        with pytest.raises(ConnectionError):
            served.poll()
    assert served.poll() == ({"192.0.2.1"}, set())


def test_a_bouncer_that_knows_no_networks_is_told_addresses(serve: Serve) -> None:
    served = serve(expand_ranges=["firewall"])
    served.apply(pardoned("198.51.100.2"), decided("198.51.100.0/30"))
    found = {f"198.51.100.{n}" for n in (0, 1, 3)}
    assert served.poll("startup=true") == (found, set())
    proxy = {"X-Api-Key": "Medlar-2"}
    assert served.poll("startup=true", proxy) == (
        {"198.51.100.0/31", "198.51.100.3"},
        set(),
    )
    served.apply()
    assert served.poll() == (set(), found)


def test_all_bouncers_may_be_told_addresses(serve: Serve) -> None:
    served = serve(expand_ranges=["*"])
    served.apply(decided("198.51.100.0/31"))
    assert served.poll("startup=true") == ({"198.51.100.0", "198.51.100.1"}, set())


def test_the_whole_list_is_packed_if_that_is_wanted(serve: Serve) -> None:
    served = serve()
    served.apply(*(decided(f"192.0.2.{n}") for n in range(200)))
    path = "/v1/decisions/stream?startup=true"
    plain, packed = served.ask(path), served.ask(path, {**KEY, "Accept-Encoding": "gzip"})
    assert plain.headers["Content-Encoding"] is None
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 5


def test_one_address_is_asked_of_the_block_list_itself(serve: Serve) -> None:
    served = serve()
    served.apply(ONE, TWO, decided("2001:db8::/64"), decided("203.0.113.1", "tarpit"))
    assert served.lookup("ip=192.0.2.1") == ["192.0.2.1"]
    assert served.lookup("ip=198.51.100.77") == ["198.51.100.0/24"]
    assert served.lookup("ip=2001:db8::7") == ["2001:db8::/64"]
    assert served.lookup("ip=192.0.2.1&type=captcha") == []
    assert served.lookup("ip=203.0.113.1") == []
    assert served.ask("/v1/decisions?ip=203.0.113.2").body == b"null"
    served.site.blocklist.put(pardoned("198.51.100.77"))
    assert served.lookup("ip=198.51.100.77") == []
    served.site.blocklist.remove(ONE.id)
    assert served.lookup("ip=192.0.2.1") == []


def test_decisions_can_be_listed(serve: Serve) -> None:
    served = serve()
    served.apply(ONE, TWO)
    assert served.lookup("") == ["192.0.2.1", "198.51.100.0/24"]
    assert served.lookup("range=198.51.100.0/25") == ["198.51.100.0/24"]
    assert served.lookup("ip=192.0.2.1&contains=false") == ["192.0.2.1"]
    packed = served.ask("/v1/decisions", {**KEY, "Accept-Encoding": "gzip"})
    assert len(json.loads(gzip.decompress(packed.body))) == 2


@pytest.mark.parametrize("query", ["ip=x", "ip=", "range=192.0.2.0/33"])
def test_what_is_no_address_is_refused(serve: Serve, query: str) -> None:
    served = serve()
    served.apply(ONE)
    for path in ("/v1/decisions", "/v1/decisions/stream"):
        reply = served.ask(f"{path}?{query}")
        assert reply.status == 400
        assert json.loads(reply.body) == {"message": "neither an address nor a network"}


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("HEAD", "/v1/decisions", 200, b""),
        ("HEAD", "/v1/decisions/stream", 200, b""),
        ("GET", "/v1/heartbeat", 200, b""),
        ("POST", "/v1/usage-metrics", 201, b""),
        ("GET", "/v1/decisions/", 200, b"null"),
        ("GET", "/v1/alerts", 404, b'{"message":"page or endpoint not found"}'),
        ("DELETE", "/v1/decisions", 404, b'{"message":"page or endpoint not found"}'),
        ("POST", "/v1/watchers/login", 404, b'{"message":"page or endpoint not found"}'),
    ],
)
def test_the_rest_of_what_bouncers_ask(
    serve: Serve, method: str, path: str, status: int, body: bytes
) -> None:
    served = serve()
    served.apply()
    sent = b'{"remediation_components":[]}' if method == "POST" else None
    reply = served.ask(path, method=method, body=sent)
    assert (reply.status, reply.body) == (status, body)


def test_only_who_has_a_key_may_ask(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    for path in ("/v1/decisions", "/v1/decisions/stream", "/v1/heartbeat", "/nowhere"):
        for headers in ({}, {"X-Api-Key": "Quince-2"}):
            reply = served.ask(path, headers)
            assert (reply.status, reply.body) == (403, b'{"message":"access forbidden"}')
    for path in ("/health", "/v1/health"):
        assert json.loads(served.ask(path, {}).body) == {"status": "up", "asked": None}


@pytest.mark.parametrize("switch", ["enabled", "lifted"])
def test_where_nothing_is_to_be_enforced_all_is_lifted(
    serve: Serve, switch: str, tmp_path: Path
) -> None:
    panic = tmp_path / "panic"
    served = serve(panic.exists, memory=str(tmp_path))
    served.apply(ONE, TWO)
    assert served.poll("startup=true") == ({"192.0.2.1", "198.51.100.0/24"}, set())
    if switch == "lifted":
        panic.touch()
    else:
        served.gateway.close()
        served = serve(memory=str(tmp_path), enabled=False)
    served.apply(ONE, TWO)
    assert served.poll() == (set(), {"192.0.2.1", "198.51.100.0/24"})
    assert served.lookup("ip=192.0.2.1") == []


def test_what_is_only_observed_is_not_told(serve: Serve) -> None:
    served = serve()
    served.apply(decided("192.0.2.1", enforced=False))
    assert served.poll("startup=true") == (set(), set())
    assert served.lookup("ip=192.0.2.1") == []


def test_a_restart_tells_what_has_changed_and_nothing_twice(serve: Serve, tmp_path: Path) -> None:
    served = serve(memory=str(tmp_path))
    served.apply(ONE, TWO)
    served.poll("startup=true")
    served.gateway.close()
    served = serve(memory=str(tmp_path))
    served.apply(TWO, decided("192.0.2.9"))
    assert served.poll() == ({"192.0.2.9"}, {"192.0.2.1"})


def test_a_process_that_is_killed_has_kept_what_it_told(serve: Serve, tmp_path: Path) -> None:
    serve(memory=str(tmp_path)).apply(ONE, TWO)
    served = serve(memory=str(tmp_path))
    served.apply(TWO)
    assert served.poll() == ({"198.51.100.0/24"}, {"192.0.2.1"})


def test_what_is_kept_is_written_at_a_bounded_rate(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lapi.json"
    served = serve(memory=str(tmp_path))
    served.apply(ONE)
    first = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    served.apply(TWO)
    assert file.read_bytes() == first
    monkeypatch.setattr(module, "SAVE", 0.0)
    served.apply(TWO)
    second = file.read_bytes()
    assert second != first
    file.unlink()
    served.apply(TWO)
    assert not file.exists()


def test_a_memory_that_cannot_be_read_is_passed_over(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lapi.json").write_text("{}x")
    served = serve(memory=str(tmp_path))
    served.apply(ONE)
    assert served.poll("startup=true") == ({"192.0.2.1"}, set())
    assert "passes over" in caplog.text


def test_one_that_never_began_keeps_nothing(serve: Serve, tmp_path: Path) -> None:
    serve(memory=str(tmp_path)).gateway.close()
    assert not (tmp_path / "lapi.json").exists()


def test_a_memory_that_cannot_be_written_is_told_and_does_not_stop_it(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "state"
    folder.touch()
    served = serve(memory=str(folder))
    for _ in range(2):
        with pytest.raises(GatewayError, match=r"memory: .*state/lapi\.json: File exists"):
            served.apply(ONE)
    assert served.poll("startup=true") == ({"192.0.2.1"}, set())
    folder.unlink()
    monkeypatch.setattr(module, "SAVE", 0.0)
    served.apply(ONE)
    assert (folder / "lapi.json").exists()


def test_each_gateway_has_a_memory_of_its_own() -> None:
    assert memory.place("/var/lib", "lapi") == Path("/var/lib/lapi.json")
    assert memory.place("/var/lib", "../edge") == Path("/var/lib/..%2Fedge.json")
    assert memory.place("", "lapi") is None


def test_whole_lists_are_made_one_at_a_time_and_not_for_too_many(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WHOLE", 1)
    monkeypatch.setattr(module, "WAIT", 0.0)
    served = serve()
    served.apply(ONE)
    served.poll("startup=true")
    busy, free = threading.Event(), threading.Event()

    async def slow(request: Any, response: Any) -> bool:
        busy.set()
        await asyncio.to_thread(free.wait, 30)
        return True

    with monkeypatch.context() as patched:
        patched.setattr(module, "send", slow)
        asking = threading.Thread(target=served.ask, args=("/v1/decisions",))
        asking.start()
        assert busy.wait(30)
    for path in ("/v1/decisions", "/v1/decisions/stream?startup=true"):
        reply = served.ask(path)
        assert reply.status == 503
        assert json.loads(reply.body) == {"message": "too many ask for the whole list"}
    assert served.poll() == (set(), set())
    free.set()
    asking.join(30)
    assert served.ask("/v1/decisions").status == 200


def test_all_who_ask_at_once_are_given_one_list(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    served.apply(ONE)
    first = served.ask("/v1/decisions/stream?startup=true").body
    served.now += 60
    assert served.ask("/v1/decisions/stream?startup=true").body == first
    monkeypatch.setattr(module, "FRESH", 0.0)
    assert served.ask("/v1/decisions/stream?startup=true").body != first


def test_answers_are_counted(serve: Serve) -> None:
    served = serve()
    served.apply(ONE)
    before = {name: count(name) for name in ("list", "changes", "decision", "none")}
    served.poll("startup=true")
    served.poll()
    served.lookup("")
    served.lookup("ip=192.0.2.1")
    served.lookup("ip=192.0.2.2")
    after = {name: count(name) - before[name] for name in before}
    assert after == {"list": 2, "changes": 1, "decision": 1, "none": 1}


def test_bouncers_that_were_silent_longest_are_forgotten(serve: Serve) -> None:
    readers = module.Readers(most=2)
    for position, name in enumerate(("a", "b", "a", "c")):
        readers.told(name, position)
    assert [readers.position(name) for name in ("a", "b", "c")] == [2, None, 3]
    assert readers.kept() == {"a": 2, "c": 3}


@pytest.mark.parametrize("kind", ["", "Ban", 'b"an', "a b"])
def test_a_type_is_a_word(keys: Path, kind: str) -> None:
    with pytest.raises(SettingsError, match=r"types\.drop: expected a word"):
        Lapi(LapiSettings(types={"drop": kind}))


def test_what_it_can_carry_out(keys: Path) -> None:
    gateway = Lapi(LapiSettings(types={"drop": "ban", "lock": "ban", "tarpit": "throttle"}))
    reached: Iterable[Decision] = (
        decided(),
        decided("198.51.100.0/24", "tarpit"),
        decided("a@example.org", "lock", kind="account"),
    )
    assert all(gateway.reaches(decision) for decision in reached)
    unreached = (
        decided(action="reject"),
        decided("nonsense"),
        pardoned("192.0.2.1"),
        decided("example.org", kind="domain"),
    )
    assert not any(gateway.reaches(decision) for decision in unreached)


def test_what_check_says(serve: Serve) -> None:
    served = serve()
    served.apply()
    served.poll()
    listen = f"127.0.0.1:{served.gateway.port}"
    [asked] = Lapi(LapiSettings(listen=listen, key="Quince-1")).review()
    assert asked.good
    assert "a bouncer asked last 0 s ago" in asked.text
    _, note = Lapi(LapiSettings(listen=listen)).review()
    assert not note.good
    assert "no bouncer has a key" in note.text
    assert 'key_file = "/etc/mailwarden/lapi.keys"' in note.remedy


def test_a_client_that_hangs_up_disturbs_nobody(serve: Serve) -> None:
    served = serve()
    served.apply(*(decided(f"10.{n >> 8}.{n & 255}.1") for n in range(3000)))
    request = (
        b"GET /v1/decisions/stream?startup=true HTTP/1.1\r\nHost: x\r\nX-Api-Key: Quince-1\r\n\r\n"
    )
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", served.gateway.port), timeout=10) as client:
            client.sendall(request)
    assert len(served.poll("startup=true")[0]) == 3000
