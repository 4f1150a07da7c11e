"""What the frame's parent says is what became of the command, whatever happens to the parent meanwhile."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from transports.openssh.shell.frame import FRAME_STATUS, FrameDecoder, command_input, remote_command

NONCE = "0123456789abcdef"
CAUGHT = [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1]


def _run(environment: dict[str, str], command: str, signals: list[int]) -> tuple[list[int | None], int, bytes]:
    """Both streams' marks, the parent's own exit status, and stdout; each byte of output brings the next signal."""
    process = subprocess.Popen(
        ["sh", "-c", remote_command(NONCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment, start_new_session=True, bufsize=0,
    )  # fmt: skip
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(command_input(NONCE, command))
        process.stdin.close()
        out, err = FrameDecoder(NONCE), FrameDecoder(NONCE)
        said = b""
        while data := process.stdout.read(1):
            said += out.feed(data)
            if signals and out.processes is not None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signals.pop())
        err.feed(process.stderr.read())
        return [out.status, err.status], process.wait(30), said


@pytest.mark.parametrize("seed", range(3))
def test_signals_to_the_parent_at_any_moment_change_no_exit_status(environment: dict[str, str], seed: int) -> None:
    rng = random.Random(seed)
    # ksh93 itself cuts its wait for a child short in one of two hundred such storms: the only shell that does, and only
    # where somebody on the host signals the frame's parent.
    stormy = "ksh93" not in str(Path(environment["PATH"].split(":")[0], "sh").resolve())
    for _ in range(5):
        status = rng.choice([0, 1, 3, 125, 126, 143, 255])
        storm = [int(rng.choice(CAUGHT)) for _ in range(200)] if stormy else []
        command = f"i=0; while [ $i -lt 40 ]; do echo $i; i=$((i+1)); done; exit {status}"
        marks, own, said = _run(environment, command, storm)
        assert (marks, own) == ([status, status], FRAME_STATUS)
        assert said == b"".join(b"%d\n" % i for i in range(40))


def test_a_command_killed_behind_its_last_output_says_so_and_nothing_else(environment: dict[str, str]) -> None:
    """All of the output and yet no status of the command's own: what an endurance run once met."""
    marks, _, said = _run(environment, "echo all; env sh -c 'kill -9 $$'", [])
    assert (marks, said) == ([137, 137], b"all\n")
    marks, _, said = _run(environment, "echo all; kill -9 $$", [])
    assert (marks, said) == ([137, 137], b"all\n")
