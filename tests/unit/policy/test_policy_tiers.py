"""Which tools exist for a caller."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ssh_mcp.policy.tiers import GROUPS, Group, Tier, enabled_groups, open_tiers, overview, visible
from ssh_mcp.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Row:
    tier: Tier
    group: Group


@pytest.mark.parametrize(
    ("settings", "tiers"),
    [
        (Settings(), (Tier.READ,)),
        (Settings(allow_low_access_tools=True), (Tier.READ, Tier.LOW_ACCESS)),
        (Settings(allow_dangerous_tools=True), (Tier.READ, Tier.DANGEROUS)),
        (Settings(allow_sudo=True), (Tier.READ,)),
        (Settings(allow_sudo=True, allow_dangerous_tools=True), (Tier.READ, Tier.DANGEROUS, Tier.SUDO)),
    ],
)
def test_each_tier_opens_by_its_own_switch_and_sudo_needs_dangerous_too(
    settings: Settings, tiers: tuple[Tier, ...]
) -> None:
    assert open_tiers(settings) == tiers


def test_an_empty_group_list_means_all_and_unknown_names_mean_nothing() -> None:
    assert enabled_groups(Settings()) == GROUPS
    assert enabled_groups(Settings(ssh_enabled_groups=("docker", "nonsense", "host"))) == ("host", "docker")
    assert enabled_groups(Settings(ssh_enabled_groups=("nonsense",))) == ()


def test_a_tool_is_visible_where_both_its_tier_and_its_group_are() -> None:
    settings = Settings(allow_low_access_tools=True, ssh_enabled_groups=("file-ops",))
    assert visible(Tier.LOW_ACCESS, "file-ops", settings)
    assert not visible(Tier.DANGEROUS, "file-ops", settings)
    assert not visible(Tier.READ, "host", settings)


def test_the_overview_has_a_line_a_tier_and_a_group() -> None:
    rows = [Row(Tier.READ, "host"), Row(Tier.READ, "docker"), Row(Tier.SUDO, "sudo")]
    lines = overview(rows, Settings(ssh_enabled_groups=("host",)))
    assert lines[:4] == ["tier read: 1/2", "tier low-access: 0/0", "tier dangerous: 0/0", "tier sudo: 0/1"]
    assert lines[4] == "group host: 1/1"
    assert "group docker: 0/1" in lines
    assert len(lines) == 4 + len(GROUPS)
