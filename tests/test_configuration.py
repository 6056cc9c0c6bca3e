from pathlib import Path

import pytest

from agents import configuration
from agents.detectors import DETECTORS
from schemas.settings import SettingsError
from streams.gateways import GATEWAYS
from streams.sinks import SINKS


def written(folder: Path, text: str) -> Path:
    path = folder / "mailwarden.toml"
    path.write_text(text)
    return path


def refusal(folder: Path, text: str) -> str:
    path = written(folder, text)
    with pytest.raises(SettingsError) as caught:
        configuration.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings lie around."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv(configuration.ENVIRONMENT, raising=False)
    monkeypatch.setattr(configuration, "PLACES", (Path("mailwarden.toml"),))


def test_without_a_file_the_defaults_count() -> None:
    config = configuration.load()
    assert config.path is None
    assert config.where == "settings"
    assert not config.settings.response.enforce
    assert config.gateways == []
    assert config.sinks == []


def test_every_detector_is_there_without_being_named() -> None:
    assert [detector.name for detector in configuration.load().detectors] == list(DETECTORS)


def test_the_file_in_the_working_directory_is_found() -> None:
    Path("mailwarden.toml").write_text('[site]\nhost = "here"\n')
    assert configuration.load().settings.site.host == "here"


def test_the_environment_names_a_file_before_the_usual_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mailwarden.toml").write_text('[site]\nhost = "here"\n')
    other = written(tmp_path, '[site]\nhost = "there"\n')
    monkeypatch.setenv(configuration.ENVIRONMENT, str(other))
    assert configuration.load().settings.site.host == "there"


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no\.toml: No such file"):
        configuration.load(tmp_path / "no.toml")


def test_the_site_is_made_of_its_sections(tmp_path: Path) -> None:
    site = configuration.load(
        written(
            tmp_path,
            """
            [site]
            domains = ["Example.org.", "example.net"]
            honeypots = ["Scanner"]
            bulk = ["News@Example.org"]
            [network]
            own = ["198.51.100.0/25"]
            allow = ["203.0.113.7"]
            upstream = ["192.0.2.128/25"]
            filters = ["198.51.100.240/28"]
            shared = ["2001:db8:5::/48"]
            """,
        )
    ).site
    assert site.domains == {"example.org", "example.net"}
    assert site.default_domain == "example.org"
    assert site.honeypots == {"scanner"}
    assert site.bulk == {"news@example.org"}
    assert "10.1.2.3" in site.own
    assert "198.51.100.7" in site.own
    assert "198.51.100.200" not in site.own
    for trusted in ("127.0.0.1", "203.0.113.7", "192.0.2.200", "198.51.100.250"):
        assert trusted in site.trusted
    assert "192.0.2.1" not in site.trusted
    assert list(site.filters) == ["198.51.100.240/28"]
    assert "2001:db8:5::1" in site.shared


