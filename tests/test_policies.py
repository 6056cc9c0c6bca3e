"""What a domain has of its own: whom it spares, how far may be gone for it, who hears of it."""

import msgspec
import pytest

from agents import configuration
from agents.commands.domain_words import domains
from agents.configuration import build_shard
from agents.policies import Policies, Policy, fitting
from agents.response import Response
from schemas.events import Auth
from schemas.findings import Action, Alert, Decision, Finding, Stage, Subject, Target, Wish
from schemas.net import PRIVATE, Networks
from schemas.settings import ResponseSettings, Settings, SettingsError, convert
from streams.sink import Sink, SinkSettings

NOW = 1_700_000_000.0
CLIENT = "192.0.2.1"


def settings(**domains: dict[str, object]) -> Settings:
    table = {name.replace("_", "."): changed for name, changed in domains.items()}
    return Settings(domains=table, sinks={"desk": {"kind": "jsonl", "path": "/nowhere/x"}})


def policies(**domains: dict[str, object]) -> Policies:
    return configuration.build(settings(**domains)).policies


def found(
    *targets: str,
    subject: Subject | None = None,
    wish: Wish | None = None,
    stage: Stage = "enforce",
    **more: object,
) -> Finding:
    return Finding(
        id="1",
        detector="d",
        shape="s",
        severity="high",
        subject=subject or Subject("client", CLIENT),
        first=NOW,
        last=NOW,
        at=NOW,
        summary="",
        targets=list(targets),
        wish=wish or Wish("drop", Target("network", CLIENT)),
        stage=stage,
        **more,  # type: ignore[arg-type]
    )


def answer(finding: Finding, own: Policies) -> tuple[Alert, Decision | None]:
    response = Response(
        ResponseSettings(enforce=True),
        Networks(),
        Networks(PRIVATE),
        domains=frozenset({"example.org", "example.net"}),
        policies=own,
    )
    return response.answer(finding, {}, NOW)


# -- inheritance ------------------------------------------------------------------------------


def test_a_domain_has_what_those_above_it_have_and_it_has_not() -> None:
    own = policies(
        example_org={"allow": ["192.0.2.0/24"], "severest": "tarpit", "sinks": ["desk"]},
        shop_example_org={"severest": "reject", "sinks": []},
    )
    shop = own.of("eu.shop.example.org")
    assert (shop.allow, shop.severest, shop.stage, shop.sinks) == (
        ("192.0.2.0/24",),
        "reject",
        "enforce",
        (),
    )
    assert own.of("mail.example.org").severest == "tarpit"
    assert own.of("example.net") == own.of("") == Policies().of("example.org")
    assert "shop.example.org" in own
    assert "example.net" not in own


# -- what is decided --------------------------------------------------------------------------


def test_a_client_that_the_only_domain_concerned_allows_is_spared() -> None:
    own = policies(example_org={"allow": ["192.0.2.0/24"]})
    alert, decision = answer(found("anna@example.org"), own)
    assert decision is None
    assert alert.decision == f"nothing: {CLIENT} is on the allow list of example.org"


def test_it_is_not_where_it_attacks_others_too() -> None:
    own = policies(example_org={"allow": ["192.0.2.0/24"]})
    assert answer(found("anna@example.org", "ben@example.net"), own)[1] is not None
    assert answer(found("nobody@elsewhere.example"), own)[1] is not None
    assert answer(found(), own)[1] is not None


def test_a_network_that_holds_an_allowed_address_is_spared_too() -> None:
    own = policies(example_org={"allow": [CLIENT]})
    wish = Wish("drop", Target("network", "192.0.2.0/24"))
    assert answer(found("anna@example.org", wish=wish), own)[1] is None


@pytest.mark.parametrize(
    ("severest", "action"),
    [("drop", "drop"), ("lock", "drop"), ("hold", "tarpit"), ("tarpit", "tarpit")],
)
def test_no_more_is_done_than_a_domain_permits(severest: Action, action: Action) -> None:
    decision = answer(found("anna@example.org"), policies(example_org={"severest": severest}))[1]
    assert decision is not None
    assert decision.action == action


@pytest.mark.parametrize("severest", ["observe", "notify", "stamp"])
def test_where_nothing_that_mild_can_be_done_nothing_is(severest: Action) -> None:
    alert, decision = answer(found("a@example.org"), policies(example_org={"severest": severest}))
    assert decision is None
    assert alert.decision == f"nothing: example.org permits no more than {severest}"


def test_of_several_domains_the_one_that_permits_most_rules() -> None:
    own = policies(
        example_org={"severest": "tarpit", "stage": "observe"},
        example_net={"severest": "reject", "stage": "alert"},
    )
    alert, decision = answer(found("a@example.org", "b@example.net"), own)
    assert decision is not None
    assert (decision.action, decision.enforced, alert.stage) == ("reject", False, "alert")


def test_an_account_has_the_policy_of_its_own_domain_whoever_it_writes_to() -> None:
    own = policies(example_org={"severest": "limit"})
    account = Subject("account", "anna@example.org")
    wish = Wish("lock", Target("account", account.value))
    decision = answer(found("ben@example.net", subject=account, wish=wish), own)[1]
    assert decision is not None
    assert decision.action == "limit"


def test_an_alert_names_a_domain_that_has_a_section_as_ours() -> None:
    own = policies(shop_example={"severest": "tarpit"})
    assert answer(found("anna@eu.shop.example"), own)[0].domains == ["eu.shop.example"]


