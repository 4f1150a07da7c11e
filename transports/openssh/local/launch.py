"""Starting one ssh and hearing how its login went: the process side of a master. What to start is decided elsewhere."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import anyio

from transports.openssh.local import child

_TEXT_MAX: Final = 256 * 1024
_ENDING_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.01

_OURS: Final = ("SSH_", "ALLOW_", "MCP_")
_OPENSSH: Final = frozenset(
    {"SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE"}
    | {"SSH_SK_HELPER", "SSH_SK_PROVIDER", "SSH_PKCS11_HELPER"}
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one ssh ended. ``code`` None: we ended it at the time limit. ``said`` is its stderr (the login banner)."""

    code: int | None
    log: str
    said: str


def environment(extra: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """Our environment for ssh without this program's own settings: a ProxyCommand must not see the salt."""
    kept = {name: value for name, value in os.environ.items() if name in _OPENSSH or not name.startswith(_OURS)}
    return kept | dict(extra)


def read_text(path: str, start: int = 0) -> str:
    """A log file from byte ``start``, at most 256 KiB; empty where there is none."""
    try:
        with Path(path).open("rb") as file:
            file.seek(start)
            return file.read(_TEXT_MAX).decode(errors="replace")
    except OSError:
        return ""


def size_of(path: str) -> int:
    """Size of a file in bytes, 0 where there is none."""
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def truncate(path: str) -> None:
    """Empty a log; ssh appends, so it goes on at the new end."""
    with contextlib.suppress(OSError):
        os.truncate(path, 0)


async def run_ssh(
    argv: list[str], log: str, env: dict[str, str], *, seconds: float | None, terminal: bool = False
) -> Outcome:
    """Run ssh until it has logged in and gone to the background, or has failed.

    ``seconds`` None waits for ever (a person is at the ``terminal``, which ssh then keeps). Otherwise it gets a
    session of its own: it cannot ask at our terminal, and at the time limit or when cancelled it is killed together
    with its ProxyCommand and askpass.
    """
    truncate(log)
    with tempfile.TemporaryFile() as said:  # a file, because a background child may keep a pipe open for ever
        process = child.start(
            argv, stderr=None if terminal else said, inherit_stdin=terminal, env=env, new_session=not terminal
        )
        code: int | None = None
        try:
            with anyio.move_on_after(seconds):
                code = await child.ended(process)
        finally:
            if process.returncode is None:
                with anyio.CancelScope(shield=True):
                    await _kill_group(process, alone=terminal)
        return Outcome(code, read_text(log), _from_start(said))


def _from_start(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_TEXT_MAX).decode(errors="replace")


async def _kill_group(process: subprocess.Popen[bytes], *, alone: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if alone:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    await child.ended(process)


def lives(pid: int) -> bool:
    """Whether a process runs. A zombie does not: an init that never reaps would make it immortal."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - on the path of every call
            return file.read(512).rpartition(b") ")[2][:1] not in {b"Z", b"X"}
    except OSError:
        return True  # no /proc here


def _command_line(pid: int) -> bytes | None:
    """Arguments of a process, joined by NUL; None where this system does not show them."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None


async def gone(pid: int, seconds: float = _ENDING_SECONDS) -> bool:
    """Wait for the end of a process that is not a child of ours."""
    with anyio.move_on_after(seconds):
        while lives(pid):  # noqa: ASYNC110 - nothing signals the end of a foreign process portably
            await anyio.sleep(_POLL_SECONDS)
    return not lives(pid)


async def kill_master(pid: int, mark: str) -> None:
    """TERM, wait, KILL a master that does not reply on its socket.

    ``mark`` (a path from its command line) must be found there where the system shows it, so that a process that was
    given the same number later is never hit.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        line = _command_line(pid)
        if not lives(pid) or (line is not None and os.fsencode(mark) not in line):
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
        if await gone(pid):
            return


async def kill_strays(mark: str) -> None:
    """End background processes whose command line holds ``mark`` (Linux): a login that came out without its socket."""
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 - names are wanted
            if name.isdigit() and os.fsencode(mark) in (_command_line(int(name)) or b""):
                await kill_master(int(name), mark)
