"""The gateway, with a program in the place of nft."""

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest
from msgspec import ValidationError, convert

from schemas.findings import Action
from streams import metrics
from streams.gateway import GatewayError
from streams.gateways.nftables import LOOK, Nftables, NftablesSettings
from tests.gateways.decided import decided

ROW = {"counter": 2, "set": 8, "chain": 1, "rule": 10}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Nft:
    """Notes what it is told, and lists what the test says."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "nft"
        self.calls = folder / "calls"
        self.calls.touch()
        self.listing = folder / "listing"
        self.status = folder / "status"
        self.status.write_text("0")
        self.has()
        self.path.write_text(
            "#!/bin/sh\n"
            f'echo "$*" >> {self.calls}\n'
            f'case "$*" in *list*) exec cat {self.listing};; esac\n'
            f"cat > {folder}/said.new && mv {folder}/said.new {folder}/said\n"
            f"[ $(cat {self.status}) = 0 ] || echo 'internal:0:0-0: Error: it broke' >&2\n"
            f"exit $(cat {self.status})\n"
        )
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)
        self.said = folder / "said"

    def has(self, dropped: int = 0, **changed: int) -> None:
        """A table with so many rules and so on."""
        rows: list[Any] = [{"metainfo": {}}, {"table": {"name": "mailwarden"}}]
        rows += [{"table": {"name": "filter"}}, {"rule": {"table": "filter"}}]
        for what, count in {**ROW, **changed}.items():
            for number in range(count):
                row = {"table": "mailwarden", "name": ("dropped", "rejected")[number % 2]}
                rows.append({what: {**row, "packets": dropped, "elem": ["x"]}})
        self.listing.write_bytes(orjson.dumps({"nftables": rows}))

    @property
    def loads(self) -> int:
        return sum("-f" in call for call in self.calls.read_text().splitlines())

    def commands(self) -> list[Any]:
        found: list[Any] = orjson.loads(self.said.read_bytes())["nftables"]
        return found


@pytest.fixture
def nft(tmp_path: Path) -> Nft:
    return Nft(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ticks() -> Clock:
    return Clock()


@pytest.fixture
def gateway(nft: Nft, clock: Clock, ticks: Clock, request: Any) -> Nftables:
    settings = NftablesSettings(nft=(str(nft.path),))
    return Nftables(settings, request.node.name, clock=clock, ticks=ticks)


def deletes(commands: list[Any]) -> bool:
    """Whether the whole table gives way."""
    return any("table" in command.get("delete", ()) for command in commands)


def test_what_lay_there_before_gives_way_and_later_only_the_content_does(
    gateway: Nftables, nft: Nft
) -> None:
    assert gateway.apply([decided("192.0.2.0/24")])
    assert deletes(nft.commands())
    assert gateway.apply([decided("198.51.100.0/24")])
    assert not deletes(nft.commands())
    assert nft.loads == 2


def test_of_hosts_only_those_that_come_and_go_are_told(gateway: Nftables, nft: Nft) -> None:
    gateway.apply([decided("192.0.2.1"), decided("192.0.2.2"), decided("198.51.100.0/24")])
    gateway.apply([decided("192.0.2.2"), decided("192.0.2.3"), decided("198.51.100.0/24")])
    place = {"family": "inet", "table": "mailwarden", "name": "drop_host4"}
    came = {"elem": {"val": "192.0.2.3", "timeout": 1000}}
    assert nft.commands() == [
        {"delete": {"element": {**place, "elem": ["192.0.2.1"]}}},
        {"add": {"element": {**place, "elem": [came]}}},
    ]


def test_what_the_kernel_does_not_take_so_is_loaded_whole(gateway: Nftables, nft: Nft) -> None:
    """Somebody has emptied the sets: what is not there cannot be taken out."""
    gateway.apply([decided("192.0.2.1")])
    nft.status.write_text("1")
    with pytest.raises(GatewayError):
        gateway.apply([decided("192.0.2.2")])
    assert nft.loads == 3
    assert deletes(nft.commands())


def test_nothing_is_loaded_twice(gateway: Nftables, nft: Nft) -> None:
    for _ in range(3):
        assert gateway.apply([decided()])
    assert nft.loads == 1


def test_a_load_that_fails_is_told_and_the_next_one_begins_anew(
    gateway: Nftables, nft: Nft
) -> None:
    gateway.apply([])
    nft.status.write_text("1")
    with pytest.raises(GatewayError, match="nft: internal:0:0-0: Error: it broke"):
        gateway.apply([decided()])
    nft.status.write_text("0")
    assert gateway.apply([decided()])
    assert deletes(nft.commands())


def test_a_load_that_took_long_is_followed_by_a_rest(
    gateway: Nftables, nft: Nft, ticks: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = gateway._load

    def slow(*arguments: Any) -> None:
        load(*arguments)
        ticks.now += 1

    monkeypatch.setattr(gateway, "_load", slow)
    assert gateway.apply([decided()])
    assert not gateway.apply([decided("192.0.2.2")])
    ticks.now += 3.9
    assert not gateway.apply([decided("192.0.2.2")])
    ticks.now += 0.1
    assert gateway.apply([decided("192.0.2.2")])
    assert nft.loads == 2
    assert not gateway.apply([decided()])
    assert gateway.apply([])


def counted(gateway: Nftables, fate: str = "dropped") -> float:
    return float(metrics.REFUSED_PACKETS.labels(gateway.name, fate)._value.get())


def test_what_the_counters_say_is_counted_on(gateway: Nftables, nft: Nft, ticks: Clock) -> None:
    gateway.apply([])
    for packets, total in ((5, 5), (7, 7), (3, 10), (3, 10)):
        nft.has(dropped=packets)
        ticks.now += LOOK
        gateway.apply([])
        assert counted(gateway) == total
    assert nft.loads == 1


def test_the_counters_are_looked_at_now_and_then(gateway: Nftables, nft: Nft, ticks: Clock) -> None:
    for _ in range(3):
        gateway.apply([])
    assert "-j -t list ruleset inet" in nft.calls.read_text()
    assert len(nft.calls.read_text().splitlines()) == 2
    ticks.now += LOOK
    gateway.apply([])
    assert len(nft.calls.read_text().splitlines()) == 3


@pytest.mark.parametrize("changed", [{"rule": 9}, {"rule": 11}, {"chain": 2}, {"set": 7}])
def test_a_table_that_somebody_changed_is_made_anew(
    gateway: Nftables, nft: Nft, ticks: Clock, changed: dict[str, int]
) -> None:
    gateway.apply([decided()])
    nft.has(**changed)
    ticks.now += LOOK
    gateway.apply([decided()])
    assert deletes(nft.commands())
    assert nft.loads == 2


def test_a_table_that_is_gone_is_made_anew(gateway: Nftables, nft: Nft, ticks: Clock) -> None:
    gateway.apply([decided()])
    nft.listing.write_text('{"nftables": []}')
    ticks.now += LOOK
    gateway.apply([decided()])
    assert nft.loads == 2


def test_a_missing_program_is_an_error_that_names_it() -> None:
    gateway = Nftables(NftablesSettings(nft=("/none/nft",)))
    with pytest.raises(GatewayError, match="/none/nft: No such file"):
        gateway.apply([])
    [note] = gateway.needs()
    assert note.remedy == ("apt-get install nftables",)
    [note] = gateway.review()
    assert note.grade == "unknown"


def test_a_kernel_that_does_not_take_the_table_is_said() -> None:
    [note] = Nftables(NftablesSettings(nft=("false",))).needs()
    assert "cannot be made: false: failed" in note.text
    assert "CAP_NET_ADMIN" in note.remedy[0]


def test_a_program_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.gateways.nftables.PATIENCE", 0.01)
    with pytest.raises(GatewayError, match="sleep: no end within"):
        Nftables(NftablesSettings(nft=("sleep", "60")))._nft()


def test_a_failure_without_words_is_an_error() -> None:
    with pytest.raises(GatewayError, match="false: failed"):
        Nftables(NftablesSettings(nft=("false",))).apply([])


def test_the_kill_switch_empties_the_sets(nft: Nft, clock: Clock, tmp_path: Path) -> None:
    panic = tmp_path / "panic"
    gateway = Nftables(
        NftablesSettings(nft=(str(nft.path),)), lifted=panic.exists, clock=clock, ticks=Clock()
    )
    gateway.apply([decided()])
    assert any("element" in command.get("add", ()) for command in nft.commands())
    panic.touch()
    gateway.apply([decided()])
    assert not any("element" in command.get("add", ()) for command in nft.commands())


def test_a_review_says_what_is_loaded_and_was_refused(gateway: Nftables, nft: Nft) -> None:
    nft.has(dropped=7)
    loaded, refused = gateway.review()
    assert loaded.good
    assert "table inet mailwarden refuses 8 networks at the ports 25, 110," in loaded.text
    assert "7 packets dropped, 7 packets rejected so far" in refused.text
    assert all(note.good for note in gateway.needs())
    assert "-c -j -f -" in nft.calls.read_text()


def test_a_review_says_that_there_is_no_table_yet(gateway: Nftables, nft: Nft) -> None:
    nft.listing.write_text('{"nftables": []}')
    [note] = gateway.review()
    assert note.grade == "warning"
    assert "is not there: mailwarden makes it when it runs" in note.text


def test_a_review_says_that_the_table_was_changed(gateway: Nftables, nft: Nft) -> None:
    nft.has(rule=3)
    [note] = gateway.review()
    assert not note.good
    assert "not as mailwarden makes it" in note.text


@pytest.mark.parametrize(
    ("kind", "value", "action", "domain", "reached"),
    [
        ("network", "192.0.2.1", "drop", "", True),
        ("network", "192.0.2.0/24", "reject", "", True),
        ("network", "192.0.2.1", "tarpit", "", False),
        ("network", "192.0.2.1", "drop", "example.org", False),
        ("network", "nonsense", "drop", "", False),
        ("account", "a@example.org", "drop", "", False),
        ("client_account", "192.0.2.1 alice", "reject", "", False),
    ],
)
def test_what_it_can_carry_out(
    kind: str, value: str, action: Action, domain: str, reached: bool
) -> None:
    decision = decided(value, action, kind=kind, domain=domain)
    assert Nftables(NftablesSettings()).reaches(decision) is reached


@pytest.mark.parametrize(
    "wrong",
    [
        {"table": "x; flush ruleset"},
        {"table": ""},
        {"ports": []},
        {"ports": [0]},
        {"ports": [65536]},
        {"nft": []},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        convert(wrong, NftablesSettings)
