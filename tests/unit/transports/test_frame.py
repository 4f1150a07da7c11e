"""The command frame without ssh: what it sends and takes apart, and what real shells make of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers import need
from transports.errors import SessionRefused
from transports.openssh.shell.frame import (
    COMMAND_MAX,
    FRAME_STATUS,
    INERT_MAX,
    NOISE_MAX,
    FrameDecoder,
    Processes,
    behind,
    command_input,
    end_group_script,
    inert_input,
    leaving,
    prelude_input,
    remote_command,
    signal_name,
    signal_script,
    was_eaten,
)

NONCE = "0123456789abcdef"
FIRST = b"0123456789abcdef 4711 4712\n"
LAST = b"0123456789abcdef:7\n"


@pytest.fixture(params=["dash", "bash", "busybox sh", "mksh", "ksh", "zsh", "fish", "csh"])
def any_shell(request: pytest.FixtureRequest) -> list[str]:
    """A program that reads a script from stdin, as startup files may put in the place of ours."""
    words = str(request.param).split()
    need(shutil.which(words[0]), f"{words[0]} is not installed")
    return words


def _feed(decoder: FrameDecoder, data: bytes, step: int) -> bytes:
    out = b"".join(decoder.feed(data[i : i + step]) for i in range(0, len(data), step))
    return out + decoder.finish()


# --- taking apart ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 7, 16, 17, 1 << 20])
def test_a_whole_stream_is_taken_apart_however_it_is_cut(step: int) -> None:
    decoder = FrameDecoder(NONCE)
    body = b"line\n0123456789abcdef 1 2\n0123456789abcdef:x\n0123456789abcdef0123456789abcde no newline"
    assert _feed(decoder, b"noise 0123456789abcde\n" + FIRST + body + LAST + b"late", step) == body
    assert decoder.processes == Processes(4711, 4712)
    assert decoder.status == 7
    assert decoder.noise == b"noise 0123456789abcde\n"


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 50))
def test_any_body_comes_out_as_it_went_in(noise: bytes, body: bytes, step: int) -> None:
    decoder = FrameDecoder(NONCE)
    assert _feed(decoder, noise + FIRST + body + LAST, step) == body
    assert decoder.status == 7


def test_output_is_handed_on_at_once_and_only_a_possible_mark_is_held_back() -> None:
    decoder = FrameDecoder(NONCE)
    assert decoder.feed(FIRST + b"hello") == b"hello"
    assert decoder.feed(b"x01234") == b"x"
    assert decoder.feed(b"!") == b"01234!"
    assert decoder.feed(b"0123456789abcdef:12") == b""
    assert decoder.feed(b"z") == b"0123456789abcdef:12z"


def test_without_a_first_mark_everything_is_noise_and_only_its_end_is_kept() -> None:
    decoder = FrameDecoder(NONCE)
    assert _feed(decoder, b"a" * 5000 + b"This service allows sftp connections only.\n", 100) == b""
    assert decoder.processes is None
    assert decoder.noise.endswith(b"only.\n")
    assert len(decoder.noise) == NOISE_MAX


def test_an_end_without_a_last_mark_gives_back_what_was_held() -> None:
    decoder = FrameDecoder(NONCE)
    assert _feed(decoder, FIRST + b"cut 0123456789ab", 1) == b"cut 0123456789ab"
    assert decoder.status is None


def test_a_traced_login_shell_that_shows_the_frame_itself_is_noise() -> None:
    decoder = FrameDecoder(NONCE)
    assert _feed(decoder, b"+ " + remote_command(NONCE) + b"\n" + FIRST + b"x" + LAST, 1 << 20) == b"x"


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_what_the_login_shell_sees_is_safe_in_all_of_them() -> None:
    text = remote_command(NONCE)
    words = text.split(b"'")
    assert len(words) == 7
    assert max(map(len, words)) < 1024  # csh
    assert not set(text) & set(b"!\\\n")
    assert text.isascii()


def test_a_plain_command_travels_as_it_is_and_any_other_escaped_on_one_line() -> None:
    assert command_input(NONCE, "echo 'hi' | wc") == b"0123456789abcdef.echo 'hi' | wc\n"
    assert command_input(NONCE, "a\nb\\\u00e9") == rb"0123456789abcdef%a\0012b\0134\0303\0251%0123456789abcdef_" + b"\n"


def test_what_is_sent_ahead_is_one_quoted_or_escaped_word() -> None:
    assert inert_input(NONCE, "cd /x && ls") == b"0123456789abcdef,'cd /x && ls 0123456789abcdef'\n"
    assert inert_input(NONCE, "a # b") == rb"0123456789abcdef%a\0040\0043\0040b%0123456789abcdef_" + b"\n"
    assert inert_input(NONCE, "x" * INERT_MAX)
    assert inert_input(NONCE, "x" * (INERT_MAX + 1)) is None


def test_what_cannot_be_a_command_is_refused_with_a_remedy() -> None:
    with pytest.raises(SessionRefused, match="NUL"):
        command_input(NONCE, "a\0b")
    with pytest.raises(SessionRefused, match="Upload it"):
        command_input(NONCE, "x" * (COMMAND_MAX + 1))
    assert command_input(NONCE, "x" * COMMAND_MAX)


@pytest.mark.parametrize(("status", "name"), [(143, "TERM"), (137, "KILL"), (130, "INT"), (0, None), (128, None)])
def test_the_signal_behind_a_status(status: int, name: str | None) -> None:
    assert signal_name(status) == name


@pytest.mark.parametrize("name", ["term", "TERM -1", "9", "$(id)", "", "-9"])
def test_only_signal_names_get_into_a_script(name: str) -> None:
    with pytest.raises(ValueError, match="signal"):
        signal_script(NONCE, Processes(5, 6), name)


# --- under real shells ----------------------------------------------------------------------------------------------


def _run(environment: dict[str, str], command: str, stdin: bytes = b"") -> tuple[bytes, bytes, int | None]:
    data = command_input(NONCE, command) + stdin
    return _run_raw(environment, data)


def _run_raw(environment: dict[str, str], data: bytes) -> tuple[bytes, bytes, int | None]:
    done = subprocess.run(
        ["sh", "-c", remote_command(NONCE)], input=data, capture_output=True, env=environment, timeout=30,
        check=False, start_new_session=True,
    )  # fmt: skip
    out, err = FrameDecoder(NONCE), FrameDecoder(NONCE)
    stdout, stderr = out.feed(done.stdout), err.feed(done.stderr)
    assert out.status is not None
    assert out.status == err.status
    assert done.returncode == FRAME_STATUS
    return stdout, stderr, out.status


@pytest.mark.parametrize(
    ("command", "stdout", "status"),
    [
        ("echo hi; exit 3", b"hi\n", 3),
        ("cat", b"input", 0),
        ("kill -KILL $$", b"", 137),
        ("kill -TERM $$", b"", 143),
        ("kill -TERM 0; sleep 1; echo no", b"", 143),
        ("exec sh -c 'exit 9'", b"", 9),
        ("set -e; false; echo no", b"", 1),
        ("trap 'echo bye' EXIT; exit 4", b"bye\n", 4),
        ("f() { local x 2>/dev/null; echo f; }; f\n\nif true\nthen echo y\nfi", b"f\ny\n", 0),
        ("echo ${_k-unset} ${_c-unset} $# $0", b"unset unset 0 sh\n", 0),
        ("printf %s\\\\n '\u00e9\udcff\x01\x7f'", "\u00e9\udcff\x01\x7f\n".encode("utf-8", "surrogateescape"), 0),
    ],
)
def test_a_shell_runs_the_command_as_its_own(
    environment: dict[str, str], command: str, stdout: bytes, status: int
) -> None:
    assert _run(environment, command, b"input") == (stdout, b"", status)


def test_a_prelude_runs_before_the_command_whether_it_was_sent_ahead_or_not(environment: dict[str, str]) -> None:
    text = 'greet() { echo "$2 $1";};'
    command = "greet 'a  b' c; echo ${_p-unset}"
    for sent in ("", text, "other=1;"):
        ahead = prelude_input(NONCE, sent) if sent else b""
        line = command_input(NONCE, behind(text, command, sent=sent))
        assert _run_raw(environment, ahead + line) == (b"c a  b\nunset\n", b"", 0)
    assert _run_raw(environment, prelude_input(NONCE, text) + command_input(NONCE, behind("", "greet 1", sent=text)))[2]
    with pytest.raises(ValueError, match="one line"):
        prelude_input(NONCE, "a\nb")


def test_a_command_that_leaves_its_frame_completes_it_and_goes_on(environment: dict[str, str], tmp_path: Path) -> None:
    need(Path("/proc/self/stat").exists(), "leaving needs Linux's /proc")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    line = command_input(NONCE, leaving(NONCE, f"echo out; echo err >&2; leave; echo on $$ >{fifo}"))
    frame = subprocess.Popen(
        ["sh", "-c", remote_command(NONCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment, start_new_session=True,
    )  # fmt: skip
    out, err = frame.communicate(line, timeout=30)
    assert frame.returncode == -9
    first = FrameDecoder(NONCE)
    assert (first.feed(out), FrameDecoder(NONCE).feed(err), first.status) == (b"out\n", b"err\n", 0)
    assert first.processes is not None
    assert fifo.read_text() == f"on {first.processes.child}\n"


def test_every_byte_but_nul_survives_a_shell(environment: dict[str, str]) -> None:
    text = bytes(set(range(1, 256)) - {0x27}) + b"\xc3\n\xe4\xb8\n\xf0\x9f\x98" + bytes(range(255, 127, -1))
    command = "printf %s '" + text.decode("utf-8", "surrogateescape") + "'"
    assert _run(environment, command)[0] == text


def test_a_script_of_many_lines_is_not_quadratic(environment: dict[str, str]) -> None:
    script = ": a line of a script\n" * 20_000 + "echo done"
    stdout, stderr, status = _run(environment, script)  # 15 s and more when lines were joined one by one
    if status == 126:  # mksh has no printf of its own, and the kernel's limit for an argument
        assert b"too long" in stderr
    else:
        assert (stdout, stderr, status) == (b"done\n", b"", 0)


@pytest.mark.parametrize("data", [b"", b"0123456789abcdef.echo no", b"456789abcdef.echo no\n", b"x\necho no\n"])
def test_a_command_that_did_not_arrive_whole_does_not_run(environment: dict[str, str], data: bytes) -> None:
    stdout, stderr, status = _run_raw(environment, data)
    assert stdout == b""
    assert status is not None
    assert was_eaten(NONCE, status, stderr)


@pytest.mark.parametrize(
    "text",
    ["touch ran", "ran", "true && touch ran; touch ran", 'x="a"; touch ran; echo "b"', "touch 'ran'\ntouch ran # '"],
)
def test_nothing_runs_of_what_is_sent_ahead_when_its_beginning_is_lost(
    any_shell: list[str], tmp_path: Path, text: str
) -> None:
    program = tmp_path / "bin" / "ran"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    where = tmp_path / "home"
    where.mkdir()
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(where)}
    line = inert_input(NONCE, text)
    assert line is not None
    for start in {*range(len(NONCE) + 3), *range(0, len(line), 5), *range(len(line) - 4, len(line))}:
        subprocess.run(
            any_shell, input=line[start:], cwd=where, env=environment, capture_output=True, timeout=30, check=False
        )
        assert not (where / "ran").exists(), line[start:]


@pytest.mark.parametrize(
    "text", ["echo 'it'; exit 3", 'echo "it, it"; exit 3', "# no\necho it\nexit 3", "echo $_k# | cat"]
)
def test_what_is_sent_ahead_runs_as_it_was_meant(environment: dict[str, str], text: str) -> None:
    line = inert_input(NONCE, text)
    assert line is not None
    assert _run_raw(environment, line) == _run(environment, text)
    assert _run_raw(environment, line)[0]
    _, stderr, status = _run_raw(environment, line[1:])
    assert status is not None
    assert was_eaten(NONCE, status, stderr)


def test_ending_a_stranger_with_the_same_number_is_refused(environment: dict[str, str]) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        for script in (
            end_group_script(NONCE, Processes(stranger.pid, stranger.pid)),
            signal_script(NONCE, Processes(stranger.pid, stranger.pid), "TERM"),
            signal_script(NONCE, Processes(stranger.pid, stranger.pid), "KILL", children_only=True),
        ):
            done = subprocess.run(["sh", "-c", script], env=environment, timeout=30, check=False)
            assert done.returncode == 3
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("command", ["sleep 60; echo no", "trap '' TERM; while :; do sleep 1; done"])
def test_a_group_is_ended_whatever_it_does_about_term(environment: dict[str, str], command: str) -> None:
    frame = subprocess.Popen(
        ["sh", "-c", remote_command(NONCE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert frame.stdin is not None
    assert frame.stdout is not None
    frame.stdin.write(command_input(NONCE, f"echo on; {command}"))
    frame.stdin.flush()
    decoder = FrameDecoder(NONCE)
    while decoder.feed(frame.stdout.readline()) != b"on\n":
        pass
    assert decoder.processes is not None
    assert decoder.processes.parent == frame.pid
    script = end_group_script(NONCE, decoder.processes)
    done = subprocess.run(["sh", "-c", script], env=environment, timeout=30, check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert frame.wait(10) in {-9, FRAME_STATUS}
    frame.stdin.close()
    frame.stdout.close()
