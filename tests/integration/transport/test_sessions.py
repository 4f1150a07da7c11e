"""One list of tests for the three ways to a session: native, process and direct (over real sshds)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import psutil
import pytest

from tests.integration.conftest import UserFactory
from tests.integration.session_rig import connected, quiet_user, running_on, still_running
from tests.peers.sshd import Sshd, start_sshd, wait_until
from transports.api import StreamName
from transports.errors import SessionRefused, SFTPSubsystemUnavailable
from transports.openssh.connection import OpenSSHConnection
from transports.openssh.shell.frame import BARE_MAX, COMMAND_MAX


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, throwaway_users: UserFactory) -> Iterator[Sshd]:
    with start_sshd(tmp_path_factory.mktemp("sessions"), user=quiet_user(throwaway_users)) as started:
        yield started


@pytest.fixture(params=["native", "process", "direct"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def host(server: Sshd, control_dir: str, backend: str) -> AsyncIterator[OpenSSHConnection]:
    async with connected(server, control_dir, backend) as connection:
        yield connection


# --- how a command ends ---------------------------------------------------------------------------------------------


async def test_exit_codes_are_exact(host: OpenSSHConnection) -> None:
    for code in (0, 1, 3, 125, 128, 255):
        done = await host.run(f"exit {code}")
        assert (done.exit_code, done.signal, done.timed_out, done.lingering) == (code, None, False, False)
    assert (await host.run("no-such-program-anywhere")).exit_code == 127
    assert (await host.run("/etc/passwd")).exit_code == 126


@pytest.mark.parametrize(("name", "number"), [("KILL", 9), ("TERM", 15), ("INT", 2), ("SEGV", 11)])
async def test_a_command_killed_by_a_signal_reports_which(host: OpenSSHConnection, name: str, number: int) -> None:
    done = await host.run(f"echo before; kill -{name} $$; echo never")
    assert (done.exit_code, done.signal, done.stdout, done.stderr) == (128 + number, name, b"before\n", b"")


async def test_a_command_that_kills_its_whole_group_hard_has_no_status(host: OpenSSHConnection) -> None:
    done = await host.run("echo before; kill -KILL 0")
    assert (done.exit_code, done.signal, done.stdout) == (-1, None, b"before\n")
    assert (await host.run("echo after")).stdout == b"after\n"


async def test_a_background_child_does_not_hold_the_call(
    host: OpenSSHConnection, server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.openssh.sessions.execution.QUIET_SECONDS", 3600)  # our marks end it, not a guess
    with anyio.fail_after(20):
        done = await host.run("sleep 4711 & echo started; exit 5")
    assert (done.exit_code, done.stdout, done.lingering) == (5, b"started\n", True)
    assert len(running_on(server, "sleep 4711")) <= 1  # it is nobody's business to end it
    await host.run("kill $(ps -e -o pid= -o args= | awk '/sleep 471[1]/ {print $1}')")


# --- streams --------------------------------------------------------------------------------------------------------


async def test_stdin_arrives_whole_and_ends(host: OpenSSHConnection) -> None:
    payload = bytes(range(256)) * 4096
    done = await host.run("cat; echo end", stdin=payload, stdout_cap=1 << 21)
    assert done.stdout == payload + b"end\n"


async def test_no_stdin_is_an_empty_one(host: OpenSSHConnection) -> None:
    assert (await host.run("cat; echo end")).stdout == b"end\n"


async def test_stdin_can_be_streamed(host: OpenSSHConnection) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for i in range(100):
            yield bytes([i]) * 10_000
            await asyncio.sleep(0)

    assert (await host.run("wc -c", stdin=chunks())).stdout.strip() == b"1000000"


async def test_a_source_that_fails_fails_the_call_as_it_is_and_ends_the_command(
    host: OpenSSHConnection, server: Sshd
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        raise LookupError("the disk is gone")

    with pytest.raises(LookupError, match="the disk is gone"):
        await host.run("cat; sleep 4712", stdin=chunks())
    wait_until(lambda: not running_on(server, "sleep 4712"), "the end of the command")


async def test_a_command_may_stop_reading_stdin_early(host: OpenSSHConnection) -> None:
    done = await host.run("head -c 5; exec 0<&-; echo; exit 4", stdin=b"12345" + b"x" * 20_000_000)
    assert (done.exit_code, done.stdout) == (4, b"12345\n")


async def test_both_streams_flow_at_once(host: OpenSSHConnection) -> None:
    line = b"0123456789abcdef" * 64
    done = await host.run(
        f"i=0; while [ $i -lt 3000 ]; do echo {line.decode()}; echo {line.decode()} >&2; i=$((i+1)); done",
        stdout_cap=1 << 23,
        stderr_cap=1 << 23,
    )
    assert done.stdout == done.stderr == (line + b"\n") * 3000


async def test_two_hundred_megabytes_are_counted_and_not_kept(host: OpenSSHConnection) -> None:
    me = psutil.Process()
    before = me.memory_info().rss
    highest = seen = 0

    def watch(stream: StreamName, data: bytes) -> None:
        nonlocal highest, seen
        if stream == "stderr":
            return
        if (seen + len(data)) // (8 << 20) != seen // (8 << 20):
            highest = max(highest, me.memory_info().rss)
        seen += len(data)

    done = await host.run("head -c 200000000 /dev/zero; echo end >&2", stdout_cap=1000, on_output=watch)
    assert (done.stdout_total, len(done.stdout), done.stderr) == (200_000_000, 1000, b"end\n")
    assert seen == 200_000_000
    assert highest - before < 24 << 20


@pytest.mark.parametrize("stdin", [None, "streamed"])
async def test_a_sink_that_fails_fails_its_own_call_at_once_and_ends_the_command(
    host: OpenSSHConnection, server: Sshd, stdin: str | None
) -> None:
    seen: list[bytes] = []
    loose: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loose.append(context))

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    def watch(_stream: StreamName, data: bytes) -> None:
        seen.append(data)
        raise LookupError("no room for it")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(host.run, "sleep 0.1; echo of another call")
        with pytest.raises(LookupError, match="no room for it"):
            await host.run("echo a; sleep 4713; echo b", on_output=watch, stdin=chunks() if stdin else None)
    assert seen == [b"a\n"]
    assert loose == []
    wait_until(lambda: not running_on(server, "sleep 4713"), "the end of the command")


async def test_the_caps_keep_the_first_bytes_and_the_counts_are_true(host: OpenSSHConnection) -> None:
    done = await host.run("printf 0123456789; printf abcdefghij >&2", stdout_cap=4, stderr_cap=0)
    assert (done.stdout, done.stderr, done.stdout_total, done.stderr_total) == (b"0123", b"", 10, 10)


# --- the command's text ---------------------------------------------------------------------------------------------

TEXTS = {
    "newlines": ("echo a\necho b\n\necho c", b"a\nb\nc\n"),
    "quotes": ("""printf '%s' "it's" 'a "quote"' \\'x""", b"it'sa \"quote\"'x"),
    "history mark": ("echo 'wow!x' !y", b"wow!x !y\n"),
    "here document": ("cat <<'X'\n$HOME `id` !\\\nX\n", b"$HOME `id` !\\\n"),
    "utf-8": (
        "printf '%s' 'gr\u00fc\u00df \u4f60\u597d \U0001f600'",
        "gr\u00fc\u00df \u4f60\u597d \U0001f600".encode(),
    ),
    "no utf-8": ("printf '%s' '\udcff\udc80\udce4'", b"\xff\x80\xe4"),
    "control characters": ("printf '%s' 'a\tb\rc\x01\x7f\x1b'", b"a\tb\rc\x01\x7f\x1b"),
    "backslashes": (r"printf '%s' '\n \\ \0101 %s %d'", rb"\n \\ \0101 %s %d"),
    "percent and dot": (". /dev/null; printf %s%% 5", b"5%"),
    "empty": ("", b""),
    "comment": ("# nothing", b""),
    "own positional parameters": ("echo $#$1", b"0\n"),
}


