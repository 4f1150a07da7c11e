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
