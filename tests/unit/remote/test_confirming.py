"""Which ask rules a call meets, beyond those about its own tier."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ssh_mcp.inventory.model import AskEntry, HostPolicy
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.confirming import subject_of, tool_matches


def call(arguments: dict[str, Any], *entries: str, hosts: int = 1) -> Any:
    policy = HostPolicy("web", "web.example", "web", ask=tuple(AskEntry(e, "SSH_ASK") for e in entries))
    host = SimpleNamespace(policy=policy, alias="web", hostname="web.example", user="deploy")
    return SimpleNamespace(
        hosts=[host] * hosts,
        tool="ssh_job_start",
        group="job",
        tier=Tier.DANGEROUS,
        arguments=arguments,
        caller=SimpleNamespace(identity="local"),
        role=None,
        fleet=SimpleNamespace(inventory=SimpleNamespace(ask=policy.ask)),
    )


@pytest.mark.parametrize(("sudo", "found"), [(True, ["sudo"]), (False, []), ("yes", [])])
def test_a_call_that_asks_for_root_meets_the_rules_about_sudo(sudo: object, found: list[str]) -> None:
    assert [m.rule for m in tool_matches(call({"sudo": sudo}, "sudo"))] == found


def test_two_hosts_with_one_rule_give_one_match_and_a_tool_about_no_host_meets_the_defaults() -> None:
    assert len(tool_matches(call({}, "group:job", hosts=3))) == 1
    assert len(tool_matches(call({}, "group:job", hosts=0))) == 1


def test_what_the_arguments_say_word_by_word_is_the_same_subject() -> None:
    asked = call({"host": "web", "path": "/etc/x"}, "group:job")
    whole = subject_of(asked, asked.hosts, None, None)
    assert subject_of(asked, asked.hosts, "/etc/x", None).fingerprint() == whole.fingerprint()
    assert subject_of(asked, asked.hosts, "/etc/real", None).fingerprint() != whole.fingerprint()
    assert subject_of(asked, asked.hosts, None, "/srv").fingerprint() != whole.fingerprint()
    assert subject_of(call({"sudo": True}), asked.hosts, None, None).root
