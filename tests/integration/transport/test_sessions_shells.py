"""The command frame under every login shell that can be had here, and under rc files that misbehave."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from tests.integration.conftest import UserFactory
from tests.integration.session_rig import connected, still_running
from tests.integration.transport.test_sessions import TEXTS
from tests.peers import need
from tests.peers.accounts import Account
from tests.peers.sshd import Sshd, start_sshd
from transports.errors import SessionRefused, SFTPSubsystemUnavailable
from transports.openssh.connection import OpenSSHConnection

NOISE = "echo Welcome to the machine; echo 'no newline and 0123456789abcdef' | tr -d '\\n'; echo Beware >&2\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with start_sshd(tmp_path_factory.mktemp("shells")) as started:
        yield started


@pytest.fixture(params=["sh", "dash", "bash", "noisy bash", "fish", "csh", "zsh"])
def account(request: pytest.FixtureRequest, throwaway_users: UserFactory) -> Account:
    name = str(request.param)
    program = shutil.which(name.rpartition(" ")[2])
    need(program, f"{name} is not installed")
    assert program is not None
    made = throwaway_users(name.replace(" ", ""), program)
    if name == "noisy bash":
        (made.home / ".bashrc").write_text(NOISE)
    return made


@pytest.fixture
async def host(server: Sshd, control_dir: str, account: Account) -> AsyncIterator[OpenSSHConnection]:
    async with connected(server, control_dir, destination={"user": account.name}) as connection:
        yield connection


@pytest.mark.parametrize("case", TEXTS)
async def test_any_text_means_the_same_under_any_login_shell(host: OpenSSHConnection, case: str) -> None:
    command, expected = TEXTS[case]
    done = await host.run(command)
    assert (done.stdout, done.stderr, done.exit_code) == (expected, b"", 0)


async def test_exit_codes_signals_stdin_and_endings_are_the_same_under_any_login_shell(host: OpenSSHConnection) -> None:
    assert (await host.run("exit 42")).exit_code == 42
    done = await host.run("kill -KILL $$")
    assert (done.exit_code, done.signal, done.stderr) == (137, "KILL", b"")
    assert (await host.run("cat; echo err >&2", stdin=b"in")).stdout == b"in"
    with anyio.fail_after(20):
        done = await host.run("echo said; trap '' TERM; sleep 4721; sleep 4721", timeout=0.7)
    assert (done.timed_out, done.stdout) == (True, b"said\n")
    assert not still_running("sleep 4721")


async def test_a_path_with_spaces_and_a_changed_directory_stay_inside_one_call(host: OpenSSHConnection) -> None:
    assert (await host.run("cd /; x='a  b'; pwd; echo \"$x\"")).stdout == b"/\na  b\n"
    assert (await host.run('echo "[$x]"')).stdout == b"[]\n"


async def _with_rc(throwaway_users: UserFactory, label: str, text: str) -> Account:
    bash = shutil.which("bash")
    need(bash, "bash is not installed")
    assert bash is not None
    account = throwaway_users(label, bash)
    (account.home / ".bashrc").write_text(text)
    return account


async def test_an_rc_file_that_eats_stdin_is_named_and_nothing_runs(
    server: Sshd, control_dir: str, throwaway_users: UserFactory, tmp_path: Path
) -> None:
    account = await _with_rc(throwaway_users, "eater", "read -r -n 3 eaten\n")
    async with connected(server, control_dir, destination={"user": account.name}) as host:
        with anyio.fail_after(20), pytest.raises(SessionRefused, match="startup files read from stdin") as refusal:
            await host.run(f"touch {account.home}/was-run")
    assert not refusal.value.sent
    assert not (account.home / "was-run").exists()


async def test_an_rc_file_with_megabytes_of_noise_is_borne(
    server: Sshd, control_dir: str, throwaway_users: UserFactory
) -> None:
    account = await _with_rc(
        throwaway_users, "loud", "head -c 5000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2\n"
    )
    async with connected(server, control_dir, destination={"user": account.name}) as host:
        done = await host.run("echo out; echo err >&2; exit 3")
        assert (done.stdout, done.stderr, done.exit_code) == (b"out\n", b"err\n", 3)
        assert done.stdout_total == 4


async def test_an_rc_file_that_ends_the_shell_says_so(
    server: Sshd, control_dir: str, throwaway_users: UserFactory
) -> None:
    account = await _with_rc(throwaway_users, "closed", "echo 'This account is closed.'; exit 1\n")
    async with connected(server, control_dir, destination={"user": account.name}) as host:
        with anyio.fail_after(20), pytest.raises(SessionRefused, match="This account is closed"):
            await host.run("echo hello")


async def test_an_account_without_a_shell_says_so(server: Sshd, control_dir: str, throwaway_users: UserFactory) -> None:
    nologin = shutil.which("nologin", path="/usr/sbin:/sbin:/usr/bin")
    need(nologin, "nologin is not installed")
    assert nologin is not None
    account = throwaway_users("nologin", nologin)
    async with connected(server, control_dir, destination={"user": account.name}) as host:
        with anyio.fail_after(20), pytest.raises(SessionRefused, match="not available"):
            await host.run("echo hello")
        await _files_or_not(host)


async def test_behind_a_wrapper_that_runs_the_asked_command_endings_still_find_the_group(
    control_dir: str, throwaway_users: UserFactory, tmp_path: Path
) -> None:
    account = throwaway_users("sh", shutil.which("sh") or "/bin/sh")
    wrapper = "sh -c 'eval \"$SSH_ORIGINAL_COMMAND\"; exit $?'"
    with start_sshd(tmp_path, user=account.name, force_command=f"true; {wrapper}; true") as wrapped:
        async with connected(wrapped, control_dir) as host:
            with anyio.fail_after(20):
                assert (await host.run("exit 5")).exit_code == 5
                done = await host.run("echo said; sleep 4722", timeout=0.7)
            assert (done.timed_out, done.stdout) == (True, b"said\n")
            assert not still_running("sleep 4722")


async def _files_or_not(host: OpenSSHConnection) -> None:
    """internal-sftp may also pass through the login shell; either way the answer comes and is a clear one."""
    with anyio.fail_after(20), contextlib.suppress(SFTPSubsystemUnavailable):
        await (await host.files()).stat("/")
