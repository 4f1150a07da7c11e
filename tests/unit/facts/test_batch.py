"""Many questions in one session: each output comes back exactly, whatever they hold."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssh_mcp.facts import batch
from ssh_mcp.facts.batch import Reply
from ssh_mcp.tokens import Command, arg, command, secret
from tests.peers import need

NONCE = "0123456789abcdef" * 2
SHELLS = ("sh", "bash", "busybox sh")


def ask(questions: list[Command], shell: str = "sh") -> tuple[Reply, ...]:
    need(shutil.which(shell.split(maxsplit=1)[0]), f"{shell} is not installed")
    script = batch.compose(questions, NONCE).wire()
    done = subprocess.run([*shell.split(), "-c", script], capture_output=True, check=True, timeout=30)
    return batch.split(done.stdout, done.stderr, len(questions), NONCE)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_failing_question_leaves_the_others_alone(shell: str) -> None:
    replies = ask(
        [
            command("echo one"),
            command("exit 7"),
            command("no-such-program"),
            command("cd /; x=changed; set -e; false"),
            command("echo ${x:-unchanged}; echo to-stderr >&2"),
        ],
        shell,
    )
    assert [a.exit_code for a in replies] == [0, 7, 127, 1, 0]
    assert replies[0].stdout == b"one\n"
    assert b"not found" in replies[2].stderr
    assert replies[4].stdout == b"unchanged\n"
    assert replies[4].stderr == b"to-stderr\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_answers_are_exact_to_the_byte(shell: str) -> None:
    replies = ask(
        [
            command("printf 'no newline'"),
            command("printf '\\000\\377\\n\\n\\n'"),
            command(":"),
            command("printf '\\n'"),
        ],
        shell,
    )
    assert [a.stdout for a in replies] == [b"no newline", b"\0\xff\n\n\n", b"", b"\n"]
    assert all(a.complete for a in replies)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=4))
def test_any_value_survives_as_one_argument(values: list[str]) -> None:
    replies = ask([command("printf %s", arg(value)) for value in values])
    assert [a.text for a in replies] == values


def test_a_question_that_reads_stdin_gets_none() -> None:
    assert ask([command("cat"), command("echo after")])[1].stdout == b"after\n"


def test_the_script_never_holds_the_mark_in_one_piece() -> None:
    """A process list shows the script: a question that prints it must not look like a mark."""
    script = batch.compose([command("ps")], NONCE).wire()
    assert NONCE not in script
    replies = ask([command("tr '\\000' ' ' < /proc/$$/cmdline"), command("echo after")])
    assert replies[0].exit_code == 0
    assert replies[1].stdout == b"after\n"


def test_an_output_cut_short_leaves_the_rest_unanswered() -> None:
    stdout = f"first\n{NONCE} 0 0\nsecond but cut".encode()
    replies = batch.split(b"first\n" + f"\n{NONCE} 0 0\n".encode() + b"second but cut", b"", 3, NONCE)
    assert [a.exit_code for a in replies] == [0, None, None]
    assert [a.stdout for a in replies] == [b"first\n", b"second but cut", b""]
    assert len(batch.split(stdout, stdout, 3, NONCE)) == 3


def test_a_secret_is_masked_in_the_whole_batch() -> None:
    masked = batch.compose([command("echo", secret("hunter2"))], NONCE).masked()
    assert "hunter2" not in masked
    assert "***" in masked


def test_a_bad_nonce_is_refused() -> None:
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        batch.compose([], "short")
