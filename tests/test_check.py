from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.commands.check import command
from agents.running import reading
from schemas.findings import Decision
from streams.gateway import Gateway, Note
from streams.gateways import GATEWAYS
from streams.sources.find import Found, NothingFoundError

Run = Callable[..., Result]


class Fence(Gateway):
    """A gateway that knows what it reaches."""

    blind_to = "the back door"
    notes = (Note("ok", "the gate is shut"),)

    def enforce(self, decisions: Any) -> bool:
        return True

    def reaches(self, decision: Decision) -> bool:
        return decision.target.kind == "network"

    def review(self) -> list[Note]:
        return list(self.notes)


class Gap(Fence):
    notes = (Note("failed", "the gate is open", ("shut --now the\x1b[2Jgate",)),)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Checks settings of a given text, with a log to follow."""
    monkeypatch.setitem(GATEWAYS, "fence", Fence)
    monkeypatch.setitem(GATEWAYS, "gap", Gap)
    (tmp_path / "mail.log").touch()

    def call(text: str, logs: str = "mail.log") -> Result:
        path = tmp_path / "mailwarden.toml"
        path.write_text(
            f'[logs]\nfiles = ["{tmp_path}/{logs}"]\njournal = "no"\n'
            f'[storage]\npath = "{tmp_path}/mailwarden.db"\n{text}'
        )
        return CliRunner().invoke(command, ["-c", str(path)])

    return call


def rows(result: Result) -> list[str]:
    """Words of each line, without the topic and the mark."""
    return [line[13:] for line in result.output.splitlines()]


ENFORCING = """
[detectors.auth_dictionary]
stage = "enforce"
[detectors.stale_client]
enabled = false
[response]
enforce = true
"""


def test_settings_that_only_observe_are_well(run: Run, tmp_path: Path) -> None:
    result = run("")
    assert result.exit_code == 0, result.output
    assert "need attention" not in result.output
    said = rows(result)
    assert said[0] == f"{tmp_path}/mailwarden.toml: valid"
    assert said[1] == f"{tmp_path}/mail.log"
    assert "only observes: response.enforce is off" in said
    assert any(
        line.startswith("told, nothing enforced: ") and "auth_dictionary" in line for line in said
    )
    assert f"none; `run` writes JSON lines to {tmp_path}/alerts.jsonl" in said
    assert said[-1] == f"{tmp_path}/mailwarden.db"


def test_without_a_file_it_says_that_these_are_the_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAILWARDEN_CONFIG", raising=False)
    monkeypatch.setattr("agents.configuration.PLACES", ())
    result = CliRunner().invoke(command)
    assert result.output.startswith("settings   ✓ none found: these are the defaults\n")


def test_a_wrong_setting_is_exit_2(run: Run) -> None:
    result = run("[response]\nenforec = true\n")
    assert result.exit_code == 2
    assert "mailwarden.toml: response.enforec: no such setting; there are: enforce" in result.output


def test_a_format_that_nobody_can_parse_is_exit_2(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_text('[logs]\nformat = "postfx"\n')
    result = CliRunner().invoke(command, ["-c", str(path)])
    assert result.exit_code == 2
    assert "logs.format: expected auto or one of postfix, dovecot" in result.output


def test_a_log_that_is_not_there_yet_needs_attention(run: Run, tmp_path: Path) -> None:
    result = run("", logs="other.log")
    assert result.exit_code == 1
    assert f"✗ {tmp_path}/other.log: not there yet" in result.output
    assert result.output.endswith("1 thing needs attention.\n")


def test_every_file_of_a_pattern_is_looked_at(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mail.other.log").touch()
    said = rows(run("", logs="mail*.log"))
    assert said[1:3] == [f"{tmp_path}/mail.log", f"{tmp_path}/mail.other.log"]


def test_a_log_without_permission_needs_attention(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read everything.
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith(".log"))
    result = run("")
    assert result.exit_code == 1
    assert f"{tmp_path}/mail.log: may not be read by this user" in result.output


def test_nothing_to_follow_needs_attention(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(settings: object) -> None:
        raise NothingFoundError("nothing to follow: name the log")

    monkeypatch.setattr(reading, "find", nothing)
    result = run("")
    assert result.exit_code == 1
    assert "✗ nothing to follow: name the log" in result.output


def test_the_journal_is_said_with_the_reason(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found((), True, "because of no log")
    monkeypatch.setattr(reading, "find", lambda settings: found)
    assert rows(run(""))[1] == "the journal, because of no log"


def test_intakes_are_said(run: Run, tmp_path: Path) -> None:
    maildir = f'[intake.lmtp]\n[intake.maildir]\npath = "{tmp_path}/reports"\n'
    result = run(maildir)
    assert result.exit_code == 1
    assert "✓ mails by LMTP at 127.0.0.1:8024" in result.output
    assert f"✗ {tmp_path}/reports/new: must be there" in result.output
    for name in ("new", "cur"):
        (tmp_path / "reports" / name).mkdir(parents=True)
    assert f"✓ mails in {tmp_path}/reports: from new into cur" in run(maildir).output


def test_an_intake_that_strangers_reach_needs_attention(run: Run) -> None:
    result = run('[intake.lmtp]\nlisten = "0.0.0.0:8024"\n')
    assert result.exit_code == 1
    assert "✗ mails by LMTP at 0.0.0.0:8024: whoever reaches it" in result.output


def test_our_domains_are_said(run: Run) -> None:
    assert "mail for example.org, example.net is ours" in rows(
        run('[site]\ndomains = ["example.org", "example.net"]\n')
    )
    assert any(line.startswith("site.domains names none of ours") for line in rows(run("")))


def test_the_servers_that_are_looked_at_from_outside_are_said(run: Run) -> None:
    assert "no server of ours is checked" in run("").output
    hosts = '[hosts]\nnames = ["mx1.example.org:2525"]\ndomain = "example.org"\n'
    assert (
        "mx1.example.org:2525 asked what strangers may ask, every 1 d with addresses at example.org"
    ) in run(hosts).output


def test_what_is_carried_out_and_what_is_only_shown(run: Run) -> None:
    said = rows(run(ENFORCING + "[gateways.fence]\n"))
    assert "decisions enforced: auth_dictionary" in said
    assert "off: stale_client" in said
    assert any(line.startswith("blocks for 10 min at first, 7 d at most") for line in said)


def test_enforcement_without_a_gateway_needs_attention(run: Run) -> None:
    for gateways in ("", "[gateways.fence]\nenabled = false\n"):
        result = run(ENFORCING + gateways)
        assert result.exit_code == 1
        assert "response.enforce is on, but there is no gateway" in result.output


def test_enforcement_that_no_detector_takes_part_in_is_said(run: Run) -> None:
    result = run("[response]\nenforce = true\n[gateways.fence]\n")
    assert result.exit_code == 0
    assert "enforces only what people decide" in result.output


def test_the_kill_switch_needs_attention(run: Run, tmp_path: Path) -> None:
    (tmp_path / "panic").touch()
    result = run(f'[response]\npanic = "{tmp_path}/panic"\n')
    assert result.exit_code == 1
    assert f"the kill switch is pulled: {tmp_path}/panic exists" in result.output


def test_what_a_gateway_reaches_and_what_passes_it_by(run: Run) -> None:
    result = run("[gateways.fence]\n")
    assert result.exit_code == 0
    said = rows(result)
    assert "fence: the gate is shut" in said
    assert "fence: does not see the back door" in said
    assert (
        "no gateway can carry out: hold and limit and lock (account), reject (client and account),"
        " reject (address), reject (domain)"
    ) in said


def test_what_a_gateway_does_not_reach_comes_with_the_remedy(run: Run) -> None:
    result = run("[gateways.gap]\n[gateways.fence]\n")
    assert result.exit_code == 1
    assert "✗ gap: the gate is open\n               shut --now the?[2Jgate\n" in result.output


def test_a_gateway_that_is_off_is_not_asked(run: Run) -> None:
    result = run("[gateways.gap]\nenabled = false\n")
    assert result.exit_code == 0
    assert "gap: off; it lifts what it enforced" in rows(result)


def test_a_gateway_that_reaches_everything_needs_no_word(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fence, "reaches", lambda *_: True)
    assert "no gateway can carry out" not in run("[gateways.fence]\n").output


def test_sinks_are_named(run: Run) -> None:
    said = rows(run('[sinks.soc]\nkind = "jsonl"\npath = "/x"\nleast = "high"\n'))
    assert "soc (JsonLines): JSON lines to /x; alerts from severity high on" in said


def test_what_a_domain_has_of_its_own_is_said(run: Run, tmp_path: Path) -> None:
    desk = f'[sinks.desk]\nkind = "jsonl"\npath = "{tmp_path}/desk.jsonl"\n'
    found = rows(run(f'[domains."example.org"]\nseverest = "tarpit"\nsinks = ["desk"]\n{desk}'))
    assert "example.org: tarpit at most; told by desk" in found
    told = "alerts from severity info on, of the domains that name it"
    assert f"desk (JsonLines): JSON lines to {tmp_path}/desk.jsonl; {told}" in found


def test_where_the_state_lies_must_be_writable(run: Run, tmp_path: Path) -> None:
    assert f"✓ {tmp_path}/mailwarden.db" in run("").output
    (tmp_path / "mailwarden.db").mkdir()
    result = run("")
    assert result.exit_code == 1
    assert f"{tmp_path}/mailwarden.db: is a directory" in rows(result)


def test_so_must_other_places_that_the_settings_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(f'[response]\npanic = "{tmp_path}/file/panic"\n')
    assert result.exit_code == 1
    [said] = [row for row in rows(result) if "nothing can be written" in row]
    assert said.startswith(f"{tmp_path}/file/panic: nothing can be written to {tmp_path}/file: ")


def test_how_kafka_would_be_reached_is_said(run: Run) -> None:
    assert "not configured; `run` needs none" in rows(run(""))
    result = run(
        '[kafka]\nbootstrap = ["k1:9092", "k2:9092"]\nsecurity = "SASL_SSL"\nprefix = "mx."\n'
        'mechanism = "SCRAM-SHA-512"\nusername = "shipper"\npassword = "Quince-42"\n'
    )
    assert result.exit_code == 0, result.output
    assert (
        "k1:9092, k2:9092: kafka.security is SASL_SSL, SCRAM-SHA-512 as shipper,"
        " topics begin with mx."
    ) in rows(result)
    assert "Quince-42" not in result.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('security = "SSL"\nca = "/nowhere/ca.crt"', "kafka.ca: expected a PEM file; /nowhere/"),
        ('ca = "/nowhere/ca.crt"', "nothing is encrypted: ca is not used"),
        ('certificate = "/c"\nkey = "/k"', "nothing is encrypted: certificate and key are not"),
        ('security = "SSL"\nusername = "shipper"', "nobody logs in: username and password are not"),
    ],
)
def test_what_kafka_cannot_use_needs_attention(run: Run, settings: str, said: str) -> None:
    result = run(f"[kafka]\n{settings}\n")
    assert result.exit_code == 1
    assert any(row.startswith(said) for row in rows(result)), result.output


def test_on_a_terminal_lines_stay_in_their_column(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("agents.commands.check._on_terminal", lambda: True)
    output = run("[site]\ndomains = ['example.org']\n").output
    [first, second] = output[output.index("detectors") :].splitlines()[:2]
    assert first.startswith("detectors    told, nothing enforced: ")
    assert second[:13] == " " * 13
    assert second[13] != " "
    assert max(len(first), len(second)) <= 80


def test_what_makes_decisions_safer_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("k" * 32)
    settings = f"""
    [site]
    host = "mx1"
    [response]
    signing_key_file = "{tmp_path}/keys"
    approve = ["lock"]
    canary_gateways = ["mx1"]
    """
    said = rows(run(settings))
    assert "decisions on Kafka are signed; unsigned ones are refused" in said
    assert "lock: only when two persons have approved" in said
    assert "a gateway on mx1 enforces new decisions first (canary)" in said
    said = rows(run(settings.replace('["mx1"]', '["mx2"]')))
    assert "a gateway on mx1 enforces new decisions 5 min later (canary)" in said
    (tmp_path / "keys").write_text("short")
    result = run(settings)
    assert result.exit_code == 1
    assert "keys: expected keys of 32 characters or more, one a line" in result.output
