"""Running something as root through sudo without ever hanging on it.

``sudo -S -p '' --`` reads the password from stdin, where it is the first line. Behind sudo stands a small root shell
that says on stderr that it has started; only then does anything but the password go over stdin, behind one line that
the root shell waits for. So a password that sudo did not ask for (NOPASSWD, a cached ticket) is swallowed by that
shell and never reaches the command, and a refused password is followed by end of file instead of a second attempt.

sudo's words are asked for in English (``LC_ALL=C``) to be recognised; the command gets the caller's locale back. What
is not recognised still ends: stderr before the start, followed by quiet, closes stdin, and sudo gives up.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import anyio

from ssh_mcp.errors import SudoFailed
from ssh_mcp.tokens import Command, arg, command, lit
from transports.api import Completed, Connection, StreamName

QUIET = 4.0
"""Seconds of silence after unrecognised text from sudo before stdin is closed (PAM delays a refusal by two)."""

ASK_LIMIT = 20.0
"""Seconds that sudo may take to start the command at all."""

KILL_GRACE = 2.0
"""Seconds between TERM and KILL for a root process group."""

_REFUSED = ("sorry, try again", "incorrect password attempt", "incorrect authentication", "no password was provided")

_ROOT_SHELL = """
LC_ALL=$2; if [ -n "$LC_ALL" ]; then export LC_ALL; else unset LC_ALL; fi
__m=$1; shift 2
__g=$$; if [ -r /proc/$$/stat ]; then read -r _ _ _ _ __g _ < /proc/$$/stat; fi
printf '%s %s %s\\n' "$__m" "$$" "$__g" >&2
while IFS= read -r __l; do if [ "$__l" = "$__m" ]; then break; fi; done
unset __l __m __g
exec "$@"
"""


@dataclass(slots=True)
class Progress:
    """What stderr has told so far."""

    mark: bytes
    started: anyio.Event = field(default_factory=anyio.Event)
    refused: anyio.Event = field(default_factory=anyio.Event)
    over: anyio.Event = field(default_factory=anyio.Event)
    pgid: int | None = None
    head: bytes = b""
    last_text: float | None = None

    def see(self, name: StreamName, data: bytes) -> None:
        """Called with every piece of output; looks at stderr until the root shell has started."""
        if name != "stderr" or self.started.is_set():
            return
        self.head = (self.head + data)[-65536:]
        self.last_text = time.monotonic()
        start = self.head.find(self.mark)
        if start >= 0 and b"\n" in self.head[start:]:
            words = self.head[start:].split(b"\n", 1)[0].split()
            self.pgid = int(words[2]) if len(words) == 3 and words[2].isdigit() else None
            self.started.set()
        elif any(word in self.head.lower().decode("utf-8", "replace") for word in _REFUSED):
            self.refused.set()


def sudo_command(inner: Command, mark: str, *, has_password: bool) -> Command:
    """The whole line for the login user's shell. ``inner`` is the program to start as root, with its arguments."""
    ask = [lit("-S"), lit("-p"), lit("''")] if has_password else [lit("-n")]
    return command(
        lit("__o=${LC_ALL-}; LC_ALL=C"),
        lit("sudo"),
        ask,
        lit("--"),
        lit("sh -c"),
        arg(_ROOT_SHELL),
        lit("sh"),
        arg(mark),
        lit('"$__o"'),
        *inner.tokens,
    )


async def run_as_root(
    connection: Connection,
    inner: Command,
    *,
    password: bytes | None,
    stdin: bytes | AsyncIterator[bytes] | None = None,
    timeout: float,
    stdout_cap: int,
    stderr_cap: int,
) -> Completed:
    """Run a program as root to its end. Raises SudoFailed where sudo did not start it.

    At the timeout, and when cancelled, the root process group is ended by root (TERM, grace, KILL): the login user
    may not signal it.
    """
    mark = "ssh-mcp-" + secrets.token_hex(16)
    seen = Progress(mark.encode())
    began = time.monotonic()
    line = sudo_command(inner, mark, has_password=password is not None)
    timed_out = False
    done: Completed | None = None

    async def watch() -> None:
        nonlocal timed_out
        with anyio.move_on_after(timeout):
            await seen.over.wait()
            return
        timed_out = True
        await _end_group(connection, seen, password)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        failure: Exception | None = None
        try:
            done = await connection.run(
                line.wire(),
                stdin=_feed(seen, password, stdin),
                timeout=timeout + KILL_GRACE * 3,
                stdout_cap=stdout_cap,
                stderr_cap=stderr_cap + 65536,
                on_output=seen.see,
            )
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await _end_group(connection, seen, password)
            raise
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
            failure = error
        seen.over.set()
    if failure is not None:
        raise failure
    assert done is not None
    if not seen.started.is_set():
        raise refusal(seen.head.decode("utf-8", "replace"), done, has_password=password is not None)
    return replace(
        _without_mark(done, seen.mark, stderr_cap),
        duration=time.monotonic() - began,
        timed_out=timed_out or done.timed_out,
        exit_code=-1 if timed_out else done.exit_code,
    )