@pytest.mark.parametrize(
    ("own", "stage", "result"),
    [
        ("alert", "enforce", "alert"),
        ("observe", "alert", "observe"),
        ("enforce", "alert", "alert"),
        ("alert", "observe", "observe"),
    ],
)
def test_a_stage_is_the_most_that_a_detector_is_trusted(
    own: Stage, stage: Stage, result: Stage
) -> None:
    alert, decision = answer(
        found("anna@example.org", stage=stage), policies(example_org={"stage": own})
    )
    assert alert.stage == result
    assert decision is not None
    assert not decision.enforced


def test_a_finding_that_is_withdrawn_has_the_stage_that_it_had() -> None:
    own = policies(example_org={"stage": "observe"})
    assert answer(found("anna@example.org", state="withdrawn"), own)[0].stage == "observe"


def test_every_action_that_is_tried_is_a_milder_one() -> None:
    assert fitting("lock", "kick", "account") == "hold"
    assert fitting("lock", "tarpit", "account") is None
    assert fitting("reject", "drop", "unheard of") == "reject"
    assert fitting("drop", "reject", "unheard of") is None


def test_a_shard_of_these_settings_follows_them_and_a_reloaded_one_the_new_ones() -> None:
    table = {"example.org": {"severest": "tarpit"}}
    base = {
        "site": {"domains": ["example.org"], "honeypots": ["fax@example.org"]},
        "response": {"enforce": True},
    }

    def config(**more: object) -> configuration.Config:
        return configuration.build(convert({**base, **more}, Settings, "test"))

    def attack(second: int, client: str) -> Action:
        shard.fold(
            Auth(at=NOW + second, client=client, account="fax@example.org", outcome="failed")
        )
        (decision,) = shard.take().decisions
        return decision.action

    shard = build_shard(config(domains=table))
    assert attack(1, "192.0.2.1") == "tarpit"
    fresh = build_shard(config())
    shard.adopt(fresh.engine, fresh.response)
    assert attack(2, "198.51.100.1") == "drop"


# -- who hears --------------------------------------------------------------------------------


class Heard(Sink):
    def __init__(self, domains: tuple[str, ...] = ()) -> None:
        super().__init__(SinkSettings(domains=domains), "desk")
        self.ids: list[str] = []

    def deliver(self, alerts: object) -> None:
        self.ids += [alert.id for alert in alerts]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("chosen", "domains", "heard"),
    [
        (True, (), ["ours", "both"]),
        (False, (), ["ours", "both", "theirs", "none"]),
        (True, ("example.net",), ["ours", "both", "theirs"]),
        (False, ("example.net",), ["both", "theirs"]),
    ],
)
def test_a_sink_that_domains_choose_hears_of_these(
    chosen: bool, domains: tuple[str, ...], heard: list[str]
) -> None:
    sink = Heard(domains)
    if chosen:
        sink.concerned = policies(example_org={"sinks": ["desk"]}).telling("desk")
    alert = answer(found(), Policies())[0]
    sink.send(
        [
            msgspec.structs.replace(alert, id=name, domains=concerned)
            for name, concerned in (
                ("ours", ["shop.example.org"]),
                ("both", ["example.net", "example.org"]),
                ("theirs", ["example.net"]),
                ("none", []),
            )
        ]
    )
    assert sink.ids == heard


def test_a_configured_sink_is_told_which_domains_chose_it() -> None:
    (sink,) = configuration.build(settings(example_org={"sinks": ["desk"]})).sinks
    assert sink.concerned is not None
    assert [sink.concerned([one]) for one in ("example.org", "example.net")] == [True, False]
    (sink,) = configuration.build(settings(example_org={"severest": "tarpit"})).sinks
    assert sink.concerned is None


# -- wrong settings, and what is said of right ones -------------------------------------------


@pytest.mark.parametrize(
    ("domain", "table", "words"),
    [
        ("example_org", {"severest": "ban"}, 'domains."example.org".severest: expected one of'),
        ("example_org", {"stage": "on"}, 'domains."example.org".stage: expected one of observe'),
        ("example_org", {"allow": ["x"]}, 'domains."example.org".allow[0]: expected an address'),
        ("example_org", {"sinks": ["dsk"]}, 'sinks[0]: no such sink; did you mean desk? there are'),
        ("example_org", {"alow": []}, 'domains."example.org".alow: no such setting; there are'),
        ("example_org", 1, 'domains."example.org": expected a table of settings'),
        ("anna@example", {}, 'domains."anna@example": expected a domain such as example.org'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(domain: str, table: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        policies(**{domain: table})
    assert str(caught.value).startswith("settings: domains.")
    assert words in str(caught.value)


def test_check_says_what_applies_to_each_domain() -> None:
    table = {
        "site": {"domains": ["example.org", "example.net"]},
        "domains": {
            "example.org": {"allow": ["192.0.2.0/24"], "sinks": ["desk"]},
            "shop.example.org": {"severest": "tarpit", "stage": "alert"},
        },
        "detectors": {"account_burst": {"domains": {"shop.example.org": {"hourly": 9}}}},
        "sinks": {"desk": {"kind": "jsonl", "path": "/nowhere/x"}},
    }
    config = configuration.build(convert(table, Settings, "test"))
    assert [line.split("; ") for line in domains(config)] == [
        ["example.net: as for everybody"],
        ["example.org: nothing is decided against 192.0.2.0/24", "told by desk"],
        [
            "shop.example.org: nothing is decided against 192.0.2.0/24",
            "tarpit at most",
            "detectors at stage alert at most",
            "told by desk",
            "settings of its own for account_burst",
        ],
    ]
    assert list(domains(configuration.build(Settings()))) == []


def test_a_policy_of_nothing_changes_nothing() -> None:
    assert Policy(Networks()).words() == []
    assert answer(found("anna@example.org"), Policies()) == answer(
        found("anna@example.org"), policies(example_com={"severest": "tarpit"})
    )
