"""What hangs up on lost frames, under the shells that hosts have. ``env``, because ksh93 has a sleep of its own."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.integration.process_table import Trace
from tests.peers.sshd import kill_all
from transports.openssh.shell.frame import FrameDecoder, Processes, command_input, remote_command
from transports.openssh.shell.hangup import WATCH_NO_MORE, hang_up_script, watch_line, watch_script

OTHER = ("fedcba9876543210", Processes(1, 1))
Start = Callable[[str], "Frame"]


class Frame:
    """A frame without ssh, with its command sent and begun."""

    def __init__(self, command: str, environment: dict[str, str]) -> None:
        self.nonce = f"{random.getrandbits(64):016x}"
        self.process = subprocess.Popen(
            ["sh", "-c", remote_command(self.nonce)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=environment, start_new_session=True,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(command_input(self.nonce, command))
        self.process.stdin.close()
        decoder = FrameDecoder(self.nonce)
        while decoder.processes is None:
            decoder.feed(self.process.stdout.readline())
        self.ids = decoder.processes

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    frames: list[Frame] = []

    def make(command: str) -> Frame:
        frames.append(Frame(command, environment))
        return frames[-1]

    yield make
    for frame in frames:
        frame.close()


@pytest.fixture
def traces() -> Iterator[list[Trace]]:
    made = [Trace() for _ in range(3)]
    yield made
    for each in made:
        kill_all(each.processes())


def _run(script: str, environment: dict[str, str]) -> None:
    """From stdin, as the product does: no argument list but the frame's own may hold the nonce."""
    done = subprocess.run(["sh"], input=script.encode(), env=environment, timeout=60, check=False, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("known", [True, False])
def test_all_of_a_lost_frame_ends_but_what_was_meant_to_outlive_a_hangup(
    environment: dict[str, str], start: Start, traces: list[Trace], *, known: bool
) -> None:
    goes, nohup, daemon = traces
    frame = start(
        f"nohup {nohup.sleep} >/dev/null 2>&1 & setsid {daemon.sleep} & timeout 999 {goes.sleep} &"
        f" (trap : HUP TERM; while :; do env {goes.sleep}; done) & env {goes.sleep} | cat"
    )
    nohup.wait_for()
    daemon.wait_for()
    goes.wait_for(3)
    _run(hang_up_script([OTHER, (frame.nonce, frame.ids if known else None)]), environment)
    goes.wait_gone()
    frame.process.wait(20)
    assert nohup.processes()
    assert daemon.processes()


def test_a_frame_that_has_ended_and_what_it_left_running_are_let_alone(
    environment: dict[str, str], start: Start, traces: list[Trace]
) -> None:
    child, stranger, _ = traces
    frame = start(f"env {child.sleep} >/dev/null 2>&1 &")
    frame.process.wait(20)
    child.wait_for()
    other = start(f"env {stranger.sleep}")
    stranger.wait_for()
    _run(hang_up_script([(frame.nonce, frame.ids), (frame.nonce, other.ids), (frame.nonce, None)]), environment)
    assert child.processes()
    assert stranger.processes()


def test_a_watch_hangs_up_on_those_it_still_watches_when_its_stdin_ends(
    environment: dict[str, str], start: Start, traces: list[Trace]
) -> None:
    lost, released, _ = traces
    first, second = start(f"env {lost.sleep}"), start(f"env {released.sleep}")
    lost.wait_for()
    released.wait_for()
    with subprocess.Popen(["sh", "-c", watch_script()], stdin=subprocess.PIPE, env=environment) as watch:
        assert watch.stdin is not None
        watch.stdin.write(watch_line(second.nonce, second.ids, watched=True))
        watch.stdin.write(watch_line(first.nonce, first.ids, watched=True))
        watch.stdin.write(watch_line(second.nonce, second.ids, watched=False))
        watch.stdin.close()
        assert watch.wait(30) == 0
    lost.wait_gone()
    assert released.processes()


def test_a_dismissed_watch_hurts_nobody(environment: dict[str, str], start: Start, traces: list[Trace]) -> None:
    frame = start(f"env {traces[0].sleep}")
    traces[0].wait_for()
    with subprocess.Popen(["sh", "-c", watch_script()], stdin=subprocess.PIPE, env=environment) as watch:
        assert watch.stdin is not None
        watch.stdin.write(watch_line(frame.nonce, frame.ids, watched=True) + WATCH_NO_MORE)
        watch.stdin.flush()
        assert watch.wait(30) == 0
    assert traces[0].processes()
    assert frame.process.poll() is None
