import http.client
import json
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from schemas.findings import ACTIONS, Action, Decision
from streams.gateways.rspamd import Rspamd, RspamdSettings
from streams.writing import HEADER
from tests.gateways.decided import decided, pardoned
from tests.gateways.loop import Loop
from tools.kafka import free_ports

ALL = {"clients": "clients", "accounts": "accounts", "senders": "senders", "domains": "domains"}

Until = Callable[[Callable[[], object]], None]


def rows(*decisions: Decision, **settings: str) -> dict[str, list[str]]:
    gateway = Rspamd(RspamdSettings(**(ALL | settings)))
    return {
        path: text.removeprefix(HEADER).splitlines()
        for path, text in gateway.render(decisions).items()
    }


def test_each_map_has_its_own_kind_of_key() -> None:
    decisions = [
        decided("192.0.2.0/24"),
        decided("2001:db8::/64", "reject"),
        decided("alice@example.org", "lock", kind="account"),
        decided("bad@example.net", "reject", kind="address"),
        decided("phish.example", "reject", kind="domain"),
    ]
    assert rows(*decisions, login_domain="example.org") == {
        "clients": [
            "192.0.2.0/24 MAILWARDEN_CLIENT_REJECT",
            "2001:db8::/64 MAILWARDEN_CLIENT_REJECT",
        ],
        "accounts": [
            "alice@example.org MAILWARDEN_ACCOUNT_REJECT",
            "alice MAILWARDEN_ACCOUNT_REJECT",
        ],
        "senders": ["bad@example.net MAILWARDEN_SENDER_REJECT"],
        "domains": ["phish.example MAILWARDEN_DOMAIN_REJECT"],
    }


@pytest.mark.parametrize(
    ("action", "word"),
    [
        ("drop", "REJECT"),
        ("reject", "REJECT"),
        ("tarpit", "DEFER"),
        ("greylist", "DEFER"),
        ("hold", "HOLD"),
        ("stamp", "STAMP"),
    ],
)
def test_each_action_has_its_symbol(action: Action, word: str) -> None:
    assert rows(decided("192.0.2.1", action))["clients"] == [f"192.0.2.1 MAILWARDEN_CLIENT_{word}"]


def test_a_pardon_is_written_down_and_the_first_decision_of_a_key_counts() -> None:
    found = rows(pardoned("192.0.2.1"), decided("192.0.2.1"), decided("192.0.2.0/24"))
    assert found["clients"] == [
        "192.0.2.1 MAILWARDEN_CLIENT_SPARED",
        "192.0.2.0/24 MAILWARDEN_CLIENT_REJECT",
    ]


def test_only_maps_that_are_named_are_written() -> None:
    assert set(rows(accounts="", domains="")) == {"clients", "senders"}


@pytest.mark.parametrize(
    ("kind", "value", "action", "reached"),
    [
        ("network", "192.0.2.1", "drop", True),
        ("network", "192.0.2.1", "notify", False),
        ("account", "alice", "lock", True),
        ("account", "alice", "limit", False),
        ("account", "alice", "hold", True),
        ("address", "bad@example.net", "reject", True),
        ("address", "bad", "reject", False),
        ("domain", "phish.example", "reject", True),
        ("client_account", "192.0.2.1 alice", "reject", False),
    ],
)
def test_what_it_can_carry_out(kind: str, value: str, action: Action, reached: bool) -> None:
    assert Rspamd(RspamdSettings(**ALL)).reaches(decided(value, action, kind=kind)) is reached


@given(
    st.lists(
        st.builds(
            decided,
            st.one_of(st.text(), st.ip_addresses().map(str), st.emails(), st.text('a@.-\n #"')),
            st.sampled_from(ACTIONS),
            kind=st.sampled_from(["network", "account", "address", "domain"]),
            name=st.text(),
        ),
        max_size=5,
    )
)
def test_whatever_is_decided_each_row_is_one_key_and_one_known_symbol(
    decisions: list[Decision],
) -> None:
    for found in rows(*decisions).values():
        for row in found:
            key, symbol = row.split(" ")
            assert key
            assert row.isprintable()
            assert symbol.removeprefix("MAILWARDEN_").partition("_")[2] in (
                "REJECT",
                "DEFER",
                "HOLD",
                "STAMP",
            )


def test_an_rspamadm_that_is_not_there_is_said(tmp_path: Path) -> None:
    settings = RspamdSettings(clients=str(tmp_path / "no" / "x"), rspamadm=("/none/rspamadm",))
    [folder], [asked] = Rspamd(settings).needs(), Rspamd(settings).review()
    assert (folder.grade, asked.grade) == ("failed", "unknown")
    assert "there is no directory" in folder.text
    assert "/none/rspamadm cannot be asked what is used" in asked.text


# -- with the real rspamd -----------------------------------------------------------------------

