"""Ask rules: which permitted calls need a person's yes."""

from __future__ import annotations

import pytest

from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.approval import AskMatch, AskRules, check_ask_entry
from ssh_mcp.policy.commands import Circumstances, permit, permit_script

ANY = CommandPolicy(allow=("*",), cheatsheet=False)
LISTED = CommandPolicy(
    allow=("echo", "reboot", "sh", "sudo", "xargs", "find", "env", "systemctl", "python3", "ls", "timeout", "ssh"),
    cheatsheet=False,
)
SOURCE = "hosts.toml:7"


def rules(*entries: str) -> AskRules:
    return AskRules.of([(entry, SOURCE) for entry in entries])


def test_a_match_names_the_rule_its_source_and_the_part_that_it_matched() -> None:
    (found,) = rules("sudo", "command:reboot").for_command(permit("echo a; reboot -f", LISTED))
    assert found == AskMatch("command:reboot", SOURCE, "reboot -f")


@pytest.mark.parametrize(
    "command",
    [
        "reboot",
        "/sbin/reboot",
        "echo a; reboot",
        "echo $(reboot)",
        "sh -c reboot",
        "sh -c 'echo a && sh -c reboot'",
        "sudo reboot",
        "sudo -n env A=1 timeout 5 reboot",
        "echo x | xargs reboot",
        "find / -exec reboot ;",
        "f() { reboot; }; f",
        "if ls; then reboot & fi",
        "ssh web reboot",
        "trap reboot EXIT",
        "python3 -c 'import os; os.system(\"reboot\")'",
    ],
)
@pytest.mark.parametrize("policy", [LISTED, ANY], ids=["allowlist", "anything"])
def test_a_program_is_seen_wherever_it_occurs(command: str, policy: CommandPolicy) -> None:
    command = command.replace(" ;", " \\;") if command.startswith("find") else command
    assert rules("command:reboot").for_command(permit(command, policy))


@pytest.mark.parametrize(
    "command", ["echo reboot", "ls /sbin/reboot", "echo 'a; reboot'", "grep reboot /var/log/syslog"]
)
def test_a_word_that_is_no_program_does_not_ask(command: str) -> None:
    assert not rules("command:reboot").for_command(permit(command, ANY))


@pytest.mark.parametrize(
    "command", ['eval "$x"', "$cmd", "ls '", "x=(1 2)", "function f { :; }", "source /tmp/x", "vim /etc/hosts"]
)
def test_a_command_whose_programs_cannot_be_read_asks_under_any_rule_about_commands(command: str) -> None:
    assert rules("command:reboot").for_command(permit(command, ANY))
    assert rules("write:/etc/**").for_command(permit(command, ANY))
    assert not rules("sudo", "group:docker").for_command(permit(command, ANY))


def test_words_of_a_rule_are_looked_for_in_their_order_and_options_may_stand_between() -> None:
    asks = rules("command:systemctl restart")
    for command in (
        "systemctl restart nginx",
        "systemctl --no-block restart nginx",
        "systemctl -q restart nginx",
    ):
        assert asks.for_command(permit(command, LISTED)), command
    assert asks.for_command(permit('systemctl -- "$verb" nginx', LISTED))
    for command in ("systemctl status nginx", "systemctl list-units", "sed -i s/a/b/ /srv/x"):
        assert not asks.for_command(permit(command, ANY)), command


def test_tiers_groups_and_tools_match_the_tool_itself() -> None:
    asks = rules("sudo", "group:docker", "ssh_apt_remove")
    assert asks.for_tool("ssh_sudo_exec", "sudo", "sudo")[0].rule == "sudo"
    assert asks.for_tool("ssh_docker_ps", "docker", "read")[0].rule == "group:docker"
    assert asks.for_tool("ssh_apt_remove", "pkg", "dangerous")[0].part == "ssh_apt_remove"
    assert asks.for_tool("ssh_apt_install", "pkg", "dangerous") == ()