async def _feed(
    seen: Progress, password: bytes | None, stdin: bytes | AsyncIterator[bytes] | None
) -> AsyncIterator[bytes]:
    """The password, then (only once the root shell runs) its line and the command's own input."""
    if password is not None:
        yield password + b"\n"
    if not await _started(seen):
        return
    yield seen.mark + b"\n"
    if isinstance(stdin, bytes):
        yield stdin
    elif stdin is not None:
        async for chunk in stdin:
            yield chunk


async def _started(seen: Progress) -> bool:
    """Wait until the command runs, sudo has refused, or nothing more is to be hoped for."""
    deadline = time.monotonic() + ASK_LIMIT
    while time.monotonic() < deadline:
        if seen.started.is_set():
            return True
        if seen.refused.is_set() or seen.over.is_set():
            return False
        if seen.last_text is not None and time.monotonic() - seen.last_text > QUIET:
            return False
        with anyio.move_on_after(0.25):
            await seen.started.wait()
    return False


async def _end_group(connection: Connection, seen: Progress, password: bytes | None) -> None:
    """TERM, grace, KILL for the root group, as root, bounded in time."""
    if seen.pgid is None:
        return
    group = f"-{seen.pgid}"
    script = f"kill -TERM {group} && sleep {KILL_GRACE:g} && kill -KILL {group}"
    mark = "ssh-mcp-" + secrets.token_hex(16)
    helper = Progress(mark.encode())
    line = sudo_command(command("sh -c", arg(script)), mark, has_password=password is not None)
    with anyio.move_on_after(KILL_GRACE * 3):
        await connection.run(
            line.wire(), stdin=_feed(helper, password, None), timeout=KILL_GRACE * 3, on_output=helper.see
        )


def _without_mark(done: Completed, mark: bytes, cap: int) -> Completed:
    """Take the root shell's line (and what sudo said before it, a lecture say) out of stderr."""
    start = done.stderr.find(mark)
    if start < 0:
        return done
    end = done.stderr.find(b"\n", start) + 1
    rest = done.stderr[end:]
    return replace(done, stderr=rest[:cap], stderr_total=done.stderr_total - end)


def refusal(text: str, done: Completed, *, has_password: bool) -> SudoFailed:
    """Name the cause from sudo's own words (in English; other words come through as they are)."""
    low = text.lower()
    said = " ".join(text.split())[:300]
    if done.exit_code == 127 or "sudo: not found" in low or "sudo: command not found" in low:
        return SudoFailed("The host has no sudo.", "The operator installs it or grants the login user what it needs.")
    if "must have a tty" in low or "a terminal is required to run" in low:
        return SudoFailed(
            "sudo on the host wants a terminal (requiretty).",
            "The operator adds 'Defaults:USER !requiretty' for the login user to sudoers.",
        )
    if "not in the sudoers file" in low or "is not allowed to" in low or "may not run sudo" in low:
        return SudoFailed(
            "The login user has no sudo rights for this on the host.", "The operator grants them in sudoers."
        )
    if "a password is required" in low or "a terminal is required to read the password" in low:
        return SudoFailed(
            "sudo asks for a password and none is configured for this host.",
            "The operator puts it in the keyring (service ssh-mcp-sudo, user = alias) or sets SSH_SUDO_PASSWORD_CMD.",
        )
    if any(word in low for word in _REFUSED) or (has_password and "password" in low):
        return SudoFailed("sudo refused the password configured for this host.", "The operator corrects it.")
    if done.timed_out or not said:
        return SudoFailed("sudo did not start the command in time.", "Try `sudo true` on the host by hand.")
    return SudoFailed(f"sudo did not start the command: {said}", "Try `sudo true` on the host by hand.")
