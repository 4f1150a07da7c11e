"""Which commands a network device may be sent."""

from __future__ import annotations

import pytest

from ssh_mcp.errors import CommandNotAllowed, InvalidArgument
from ssh_mcp.policy.devices import MAX_COMMAND, permit

ALLOW = ("show", "ping", "display current-configuration")


@pytest.mark.parametrize("line", ["show", "show  version ", "ping 10.0.0.1", "display current-configuration all"])
def test_whole_leading_words_are_permitted(line: str) -> None:
    assert permit(line, ALLOW).text == " ".join(line.split())


@pytest.mark.parametrize(
    "line",
    ["sh version", "showing", "Show version", "do show version", "display", "display cur", "!show", "reload",
     "show version|redirect tftp://x", "show run > flash:x", "show run; reload", "show x && reload", "show ?",
     "show `x`", "show $(x)", "show\tversion", "show version\nreload", "show \x1b[A", "show \u00e9", "show \x08"],
)  # fmt: skip
def test_all_else_is_refused(line: str) -> None:
    with pytest.raises(CommandNotAllowed):
        permit(line, ALLOW)
    with pytest.raises(CommandNotAllowed):
        permit(line, ())


def test_a_star_permits_any_single_command() -> None:
    assert permit("reload in 5", ("*",)).text == "reload in 5"
    with pytest.raises(CommandNotAllowed):
        permit("show version | append flash:x", ("*",))


@pytest.mark.parametrize("line", ["", "  ", "x" * (MAX_COMMAND + 1)])
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        permit(line, ("*",))