def test_the_tool_that_does_a_programs_job_asks_like_the_program() -> None:
    asks = rules("command:systemctl restart", "command:rm", "command:docker")
    assert asks.for_tool("ssh_systemctl_restart", "systemctl", "dangerous")
    assert asks.for_tool("ssh_delete_folder", "file-ops", "low-access")
    assert asks.for_tool("ssh_docker_stop", "docker", "low-access")
    assert not asks.for_tool("ssh_systemctl_stop", "systemctl", "dangerous")
    assert not asks.for_tool("ssh_systemctl_status", "systemctl", "read")


def test_globs_of_written_paths_match_canonical_paths_trees_and_what_commands_name() -> None:
    asks = rules("write:/etc/**")
    assert asks.for_write("/etc/nginx/nginx.conf")[0].part == "/etc/nginx/nginx.conf"
    assert not asks.for_write("/srv/etc/x")
    assert asks.for_tree("/")
    assert not asks.for_tree("/srv")
    for command in (
        "echo x > /etc/motd",
        "cp a /etc/b",
        "cd /etc; tee x >$y",
        "dd if=/dev/zero of=/etc/x",
        "rm ../etc/x",
    ):
        assert asks.for_command(permit(command, ANY, Circumstances(default_dir="/srv"))), command
    for command in ("cat /etc/hosts", "cp /srv/a /srv/b", "ls /etc 2>/dev/null"):
        assert not asks.for_command(permit(command, ANY)), command


def test_scripts_are_read_like_commands_and_other_interpreters_by_what_they_mention() -> None:
    asks = rules("command:reboot")
    assert asks.for_command(permit_script("#!/bin/sh -e\necho a\nreboot\n", LISTED))
    assert asks.for_command(permit_script("#!/usr/bin/env python3\nrun('reboot')\n", ANY))
    assert not asks.for_command(permit_script("#!/usr/bin/env python3\nprint(1)\n", ANY))


@pytest.mark.parametrize(
    ("entry", "clause"),
    [
        ("", "empty"),
        (" sudo", "blanks"),
        ("sudos", "did you mean sudo"),
        ("group:dockers", "did you mean docker"),
        ("command:", "must name a program"),
        ("command:re*", "must name a program"),
        ("write:etc/**", "absolute"),
        ("path:/etc", "unknown kind"),
        ("ssh_apt_remov", "did you mean ssh_apt_remove"),
    ],
)
def test_an_entry_that_means_nothing_is_named_with_the_nearest_that_does(entry: str, clause: str) -> None:
    problem = check_ask_entry(entry, ["ssh_apt_remove", "ssh_host_ping"])
    assert problem is not None
    assert clause in problem
    if not entry.startswith("ssh_"):
        with pytest.raises(ValueError, match=clause):
            AskRules.of([(entry, SOURCE)])


@pytest.mark.parametrize(
    "entry", ["read", "sudo", "group:docker", "ssh_reboot", "command:systemctl restart", "write:**/x"]
)
def test_entries_of_each_kind_load(entry: str) -> None:
    assert check_ask_entry(entry) is None
    assert rules(entry)


@pytest.mark.parametrize(
    "text",
    [
        "cd /etc && echo x > f", "cd /; cd etc; echo x > f", "(cd '/etc'; tee f)", "pushd /etc\necho x > f",
        "cd -P -- /etc && echo x > f", "cd $DIR && echo x > f", "cd && echo x > f", "sh -c 'cd /etc; echo x > f'",
    ],
)  # fmt: skip
def test_a_relative_write_is_seen_where_the_command_changes_its_directory_to(text: str) -> None:
    permitted = permit(text, ANY, Circumstances(default_dir="/srv"))
    assert AskRules.of([("write:/etc/**", "here")]).for_command(permitted)


@pytest.mark.parametrize("text", ["cd /srv/app && echo x > f", "echo x > f", "cd $DIR && echo x > /tmp/f"])
def test_a_write_elsewhere_is_not_asked_about(text: str) -> None:
    permitted = permit(text, ANY, Circumstances(default_dir="/srv"))
    assert not AskRules.of([("write:/etc/**", "here")]).for_command(permitted)
