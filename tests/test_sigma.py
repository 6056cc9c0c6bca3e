"""The Sigma rules: made by tools/sigma.py, read by pySigma with its validators, and converted."""

from collections import Counter

import msgspec
import pytest
from sigma.backends.test import TextQueryTestBackend
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaRuleNotFoundError
from sigma.rule import SigmaRule
from sigma.validation import SigmaValidator
from sigma.validators.core import validators

from agents.detectors import DETECTORS
from schemas.events import EVENTS
from streams.rendering import attack
from tools import sigma

ONLINE = ("attacktag", "d3_fendtag")  # they load ATT&CK and D3FEND from the web
STRUCTS = {kind.type: kind for kind in EVENTS}


@pytest.fixture(scope="module")
def collection() -> SigmaCollection:
    found = SigmaCollection.load_ruleset([sigma.FOLDER])
    assert found.errors == []
    return found


def test_the_files_are_current() -> None:
    made = dict(sigma.rules())
    lying = {path.name: path.read_text(encoding="utf-8") for path in sigma.FOLDER.iterdir()}
    assert lying == made, "run python -m tools.sigma"


def test_all_validators_are_content(collection: SigmaCollection) -> None:
    chosen = [kind for name, kind in validators.items() if name not in ONLINE]
    assert SigmaValidator(chosen).validate_rules(collection.rules) == []


def test_every_rule_can_be_converted(collection: SigmaCollection) -> None:
    queries = TextQueryTestBackend().convert(collection)
    correlations = [one for one in collection.rules if isinstance(one, SigmaCorrelationRule)]
    assert len(queries) == len(correlations) == sum(map(len, sigma.RULES.values()))
    [quick] = [query for query in queries if 'verdict="unknown"' in query and "10min" in query]
    assert "value_count(recipient) as value_count by client" in quick
    assert "where value_count >= 10" in quick


def test_a_wrong_rule_would_be_seen() -> None:
    text = dict(sigma.rules())["auth_breach.yml"].replace("auth_opened", "nobody")
    with pytest.raises(SigmaRuleNotFoundError):
        SigmaCollection.from_yaml(text)


def test_each_detector_has_rules_or_a_reason() -> None:
    assert set(sigma.RULES) | set(sigma.BEYOND) == set(DETECTORS)
    assert not set(sigma.RULES) & set(sigma.BEYOND)


def test_their_fields_are_those_of_our_events(collection: SigmaCollection) -> None:
    fields: dict[str, set[str]] = {}
    for name, kind in sigma.EVENT_KINDS.items():
        struct = STRUCTS[kind.selection["type"]]
        known = {"type", *(field.name for field in msgspec.structs.fields(struct))}
        asked = {key.partition("|")[0] for key in (*kind.selection, *kind.without)}
        assert asked <= known, name
        fields[name] = known
    for every in sigma.RULES.values():
        for rule in every:
            for name in rule.of:
                if name in fields:
                    assert {*rule.by, *filter(None, [rule.field])} <= fields[name], rule.title


def test_thresholds_are_those_of_the_detectors(collection: SigmaCollection) -> None:
    by_name = {one.name: one for one in collection.rules}
    rule = by_name["auth_dictionary_dictionary"]
    assert isinstance(rule, SigmaCorrelationRule)
    usual = DETECTORS["auth_dictionary"]()
    assert rule.condition.count == usual.accounts  # type: ignore[attr-defined, union-attr]
    assert rule.timespan.seconds == usual.window  # type: ignore[attr-defined]


def test_techniques_are_known(collection: SigmaCollection) -> None:
    tactics = {f"{name.lower().replace(' ', '-')}" for name in attack.TACTICS.values()}
    for rule in collection.rules:
        if isinstance(rule, SigmaRule):
            continue
        names = [str(tag.name) for tag in rule.tags]
        assert any(name in tactics for name in names), rule.title
        assert any(name.upper() in attack.TECHNIQUES for name in names), rule.title


def test_no_two_rules_share_a_name(collection: SigmaCollection) -> None:
    assert max(Counter(one.name for one in collection.rules).values()) == 1
