"""Startup files that start, read or print something: a command runs whole or not at all, and the result says which."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from tests.integration.conftest import UserFactory
from tests.integration.session_rig import connected
from tests.peers import need
from tests.peers.accounts import Account
from tests.peers.sshd import Sshd, start_sshd
from transports.errors import SessionRefused
from transports.openssh.connection import OpenSSHConnection

RUNS = {
    "prints": "echo Welcome; echo 'exec fish' >&2",
    "prints without a newline": "printf '0123456789abcdef,'",
    "traces": "set -x",
    "reads nothing": "read x </dev/null",
    "hides its output": "exec >/dev/null",
}
TAKES = {
    "exec fish": "exec fish",
    "exec bash": "exec bash --norc",
    "exec sh": "exec sh",
    "exec zsh": "exec zsh -f",
    "exec busybox sh": "exec busybox sh",
    "exec csh": "exec csh -f",
    "exec tmux": "exec tmux",
    "exec cat": "exec cat",
    "exec python": "exec python3",
    "reads a line": "read x",
    "reads all": "cat >/dev/null",
    "shows all": "cat",
    "reads a beginning": "head -c 23 >/dev/null",
    "reads some bytes": "read -n 19 x",
    "ends": "exit 0",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with start_sshd(tmp_path_factory.mktemp("startup")) as started:
        yield started


@pytest.fixture(scope="module")
def account(throwaway_users: UserFactory) -> Account:
    program = shutil.which("bash")
    need(program, "bash is not installed")
    assert program is not None
    return throwaway_users("startup", program)


@pytest.fixture
async def host(server: Sshd, control_dir: str, account: Account) -> AsyncIterator[OpenSSHConnection]:
    async with connected(server, control_dir, destination={"user": account.name}) as connection:
        yield connection


def _begin(account: Account, startup: str) -> Path:
    """Write the account's startup file; a directory that its commands may write to, empty."""
    for word in startup.split()[1:2] if startup.startswith("exec ") else ():
        need(word.startswith(">") or shutil.which(word), f"{word} is not installed")
    (account.home / ".bashrc").write_text(startup + "\n")
    work = account.home / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    work.chmod(0o777)
    return work


@pytest.mark.parametrize("startup", RUNS.values(), ids=RUNS)
async def test_a_command_runs_whole_behind_startup_files_that_leave_its_shell_in_place(
    host: OpenSSHConnection, account: Account, startup: str
) -> None:
    work = _begin(account, startup)
    for stdin in (None, b"data\n"):
        done = await host.run(f"cd {work} && cat >a; touch b", stdin=stdin, timeout=30)
        assert done.exit_code == 0
        assert sorted(path.name for path in work.iterdir()) == ["a", "b"]
        assert (work / "a").read_bytes() == (stdin or b"")


@pytest.mark.parametrize("startup", TAKES.values(), ids=TAKES)
async def test_nothing_runs_behind_startup_files_that_take_its_input_or_its_place(
    host: OpenSSHConnection, account: Account, startup: str
) -> None:
    work = _begin(account, startup)
    with anyio.fail_after(60):
        for command in (f"cd {work} && true; touch b", f"touch {work}/a\ntouch {work}/b"):
            with pytest.raises(SessionRefused, match="was not run") as refused:
                await host.run(command, timeout=30)
            assert not refused.value.sent
            assert "touch" not in str(refused.value)
        with pytest.raises(SessionRefused, match=r"was not run|never began"):
            await host.run(f"cd {work} && cat >b", stdin=b"touch b\n" * 9, timeout=2)
    assert list(work.iterdir()) == []


async def _start_and_write(host: OpenSSHConnection, command: str, data: bytes) -> None:
    process = await host.start(command)
    await process.write(data)
    await process.wait()


async def test_a_process_whose_input_is_taken_does_not_start(host: OpenSSHConnection, account: Account) -> None:
    with anyio.fail_after(60):
        for startup in ("exec sh", "exec bash --norc", "read x"):
            work = _begin(account, startup)
            with pytest.raises(SessionRefused, match="was not run"):
                await _start_and_write(host, f"touch {work}/a", b"touch b\n")
            assert list(work.iterdir()) == []


async def test_a_command_that_ran_although_all_its_output_went_elsewhere_is_distinguished(
    host: OpenSSHConnection, account: Account
) -> None:
    work = _begin(account, "exec >/dev/null 2>&1")
    with pytest.raises(SessionRefused, match="was run") as refused:
        await host.run(f"cd {work} && touch a; touch b", timeout=30)
    assert refused.value.sent
    assert len(list(work.iterdir())) == 2


async def test_a_command_that_has_not_begun_at_its_timeout_never_begins(
    host: OpenSSHConnection, account: Account, tmp_path: Path
) -> None:
    work = _begin(account, f"sleep 7; touch {account.home}/work/begun")
    with pytest.raises(SessionRefused, match="never began"):
        await host.run(f"touch {work}/a", timeout=1)
    with anyio.fail_after(20):
        while not (work / "begun").exists():
            await anyio.sleep(0.1)
    (account.home / ".bashrc").write_text("")
    done = await host.run(f"ls {work}")
    assert done.stdout == b"begun\n"
