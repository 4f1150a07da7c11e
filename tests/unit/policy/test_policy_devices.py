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
     "show `x`", "show $(x)", "show version | tee flash:x", "show version |append x", "|", "show |", "| show",
     "show version\r", "show version \x1a", "show ver\x08\x08\x08reload", "show\u200bversion", "show\u00a0version",
     "sh\u043ew version", "show version\u2028reload", "show version & reload", "show version < flash:x",
     "show\tversion", "show version\nreload", "show \x1b[A", "show \u00e9", "show \x08"],
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


def test_a_pipe_needs_an_entry_that_has_it() -> None:
    allow = ("show", "show running-config | include", "display | begin")
    assert permit("show running-config | include  hostname", allow).text == "show running-config | include hostname"
    assert permit("display version | begin 7", allow).text == "display version | begin 7"
    for line in (
        "show running-config | redirect flash:x", "show running-config | inc x", "show version | include x",
        "show running-config | include x | redirect flash:x", "show running-config |", "display | begin > x",
    ):  # fmt: skip
        with pytest.raises(CommandNotAllowed):
            permit(line, allow)


@pytest.mark.parametrize(
    ("system", "line"),
    [("mikrotik_routeros", "ping [/system reboot]"), ("mikrotik_routeros", "ping $x"),
     ("mikrotik_routeros", "ping {x}"), ("vyos_vyos", "ping !reb"), ("cumulus_linux", "ping \\")],
)  # fmt: skip
def test_what_runs_another_command_on_one_system_is_refused_there(system: str, line: str) -> None:
    with pytest.raises(CommandNotAllowed):
        permit(line, ALLOW, system)
    with pytest.raises(CommandNotAllowed):
        permit(line, ("*",), system)
    assert permit(line, ALLOW, "cisco_iosxe").text == line


@pytest.mark.parametrize("line", ["", "  ", "x" * (MAX_COMMAND + 1)])
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        permit(line, ("*",))