CONFIG = """\
options {{
  pidfile = "{folder}/pid";
  filters = "";
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
  url_tld = "{folder}/suffixes";
  control_socket = "{folder}/own/control mode=0600";
  hs_cache_dir = "{folder}/own/";
  local_addrs = [];
}}
logging {{ type = "file"; filename = "{folder}/own/log"; level = "info"; }}
actions {{ reject = 150; add_header = 60; greylist = 40; {actions} }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
worker "rspamd_proxy" {{
  bind_socket = "127.0.0.1:{milter}"; count = 1; milter = yes;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
multimap {{
{multimap}
}}
force_actions {{
{force_actions}
}}
modules {{ path = "{folder}/plugins/"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
"""
MAIL = "From: a@example.net\r\nSubject: minutes\r\n\r\nas promised\r\n"


class Server:
    """With the two modules that are needed, and no domains to compile."""

    def __init__(self, folder: Path, documented: Callable[..., str]) -> None:
        self.folder = folder
        self.port, self.milter = free_ports(2)
        for name in ("own", "plugins", "maps"):
            (folder / name).mkdir()
        shutil.chown(folder / "own", "nobody", "nogroup")
        for name in ("multimap", "force_actions"):
            shutil.copy(f"/usr/share/rspamd/plugins/{name}.lua", folder / "plugins")
        (folder / "suffixes").write_text("net\nexample\n")
        self.maps = {"/etc/rspamd/maps.d": str(folder / "maps")}
        self.config = folder / "rspamd.conf"
        self.config.write_text(
            CONFIG.format(
                folder=folder,
                port=self.port,
                milter=self.milter,
                multimap=documented("rspamd", "local.d/multimap.conf", self.maps),
                actions=documented("rspamd", "local.d/actions.conf"),
                force_actions=documented("rspamd", "local.d/force_actions.conf"),
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, until: Until) -> None:
        self._process = subprocess.Popen(
            ["rspamd", "-f", "-i", "-c", self.config, "-u", "nobody", "-g", "nogroup"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._listens)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def says(self, **about: str) -> str:
        """What is to be done with a mail of this ip, user or from."""
        talk = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        talk.request("POST", "/checkv2", MAIL, about)
        found = json.loads(talk.getresponse().read())
        talk.close()
        return str(found["action"])

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "rspamd has ended"
        for port in (self.port, self.milter):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True


@pytest.fixture
def rspamd(documented: Callable[..., str]) -> Iterator[Server]:
    assert shutil.which("rspamd"), "rspamd is missing: run tools/debian-setup"
    folder = Path(tempfile.mkdtemp(prefix="mailwarden-rspamd-"))
    folder.chmod(0o755)  # for rspamd's own user
    made = Server(folder, documented)
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder)


def watches(rspamd: Server, gateway: Rspamd, until: Until) -> None:
    """What is written while rspamd starts, it may not see before the next change."""
    turns = count()

    def turn() -> bool:
        address = f"198.18.0.{next(turns) % 256}"
        gateway.apply([decided(address, "reject")])
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            if rspamd.says(ip=address) == "reject":
                return True
        return False

    until(turn)


@pytest.mark.servers
def test_rspamd_does_what_the_maps_say_and_looks_at_them_by_itself(
    rspamd: Server, documented: Callable[..., str], until: Until
) -> None:
    section = documented("rspamd", "mailwarden.toml", rspamd.maps)
    settings = convert(tomllib.loads(section)["gateways"]["rspamd"], RspamdSettings)
    gateway = Rspamd(settings)
    gateway.apply([])
    rspamd.start(until)
    watches(rspamd, gateway, until)
    mails = {
        "no action": [
            {"ip": "203.0.113.1"},
            {"ip": "192.0.2.7"},
            {"from": "good@example.com"},
            {"user": "carol"},
        ],
        "reject": [
            {"ip": "192.0.2.9"},
            {"user": "alice"},
            {"user": "Alice@example.org"},
            {"from": "bad@example.com"},
            {"from": "Anybody@phish.example"},
        ],
        "soft reject": [{"ip": "198.51.100.1"}],
        "quarantine": [{"user": "bob"}],
        "add header": [{"ip": "2001:db8::9"}],
    }
    decisions = [
        pardoned("192.0.2.7"),
        decided("192.0.2.0/24"),
        decided("198.51.100.0/24", "greylist"),
        decided("2001:db8::/64", "stamp"),
        decided("alice@example.org", "lock", kind="account"),
        decided("bob@example.org", "hold", kind="account"),
        decided("bad@example.com", "reject", kind="address"),
        decided("phish.example", "reject", kind="domain"),
    ]
    for enforced in (decisions, []):
        assert gateway.apply(enforced)
        for action, them in mails.items():
            expected = action if enforced else "no action"
            for about in them:
                until(lambda about=about, e=expected: rspamd.says(**about) == e)
    log = (rspamd.folder / "own" / "log").read_text()
    assert not re.search("unknown action|is not registered|cannot parse", log)


@pytest.mark.servers
def test_postfix_holds_the_mail_of_an_account_by_its_milter(
    rspamd: Server, postfix: Any, documented: Callable[..., str], until: Until
) -> None:
    section = documented("rspamd", "mailwarden.toml", rspamd.maps)
    gateway = Rspamd(convert(tomllib.loads(section)["gateways"]["rspamd"], RspamdSettings))
    gateway.apply([])
    rspamd.start(until)
    watches(rspamd, gateway, until)
    postfix.set("-e", f"smtpd_milters=inet:127.0.0.1:{rspamd.milter}")
    postfix.take_logins()
    postfix.start()
    held = postfix.folder / "queue" / "hold"

    def send(login: str) -> int:
        """How many mails are on hold after one more."""
        with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as smtp:
            smtp.login(login, "right", initial_response_ok=True)
            smtp.sendmail("a@example.net", ["b@example.org"], MAIL)
        return len(list(held.iterdir()))

    assert send("bob") == 0
    gateway.apply([decided("bob@example.org", "hold", kind="account")])
    until(lambda: send("bob") > 0)
    before = send("bob")
    assert send("carol") == before
    gateway.apply([])
    until(lambda: send("bob") == len(list(held.iterdir())) == send("carol"))
    last = send("bob")
    assert send("bob") == last


ATTACKER, INNOCENT = "203.0.113.9", "198.51.100.1"
HARVEST = """
[detectors.directory_harvest]
stage = "enforce"
"""


@pytest.mark.servers
def test_a_guesser_is_refused_until_its_lease_ends_and_nobody_else(
    rspamd: Server, postfix: Any, documented: Callable[..., str], tmp_path: Path, until: Until
) -> None:
    """The closed loop: Postfix logs, Mailwarden sees and decides, rspamd refuses by its milter."""
    section = documented("rspamd", "mailwarden.toml", rspamd.maps)
    gateway = Rspamd(convert(tomllib.loads(section)["gateways"]["rspamd"], RspamdSettings))
    gateway.apply([])
    rspamd.start(until)
    watches(rspamd, gateway, until)
    for assignment in (
        f"smtpd_milters=inet:127.0.0.1:{rspamd.milter}",
        "smtpd_authorized_xclient_hosts=127.0.0.1",
        "smtpd_error_sleep_time=0",
        "smtpd_hard_error_limit=1000",
        "local_recipient_maps=inline:{ { bob@example.org = there } }",
    ):
        postfix.set("-e", assignment)
    postfix.start()

    def speaks(client: str) -> smtplib.SMTP:
        smtp = smtplib.SMTP("127.0.0.1", postfix.port, "client.example.net", timeout=30)
        smtp.ehlo()
        smtp.docmd("XCLIENT", f"ADDR={client} NAME=[UNAVAILABLE]")
        smtp.ehlo()
        return smtp

    def serves(client: str) -> bool:
        with speaks(client) as smtp:
            smtp.mail("a@example.net")
            smtp.rcpt("bob@example.org")
            try:
                return smtp.data(MAIL.encode())[0] == 250
            except smtplib.SMTPDataError:
                return False

    def harvests() -> None:
        with speaks(ATTACKER) as smtp:
            for number in range(12):
                smtp.mail("a@example.net")
                smtp.rcpt(f"name{number}@example.org")
                smtp.rset()

    loop = Loop(tmp_path, postfix.folder / "log", section + HARVEST)
    try:
        assert serves(ATTACKER)

        def refused() -> bool:
            harvests()  # first it would be slowed, which is not for rspamd; who goes on is refused
            return not serves(ATTACKER)

        until(refused)
        assert serves(INNOCENT)
        loop.end_leases()
        until(lambda: serves(ATTACKER))
    finally:
        loop.close()


@pytest.mark.servers
def test_maps_that_no_rule_names_are_said(rspamd: Server) -> None:
    named, other = rspamd.folder / "maps" / "mailwarden-clients", rspamd.folder / "maps" / "other"
    settings = RspamdSettings(
        clients=str(named),
        accounts=str(other),
        rspamadm=("sh", "-c", f'x=$1; shift; exec rspamadm "$x" -c {rspamd.config} "$@"', "sh"),
    )

    def found() -> list[tuple[bool, str]]:
        return [(note.good, note.text) for note in Rspamd(settings).review()]

    unnamed = (False, f"no rule of multimap names {other}: it does nothing")
    assert found() == [(True, f"rspamd looks into {named}"), unnamed]
    text = rspamd.config.read_text()
    rspamd.config.write_text(
        text.replace("MAILWARDEN_CLIENT_HOLD |", "").replace("quarantine = {", "discard = {")
    )
    assert found() == [
        (False, f"rspamd looks into {named}, but does nothing about MAILWARDEN_CLIENT_HOLD"),
        unnamed,
        (False, "rspamd knows no action quarantine: nothing is held"),
    ]
