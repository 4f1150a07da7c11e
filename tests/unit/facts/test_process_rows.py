"""Rows of the process table whose user is not one plain word."""

from __future__ import annotations

import pytest

from ssh_mcp.facts.processes import Processes


@pytest.mark.parametrize(
    ("row", "user", "command"),
    [
        (r"  71     1 CORP\john doe                     0.3  1.2 sleep 60", r"CORP\john doe", "sleep 60"),
        ("71 1 alice@example.org 0.3 1.2 python3 -c 1 2.0 3.0", "alice@example.org", "python3 -c 1 2.0 3.0"),
        ("71 1 1001 0.3 1.2", "1001", ""),
    ],
)
def test_a_users_name_may_hold_blanks_and_be_a_number(row: str, user: str, command: str) -> None:
    found = Processes().parse(f"self 5 6\n{row}\n")
    assert [(p.pid, p.parent, p.user, p.cpu_percent, p.memory_percent, p.command) for p in found.value] == [
        (71, 1, user, 0.3, 1.2, command)
    ]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("row", "user", "command"),
    [
        (r"   71     1 CORP\jo  sleep 60", r"CORP\jo", "sleep 60"),
        ("   71     1 jürgen  sleep 60", "jürgen", "sleep 60"),
        ("   71     1 a b      sleep 60", "a b", "sleep 60"),
        ("   71     1 messageb /usr/bin/dbus-daemon --system", "messageb", "/usr/bin/dbus-daemon --system"),
        ("1234567 1234566 root     sleep 60", "root", "sleep 60"),
        ("   71     1 messagebus sleep 60", "messagebus", "sleep 60"),
        ("   71     1 root     ", "root", ""),
    ],
)
def test_busyboxs_column_of_users_is_cut_by_its_width(row: str, user: str, command: str) -> None:
    """Rows of BusyBox 1.35 with accounts of such names; the last but one of one that does not cut them."""
    found = Processes().parse(f"self 5 6\nPID   PPID  USER     COMMAND\n{row}\n== proc\n")
    assert [(p.user, p.command) for p in found.value] == [(user, command)]
    assert found.problems == ()
