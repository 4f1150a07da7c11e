"""Any string survives as one remote argument, whatever shell reads it."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssh_mcp.shell.quoting import quote
from ssh_mcp.tokens import arg, command, secret
from tests.peers import need

SHELLS = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash"],
    "bash as sh": ["bash", "--posix"],
    "busybox": ["busybox", "ash"],
}
TRICKY = [
    "",
    "'",
    "''",
    "\\",
    "\\'",
    "'\\''",
    "$(id)",
    "`id`",
    "a\nb",
    "\n",
    "-n",
    "=ls",
    "~",
    "!!",
    "*",
    "\r",
    "\t",
    "é",
    "{a,b}",
    "#",
    "\x7f",
]

words = st.lists(
    st.one_of(
        st.sampled_from(TRICKY),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
        st.text(alphabet="'\"\\$`!*?[]{}()<>|&;~# \t\n=-ab", max_size=20),
        st.binary(max_size=12).map(lambda b: b.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("name", SHELLS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=words)
def test_any_string_is_exactly_one_argument(name: str, values: list[str]) -> None:
    argv = SHELLS[name]
    program = shutil.which(argv[0])
    need(program, f"{argv[0]} is not installed")
    assert program is not None
    line = command("for w in", (arg(v) for v in values), '; do printf "%s\\001" "$w"; done').wire()
    done = subprocess.run([program, *argv[1:], "-c", line], capture_output=True, check=True, timeout=20)
    assert done.stdout.decode("utf-8", "surrogateescape") == "".join(f"{v}\x01" for v in values)
    assert done.stderr == b""


@given(st.text(st.characters(exclude_characters="\0"), max_size=40))
def test_a_secret_is_quoted_on_the_wire_and_absent_from_the_masked_line(value: str) -> None:
    line = command("login", secret(value))
    assert line.wire() == f"login {quote(value)}"
    assert line.masked() == "login ***"


def test_a_nul_has_no_quoted_form() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")
