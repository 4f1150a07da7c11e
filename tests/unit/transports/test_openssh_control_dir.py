"""The private socket directory, the locks in it, and single flights."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.peers import need
from transports.errors import ConnectError, LocalError
from transports.openssh.local import control_dir, locks
from transports.openssh.local.control_dir import SOCKET_MAX, ControlDir, open_control_dir
from transports.openssh.local.single_flight import SingleFlight
from transports.openssh.masters.records import is_dead, sweep

ID = "0123456789abcdef"


@pytest.fixture
def short() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="smu-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_a_missing_directory_is_made_private(short: Path) -> None:
    made = open_control_dir(str(short / "c"))
    assert stat.S_IMODE(os.stat(made.path).st_mode) == 0o700


def test_a_directory_open_to_others_is_refused_and_left_as_it_is(short: Path) -> None:
    path = short / "c"
    path.mkdir(mode=0o755)
    path.chmod(0o755)
    with pytest.raises(LocalError, match="mode 0755 instead of 0700"):
        open_control_dir(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o755


def test_a_link_is_refused(short: Path) -> None:
    (short / "real").mkdir(mode=0o700)
    (short / "c").symlink_to(short / "real")
    with pytest.raises(LocalError, match="is a link"):
        open_control_dir(str(short / "c"))


def test_a_file_is_refused(short: Path) -> None:
    (short / "c").touch(mode=0o700)
    with pytest.raises(LocalError, match="is not a directory"):
        open_control_dir(str(short / "c"))


def test_a_directory_of_somebody_else_is_refused(short: Path) -> None:
    need(os.geteuid() == 0, "giving a directory away needs root")
    path = short / "c"
    path.mkdir(mode=0o700)
    os.chown(path, 12345, 12345)
    with pytest.raises(LocalError, match="belongs to user 12345"):
        open_control_dir(str(path))


def test_a_path_too_long_for_a_socket_is_refused_with_both_lengths(short: Path) -> None:
    fits = SOCKET_MAX - 17
    longest = str(short / ("x" * (fits - len(str(short)) - 1)))
    assert len(open_control_dir(longest).socket(ID)) == SOCKET_MAX
    with pytest.raises(LocalError, match=f"too long: {SOCKET_MAX + 1} bytes .* {SOCKET_MAX} work"):
        open_control_dir(longest + "x")


@pytest.mark.parametrize("path", ["relative", "/tmp/a b", "/tmp/%h", "/tmp/$HOME", "/tmp/'x"])
def test_a_path_that_ssh_might_expand_is_refused(path: str) -> None:
    with pytest.raises(LocalError):
        open_control_dir(path)


def test_without_a_wish_the_first_usable_place_counts(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    monkeypatch.setenv("HOME", str(short / "home"))
    assert open_control_dir(None).path == f"{short}/ssh-mcp"
    monkeypatch.setattr(control_dir, "default_candidates", lambda: ["/proc/nowhere/ssh-mcp", f"{short}/second"])
    assert open_control_dir(None).path == f"{short}/second"


def test_a_runtime_directory_of_somebody_else_is_not_used(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(os.geteuid() == 0, "giving a directory away needs root")
    os.chown(short, 12345, 12345)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    assert not any(path.startswith(str(short)) for path in control_dir.default_candidates())


def test_a_scratch_file_is_private_and_gone_afterwards(short: Path) -> None:
    short.chmod(0o700)
    with ControlDir(str(short)).scratch("Host x\n") as path:
        assert Path(path).read_text() == "Host x\n"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert list(short.iterdir()) == []


# --- sweeping -------------------------------------------------------------------------------------------------------


def listen(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen(1)
    return sock


def test_leftovers_of_an_ended_master_are_swept_and_a_live_one_stays(short: Path) -> None:
    short.chmod(0o700)
    directory = ControlDir(str(short))
    dead, live, used = "a" * 16, "b" * 16, "c" * 16
    listen(short / dead).close()
    with listen(short / live):
        for identity in (dead, live, used):
            for suffix in (".log", ".lock", ".use"):
                (short / f"{identity}{suffix}").touch()
        (short / "other.txt").touch()
        assert is_dead(str(short / dead))
        assert not is_dead(str(short / live))
        assert sweep(directory, [str(short / used)]) == 1
        left = {path.name[:16] for path in short.iterdir()}
        assert left == {live, used, "other.txt"}


def test_the_sweep_leaves_alone_what_somebody_is_just_starting(short: Path) -> None:
    short.chmod(0o700)
    held = locks.try_exclusive(str(short / f"{ID}.lock"))
    assert held is not None
    assert sweep(ControlDir(str(short)), []) == 0
    os.close(held)
    assert sweep(ControlDir(str(short)), []) == 1


# --- locks ----------------------------------------------------------------------------------------------------------


async def test_a_turn_waits_for_the_one_before(short: Path) -> None:
    path = str(short / "l")
    order: list[str] = []
    held = locks.try_exclusive(path)
    assert held is not None

    async def second(*, task_status: anyio.abc.TaskStatus[None]) -> None:
        task_status.started()
        async with locks.turn(path):
            order.append("second")

    async with anyio.create_task_group() as group:
        await group.start(second)
        order.append("first")
        os.close(held)
    assert order == ["first", "second"]


async def test_a_lock_file_that_was_removed_meanwhile_does_not_count(short: Path) -> None:
    path = short / "l"
    held = locks.try_exclusive(str(path))
    assert held is not None
    path.unlink()
    async with locks.turn(str(path)):
        assert path.exists()
        assert locks.try_exclusive(str(path)) is None
    os.close(held)


def test_only_the_last_user_of_a_master_is_the_last(short: Path) -> None:
    path = str(short / "u")
    one, two = locks.Use(path), locks.Use(path)
    assert not one.is_last()
    one.drop()
    one.drop()
    assert two.is_last()
    two.drop()


def test_a_killed_process_uses_nothing_any_more(short: Path) -> None:
    path = str(short / "u")
    code = f"from transports.openssh.local.locks import Use; u = Use({path!r}); print('up', flush=True); input()"
    root = Path(__file__).resolve().parents[3]
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        mine = locks.Use(path)
        assert not mine.is_last()
        mine.drop()
        child.kill()
        child.wait()
        assert locks.Use(path).is_last()


# --- single flight ----------------------------------------------------------------------------------------------------


async def test_a_hundred_waiters_share_one_attempt_and_its_error() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    attempts = 0
    errors: list[Exception] = []
    go = anyio.Event()

    async def work() -> int:
        nonlocal attempts
        attempts += 1
        await go.wait()
        raise ConnectError("no.", "try.", hop="bastion")

    async def caller() -> None:
        try:
            await flights.run("k", work)
        except ConnectError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(caller)
        await anyio.wait_all_tasks_blocked()
        go.set()
    assert attempts == 1
    assert len({id(error) for error in errors}) == 100
    assert {(error.what, error.remedy, error.hop) for error in errors if isinstance(error, ConnectError)} == {
        ("no.", "try.", "bastion")
    }


async def test_a_cancelled_leader_is_replaced_by_the_next_waiter() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    results: list[str] = []
    scope = anyio.CancelScope()

    async def leader() -> None:
        with scope:
            await flights.run("k", anyio.sleep_forever)  # type: ignore[arg-type]

    async def follower() -> None:
        async def work() -> str:
            return "mine"

        results.append(await flights.run("k", work))

    async with anyio.create_task_group() as group:
        group.start_soon(leader)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(follower)
        await anyio.wait_all_tasks_blocked()
        scope.cancel()
    assert results == ["mine"]
