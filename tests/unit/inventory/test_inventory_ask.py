"""Ask rules as they are loaded: united over the layers, with their source, and refused where they could never ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from ssh_mcp.errors import ConfigError
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.settings.model import Settings, load_settings

TOOLS = frozenset({"ssh_apt_remove", "ssh_exec_run"})


def test_the_environments_rules_those_of_the_defaults_and_the_hosts_own_are_united(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text('[defaults]\nask = ["sudo"]\n[hosts.a]\nask = ["command:reboot", "sudo"]\n[hosts.b]\n')
    inventory, _ = load_inventory(Settings(ssh_hosts_file=str(file), ssh_ask=("write:/etc/**",)), {}, tools=TOOLS)
    found = [(e.entry, e.source.removeprefix(f"{tmp_path}/")) for e in inventory.hosts["a"].ask]
    assert found == [("write:/etc/**", "SSH_ASK"), ("sudo", "hosts.toml:2"), ("command:reboot", "hosts.toml:4")]
    assert [e.entry for e in inventory.hosts["b"].ask] == ["write:/etc/**", "sudo"]
    assert [e.entry for e in inventory.ask] == ["write:/etc/**", "sudo"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("group:dokcer", "names no group; did you mean docker"),
        ("comand:reboot", "unknown kind of rule; did you mean command"),
        ("write:etc", "must hold a glob of absolute paths"),
        ("ssh_apt_remve", "is not a tool of this program; did you mean ssh_apt_remove"),
    ],
)
def test_a_rule_that_could_never_ask_stops_the_load(tmp_path: Path, entry: str, said: str) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text(f'[hosts.a]\nhostname = "a"\nask = ["{entry}"]\n')
    with pytest.raises(ConfigError, match=said) as caught:
        load_inventory(Settings(ssh_hosts_file=str(file)), {}, tools=TOOLS)
    assert "hosts.toml:3: " in str(caught.value)
    file.write_text("")
    with pytest.raises(ConfigError, match=said) as caught:
        load_inventory(load_settings({"SSH_ASK": entry, "SSH_HOSTS_FILE": str(file)})[0], {}, tools=TOOLS)
    assert "SSH_ASK" in str(caught.value)


def test_a_rule_that_only_moved_to_another_line_changes_no_host(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    file.write_text('[hosts.a]\nask = ["sudo"]\n')
    before, _ = load_inventory(Settings(ssh_hosts_file=str(file)), {})
    file.write_text('# moved\n\n[hosts.a]\nask = ["sudo"]\n')
    after, _ = load_inventory(Settings(ssh_hosts_file=str(file)), {})
    assert before.hosts["a"] == after.hosts["a"]
    file.write_text('[hosts.a]\nask = ["dangerous"]\n')
    assert load_inventory(Settings(ssh_hosts_file=str(file)), {})[0].hosts["a"] != after.hosts["a"]