def test_the_allow_list_is_known_apart(tmp_path: Path) -> None:
    config = configuration.load(written(tmp_path, '[network]\nallow = ["203.0.113.0/29"]\n'))
    assert "203.0.113.7" in config.allowed
    assert "127.0.0.1" not in config.allowed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sight]\nhost = 'x'", "sight: no such setting; there are: site, network"),
        ("[site]\nhots = 'x'", "site.hots: no such setting; there are: host, domains"),
        ("[response]\nbudget = 'much'", "response.budget: expected `int`, got `str`"),
        ("[response]\nbudget = -1", "response.budget: expected 0 or more decisions a minute"),
        ("[response]\nfirst = 0", "response.first: expected a number of seconds above 0"),
        ("[response]\nfirst = 60\nlongest = 59", "response.longest: expected at least"),
        ("[response]\nfreshness = 0", "response.freshness: expected a number of seconds"),
        ("[response]\ncollateral = -1", "response.collateral: expected 0 or more accounts"),
        ("[response]\ncanary = 1.5", "response.canary: expected a share from 0 to 1"),
        ("[response]\ncanary_gateways = ['']", "response.canary_gateways: expected names"),
        ("[response]\noverdue = 0", "response.overdue: expected a number of seconds above 0"),
        ("[response]\napprove = ['lok']", "response.approve[0]: expected one of observe, notify"),
        ("[storage]\naudit_days = 0", "storage.audit_days: expected 1 or more days"),
        ("[detectors.auth_breach]\nstage = 'on'", "stage: expected one of observe, alert, enforce"),
        ("[detectors.auth_breach]\nenforce = true", "enforce: no such setting; there are: "),
        ("[response]\nwidest_v4 = 33", "response.widest_v4: expected a prefix length from 8"),
        ("[response]\nwidest_v4 = 7", "response.widest_v4: expected a prefix length from 8"),
        ("[response]\nwidest_v6 = 129", "response.widest_v6: expected a prefix length from 16"),
        ("[site]\nzone = 'Europe/Nowhere'", "site.zone: expected an IANA zone"),
        ("[site]\nzone = '../etc'", "site.zone: expected an IANA zone"),
        ("[site]\nsilent_after = 0", "site.silent_after: expected a number"),
        ("[storage]\nkeep_days = 0", "storage.keep_days: expected 1 or more days"),
        ("[http]\nlisten = '9473'", "http.listen: expected host:port"),
        ("[http]\nlisten = 'x:99999'", "http.listen: expected host:port"),
        ("[kafka]\nbootstrap = []", "kafka.bootstrap: expected host:port"),
        ("[kafka]\nbootstrap = ['mx1:9092', 'mx2']", "kafka.bootstrap: expected host:port"),
        ("[kafka]\nbootstrap = ['']", "kafka.bootstrap: expected host:port"),
        ("[kafka]\nsession = 0", "kafka.session: expected a number of seconds above 0"),
        ("[kafka]\noutbox_bytes = 0", "kafka.outbox_bytes: expected 1 or more bytes"),
        ("[kafka]\npartitions = 0", "kafka.partitions: expected 1 or more"),
        (
            "[kafka]\nsecurity = 'SASL_SSL'",
            "kafka.username: expected a name, as kafka.security is SASL_SSL",
        ),
        (
            "[kafka]\nsecurity = 'SASL_PLAINTEXT'\nusername = 'us'",
            "kafka.password_file: expected a file with the password",
        ),
        ("[kafka]\nkey = '/us.key'", "kafka.certificate: expected that of kafka.key"),
        ("[kafka]\nreplication = 0", "kafka.replication: expected 1 or more"),
        ("[network]\nallow = ['192.0.2.1', 'mx']", "network.allow[1]: expected an address or"),
        ("[network]\nown = ['192.0.2.0/33']", "network.own[0]: expected an address or"),
        ("[network]\nfilters = ['mx']", "network.filters[0]: expected an address or"),
        ("[network]\nupstream = ['']", "network.upstream[0]: expected an address or"),
        ("[network]\nshared = ['a']", "network.shared[0]: expected an address or"),
        ("[detectors.nothing]", "detectors.nothing: no such detector"),
        ("[gateways.postfx]", "gateways.postfx: no such gateway; did you mean postfix?"),
        ("[gateways.edge]\nkind = 'x'", "gateways.edge.kind: no such gateway; there are: "),
        ("[gateways.postfix]\nclint = 1", "gateways.postfix.clint: no such setting; there are:"),
        ("[gateways.postfix]\ntarpit = 'x'", "gateways.postfix.tarpit: expected `int`"),
        ("[sinks.webhok]", "sinks.webhok: no such sink; did you mean webhook?"),
        ("[sinks.webhook]", "sinks.webhook.url: expected http://... or https://..."),
        (
            "[sinks.jsonl]\nleast = 'grave'",
            "sinks.jsonl.least: expected one of info, low, medium, high, critical, not 'grave'",
        ),
        ("[sinks.webhook]\ntimeout = nan", "sinks.webhook.timeout: expected a number that is"),
        ("[gateways.postfix]\ntarpit = -1", "gateways.postfix.tarpit: expected a number that is"),
        ("[response]\nfirst = inf\nlongest = inf", "response.first: expected a number that is"),
        (
            "[detectors.auth_dictionary]\nwindow = 0",
            "detectors.auth_dictionary.window: expected a number above 0",
        ),
        (
            "[detectors.auth_dictionary]\npasswords = -1",
            "detectors.auth_dictionary.passwords: expected a number above 0",
        ),
        (
            "[detectors.account_burst]\nweights = {volume = -1}",
            "detectors.account_burst.weights.volume: expected a number that is not negative",
        ),
        (
            "[detectors.account_burst]\nstrongest = 'nuke'",
            "detectors.account_burst.strongest: expected one of notify, limit, hold, lock, not",
        ),
        ("[detectors]\nauth_dictionary = 3", "detectors.auth_dictionary: expected `object`"),
        ("gateways = 3", "gateways: expected `object`"),
        ("[gateways]\npostfix = 3", "gateways.postfix: expected a table"),
        ("site = [", "not TOML: "),
    ],
)
def test_wrong_settings_name_the_file_the_key_and_what_was_expected(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in refusal(tmp_path, text)


def test_a_weight_of_nothing_switches_a_sign_off(tmp_path: Path) -> None:
    path = written(tmp_path, "[detectors.account_burst]\nweights = {volume = 0}\n")
    assert configuration.load(path).settings.detectors["account_burst"] == {
        "weights": {"volume": 0}
    }


def test_a_file_that_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mailwarden.toml"
    path.write_bytes(b"[site]\nhost = '\xff'\n")
    with pytest.raises(SettingsError, match="not TOML"):
        configuration.load(path)


def test_a_detector_brings_its_settings(tmp_path: Path) -> None:
    name = next(iter(DETECTORS))
    config = configuration.load(written(tmp_path, f"[detectors.{name}]\nenabled = false\n"))
    by_name = {detector.name: detector for detector in config.detectors}
    assert not by_name[name].enabled
    assert "no such setting" in refusal(tmp_path, f"[detectors.{name}]\nenabeld = false\n")


def test_sections_of_one_kind_have_names_of_their_own(tmp_path: Path) -> None:
    config = configuration.load(
        written(
            tmp_path,
            """
            [sinks.soc]
            kind = "webhook"
            url = "https://soc.example.org/in"
            [sinks.desk]
            kind = "webhook"
            url = "https://desk.example.org/in"
            least = "high"
            """,
        )
    )
    assert [(sink.name, type(sink)) for sink in config.sinks] == [
        ("soc", SINKS["webhook"]),
        ("desk", SINKS["webhook"]),
    ]
    assert config.sinks[1].settings.least == "high"


def test_a_gateway_hears_of_the_kill_switch(tmp_path: Path) -> None:
    panic = tmp_path / "panic"
    config = configuration.load(
        written(
            tmp_path,
            f"""
            [response]
            panic = "{panic}"
            [gateways.postfix]
            clients = "{tmp_path}/clients.cidr"
            """,
        )
    )
    assert isinstance(config.gateways[0], GATEWAYS["postfix"])
    assert not config.lifted()
    panic.touch()
    assert config.lifted()


def test_a_shard_watches_what_it_is_told_to() -> None:
    config = configuration.load()
    shard = configuration.build_shard(config, mine=lambda key: key == "m:a@example.org")
    assert shard.engine.site is config.site
    assert shard.records == {}


def test_mailbox_detectors_take_settings_for_a_domain(tmp_path: Path) -> None:
    text = (
        "[detectors.account_burst]\nhourly = 400\nfan_out = 60\n"
        '[detectors.account_burst.domains."Example.org"]\nhourly = 100\n'
    )
    config = configuration.load(written(tmp_path, text))
    burst = next(each for each in config.detectors if each.name == "account_burst")
    theirs = config.variants["account_burst"]["example.org"]
    assert (burst.hourly, theirs.hourly, theirs.fan_out) == (400, 100, 60)
    shard = configuration.build_shard(config)
    assert shard.engine._of_domain(burst, "m:a@mail.example.org") is theirs
    assert shard.engine._of_domain(burst, "m:a@example.net") is burst
    assert shard.engine._of_domain(burst, "c:192.0.2.1") is burst


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (
            '[detectors.auth_dictionary.domains."example.org"]\naccounts = 9',
            "detectors.auth_dictionary.domains: auth_dictionary watches no mailboxes",
        ),
        (
            '[detectors.account_burst.domains."example.org"]\nhourli = 9',
            'detectors.account_burst.domains."example.org".hourli: no such setting',
        ),
        (
            '[detectors.account_burst.domains."example.org"]\nhourly = -1',
            'detectors.account_burst.domains."example.org".hourly',
        ),
        ("[detectors.account_burst]\ndomains = 1", "expected a table for each domain"),
        (
            "[detectors.account_burst.domains]\nexample = 1",
            'detectors.account_burst.domains."example": expected a table of settings',
        ),
    ],
)
def test_wrong_settings_of_a_domain_are_named(tmp_path: Path, text: str, refused: str) -> None:
    assert refused in refusal(tmp_path, text)
