"""What policy would decide about a call, and by which rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.policy.explanation import Decision, Explanation
from ssh_mcp.policy.parameters import path_parameters
from ssh_mcp.settings.model import Settings
from ssh_mcp.tools.catalogue import read
from ssh_mcp.tools.explaining import Explainer

HOSTS = """
[defaults]
restricted_globs = ["**/.git/**"]
ask = ["command:reboot", "write:/etc/**", "ssh_apt_remove", "group:docker"]

[hosts.web01]
path_allowlist = ["/srv", "/etc"]
restricted_paths = ["/srv/backup"]
command_allowlist = ["ls", "systemctl status", "echo", "reboot"]

[hosts.switch]
platform = "cisco_iosxe"
device_allow = ["show"]

[hosts.win]
platform = "windows"
"""
EVERYTHING: dict[str, Any] = {
    "allow_low_access_tools": True,
    "allow_dangerous_tools": True,
    "allow_sudo": True,
    "ssh_path_allowlist": ("/opt",),
}


@pytest.fixture
def hosts_file(tmp_path: Path) -> Path:
    file = tmp_path / "hosts.toml"
    file.write_text(HOSTS)
    file.chmod(0o600)
    return file


@pytest.fixture
def decide(hosts_file: Path) -> Any:
    def run(tool: str, arguments: dict[str, Any] | None = None, host: str = "web01", **settings: Any) -> Explanation:
        given = Settings(ssh_hosts_file=str(hosts_file), **{**EVERYTHING, **settings})
        return Explainer(load_inventory(given, {})[0], given).explain(host, tool, arguments or {})

    return run


def test_a_permitted_command_names_the_entry_and_the_line_for_each_program(decide: Any, hosts_file: Path) -> None:
    found = decide("ssh_exec_run", {"command": "ls /tmp; systemctl status nginx | ls"})
    assert found.decision is Decision.ALLOW
    rules = [(r.rule, r.source, r.part) for r in found.reasons]
    assert ("ls", f"{hosts_file}:9", "ls /tmp") in rules
    assert ("systemctl status", f"{hosts_file}:9", "systemctl status nginx") in rules
    assert any("PATH" in text for text in found.unknown)


@pytest.mark.parametrize(
    ("tool", "arguments", "decision", "rule"),
    [
        ("ssh_exec_run", {"command": "echo a; reboot"}, "ask", "command:reboot"),
        ("ssh_exec_run", {"command": "rm x"}, "deny", "command_allowlist"),
        ("ssh_exec_run", {"command": "systemctl restart x"}, "deny", "command_allowlist"),
        ("ssh_exec_run", {"command": "ls /etc"}, "deny", "cheatsheet list-ls"),
        ("ssh_exec_run", {"command": "echo /srv/.env; ls"}, "deny", "cheatsheet redact-path"),
        ("ssh_exec_script", {"script": "#!/bin/sh\nls\nreboot\n"}, "ask", "command:reboot"),
        ("ssh_exec_script", {"script": "#!/usr/bin/python3\n1\n"}, "deny", "command_allowlist"),
        ("ssh_sudo_exec", {"command": "reboot"}, "ask", "command:reboot"),
        ("ssh_sftp_stat", {"path": "/srv/a"}, "allow", "/srv"),
        ("ssh_sftp_stat", {"path": "/opt/a"}, "allow", "/opt"),
        ("ssh_sftp_stat", {"path": "/usr/a"}, "deny", "path_allowlist"),
        ("ssh_sftp_stat", {"path": "/srv/../usr/a"}, "deny", "path_allowlist"),
        ("ssh_sftp_stat", {"path": "a\nb"}, "deny", "shape of a path"),
        ("ssh_sftp_stat", {"path": "/srv/backup/x"}, "deny", "/srv/backup"),
        ("ssh_sftp_stat", {"path": "/srv/a/.git/config"}, "deny", "**/.git/**"),
        ("ssh_sftp_download", {"path": "/srv/.env"}, "deny", "**/.env"),
        ("ssh_read_redacted", {"path": "/srv/.env"}, "allow", "/srv"),
        ("ssh_edit", {"path": "/etc/x", "old_string": "a", "new_string": "b"}, "ask", "write:/etc/**"),
        ("ssh_delete_folder", {"path": "/etc"}, "ask", "write:/etc/**"),
        ("ssh_cp", {"src": "/srv/.env", "dst": "/srv/x"}, "deny", "**/.env"),
        ("ssh_cp", {"src": "/srv/a", "dst": "/usr/x"}, "deny", "path_allowlist"),
        ("ssh_cp", {"src": "/srv/a", "dst": "/etc/x"}, "ask", "write:/etc/**"),
        ("ssh_apt_remove", {"packages": ["nginx"]}, "ask", "ssh_apt_remove"),
        ("ssh_docker_ps", {}, "ask", "group:docker"),
        ("ssh_docker_run", {"image": "a", "args": ["--privileged"]}, "deny", "options of docker run"),
        ("ssh_docker_run", {"image": "a", "args": ["-v", "/usr:/x"]}, "deny", "path_allowlist"),
        ("ssh_docker_run", {"image": "a", "args": ["-v", "/srv:/x", "-e", "A=b"]}, "ask", "group:docker"),
        ("ssh_docker_exec", {"container": "c", "command": "rm x"}, "deny", "command_allowlist"),
        ("ssh_sftp_stat", {"pat": "/srv/a"}, "deny", "schema of the tool"),
        ("ssh_host_ping", {}, "allow", "tier read"),
    ],
)
def test_the_decision_and_the_rule_that_made_it(
    decide: Any, tool: str, arguments: dict[str, Any], decision: str, rule: str
) -> None:
    found = decide(tool, arguments)
    assert found.decision.value == decision, found
    assert rule in {r.rule for r in found.reasons if bool(r.refusal) == (decision == "deny")}
    if decision == "ask":
        assert found.needs.approval == rule


def test_a_closed_tool_says_what_opens_it_and_what_would_be_decided_then(decide: Any) -> None:
    found = decide("ssh_sudo_exec", {"command": "ls"}, allow_sudo=False)
    assert found.decision is Decision.DENY
    assert found.needs.tier == "sudo"
    assert found.needs.setting == "ALLOW_SUDO"
    assert {r.rule for r in found.reasons} >= {"tier sudo", "ls"}
    assert decide("ssh_mkdir", {"path": "/srv/x"}, ssh_enabled_groups=("host",)).needs.setting == "SSH_ENABLED_GROUPS"


def test_a_tool_that_needs_a_posix_shell_is_denied_on_a_windows_host(decide: Any) -> None:
    found = decide("ssh_exec_run", {"command": "ls"}, host="win")
    assert found.reasons[0].refusal.startswith("PlatformNotSupported: ")


def test_an_unknown_tool_is_an_error_that_names_the_nearest(decide: Any) -> None:
    with pytest.raises(InvalidArgument, match="Did you mean ssh_edit"):
        decide("ssh_edits", {})


def test_paths_that_a_host_resolved_count_as_resolved(hosts_file: Path) -> None:
    settings = Settings(ssh_hosts_file=str(hosts_file), **EVERYTHING)
    explainer = Explainer(load_inventory(settings, {})[0], settings, {"/srv/link": "/usr/secret"})
    found = explainer.explain("web01", "ssh_sftp_stat", {"path": "/srv/link"})
    assert found.decision is Decision.DENY
    assert not found.unknown


OTHER_PATHS = {"ssh_sync", "ssh_archive", "ssh_fleet", "ssh_explain"}


def test_every_path_parameter_of_every_tool_is_known_to_the_explanation() -> None:
    for entry in read():
        names = [n for n in entry.input_schema["properties"] if n in PATHS]
        if names and entry.name not in OTHER_PATHS:
            assert set(names) <= set(path_parameters(entry.name)), entry.name


PATHS = {"path", "src", "dst", "src_path", "dst_path", "host_path", "compose_file", "remote_path"}


@pytest.mark.parametrize(
    ("host", "tool", "arguments", "decision", "rule"),
    [
        ("switch", "ssh_device_run", {"commands": ["show clock"]}, Decision.ALLOW, "device_allow"),
        ("switch", "ssh_device_run", {"commands": ["show clock", "reload"]}, Decision.DENY, "device_allow"),
        ("switch", "ssh_device_configure", {"lines": ["hostname x"]}, Decision.DENY, "device_allow"),
        ("web01", "ssh_device_run", {"commands": ["show clock"]}, Decision.DENY, "platform"),
        ("switch", "ssh_exec_run", {"command": "ls"}, Decision.DENY, "platform"),
    ],
)
def test_a_device_is_explained_by_its_own_list(
    decide: Any, host: str, tool: str, arguments: dict[str, Any], decision: Decision, rule: str
) -> None:
    found = decide(tool, arguments, host)
    assert (found.decision, found.reasons[-1].rule) == (decision, rule)


def test_one_refused_device_stops_a_fleet_call_before_it_begins(decide: Any) -> None:
    found = decide("ssh_fleet", {"tool": "ssh_device_run", "arguments": {"commands": ["reload"]}}, "switch")
    assert found.decision is Decision.DENY


@pytest.mark.parametrize(
    ("roots", "path", "decision"),
    [((), "/srv/x", Decision.DENY), (("/srv",), "x", Decision.DENY), (("/srv",), "/srv/x", Decision.ALLOW)],
)
def test_a_local_path_needs_roots(decide: Any, roots: tuple[str, ...], path: str, decision: Decision) -> None:
    arguments = {"path": "/srv/a", "local_path": path}
    found = decide("ssh_sftp_download", arguments, ssh_local_transfer_roots=roots)
    assert found.decision is decision