@pytest.mark.parametrize("case", TEXTS)
async def test_any_text_survives(host: OpenSSHConnection, case: str) -> None:
    command, expected = TEXTS[case]
    done = await host.run(command)
    assert (done.stdout, done.stderr, done.exit_code) == (expected, b"", 0)


async def test_a_command_may_be_larger_than_an_argument(host: OpenSSHConnection) -> None:
    text = "x" * 300_000
    done = await host.run(f"wc -c <<X\n{text}\nX\n")
    assert done.stdout.strip() == b"300001"


async def test_what_cannot_be_sent_is_refused_before_anything_is(host: OpenSSHConnection) -> None:
    with pytest.raises(SessionRefused, match="NUL") as nul:
        await host.run("echo a\0b")
    with pytest.raises(SessionRefused, match="bytes long") as long:
        await host.run("#" + "x" * COMMAND_MAX)
    with pytest.raises(SessionRefused, match="bytes long") as bare:
        await host.run("#" + "x" * BARE_MAX, framed=False)
    with pytest.raises(SessionRefused, match="surrogate") as half:
        await host.start("echo \ud800")
    assert not any(error.value.sent for error in (nul, long, bare, half))
    assert host.sessions() == []  # not even a login
    assert (await host.run("echo fine")).stdout == b"fine\n"


