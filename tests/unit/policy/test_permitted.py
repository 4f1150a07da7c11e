"""A permitted command is made by policy and nobody else."""

from __future__ import annotations

import pytest

from ssh_mcp.inventory.model import CommandPolicy
from ssh_mcp.policy.commands import permit
from ssh_mcp.policy.permitted import PermittedCommand


def test_nobody_else_makes_one() -> None:
    with pytest.raises(TypeError, match="only policy"):
        PermittedCommand(maker=object(), text="rm -rf /")  # type: ignore[arg-type]


def test_it_carries_exactly_the_text_that_was_decided_about() -> None:
    command = permit("  echo a;  ls | ls\n", CommandPolicy(allow=("echo", "ls"), cheatsheet=False))
    assert command.wire() == command.text == "  echo a;  ls | ls\n"
    assert command.programs == ("echo", "ls", "ls")
    assert [str(i) for i in command.invocations or ()] == ["echo a", "ls", "ls"]
