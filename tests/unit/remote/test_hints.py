"""Hints: what to do about failures that can be recognised, and silence about all others."""

from __future__ import annotations

import pytest

from ssh_mcp.remote.exec.hints import hint_for


def hint(exit_code: int, stderr: str, *allowed: str, sudo_open: bool = False) -> str:
    return hint_for(exit_code, stderr, allowed=allowed, sudo_open=sudo_open) or ""


@pytest.mark.parametrize(
    "stderr",
    [
        "sh: 1: systemclt: not found",
        "sh: line 1: systemclt: command not found",
        "/bin/bash: line 3: systemclt: command not found",
        "sh: systemclt: not found",
        "sh: eval: line 7: systemclt: not found",
        "zsh:1: command not found: systemclt",
        "env: 'systemclt': No such file or directory",
        "/usr/bin/env: \u2018systemclt\u2019: No such file or directory",
        "first line\nsh: 1: systemclt: not found\nlast line",
    ],
)
def test_a_missing_program_is_named_with_the_nearest_allowed_one(stderr: str) -> None:
    assert hint(127, stderr, "ls", "systemctl").endswith("The nearest allowed program is systemctl.")
    assert "absolute path" in hint(127, stderr)
    assert "nearest" not in hint(127, stderr, "ls", "*")


def test_a_program_that_is_missing_in_the_middle_of_a_list_is_named_too() -> None:
    assert hint(1, "sh: 1: jq: not found\nno input").startswith("jq is not installed")


@pytest.mark.parametrize(
    "stderr",
    [
        "Unit nginx.service: not found.",
        "curl: (22) The requested URL returned error: 404 Not Found",
        "ls: cannot access 'x': No such file or directory",
        "error: package foo: not found in registry",
        "grep: x: binary file matches",
        "",
    ],
)
def test_other_things_that_are_not_found_get_no_hint(stderr: str) -> None:
    assert hint(1, stderr, "ls") == ""


def test_exit_127_alone_gets_a_hint_in_any_language() -> None:
    assert "PATH" in hint(127, "sh: 1: jq: Kommando nicht gefunden")


@pytest.mark.parametrize(
    "stderr",
    [
        "the input device is not a TTY",
        "stdin: is not a tty",
        "mesg: ttyname failed: Inappropriate ioctl for device",
        "Must be run from a terminal.",
    ],
)
def test_a_program_that_wants_a_terminal_is_told_so(stderr: str) -> None:
    assert "non-interactive" in hint(1, stderr)


@pytest.mark.parametrize("stderr", ["cat: /etc/shadow: Permission denied", "kill: Operation not permitted"])
def test_a_denied_permission_names_the_tier_that_would_help(stderr: str) -> None:
    assert "ssh_sudo_exec" in hint(1, stderr, sudo_open=True)
    closed = hint(1, stderr)
    assert "ssh_sudo_exec" not in closed
    assert "ALLOW_SUDO" in closed


def test_root_is_not_sent_to_root() -> None:
    text = hint_for(1, "rm: Operation not permitted", allowed=(), sudo_open=True, as_root=True)
    assert text is not None
    assert "Even root" in text


@pytest.mark.parametrize(
    "stderr",
    [
        "sudo: a password is required",
        "sudo: a terminal is required to read the password; either use the -S option",
        "sudo: sorry, you must have a tty to run sudo",
        "sudo-rs: interactive authentication is required",
        "doas: Authentication required",
        "doas: Authentication failed",
    ],
)
def test_sudo_within_a_command_is_sent_to_the_tool(stderr: str) -> None:
    assert hint(1, stderr, sudo_open=True).endswith("ssh_sudo_exec runs it as root.")
    assert "ALLOW_SUDO" in hint(1, stderr)


def test_a_file_that_is_not_executable_and_a_full_disk_are_named() -> None:
    assert "not executable" in hint(126, "sh: 1: ./x: cannot execute")
    assert "sudo" in hint(126, "sh: 1: ./x: Permission denied")
    assert "ssh_host_disk_usage" in hint(1, "dd: writing 'x': No space left on device")


def test_success_gets_no_hint_whatever_was_said() -> None:
    assert hint(0, "sh: 1: jq: not found; Permission denied") == ""


def test_only_the_end_of_much_output_is_looked_at() -> None:
    assert hint(1, "Permission denied\n" + "x" * 100_000) == ""