async def test_the_command_is_in_no_argument_list_on_the_host(host: OpenSSHConnection, server: Sshd) -> None:
    marker = "Secret-4713"
    process = await host.start(f": {marker}; echo on; read x; sleep 4713")
    try:
        assert await process.read("stdout") == b"on\n"
        assert not running_on(server, marker)
        assert not still_running(marker)
    finally:
        await process.aclose()


async def test_without_the_frame_the_login_shell_gets_the_text_as_it_is(host: OpenSSHConnection) -> None:
    done = await host.run("echo $0; cat; exit 9", framed=False, stdin=b"in")
    assert (done.exit_code, done.stdout, done.signal) == (9, b"sh\nin" if os.geteuid() == 0 else done.stdout, None)


# --- endings --------------------------------------------------------------------------------------------------------


async def test_a_timeout_ends_the_whole_remote_group_and_keeps_what_was_said(
    host: OpenSSHConnection, server: Sshd
) -> None:
    done = await host.run("echo said; (sleep 4714; echo no) & sh -c 'sleep 4714; echo no'", timeout=0.7)
    assert (done.exit_code, done.timed_out, done.stdout) == (-1, True, b"said\n")
    assert not running_on(server, "sleep 4714")
    assert not still_running("sleep 4714")


async def test_a_command_that_ignores_term_is_killed(host: OpenSSHConnection) -> None:
    with anyio.fail_after(20):
        done = await host.run("trap '' TERM; echo said; while :; do sleep 4715; done", timeout=0.7)
    assert (done.exit_code, done.timed_out, done.stdout) == (-1, True, b"said\n")
    assert not still_running("sleep 4715")


async def test_a_cancelled_call_ends_the_remote_group_before_it_returns(host: OpenSSHConnection, server: Sshd) -> None:
    with anyio.move_on_after(20) as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host.run, "sleep 4716")
            while not running_on(server, "sleep 4716"):
                await asyncio.sleep(0.01)
            tasks.cancel_scope.cancel()
    assert not scope.cancelled_caught
    assert not still_running("sleep 4716")


async def test_a_call_cancelled_while_its_session_opens_leaves_nothing(host: OpenSSHConnection) -> None:
    for delay in (0.0, 0.001, 0.003, 0.006):
        with anyio.move_on_after(delay):
            await host.run("sleep 4717")
    with anyio.fail_after(20):
        while still_running("sleep 4717"):
            await asyncio.sleep(0.01)
    assert (await host.run("echo fine")).stdout == b"fine\n"


# --- running processes ----------------------------------------------------------------------------------------------


