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
from contextlib import suppress
from dataclasses import dataclass, field, replace

import anyio

from ssh_mcp.errors import SudoFailed
from ssh_mcp.tokens import Command, arg, command, lit
from transports.api import Completed, Connection, OutputSink, StreamName
from transports.errors import Heard, MasterLost, TransportError

QUIET = 6.0
"""Seconds of silence after text from sudo that is no start before stdin is closed (PAM delays a refusal by two)."""

ASK_LIMIT = 20.0
"""Seconds that sudo may take to start the command at all."""

END_LIMIT = 10.0
"""Seconds that the end of a root process group may take: a login of sudo's, two seconds between TERM and KILL."""

_HEAD = 65536
"""Bytes of stderr kept for what sudo says before the command starts."""

_REFUSED = ("sorry, try again", "incorrect password attempt", "incorrect authentication", "no password was provided")

_ROOT_SHELL = """
LC_ALL=$2; if [ -n "$LC_ALL" ]; then export LC_ALL; else unset LC_ALL; fi
__m=$1; shift 2
if [ -r /proc/$$/stat ]; then read -r _ _ _ _ __g __s _ < /proc/$$/stat
else __s=0; __g=$(ps -o pgid= -p $$ | tr -d ' '); fi
printf '%s %s %s\\n' "$__m" "${__g:-$$}" "$__s" >&2
__l=; while IFS= read -r __l; do if [ "$__l" = "$__m" ]; then break; fi; __l=; done
[ "$__l" = "$__m" ] || exit 125
unset __l __m __g __s
exec "$@"
"""

# With use_pty sudo's command has a session of its own; without, it shares the frame's, whose leader must live on to
# tell the exit status. Programs such as timeout make process groups of their own within the session.
_END = """
g=$1 s=$2
tell() {
  kill -$1 -$g 2>/dev/null
  [ $s != 0 ] || return 0
  for f in /proc/[0-9]*/stat; do
    IFS= read -r l <"$f" || continue
    p=${l%% *}; set -- "$1" ${l##*\\) }
    [ "$5" = $s ] && [ $p != $s ] && kill -$1 $p
  done 2>/dev/null
}
tell TERM
i=0
while [ $i -lt 20 ]; do
  kill -0 -$g 2>/dev/null || break
  sleep 0.1 2>/dev/null || sleep 1
  i=$((i+1))
done
tell KILL
"""


@dataclass(slots=True)
class Progress:
    """What stderr has told so far."""

    mark: bytes
    started: anyio.Event = field(default_factory=anyio.Event)
    hopeless: anyio.Event = field(default_factory=anyio.Event)
    """sudo refused, or nobody waits for it any more."""
    over: anyio.Event = field(default_factory=anyio.Event)
    group: tuple[int, int] | None = None
    """Root's process group and session (0: unknown)."""
    head: bytes = b""
    last_text: float | None = None

    def see(self, name: StreamName, data: bytes) -> None:
        """Called with every piece of output; looks at stderr until the root shell has started."""
        if name != "stderr" or self.started.is_set():
            return
        self.head = (self.head + data)[-_HEAD:]
        self.last_text = time.monotonic()
        start = self.head.find(self.mark)
        if start >= 0 and b"\n" in self.head[start:]:
            words = self.head[start:].split(b"\n", 1)[0].split()
            if len(words) == 3 and words[1].isdigit() and words[2].isdigit() and int(words[1]) > 1:
                self.group = int(words[1]), int(words[2])
            self.started.set()
        elif any(word in self.head.lower().decode("utf-8", "replace") for word in _REFUSED):
            self.hopeless.set()


class _Output:
    """Passes on what the command itself writes: of stderr what comes behind the root shell's line."""

    def __init__(self, seen: Progress, sink: OutputSink) -> None:
        self._seen = seen
        self._sink = sink
        self._before: bytes | None = b""

    def __call__(self, name: StreamName, data: bytes) -> None:
        self._seen.see(name, data)
        if name == "stderr" and self._before is not None:
            self._before += data
            start = self._before.find(self._seen.mark)
            end = self._before.find(b"\n", start) + 1 if start >= 0 else 0
            if not end:
                return
            data, self._before = self._before[end:], None
        if data:
            self._sink(name, data)


