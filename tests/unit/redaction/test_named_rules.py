"""Each rule of the tables decides its own example."""

from __future__ import annotations

import pytest

from ssh_mcp.redaction.keys import NAME_RULES, KeyMatcher, NameRule, Strength
from ssh_mcp.redaction.talk import TALK_RULES, TalkRule
from ssh_mcp.redaction.values import RANDOM_RULES, RandomRule, looks_random
from tests.unit.redaction.redaction_support import output

STRENGTHS = {
    "password_file": Strength.NONE,
    "access_key": Strength.STRONG,
    "public_token": Strength.NONE,
    "sig": Strength.FAINT,
    "db_password": Strength.STRONG,
}


@pytest.mark.parametrize("rule", RANDOM_RULES, ids=lambda r: r.name)
def test_a_value_is_random_by_the_first_rule_that_applies(rule: RandomRule) -> None:
    assert next(r for r in RANDOM_RULES if r.applies(rule.example)) is rule
    assert looks_random(rule.example) is rule.random(rule.example)


@pytest.mark.parametrize("rule", NAME_RULES, ids=lambda r: r.name)
def test_a_name_has_the_strength_of_its_rule(rule: NameRule) -> None:
    assert KeyMatcher().strength(rule.example) is STRENGTHS[rule.example]


@pytest.mark.parametrize("rule", TALK_RULES, ids=lambda r: r.name)
def test_talk_stays_and_what_is_none_is_masked(rule: TalkRule) -> None:
    masked = rule.name == "a name that begins its line, or is in braces"
    assert (output(rule.example) != rule.example) is masked