async def test_a_process_talks_both_ways_until_its_stdin_ends(host: OpenSSHConnection) -> None:
    process = await host.start('while read -r line; do echo "<$line>"; echo err >&2; done; exit 6')
    assert process.pgid > 1
    await process.write(b"one\n")
    assert await process.read("stdout") == b"<one>\n"
    assert await process.read("stderr") == b"err\n"
    await process.write(b"two\n")
    assert await process.read("stdout", 3) == b"<tw"
    assert await process.read("stdout") == b"o>\n"
    await process.close_stdin()
    assert await process.read("stdout") == b""
    assert await process.wait() == 6
    await process.aclose()


async def test_a_slow_reader_holds_the_far_end_back(host: OpenSSHConnection) -> None:
    process = await host.start("head -c 50000000 /dev/zero")
    before = psutil.Process().memory_info().rss
    await asyncio.sleep(0.3)  # time for an unbounded reader to take it all in; nothing is judged by it
    held = psutil.Process().memory_info().rss - before
    total = 0
    while data := await process.read("stdout", 1 << 20):
        total += len(data)
    assert (total, await process.wait()) == (50_000_000, 0)
    assert held < 16 << 20
    await process.aclose()


async def test_a_signal_reaches_the_group_or_only_the_shells_children(host: OpenSSHConnection, server: Sshd) -> None:
    process = await host.start('while read -r line; do eval "$line"; echo "=$?"; done')
    await process.write(b"echo on; sleep 4718\n")
    assert await process.read("stdout") == b"on\n"
    while not running_on(server, "sleep 4718"):
        await asyncio.sleep(0.01)
    await process.signal("KILL", children_only=True)
    assert await process.read("stdout") == b"=137\n"
    await process.write(b"echo still here\n")
    assert await process.read("stdout") in {b"still here\n", b"still here\n=0\n"}
    await process.signal("TERM")
    assert await process.wait() == 143
    await process.aclose()


async def test_an_ending_that_is_cancelled_closes_the_session_and_leaves_the_rest_pending(
    host: OpenSSHConnection, server: Sshd
) -> None:
    process = await host.start("trap '' TERM; echo on; while :; do sleep 4720; done")
    assert await process.read("stdout") == b"on\n"
    ending = asyncio.create_task(process.terminate())
    await asyncio.sleep(0)  # it has begun
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    with anyio.fail_after(20):
        assert await process.wait() == -1
        await host.run("true")  # what is pending is made up for beside the next session
        while running_on(server, "sleep 4720"):
            await asyncio.sleep(0.05)


async def test_closing_a_running_process_terminates_it(host: OpenSSHConnection) -> None:
    process = await host.start("trap '' TERM; echo on; while :; do sleep 4719; done")
    assert await process.read("stdout") == b"on\n"
    await process.aclose()
    await process.aclose()
    assert not still_running("sleep 4719")
    assert await process.wait() == -1


async def test_terminating_a_flood_that_nobody_reads_is_bounded(host: OpenSSHConnection) -> None:
    process = await host.start("cat /dev/zero")
    with anyio.fail_after(20):
        await process.read("stdout", 10)
        await process.terminate()
        await process.aclose()


# --- hosts that refuse ----------------------------------------------------------------------------------------------


async def test_an_account_for_files_only_says_so(server: Sshd, backend: str, control_dir: str, tmp_path: Path) -> None:
    with start_sshd(tmp_path, user=server.user, force_command="internal-sftp") as files_only:
        async with connected(files_only, control_dir, backend) as host:
            with anyio.fail_after(20), pytest.raises(SessionRefused, match="is allowed SFTP only"):
                await host.run("echo hello")
            assert (await (await host.files()).stat("/")).kind == "directory"


async def test_a_refused_subsystem_is_distinguished_from_a_lost_connection(
    server: Sshd, backend: str, control_dir: str, tmp_path: Path
) -> None:
    with start_sshd(tmp_path, user=server.user, subsystem=None) as no_files:
        async with connected(no_files, control_dir, backend) as host:
            with anyio.fail_after(20), pytest.raises(SFTPSubsystemUnavailable):
                await host.files()
            assert (await host.run("echo hello")).stdout == b"hello\n"