@dataclass(slots=True)
class _Run:
    """One command under sudo."""

    connection: Connection
    password: bytes | None
    seen: Progress
    output: OutputSink
    scope: anyio.CancelScope = field(default_factory=lambda: anyio.CancelScope(shield=True))
    """Shielded: root's processes are ended first, and only then what the login user may end."""
    done: Completed | None = None
    failure: Exception | None = None

    async def run(
        self, inner: Command, stdin: bytes | AsyncIterator[bytes] | None, timeout: float, caps: tuple[int, int]
    ) -> None:
        with self.scope:
            try:
                self.done = await self.connection.run(
                    sudo_command(inner, self.seen.mark.decode(), has_password=self.password is not None).wire(),
                    stdin=feed(self.seen, self.password, stdin),
                    timeout=timeout + END_LIMIT,
                    stdout_cap=caps[0],
                    stderr_cap=caps[1] + _HEAD,
                    on_output=self.output,
                )
            except Exception as error:  # noqa: BLE001 - raised again outside of the task group
                self.failure = error
        self.seen.over.set()

    async def end(self) -> None:
        """End what runs as root, as root; bounded. A sudo that has not started anything gives up at end of file."""
        self.seen.hopeless.set()
        if self.seen.group is None or self.seen.over.is_set():
            return
        helper = Progress(("ssh-mcp-" + secrets.token_hex(16)).encode())
        group, session = self.seen.group
        inner = command("sh -c", arg(_END), "sh", arg(str(group)), arg(str(session)))
        line = sudo_command(inner, helper.mark.decode(), has_password=self.password is not None)
        with suppress(TransportError), anyio.move_on_after(END_LIMIT):
            await self.connection.run(
                line.wire(), stdin=feed(helper, self.password, None), timeout=END_LIMIT, on_output=helper.see
            )


def sudo_words(*, has_password: bool) -> str:
    """Shell text before a program that makes it root; its words to us are English, and a password comes on stdin."""
    return "LC_ALL=C sudo -S -p '' --" if has_password else "LC_ALL=C sudo -n --"


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
    on_output: OutputSink | None = None,
) -> Completed:
    """Run a program as root to its end. Raises SudoFailed where sudo did not start it.

    At the timeout, and when cancelled, root's processes are ended by root (TERM, grace, KILL): the login user may not
    signal them.
    """
    seen = Progress(("ssh-mcp-" + secrets.token_hex(16)).encode())
    run = _Run(connection, password, seen, seen.see if on_output is None else _Output(seen, on_output))
    began = time.monotonic()
    timed_out = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run.run, inner, stdin, timeout, (stdout_cap, stderr_cap))
        try:
            with anyio.move_on_after(timeout):
                await seen.over.wait()
            if not seen.over.is_set():
                timed_out = True
                await run.end()
                await seen.over.wait()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await run.end()
            run.scope.cancel()
            raise
    if run.failure is not None:
        if isinstance(run.failure, MasterLost) and run.failure.heard is not None:
            run.failure.heard = _heard_of_root(run.failure.heard, seen, stderr_cap)
        raise run.failure
    assert run.done is not None
    if not seen.started.is_set():
        raise refusal(seen.head.decode("utf-8", "replace"), run.done, has_password=password is not None)
    done = _without_mark(run.done, seen.mark, stderr_cap)
    return replace(
        done,
        duration=time.monotonic() - began,
        timed_out=timed_out,
        exit_code=-1 if timed_out else done.exit_code,
        signal=None if timed_out else done.signal,
    )


async def feed(
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
        if seen.hopeless.is_set() or seen.over.is_set():
            return False
        if seen.started.is_set():
            return True
        if seen.last_text is not None and time.monotonic() - seen.last_text > QUIET:
            return False
        with anyio.move_on_after(0.25):
            await seen.started.wait()
    return False


def _without_mark(done: Completed, mark: bytes, cap: int) -> Completed:
    """Take the root shell's line (and what sudo said before it, a lecture say) out of stderr."""
    start = done.stderr.find(mark)
    if start < 0:
        return done
    end = done.stderr.find(b"\n", start) + 1
    rest = done.stderr[end:]
    return replace(done, stderr=rest[:cap], stderr_total=done.stderr_total - end)


def _heard_of_root(heard: Heard, seen: Progress, cap: int) -> Heard:
    """What the command itself had said: nothing where it had not started."""
    if not seen.started.is_set():
        return Heard(b"", b"", 0, 0)
    end = heard.stderr.find(b"\n", heard.stderr.find(seen.mark)) + 1
    return replace(heard, stderr=heard.stderr[end:][:cap], stderr_total=heard.stderr_total - end)


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
