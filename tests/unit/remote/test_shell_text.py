"""What is sent to a shell session: one line per command, whatever the command's text, for each shell at hand."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.remote.exec.marked import MarkedStream
from ssh_mcp.remote.exec.shell_text import SESSION, line
from tests.peers import need

MARK = "0123456789abcdef"
SHELLS = [["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"]]


def evaluated(shell: list[str], text: str) -> tuple[bytes, str | None]:
    """Output and trailer of one command in a session of its own."""
    need(shutil.which(shell[0]), f"{shell[0]} is not installed")
    done = subprocess.run([*shell, "-c", SESSION], input=line(text, MARK), capture_output=True, timeout=20, check=False)
    stream = MarkedStream(MARK, 1 << 20)
    stream.feed(done.stdout)
    stream.close()
    return stream.kept, stream.trailer


@given(st.text(max_size=200))
def test_a_command_is_always_one_line(text: str) -> None:
    assert line(text.replace("\0", ""), MARK).count(b"\n") == 1


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
@settings(max_examples=15, deadline=None)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=80))
def test_any_text_reaches_the_shell_as_it_is(shell: list[str], text: str) -> None:
    word = "'" + text.replace("'", "'\\''") + "'"
    output, trailer = evaluated(shell, f"printf %s {word}")
    assert output.decode("utf-8", "surrogateescape") == text
    assert trailer is not None
    assert trailer.startswith("0 /")


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
def test_bytes_that_are_no_characters_reach_the_shell_too(shell: list[str]) -> None:
    assert evaluated(shell, "printf %s '\udcff\udcc3\n\udc80'")[0] == b"\xff\xc3\n\x80"


@pytest.mark.parametrize("shell", SHELLS, ids="-".join)
def test_here_documents_and_several_lines_work(shell: list[str]) -> None:
    output, trailer = evaluated(shell, "cat <<'E'\n$x `y` \\z\nE\nfor i in 1 2\ndo\n echo $i\ndone\nfalse")
    assert output == b"$x `y` \\z\n1\n2\n"
    assert trailer is not None
    assert trailer.startswith("1 /")
